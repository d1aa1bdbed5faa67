/* SPDX-License-Identifier: MIT
 *
 * Transactions: all or nothing, at once, for this thread. Failing commits are in offload_test.c.
 */
#include "fake_offload.h"
#include "world.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct device {
	struct bw_region *region;
	unsigned int unused;
};

static void unused(void *opaque)
{
	((struct device *)opaque)->unused++;
}

static void add_device(struct bw_bus *bus, struct device *d)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = "device",
		.len = 0x100,
		.opaque = d,
		.unused = unused,
	};

	d->unused = 0;
	assert_int_equal(bw_region_new(bus, &d->region, &opts), 0);
}

static void begin(struct bw_bus *bus)
{
	assert_int_equal(bw_bus_begin(bus), 0);
}

static void nothing_shows_before_commit_and_all_after(void **state)
{
	struct bw_notifier *n = make_notifier("bell");
	struct bw_bus *bus = make_bus();
	struct bw_ioeventfd *ie;
	struct device d;

	(void)state;
	begin(bus);
	add_device(bus, &d);
	assert_int_equal(bw_region_doorbell(d.region, &ie, 8, of_len(4), n), 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	must_assign(bus, BW_PIO, 0x60, of_len(1), n);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1008, 4, 0), BW_UNCLAIMED);
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_UNCLAIMED);
	assert_int_equal(bw_bus_commit(bus), 0);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1008, 4, 0), BW_SIGNALLED);
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_SIGNALLED);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void abort_undoes_every_kind_of_change(void **state)
{
	struct bw_notifier *n = make_notifier("bell");
	struct bw_ioeventfd *plain, *bell, *lost;
	struct bw_bus *bus = make_bus();
	struct device stays, mapped, new;

	(void)state;
	add_device(bus, &stays);
	add_device(bus, &mapped);
	assert_int_equal(bw_region_doorbell(stays.region, &bell, 8, of_len(4), n), 0);
	assert_int_equal(bw_region_map(stays.region, 0x1000), 0);
	plain = must_assign(bus, BW_PIO, 0x60, of_len(1), n);
	begin(bus);
	bw_ioeventfd_deassign(plain);
	lost = must_assign(bus, BW_PIO, 0x60, any_len(), n);
	assert_non_null(lost);
	assert_int_equal(bw_region_doorbell(stays.region, &lost, 16, of_len(4), n), 0);
	assert_int_equal(bw_region_map(mapped.region, 0x4000), 0);
	add_device(bus, &new);
	assert_int_equal(bw_region_map(new.region, 0x5000), 0);
	assert_int_equal(bw_region_map(stays.region, 0x2000), 0);
	bw_region_free(stays.region);
	bw_bus_abort(bus);

	assert_int_equal(write_to(bus, BW_MMIO, 0x1008, 4, 0), BW_SIGNALLED);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1010, 4, 0), BW_UNCLAIMED);
	assert_int_equal(write_to(bus, BW_MMIO, 0x2008, 4, 0), BW_UNCLAIMED);
	assert_null(bw_region_at(bus, BW_MMIO, 0x4000));
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_SIGNALLED);
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 2, 0), BW_UNCLAIMED);
	assert_int_equal(new.unused, 1);
	assert_int_equal(stays.unused, 0);
	/* the handles that were given up are valid again */
	bw_ioeventfd_deassign(plain);
	bw_ioeventfd_deassign(bell);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1008, 4, 0), BW_UNCLAIMED);
	assert_int_equal(bw_region_map(stays.region, 0x2000), 0);
	assert_ptr_equal(bw_region_at(bus, BW_MMIO, 0x2000), stays.region);
	bw_bus_free(bus);
	assert_int_equal(stays.unused, 1);
	bw_notifier_free(n);
}

