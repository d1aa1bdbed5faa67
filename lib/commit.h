/* SPDX-License-Identifier: MIT
 *
 * The commit of a transaction, with the control lock held.
 */
#ifndef BELLWIRE_COMMIT_H
#define BELLWIRE_COMMIT_H

#include "bus.h"

/* What is wanted becomes what readers see, as a whole; or nothing changes, -errno. must: it only
 * removes, and cannot fail. */
int txn_commit(struct bw_bus *bus, bool must);

/* Its first step, difference.c: fills bus->changed, and stages the slots of what is there. -ENOMEM:
 * what was staged is in bus->changed, to be undone. */
int weigh_all(struct bw_bus *bus, bool must);

#endif
