/* SPDX-License-Identifier: MIT
 *
 * The offload makes things faster and nothing else: every step of every operation is made to fail,
 * and afterwards the hypervisor's claims, what the guest reaches and the process's fds are as
 * before.
 */
#include "fake_offload.h"
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* A world with something of everything in it, and the operation under test done to it. */
struct scene {
	struct fake_offload fake;
	struct bw_bus *bus;
	struct bw_notifier *plain, *bell, *below, *spare;
	struct bw_ioeventfd *plain_ie, *out;
	struct bw_region *bar, *other, *cover;
	unsigned int handled;
};

#define BAR 0x10000u
#define OTHER 0x20000u
#define BELLS 5u

static void count_access(void *opaque, struct bw_access *access)
{
	(void)access;
	++*(unsigned int *)opaque;
}

static struct bw_region *make_region(struct scene *s, const char *name, int priority)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = name,
		.space = BW_MMIO,
		.len = 0x1000,
		.priority = priority,
		.handler = count_access,
		.opaque = &s->handled,
	};
	struct bw_region *region;

	assert_int_equal(bw_region_new(s->bus, &region, &opts), 0);
	return region;
}

static void add_bells(struct bw_region *region, struct bw_notifier *n)
{
	struct bw_ioeventfd *ie;

	for (uint64_t i = 0; i < BELLS; i++)
		assert_int_equal(bw_region_doorbell(region, &ie, i * 8, of_len(4), n), 0);
}

static void build(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->bus = make_bus();
	s->plain = make_notifier("plain");
	s->bell = make_notifier("bell");
	s->below = make_notifier("below");
	s->spare = make_notifier("spare");
	s->bar = make_region(s, "bar", 0);
	s->other = make_region(s, "other", 0);
	s->cover = make_region(s, "cover", 1);
	add_bells(s->bar, s->bell);
	add_bells(s->other, s->below);
	assert_int_equal(bw_region_map(s->bar, BAR), 0);
	assert_int_equal(bw_region_map(s->other, OTHER), 0);
	assert_int_equal(
		bw_ioeventfd_assign(s->bus, &s->plain_ie, BW_MMIO, OTHER + 16, of_len(4), s->plain),
		0);
}

static void attach(struct scene *s)
{
	assert_int_equal(bus_offload(s->bus, &fake_ops, &s->fake), 0);
}

static void demolish(struct scene *s)
{
	bw_bus_free(s->bus);
	assert_int_equal(s->fake.nr, 0);
	assert_int_equal(s->fake.unknown_deassigns, 0);
	bw_notifier_free(s->plain);
	bw_notifier_free(s->bell);
	bw_notifier_free(s->below);
	bw_notifier_free(s->spare);
}

static unsigned int who(const struct scene *s)
{
	return (unsigned int)(bw_notifier_take(s->plain) + 10 * bw_notifier_take(s->bell) +
			      100 * bw_notifier_take(s->below) + 1000 * bw_notifier_take(s->spare));
}

/* What a guest finds at each address, who was rung and by whom, and the fds, as text. */
static void describe(struct scene *s, char *text, size_t size)
{
	static const uint64_t bases[] = { BAR, OTHER, 0x30000, BAR + 0x1000 };
	size_t at = 0;

	for (size_t b = 0; b < 4; b++)
		for (uint64_t offset = 0; offset < 0x30; offset += 8) {
			bool by_hypervisor;
			int result = fake_write(&s->fake, s->bus, BW_MMIO, bases[b] + offset, 4, 7,
						&by_hypervisor);

			at += (size_t)snprintf(text + at, size - at, "%d%c%u ", result,
					       by_hypervisor ? 'h' : 'b', who(s));
		}
	snprintf(text + at, size - at, "claims %u fds %u", s->fake.nr, count_fds());
}

static int assign_plain(struct scene *s)
{
	return bw_ioeventfd_assign(s->bus, &s->out, BW_MMIO, 0x30000, of_len(4), s->spare);
}

