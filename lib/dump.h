/* SPDX-License-Identifier: MIT
 *
 * A bus, told whole, with the control lock held: docs/dump.md says what is in it.
 */
#ifndef BELLWIRE_DUMP_H
#define BELLWIRE_DUMP_H

#include "bus.h"
#include "text.h"

void dump_json(struct text *t, const struct bw_bus *bus);

#endif
