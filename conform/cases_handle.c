/* SPDX-License-Identifier: MIT
 *
 * Handles, notifiers and transactions: what the library has beyond the ioctl.
 */
#include "trial.h"

#include <unistd.h>

#define RINGS 20000u

static struct bw_notifier *notifier(struct trial *t)
{
	struct bw_notifier *n = NULL;

	if (!is_over(t))
		check(t, bw_notifier_new(&n, "rung") == 0, "%s", bw_last_error());
	return n;
}

static struct bw_ioeventfd *assign_handle(struct trial *t, enum bw_space space, uint64_t addr,
					  uint32_t len, struct bw_notifier *n)
{
	struct bw_match match = { .len = len };
	struct bw_ioeventfd *handle = NULL;

	if (!is_over(t))
		check(t, bw_ioeventfd_assign(t->s->bus, &handle, space, addr, match, n) == 0, "%s",
		      bw_last_error());
	return handle;
}

static void taken(struct trial *t, struct bw_notifier *n, uint64_t count)
{
	uint64_t got = is_over(t) ? count : bw_notifier_take(n);

	check(t, got == count, "the notifier was rung %llu times, not %llu",
	      (unsigned long long)got, (unsigned long long)count);
}

static void without_an_eventfd(struct trial *t)
{
	struct guest_access accesses[] = { out(PORT, 2, 0), store(BAR, 8, 1), out(PORT, 2, 2) };
	struct bw_notifier *n = notifier(t);

	assign_handle(t, BW_PIO, PORT, 2, n);
	assign_handle(t, BW_MMIO, BAR, BW_ANY_LEN, n);
	play(t, accesses, COUNT_OF(accesses));
	taken(t, n, 3);
	exited(t, NULL, 0);
	bw_notifier_free(n);
}

static void becomes_an_eventfd(struct trial *t)
{
	struct guest_access access = out(PORT, 1, 0);
	struct bw_notifier *n = notifier(t);
	uint64_t count = 0;

	assign_handle(t, BW_PIO, PORT, 1, n);
	play(t, &access, 1);
	if (!is_over(t))
		check(t,
		      read(bw_notifier_fd(n), &count, sizeof(count)) == sizeof(count) && count == 1,
		      "what was pending is not in the eventfd");
	play(t, &access, 1);
	taken(t, n, 1);
	bw_notifier_free(n);
}

static void lost_fd(struct trial *t)
{
	int fd = new_eventfd(t);
	struct bw_notifier *n = NULL;
	struct bw_ioeventfd *handle;

	if (!is_over(t))
		check(t, bw_notifier_import(&n, fd, NULL) == 0, "%s", bw_last_error());
	handle = assign_handle(t, BW_PIO, PORT, 1, n);
	bw_notifier_free(n);
	rings(t, out(PORT, 1, 0), fd);
	bw_ioeventfd_deassign(handle);
	exits(t, out(PORT, 1, 0));
	assign(t, port(PORT, 0), fd);
}

static void in_the_way(struct trial *t)
{
	struct bw_match any = { .len = BW_ANY_LEN };
	struct bw_notifier *n = notifier(t);
	struct bw_ioeventfd *handle, *none = NULL;
	int fd = new_eventfd(t);

	handle = assign_handle(t, BW_PIO, PORT, 2, n);
	assign_gives(t, port(PORT, 2), fd, EEXIST);
	assign(t, port(PORT, 4), fd);
	if (!is_over(t))
		check(t, bw_ioeventfd_assign(t->s->bus, &none, BW_PIO, PORT, any, n) == -EEXIST,
		      "any length was assigned beside others");
	bw_ioeventfd_deassign(handle);
	assign(t, port(PORT, 2), fd);
	bw_notifier_free(n);
}

static void committed(struct trial *t)
{
	int fd = new_eventfd(t);

	if (is_over(t))
		return;
	bw_bus_begin(t->s->bus);
	for (unsigned int i = 0; i < 4; i++)
		assign(t, port(PORT + i, 1), fd);
	exits(t, out(PORT, 1, 0));
	check(t, bw_bus_commit(t->s->bus) == 0, "%s", bw_last_error());
	for (unsigned int i = 0; i < 4; i++)
		rings(t, out(PORT + i, 1, 0), fd);
}