/* Hides one of the region's doorbells, whose claim must make way in the hypervisor. */
static int assign_over_a_doorbell(struct scene *s)
{
	return bw_ioeventfd_assign(s->bus, &s->out, BW_MMIO, BAR + 8, any_len(), s->spare);
}

static int add_doorbell(struct scene *s)
{
	return bw_region_doorbell(s->bar, &s->out, 0x28, of_len(4), s->spare);
}

static int move(struct scene *s)
{
	return bw_region_map(s->bar, 0x30000);
}

static int move_by_one_bell(struct scene *s)
{
	return bw_region_map(s->bar, BAR + 8);
}

/* other's doorbells come to lie where bar's were, which go first. */
static int move_onto(struct scene *s)
{
	return bw_region_map(s->other, BAR);
}

static int cover(struct scene *s)
{
	return bw_region_map(s->cover, BAR - 0xff0);
}

static int commit(struct scene *s, int err)
{
	if (!err)
		return bw_bus_commit(s->bus);
	bw_bus_abort(s->bus);
	return err;
}

static int swap_two_bars(struct scene *s)
{
	int err = bw_bus_begin(s->bus);

	if (!err)
		err = bw_region_map(s->bar, OTHER);
	if (!err)
		err = bw_region_map(s->other, BAR);
	return commit(s, err);
}

/* What a guest does by one write to PCI COMMAND, and back. */
static int turn_off_and_on_elsewhere(struct scene *s)
{
	int err = bw_bus_begin(s->bus);

	if (!err)
		err = bw_region_unmap(s->bar);
	if (!err)
		err = bw_region_unmap(s->other);
	if (!err)
		err = bw_region_map(s->bar, 0x30000);
	return commit(s, err);
}

/* A device appears whole, and takes over from one that goes. */
static int replace_a_device(struct scene *s)
{
	int err = bw_bus_begin(s->bus);
	struct bw_region *new = make_region(s, "new", 0);

	bw_region_free(s->bar);
	add_bells(new, s->spare);
	if (!err)
		err = bw_region_map(new, BAR);
	return commit(s, err);
}

static int replace_the_plain_one(struct scene *s)
{
	int err = bw_bus_begin(s->bus);

	bw_ioeventfd_deassign(s->plain_ie);
	if (!err)
		err = bw_ioeventfd_assign(s->bus, &s->out, BW_MMIO, OTHER + 16, any_len(),
					  s->spare);
	return commit(s, err);
}

static const struct operation {
	const char *name;
	int (*run)(struct scene *s);
	bool makes_way; /* -EEXIST of the hypervisor is answered by taking an old claim out first */
} operations[] = {
	{ "assign", assign_plain, false },
	{ "assign over a doorbell", assign_over_a_doorbell, true },
	{ "doorbell", add_doorbell, false },
	{ "move", move, false },
	{ "move by one doorbell", move_by_one_bell, true },
	{ "move onto another", move_onto, true },
	{ "cover", cover, false },
	{ "swap two BARs", swap_two_bars, true },
	{ "turn off and on elsewhere", turn_off_and_on_elsewhere, false },
	{ "replace a device", replace_a_device, true },
	{ "replace the bus's own", replace_the_plain_one, true },
};

static const int errors[] = { -ENOSPC, -EEXIST, -ENOMEM, -EMFILE };

/* Returns false once the operation no longer gets as far as its n-th assign. */
static bool fails_cleanly(const struct operation *op, unsigned int n, int error)
{
	char before[2048], after[2048];
	struct scene s;
	bool failed;
	int err;

	build(&s);
	attach(&s);
	describe(&s, before, sizeof(before));
	s.fake.fail_at = n;
	s.fake.fail_with = error;
	err = op->run(&s);
	failed = !s.fake.fail_at;
	s.fake.fail_at = 0;
	if (failed && !(op->makes_way && error == -EEXIST && !err)) {
		assert_int_equal(err, error);
		describe(&s, after, sizeof(after));
		assert_string_equal(after, before);
		assert_int_equal(op->run(&s), 0); /* and it can still be done */
	} else {
		assert_int_equal(err, 0);
	}
	demolish(&s);
	return failed;
}

