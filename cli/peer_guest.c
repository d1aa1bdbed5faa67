/* SPDX-License-Identifier: MIT
 *
 * The guest in QEMU gets its commands as the one in our VMM does, from its mailbox; but there is
 * nobody to stop it when it is done, so it is held (guest/abi.h) until there is another one.
 *
 * Its time is its own, from the TSC: the commands of a sample are told from the rest to the tick,
 * although we are asleep meanwhile. How long a tick is, CLOCK_MONOTONIC_RAW says.
 */
#include "cli/peer.h"
#include "cli/interrupt.h"
#include "endpoint/clock.h"

#include <errno.h>
#include <string.h>

#define COMMAND_NS 30000000000u /* how long the guest may take, besides its rings */
#define SLOWEST_RING_NS 1000000u
#define POLL_NS 20000
#define BASE_LINE_NS 200000000

static struct guest_mailbox *mailbox_of(const struct peer *peer)
{
	return (struct guest_mailbox *)(peer->ram + GUEST_MAILBOX(0));
}

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

void peer_prepare_guest(const struct peer *peer)
{
	struct guest_mailbox *mailbox = mailbox_of(peer);

	*(uint32_t *)(peer->ram + GUEST_BOOT_CPL) = peer->opts.cpl;
	mailbox->op = GUEST_PLAY; /* of nothing */
	mailbox->hold = 1;
}

/* Acquire: what the guest wrote before it counted the command. x86 keeps its stores in order. */
int peer_wait(struct peer *peer, uint64_t commands, uint64_t timeout_ns)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + timeout_ns;

	while (__atomic_load_n(&mailbox_of(peer)->commands, __ATOMIC_ACQUIRE) < commands) {
		if (interrupted())
			return peer_error(peer, EINTR, "interrupted");
		if (peer_has_ended(peer))
			return -EIO;
		if (clock_ns(CLOCK_MONOTONIC) > end)
			return peer_error(peer, ETIMEDOUT, "the guest in QEMU does not answer");
		pause_ns(POLL_NS);
	}
	return 0;
}

/* Performs what is in the mailbox. Release: the command is there before the guest is let go. */
static int perform(struct peer *peer, uint64_t timeout_ns)
{
	struct guest_mailbox *mailbox = mailbox_of(peer);
	uint64_t commands = mailbox->commands + 1;
	int err;

	__atomic_store_n(&mailbox->hold, commands, __ATOMIC_RELEASE);
	peer_go(peer);
	err = peer_wait(peer, commands, timeout_ns);
	peer_stop(peer);
	return err;
}

int peer_play(struct peer *peer, struct guest_access *accesses, uint32_t nr)
{
	struct guest_mailbox *mailbox = mailbox_of(peer);
	void *list = peer->ram + GUEST_SCRATCH;
	int err;

	if (nr)
		memcpy(list, accesses, nr * sizeof(*accesses));
	mailbox->op = GUEST_PLAY;
	mailbox->nr_accesses = nr;
	mailbox->accesses = GUEST_SCRATCH;
	mailbox->count = 1;
	err = perform(peer, COMMAND_NS);
	if (nr)
		memcpy(accesses, list, nr * sizeof(*accesses));
	return err;
}

int peer_ring(struct peer *peer, const struct guest_access *ring, uint64_t rings, double *ns)
{
	struct guest_mailbox *mailbox = mailbox_of(peer);
	int err;

	mailbox->op = GUEST_RING;
	mailbox->count = rings;
	mailbox->sequence = 0;
	mailbox->ring = *ring;
	err = perform(peer, COMMAND_NS + rings * SLOWEST_RING_NS);
	*ns = (double)(mailbox->tsc_end - mailbox->tsc_start) * peer->ns_per_tick;
	return err;
}

/* The guest's TSC and our time when it was done with nothing. */
static int take_anchor(struct peer *peer, uint64_t *tick, uint64_t *ns)
{
	int err = peer_play(peer, NULL, 0);

	*ns = clock_ns(CLOCK_MONOTONIC_RAW);
	*tick = mailbox_of(peer)->tsc_end;
	return err;
}

/* Both anchors are late by the same sleep, give or take some us of 200 ms. */
int peer_relate_clocks(struct peer *peer)
{
	uint64_t tick[2], ns[2];
	int err = take_anchor(peer, &tick[0], &ns[0]);

	if (err)
		return err;
	pause_ns(BASE_LINE_NS);
	err = take_anchor(peer, &tick[1], &ns[1]);
	if (err)
		return err;
	if (tick[1] <= tick[0])
		return peer_error(peer, EPROTO, "the TSC of QEMU's guest stands still");
	peer->ns_per_tick = (double)(ns[1] - ns[0]) / (double)(tick[1] - tick[0]);
	return 0;
}
