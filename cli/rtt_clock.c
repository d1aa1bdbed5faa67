/* SPDX-License-Identifier: MIT
 *
 * Relates the guest's clock to the host's. The guest stores a number in its memory, a thread that
 * spins on it takes the host's time and stores the number back. The host's time lies between the
 * two of the guest, and of many exchanges the fastest says best where.
 */
#include "cli/rtt.h"
#include "cli/cli.h"
#include "endpoint/clock.h"
#include "endpoint/pinned.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define EXCHANGES 300u

struct exchange {
	_Atomic uint64_t *word;
	uint64_t *answer;
	uint64_t heard_ns[EXCHANGES];
	atomic_bool stopping;
};

/* Acquire and release as for any message; the guest is a program in assembly. */
static void *answer_words(void *opaque)
{
	struct exchange *x = opaque;

	for (uint64_t i = 1; i <= EXCHANGES; i++) {
		while (atomic_load_explicit(x->word, memory_order_acquire) != i)
			if (atomic_load_explicit(&x->stopping, memory_order_relaxed))
				return NULL;
		x->heard_ns[i - 1] = clock_ns(CLOCK_MONOTONIC_RAW);
		__atomic_store_n(x->answer, i, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void find_fastest(struct anchor *anchor, const struct exchange *x,
			 const struct guest_trip *trips)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int i = 0; i < EXCHANGES; i++) {
		uint64_t took = trips[i].answered - trips[i].rung;

		if (took >= best)
			continue;
		best = took;
		*anchor = (struct anchor){
			.tick = trips[i].rung + took / 2,
			.ns = x->heard_ns[i],
			.error_ticks = took / 2,
		};
	}
}

int rtt_anchor(struct rig *rig, struct anchor *anchor)
{
	struct guest_access ring = { .kind = GUEST_STORE, .len = 8, .addr = RTT_WORD };
	struct exchange x = {
		.word = vm_memory(rig->vm, RTT_WORD, sizeof(*x.word)),
		.answer = vm_memory(rig->vm, RTT_ANSWER, sizeof(*x.answer)),
	};
	const struct guest_trip *trips =
		vm_memory(rig->vm, RTT_EXCHANGES, EXCHANGES * sizeof(*trips));
	pthread_t thread;
	int err;

	atomic_store_explicit(x.word, 0, memory_order_relaxed);
	err = pinned_thread(&thread, rig->opts->endpoint.cpu, answer_words, &x);
	if (err) {
		cli_failed("cannot start a thread: %s", strerror(-err));
		return err;
	}
	err = rtt_command(&rig->paths[0], &ring, RTT_ANSWER, RTT_EXCHANGES, EXCHANGES);
	atomic_store_explicit(&x.stopping, true, memory_order_relaxed);
	pthread_join(thread, NULL);
	if (!err)
		find_fastest(anchor, &x, trips);
	return err;
}