static void every_failing_step_is_undone(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(operations); i++)
		for (size_t e = 0; e < COUNT_OF(errors); e++) {
			unsigned int n = 1;

			while (fails_cleanly(&operations[i], n, errors[e]))
				n++;
			/* covering only removes; everything else assigns something */
			assert_int_equal(n > 1, operations[i].run != cover);
		}
}

static void what_cannot_be_put_back_is_signalled_by_the_bus(void **state)
{
	struct scene s;

	(void)state;
	for (unsigned int n = 1; n <= BELLS; n++) {
		char before[2048], after[2048];

		build(&s);
		attach(&s);
		describe(&s, before, sizeof(before));
		s.fake.fail_at = n;
		s.fake.fail_with = -ENOMEM;
		s.fake.keep_failing = true;
		assert_int_equal(move_onto(&s), -ENOMEM);
		s.fake.fail_at = 0;
		describe(&s, after, sizeof(after));
		for (char *c = before; *c; c++)
			if (*c == 'h' && after[c - before] == 'b')
				*c = 'b';
		*strstr(before, "claims") = *strstr(after, "claims") = '\0';
		assert_string_equal(after, before);
		demolish(&s);
	}
}

static void a_refusal_is_no_failure(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(operations); i++) {
		char offloaded[2048], refused[2048];
		struct scene s;

		for (int refuse = 0; refuse < 2; refuse++) {
			build(&s);
			attach(&s);
			s.fake.refuse_all = refuse ? "not today" : NULL;
			assert_int_equal(operations[i].run(&s), 0);
			describe(&s, refuse ? refused : offloaded, sizeof(refused));
			demolish(&s);
		}
		/* the guest finds the same, whoever signals */
		for (char *c = offloaded; *c; c++)
			*c = *c == 'h' ? 'b' : *c;
		for (char *c = refused; *c; c++)
			*c = *c == 'h' ? 'b' : *c;
		*strstr(offloaded, "claims") = *strstr(refused, "claims") = '\0';
		assert_string_equal(refused, offloaded);
	}
}

static void no_room_in_the_hypervisor_leaves_it_to_the_bus(void **state)
{
	bool by_hypervisor;
	struct scene s;

	(void)state;
	build(&s);
	attach(&s);
	s.fake.fail_at = 1;
	s.fake.fail_with = -EOPNOTSUPP;
	assert_int_equal(assign_plain(&s), 0);
	assert_int_equal(fake_write(&s.fake, s.bus, BW_MMIO, 0x30000, 4, 0, &by_hypervisor),
			 BW_SIGNALLED);
	assert_false(by_hypervisor);
	assert_int_equal(bw_notifier_take(s.spare), 1);
	demolish(&s);
}

static void attaching_moves_what_is_there_or_nothing(void **state)
{
	unsigned int n;
	int err = -1;

	(void)state;
	for (n = 1; err; n++) {
		char before[2048], after[2048];
		struct scene s;

		build(&s);
		describe(&s, before, sizeof(before));
		s.fake.fail_at = n;
		s.fake.fail_with = -ENOMEM;
		err = bus_offload(s.bus, &fake_ops, &s.fake);
		s.fake.fail_at = 0;
		if (err) {
			assert_int_equal(err, -ENOMEM);
			describe(&s, after, sizeof(after));
			assert_string_equal(after, before);
		} else {
			/* one of the other region's is hidden by the plain one */
			assert_int_equal(s.fake.nr, BELLS + BELLS);
		}
		demolish(&s);
	}
	assert_int_equal(n, BELLS + BELLS + 2);
}

