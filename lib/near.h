/* SPDX-License-Identifier: MIT
 *
 * Near misses: writes that no ioeventfd took, at the address of one.
 *
 * Those of any value are looked up as a hit is, by the widths that are in use, and each counts for
 * itself. Those of a value cannot be: nobody knows which values there are. All that are active at
 * one address share a struct near, which counts the writes missed there by their width; what each
 * of them missed follows from it, less what was there before it came.
 */
#ifndef BELLWIRE_NEAR_H
#define BELLWIRE_NEAR_H

#include "bus.h"

/* Inside an RCU section: nobody took this write. */
void near_miss(struct bw_bus *bus, const struct view *view, const struct bw_access *access);

/*
 * With the control lock held. For an ioeventfd of a value that becomes active at addr; NULL for
 * others, and where memory is lacking: then its near misses are not counted.
 */
struct near *near_join(struct bw_ioeventfd *ie, uint64_t addr);

/* Before the grace period in which ie goes from near to next_near: what all of its members leave
 * can no longer be found. */
void near_leaving(struct bw_ioeventfd *ie);

/* After it. */
void near_settle(struct bw_ioeventfd *ie);

/* Undoes near_join(), which has given ie->next_near. May wait for a grace period. */
void near_unjoin(struct bw_ioeventfd *ie);

/* Until now. */
uint64_t near_width_misses(const struct bw_ioeventfd *ie);
uint64_t near_value_misses(const struct bw_ioeventfd *ie);

void near_fini(struct bw_bus *bus);

#endif
