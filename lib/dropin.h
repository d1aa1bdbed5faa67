/* SPDX-License-Identifier: MIT
 *
 * The drop-in's eventfds: one notifier for each, however many ioeventfds share it.
 */
#ifndef BELLWIRE_DROPIN_H
#define BELLWIRE_DROPIN_H

struct import;

/* With the control lock held: gives one ioeventfd's use of it up. */
void import_put(struct import *import);

#endif