/* Another bus has offloaded the notifier's fd between the making of it and the failure. */
static struct bw_bus *other_bus;
static struct bw_notifier *shared;

static int assign_after_another(void *state, const struct offload_claim *claim, const char **why)
{
	(void)state;
	(void)claim;
	(void)why;
	must_assign(other_bus, BW_PIO, 0x60, of_len(1), shared);
	return -ENOMEM;
}

static void a_failing_commit_leaves_an_fd_that_another_bus_uses(void **state)
{
	struct fake_offload first = { 0 }, second = { 0 };
	struct offload_ops failing = fake_ops;
	struct bw_bus *bus = make_bus();
	struct bw_ioeventfd *ie;
	bool by_hypervisor;

	(void)state;
	other_bus = make_bus();
	shared = make_notifier("shared");
	failing.assign = assign_after_another;
	assert_int_equal(bus_offload(bus, &failing, &first), 0);
	assert_int_equal(bus_offload(other_bus, &fake_ops, &second), 0);
	assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_PIO, 0x70, of_len(1), shared), -ENOMEM);
	assert_int_equal(fake_write(&second, other_bus, BW_PIO, 0x60, 1, 0, &by_hypervisor),
			 BW_SIGNALLED);
	assert_true(by_hypervisor);
	assert_int_equal(bw_notifier_take(shared), 1);
	bw_bus_free(bus);
	bw_bus_free(other_bus);
	bw_notifier_free(shared);
}

static void a_second_offload_is_refused(void **state)
{
	struct fake_offload second = { 0 };
	struct scene s;

	(void)state;
	build(&s);
	attach(&s);
	assert_int_equal(bus_offload(s.bus, &fake_ops, &second), -EBUSY);
	assert_non_null(strstr(bw_last_error(), "fake"));
	demolish(&s);
	assert_true(s.fake.freed);
	assert_false(second.freed);
}

static void deassign_cannot_fail(void **state)
{
	bool by_hypervisor;
	struct scene s;

	(void)state;
	build(&s);
	attach(&s);
	assert_int_equal(assign_over_a_doorbell(&s), 0);
	s.fake.fail_at = 1; /* of putting the uncovered doorbell back */
	s.fake.fail_with = -ENOMEM;
	bw_ioeventfd_deassign(s.out);
	assert_int_equal(s.fake.fail_at, 0);
	assert_int_equal(fake_write(&s.fake, s.bus, BW_MMIO, BAR + 8, 4, 0, &by_hypervisor),
			 BW_SIGNALLED);
	assert_false(by_hypervisor);
	assert_int_equal(bw_notifier_take(s.bell), 1);
	assert_int_equal(bw_notifier_take(s.spare), 0);
	demolish(&s);
}

static void unmapping_uncovers_and_cannot_fail_when_freed(void **state)
{
	char before[2048], after[2048];
	struct scene s;

	(void)state;
	build(&s);
	attach(&s);
	describe(&s, before, sizeof(before));
	assert_int_equal(cover(&s), 0);
	bw_region_free(s.cover);
	describe(&s, after, sizeof(after));
	assert_string_equal(after, before);
	demolish(&s);
}

static void a_collision_is_found_before_the_hypervisor_is_asked(void **state)
{
	unsigned int operations_before;
	struct scene s;

	(void)state;
	build(&s);
	attach(&s);
	operations_before = s.fake.operations;
	assert_int_equal(
		bw_ioeventfd_assign(s.bus, &s.out, BW_MMIO, OTHER + 16, any_len(), s.spare),
		-EEXIST);
	assert_int_equal(s.fake.operations, operations_before);
	assert_non_null(strstr(bw_last_error(), "plain"));
	demolish(&s);
}

