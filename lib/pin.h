/* SPDX-License-Identifier: MIT
 *
 * A region lives until its last running handler returns. See pin.c.
 */
#ifndef BELLWIRE_PIN_H
#define BELLWIRE_PIN_H

#include "bus.h"

/* Inside an RCU section in which the region was found. */
void region_pin(struct bw_region *region);

/* After the handler: may call unused() and free the region. No lock is held. */
void region_unpin(struct bw_region *region);

/* With the control lock held, after the grace period that ended all pinning: bw_bus_synchronize()
 * is to wait for the handlers that are still running. */
void region_depart(struct bw_region *region);

/* The same for a region that is freed. True: no handler is left, the caller destroys it. */
bool region_release(struct bw_region *region);

/* Calls unused() and frees the memory. No lock is held. */
void region_destroy(struct bw_region *region);

void departures_init(struct departures *d);
void departures_fini(struct departures *d);

/* Returns when those that departed before the call have no handler left. */
void departures_wait(struct departures *d);

#endif
