/* SPDX-License-Identifier: MIT
 *
 * Samples: so many accesses, by one thread or by two at once. Each is preceded by as many that are
 * not timed, because the sample before has had the caches.
 */
#include "cli/cli.h"
#include "cli/dispatch.h"
#include "endpoint/clock.h"
#include "endpoint/pinned.h"

#include <sched.h>
#include <string.h>

double dispatch_sample_limit(struct chase *c, uint64_t reads)
{
	uint64_t start;

	chase_run(c, reads);
	start = clock_ns(CLOCK_MONOTONIC_RAW);
	chase_run(c, reads);
	return (double)(clock_ns(CLOCK_MONOTONIC_RAW) - start) / (double)reads;
}

static double timed(struct ringer *r, uint64_t accesses)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC_RAW);

	ringer_run(r, accesses);
	return (double)(clock_ns(CLOCK_MONOTONIC_RAW) - start) / (double)accesses;
}

double dispatch_sample(struct ringer *r, uint64_t accesses)
{
	ringer_run(r, accesses);
	return timed(r, accesses);
}

/* Both threads start as one: a barrier wakes the second far too late. */
static void rendezvous(struct pair *pair)
{
	unsigned int both = atomic_fetch_add(&pair->arrived, 1) | 1;

	while (atomic_load(&pair->arrived) <= both)
		sched_yield();
}

static double sample_in_pair(struct pair *pair, struct ringer *r)
{
	ringer_run(r, pair->accesses);
	rendezvous(pair);
	return timed(r, pair->accesses);
}

static void *second_thread(void *opaque)
{
	struct pair *pair = opaque;

	for (;;) {
		pthread_barrier_wait(&pair->barrier);
		if (!pair->second)
			return NULL;
		pair->second_ns = sample_in_pair(pair, pair->second);
		pthread_barrier_wait(&pair->barrier);
	}
}

double dispatch_sample_pair(struct pair *pair, struct ringer *first, struct ringer *second,
			    uint64_t accesses)
{
	double ns;

	pair->second = second;
	pair->accesses = accesses;
	pthread_barrier_wait(&pair->barrier);
	ns = sample_in_pair(pair, first);
	pthread_barrier_wait(&pair->barrier);
	return (ns + pair->second_ns) / 2;
}

int pair_start(struct pair *pair, int cpu)
{
	int err;

	*pair = (struct pair){};
	pthread_barrier_init(&pair->barrier, NULL, 2);
	err = pinned_thread(&pair->thread, cpu, second_thread, pair);
	if (err) {
		pthread_barrier_destroy(&pair->barrier);
		cli_failed("cannot start a thread: %s", strerror(-err));
	}
	return err;
}

void pair_stop(struct pair *pair)
{
	pair->second = NULL;
	pthread_barrier_wait(&pair->barrier);
	pthread_join(pair->thread, NULL);
	pthread_barrier_destroy(&pair->barrier);
}