static void a_move_keeps_the_old_place_until_the_new_is_assigned(void **state)
{
	struct scene s;

	(void)state;
	build(&s);
	attach(&s);
	s.fake.operations = s.fake.assigns = 0;
	assert_int_equal(move(&s), 0);
	assert_int_equal(s.fake.assigns, BELLS);
	assert_int_equal(s.fake.operations, 2 * BELLS);
	s.fake.fail_at = 1;
	s.fake.fail_with = -ENOMEM;
	s.fake.operations = 0;
	assert_int_equal(bw_region_map(s.bar, BAR), -ENOMEM);
	assert_int_equal(s.fake.operations, 1); /* nothing was taken out before that */
	demolish(&s);
}

/* No fd can be opened until the limit is put back. */
static void end_fds(struct rlimit *before)
{
	int free_fd = dup(0);
	struct rlimit none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	none = *before;
	none.rlim_cur = (rlim_t)free_fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	close(free_fd);
}

static int add_two_doorbells(struct scene *s)
{
	int err = bw_bus_begin(s->bus);

	if (!err)
		err = bw_region_doorbell(s->bar, &s->out, 0x40, of_len(4), s->bell);
	if (!err)
		err = bw_region_doorbell(s->bar, &s->out, 0x48, of_len(4), s->spare);
	assert_int_equal(err, 0);
	return bw_bus_commit(s->bus);
}

static void what_was_not_assigned_yet_is_not_deassigned(void **state)
{
	struct rlimit limit;
	struct scene s;

	(void)state;
	build(&s);
	attach(&s);
	end_fds(&limit);
	assert_int_equal(add_two_doorbells(&s), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(s.fake.unknown_deassigns, 0);
	assert_int_equal(s.fake.nr, 2 * BELLS);
	assert_int_equal(add_two_doorbells(&s), 0);
	assert_int_equal(s.fake.nr, 2 * BELLS + 2);
	demolish(&s);
}

#define MANY 300u /* claims, more than are prepared at a time */

static void many_are_assigned_or_none(void **state)
{
	struct bw_ioeventfd *ie;
	struct scene s;

	(void)state;
	build(&s);
	assert_int_equal(bw_region_unmap(s.bar), 0);
	for (uint64_t i = BELLS; i < MANY; i++)
		assert_int_equal(bw_region_doorbell(s.bar, &ie, i * 8, of_len(4), s.bell), 0);
	attach(&s);
	for (unsigned int n = 1; n <= MANY; n += 13) {
		s.fake.fail_at = n;
		s.fake.fail_with = -ENOMEM;
		assert_int_equal(bw_region_map(s.bar, BAR), -ENOMEM);
		assert_int_equal(s.fake.nr, BELLS);
	}
	assert_int_equal(bw_region_map(s.bar, BAR), 0);
	assert_int_equal(s.fake.nr, MANY + BELLS);
	assert_int_equal(bw_region_map(s.bar, 0x40000), 0);
	assert_int_equal(s.fake.nr, MANY + BELLS);
	demolish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failing_step_is_undone),
		cmocka_unit_test(what_cannot_be_put_back_is_signalled_by_the_bus),
		cmocka_unit_test(a_refusal_is_no_failure),
		cmocka_unit_test(no_room_in_the_hypervisor_leaves_it_to_the_bus),
		cmocka_unit_test(attaching_moves_what_is_there_or_nothing),
		cmocka_unit_test(a_failing_commit_leaves_an_fd_that_another_bus_uses),
		cmocka_unit_test(a_second_offload_is_refused),
		cmocka_unit_test(deassign_cannot_fail),
		cmocka_unit_test(unmapping_uncovers_and_cannot_fail_when_freed),
		cmocka_unit_test(a_collision_is_found_before_the_hypervisor_is_asked),
		cmocka_unit_test(a_move_keeps_the_old_place_until_the_new_is_assigned),
		cmocka_unit_test(what_was_not_assigned_yet_is_not_deassigned),
		cmocka_unit_test(many_are_assigned_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
