/* SPDX-License-Identifier: MIT
 *
 * What the poller delivered, and when. Its thread writes, ours reads once the guest has come to its
 * end: nr is stored last, with release, and read first, with acquire.
 */
#include "cli/adaptive.h"
#include "cli/interrupt.h"
#include "endpoint/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <x86intrin.h>

#define MAX_DELIVERIES 0x200000u
#define PATIENCE_NS 2000000000u

int heard_init(struct heard *heard)
{
	heard->deliveries = calloc(MAX_DELIVERIES, sizeof(*heard->deliveries));
	return heard->deliveries ? 0 : -ENOMEM;
}

void heard_fini(struct heard *heard)
{
	free(heard->deliveries);
}

void heard_ring(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct heard *heard = opaque;
	uint64_t nr = atomic_load_explicit(&heard->nr, memory_order_relaxed), value = 0;

	(void)n;
	if (bw_ioeventfd_value(heard->ie, &value) < 0)
		atomic_fetch_add_explicit(&heard->trapped, count, memory_order_relaxed);
	else
		atomic_fetch_add_explicit(&heard->values, 1, memory_order_relaxed);
	if (nr < MAX_DELIVERIES)
		heard->deliveries[nr] = (struct delivery){ __rdtsc(), value };
	atomic_store_explicit(&heard->newest, value, memory_order_relaxed);
	atomic_store_explicit(&heard->nr, nr + 1, memory_order_release);
}

struct heard_mark heard_mark(const struct heard *heard)
{
	return (struct heard_mark){
		.nr = atomic_load_explicit(&heard->nr, memory_order_acquire),
		.trapped = atomic_load_explicit(&heard->trapped, memory_order_relaxed),
		.values = atomic_load_explicit(&heard->values, memory_order_relaxed),
	};
}

/* Of rings that all trapped each one counts. Where some did not, the last one is told by its value,
 * or if it trapped by when it was heard. */
static uint64_t missing(const struct heard *heard, const struct heard_mark *mark, uint64_t rings,
			uint64_t last_burst)
{
	struct heard_mark now = heard_mark(heard);
	uint64_t newest = atomic_load_explicit(&heard->newest, memory_order_relaxed);
	uint64_t trapped = now.trapped - mark->trapped;

	if (now.nr == mark->nr)
		return rings;
	if (newest)
		return newest < rings ? rings - newest : 0;
	if (now.values > mark->values && now.nr <= MAX_DELIVERIES &&
	    heard->deliveries[now.nr - 1].tick >= last_burst)
		return 0;
	return trapped < rings ? rings - trapped : 0;
}

uint64_t heard_lost(const struct heard *heard, const struct heard_mark *mark, uint64_t rings,
		    uint64_t last_burst)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS, lost;
	const struct timespec pause = { .tv_nsec = 50000 };

	while ((lost = missing(heard, mark, rings, last_burst)) && !interrupted() &&
	       clock_ns(CLOCK_MONOTONIC) < end)
		nanosleep(&pause, NULL);
	return lost;
}

/* A delivery without a value is of every burst that had begun. */
static bool has_seen(const struct delivery *d, const struct guest_trip *trip, uint64_t first_value)
{
	return d->tick >= trip->rung && (!d->value || d->value >= first_value);
}

uint64_t heard_latencies(const struct heard *heard, const struct heard_mark *mark,
			 const struct guest_trip *trips, uint64_t bursts, uint64_t burst,
			 uint64_t *ticks)
{
	uint64_t end = heard_mark(heard).nr, next = mark->nr, found = 0;

	if (end > MAX_DELIVERIES)
		end = MAX_DELIVERIES;
	for (uint64_t i = 0; i < bursts; i++) {
		while (next < end && !has_seen(&heard->deliveries[next], &trips[i], i * burst + 1))
			next++;
		if (next < end)
			ticks[found++] = heard->deliveries[next].tick - trips[i].rung;
	}
	return found;
}
