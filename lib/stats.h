/* SPDX-License-Identifier: MIT
 *
 * The counts of an ioeventfd, as it goes from one slot to another: elided rings and the value
 * written last are kept in the slot, beside the key that a ring has loaded anyway. All with the
 * control lock held.
 */
#ifndef BELLWIRE_STATS_H
#define BELLWIRE_STATS_H

#include "bus.h"

/* Before readers can find it in the new slot; in the old one, which may be NULL, they go on. */
void counts_begin_move(struct slot *to, const struct slot *from);

/* When no reader is left in the old slot: what was counted there since it came is taken over, each
 * ring once. to: NULL if it goes nowhere. */
void counts_end_move(struct bw_ioeventfd *ie, struct slot *to, const struct slot *from);

/* What of it has been counted until now; size is not looked at. */
void counts_read(const struct bw_ioeventfd *ie, struct bw_ioeventfd_stats *stats);

#endif
