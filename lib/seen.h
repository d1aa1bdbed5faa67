/* SPDX-License-Identifier: MIT
 *
 * What the guest sees of the handles, told with the control lock held. A transaction that is open
 * has changed what is wanted, not this.
 */
#ifndef BELLWIRE_SEEN_H
#define BELLWIRE_SEEN_H

#include "bus.h"

/* Where readers find the region. */
const struct mapping *seen_mapping(const struct bw_region *region);

/* The address in its space, false if it has none: its region is not mapped, or the transaction that
 * assigned it is open. Another may stand there in its place: see why_inactive(). */
bool seen_addr(const struct bw_ioeventfd *ie, uint64_t *addr);

/* Why the guest cannot ring it now, NULL if it can; and why the hypervisor does not signal it, NULL
 * if it does. Strings that are never freed. */
const char *why_inactive(const struct bw_ioeventfd *ie);
const char *why_not_offloaded(const struct bw_ioeventfd *ie);

#endif