/* A change that follows is made to what was before, not to what was undone. */
static void what_is_undone_does_not_come_back_with_the_next_change(void **state)
{
	struct bw_notifier *n = make_notifier("bell");
	struct bw_bus *bus = make_bus();
	struct device moved, mapped, other;
	struct bw_ioeventfd *bell;

	(void)state;
	add_device(bus, &moved);
	add_device(bus, &mapped);
	add_device(bus, &other);
	assert_int_equal(bw_region_doorbell(moved.region, &bell, 8, of_len(4), n), 0);
	assert_int_equal(bw_region_map(moved.region, 0x1000), 0);
	begin(bus);
	assert_int_equal(bw_region_map(moved.region, 0x2000), 0);
	assert_int_equal(bw_region_map(mapped.region, 0x4000), 0);
	bw_bus_abort(bus);
	assert_int_equal(bw_region_map(other.region, 0x8000), 0);
	assert_ptr_equal(bw_region_at(bus, BW_MMIO, 0x1000), moved.region);
	assert_null(bw_region_at(bus, BW_MMIO, 0x2000));
	assert_null(bw_region_at(bus, BW_MMIO, 0x4000));
	assert_int_equal(write_to(bus, BW_MMIO, 0x1008, 4, 0), BW_SIGNALLED);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void calls_are_checked_against_the_ones_before_them(void **state)
{
	struct bw_notifier *n = make_notifier("bell");
	struct bw_bus *bus = make_bus();
	struct bw_ioeventfd *first, *second;

	(void)state;
	first = must_assign(bus, BW_PIO, 0x60, of_len(1), n);
	begin(bus);
	assert_int_equal(bw_ioeventfd_assign(bus, &second, BW_PIO, 0x60, any_len(), n), -EEXIST);
	bw_ioeventfd_deassign(first);
	assert_int_equal(bw_ioeventfd_assign(bus, &second, BW_PIO, 0x60, any_len(), n), 0);
	assert_int_equal(bw_bus_commit(bus), 0); /* the call that failed changed nothing */
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 4, 0), BW_SIGNALLED);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void only_the_outermost_commit_takes_effect(void **state)
{
	struct bw_notifier *n = make_notifier("bell");
	struct bw_bus *bus = make_bus();

	(void)state;
	begin(bus);
	begin(bus);
	must_assign(bus, BW_PIO, 0x60, of_len(1), n);
	assert_int_equal(bw_bus_commit(bus), 0);
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_UNCLAIMED);
	assert_int_equal(bw_bus_commit(bus), 0);
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_SIGNALLED);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void an_inner_abort_makes_the_outermost_fail(void **state)
{
	struct bw_notifier *n = make_notifier("bell");
	struct bw_bus *bus = make_bus();

	(void)state;
	begin(bus);
	must_assign(bus, BW_PIO, 0x60, of_len(1), n);
	begin(bus);
	bw_bus_abort(bus);
	assert_int_equal(bw_bus_commit(bus), -ECANCELED);
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_UNCLAIMED);
	must_assign(bus, BW_PIO, 0x60, of_len(1), n); /* the next is not marked by it */
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_SIGNALLED);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void abort_keeps_the_sentence_of_why(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("bell");
	struct bw_ioeventfd *ie;

	(void)state;
	begin(bus);
	assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_PIO, 0x60, of_len(3), n), -EINVAL);
	bw_bus_abort(bus);
	assert_non_null(strstr(bw_last_error(), "length 3"));
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void commit_without_begin_is_refused(void **state)
{
	struct bw_bus *bus = make_bus();

	(void)state;
	assert_int_equal(bw_bus_commit(bus), -EINVAL);
	bw_bus_abort(bus);
	bw_bus_free(bus);
}

static void *commit_from_elsewhere(void *bus)
{
	return (void *)(intptr_t)bw_bus_commit(bus);
}

static void another_thread_cannot_commit_it(void **state)
{
	struct bw_bus *bus = make_bus();
	pthread_t thread;
	void *result;

	(void)state;
	begin(bus);
	pthread_create(&thread, NULL, commit_from_elsewhere, bus);
	pthread_join(thread, &result);
	assert_int_equal((intptr_t)result, -EINVAL);
	assert_int_equal(bw_bus_commit(bus), 0);
	bw_bus_free(bus);
}

