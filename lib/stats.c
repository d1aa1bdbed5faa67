/* SPDX-License-Identifier: MIT
 *
 * Counts: where they are kept, and how none is lost when the table grows or a doorbell moves.
 *
 * A ring counts inside the read section that found its slot. So when the grace period after the
 * replacement of the view is over, nobody counts in the old slot any more, and its count is final:
 * it is added to the handle's then, and never before. The new slot begins at 0.
 */
#include "stats.h"
#include "error.h"
#include "near.h"
#include "seen.h"
#include "txn.h"

#include <errno.h>
#include <string.h>

void counts_begin_move(struct slot *to, const struct slot *from)
{
	struct bw_ioeventfd *ie = to->owner;

	if (shape_has_value(to->shape))
		return;
	if (from)
		ie->last = __atomic_load_n(&from->value, __ATOMIC_RELAXED);
	to->value = ie->last;
}

void counts_end_move(struct bw_ioeventfd *ie, struct slot *to, const struct slot *from)
{
	uint64_t before = ie->last;

	ie->elided += from->elided;
	if (shape_has_value(from->shape))
		return;
	ie->last = from->value;
	if (to && ie->last != before) /* what was written there meanwhile came later */
		__atomic_compare_exchange_n(&to->value, &before, ie->last, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}

static uint64_t last_value(const struct bw_ioeventfd *ie, uint64_t rings)
{
	if (ie->match.has_value)
		return rings ? ie->match.value : 0;
	return ie->active ? __atomic_load_n(&ie->active->value, __ATOMIC_RELAXED) : ie->last;
}

void counts_read(const struct bw_ioeventfd *ie, struct bw_ioeventfd_stats *stats)
{
	*stats = (struct bw_ioeventfd_stats){
		.signals = __atomic_load_n(&ie->signals, __ATOMIC_RELAXED),
		.elided = ie->elided,
		.near_width = near_width_misses(ie),
		.near_value = near_value_misses(ie),
		.active = ie->active,
		.why_not_offloaded = why_not_offloaded(ie),
	};
	if (ie->active)
		stats->elided += __atomic_load_n(&ie->active->elided, __ATOMIC_RELAXED);
	stats->rings = stats->signals + stats->elided;
	stats->last_value = last_value(ie, stats->rings);
	stats->offloaded = !stats->why_not_offloaded;
}

int bw_ioeventfd_stats(struct bw_ioeventfd *ie, struct bw_ioeventfd_stats *stats)
{
	struct bw_ioeventfd_stats known;
	size_t size = stats->size;
	int err = txn_begin(ie->bus);

	if (err)
		return err;
	if (size < sizeof(size)) {
		err = fail(-EINVAL, "bw_ioeventfd_stats: the size is %zu, not sizeof(struct)",
			   size);
		goto end;
	}
	counts_read(ie, &known);
	known.size = size;
	memset(stats, 0, size);
	memcpy(stats, &known, size < sizeof(known) ? size : sizeof(known));
end:
	txn_end(ie->bus);
	return err;
}