static void aborted(struct trial *t)
{
	int fd = new_eventfd(t), other = new_eventfd(t);

	assign(t, port(PORT, 1), fd);
	if (is_over(t))
		return;
	bw_bus_begin(t->s->bus);
	deassign(t, port(PORT, 1), fd);
	assign(t, port(PORT, 1), other);
	assign(t, port(PORT + 1, 1), other);
	bw_bus_abort(t->s->bus);
	rings(t, out(PORT, 1, 0), fd);
	exits(t, out(PORT + 1, 1, 0));
	assign_gives(t, port(PORT, 1), other, EEXIST);
	deassign(t, port(PORT, 1), fd);
}

static void another_eventfd(struct trial *t)
{
	int fds[2] = { new_eventfd(t), new_eventfd(t) };

	assign(t, port(PORT, 1), fds[0]);
	start_ringing(t, 0, out(PORT, 1, 0), RINGS, 0);
	for (unsigned int i = 0; is_ringing(t, 0); i++) {
		bw_bus_begin(t->s->bus);
		deassign(t, port(PORT, 1), fds[i % 2]);
		assign(t, port(PORT, 1), fds[(i + 1) % 2]);
		check(t, bw_bus_commit(t->s->bus) == 0, "%s", bw_last_error());
	}
	finish_ringing(t, 0);
	check(t, take(t, fds[0]) + take(t, fds[1]) == RINGS, "a ring was lost or came twice");
	exited(t, NULL, 0);
}

#define SEQUENCE 0x90000u /* in GUEST_SCRATCH */

static void elided_order(struct trial *t)
{
	volatile uint64_t *stored = scratch(t, SEQUENCE, sizeof(*stored));
	struct bw_notifier *n = notifier(t);
	uint64_t rung = 0;
	bool last = false;

	assign_handle(t, BW_MMIO, BAR, 4, n);
	start_ringing(t, 0, store(BAR, 4, 0), RINGS, GUEST_SCRATCH + SEQUENCE);
	while (!last && !is_over(t)) {
		last = !is_ringing(t, 0);
		rung += bw_notifier_take(n);
		check(t, *stored >= rung, "%llu rings were taken before store %llu",
		      (unsigned long long)rung, (unsigned long long)*stored);
	}
	finish_ringing(t, 0);
	check(t, rung == RINGS, "%llu rings came of %u", (unsigned long long)rung, RINGS);
	bw_notifier_free(n);
}

static const struct conform_case cases[] = {
	{ .name = "a_notifier_counts_without_an_eventfd",
	  .says = "Three rings in two spaces.",
	  .run = without_an_eventfd,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_notifier_becomes_an_eventfd",
	  .says = "What is pending then is in it.",
	  .run = becomes_an_eventfd,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_handle_deassigns_what_a_lost_fd_could_not",
	  .says = "And its place is free.",
	  .run = lost_fd,
	  .needs = NEEDS_LIBRARY },
	{ .name = "handles_and_the_ioctls_struct_share_one_table",
	  .says = "Each is in the other's way.",
	  .run = in_the_way,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_transaction_takes_effect_when_it_commits",
	  .says = "All of it, and not before.",
	  .run = committed,
	  .needs = NEEDS_LIBRARY },
	{ .name = "an_aborted_transaction_changes_nothing",
	  .says = "What it removed is back.",
	  .run = aborted,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_doorbell_gets_another_eventfd_without_losing_a_ring",
	  .says = "In transactions, while a vCPU rings: every write rings one of the two.",
	  .run = another_eventfd,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_notifier_rings_after_what_was_stored_before",
	  .says = "20,000 numbered stores: who has taken ring n sees store n.",
	  .run = elided_order,
	  .needs = NEEDS_LIBRARY },
};

const struct conform_group group_handle = CONFORM_GROUP("handle", cases);