struct elsewhere {
	struct bw_bus *bus;
	struct bw_notifier *n;
	bool done;
};

static void *assign_from_elsewhere(void *opaque)
{
	struct elsewhere *e = opaque;
	struct bw_ioeventfd *ie;
	int err = bw_ioeventfd_assign(e->bus, &ie, BW_PIO, 0x70, of_len(1), e->n);

	__atomic_store_n(&e->done, true, __ATOMIC_RELEASE);
	return (void *)(intptr_t)err;
}

static void other_threads_control_calls_wait_and_accesses_do_not(void **state)
{
	struct elsewhere e = { make_bus(), make_notifier("bell"), false };
	struct timespec a_while = { .tv_nsec = 10000000 };
	pthread_t thread;
	void *result;

	(void)state;
	must_assign(e.bus, BW_PIO, 0x60, of_len(1), e.n);
	begin(e.bus);
	pthread_create(&thread, NULL, assign_from_elsewhere, &e);
	nanosleep(&a_while, NULL);
	assert_false(__atomic_load_n(&e.done, __ATOMIC_ACQUIRE));
	assert_int_equal(write_to(e.bus, BW_PIO, 0x60, 1, 0), BW_SIGNALLED);
	assert_int_equal(bw_bus_commit(e.bus), 0);
	pthread_join(thread, &result);
	assert_int_equal((intptr_t)result, 0);
	bw_bus_free(e.bus);
	bw_notifier_free(e.n);
}

static void synchronize_in_a_transaction_is_refused(void **state)
{
	struct bw_bus *bus = make_bus();

	(void)state;
	begin(bus);
	assert_int_equal(bw_bus_synchronize(bus), -EDEADLK);
	assert_int_equal(bw_bus_commit(bus), 0);
	assert_int_equal(bw_bus_synchronize(bus), 0);
	bw_bus_free(bus);
}

/* A move is told from a removal and an addition by what the hypervisor is asked. */
static void a_commit_asks_the_hypervisor_for_the_difference_only(void **state)
{
	struct bw_notifier *n = make_notifier("bell");
	struct fake_offload *fake = calloc(1, sizeof(*fake));
	struct bw_bus *bus = make_bus();
	struct bw_ioeventfd *bell;
	struct device d, other;

	(void)state;
	assert_int_equal(bus_offload(bus, &fake_ops, fake), 0);
	add_device(bus, &d);
	add_device(bus, &other);
	assert_int_equal(bw_region_doorbell(d.region, &bell, 8, of_len(4), n), 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	fake->operations = 0;
	begin(bus);
	assert_int_equal(bw_region_unmap(d.region), 0);
	assert_int_equal(bw_region_map(d.region, 0x9000), 0);
	assert_int_equal(bw_region_map(other.region, 0x7000), 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	assert_int_equal(bw_bus_commit(bus), 0);
	assert_int_equal(fake->operations, 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
	free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_shows_before_commit_and_all_after),
		cmocka_unit_test(abort_undoes_every_kind_of_change),
		cmocka_unit_test(what_is_undone_does_not_come_back_with_the_next_change),
		cmocka_unit_test(calls_are_checked_against_the_ones_before_them),
		cmocka_unit_test(only_the_outermost_commit_takes_effect),
		cmocka_unit_test(an_inner_abort_makes_the_outermost_fail),
		cmocka_unit_test(abort_keeps_the_sentence_of_why),
		cmocka_unit_test(commit_without_begin_is_refused),
		cmocka_unit_test(another_thread_cannot_commit_it),
		cmocka_unit_test(other_threads_control_calls_wait_and_accesses_do_not),
		cmocka_unit_test(synchronize_in_a_transaction_is_refused),
		cmocka_unit_test(a_commit_asks_the_hypervisor_for_the_difference_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
