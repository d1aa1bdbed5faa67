/* SPDX-License-Identifier: MIT
 *
 * What is counted of an ioeventfd, and that no count is lost on the way.
 */
#include "world.h"
#include "fake_offload.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define AT 0x1000u

static struct bw_ioeventfd_stats stats_of(struct bw_ioeventfd *ie)
{
	struct bw_ioeventfd_stats stats = { .size = sizeof(stats) };

	assert_int_equal(bw_ioeventfd_stats(ie, &stats), 0);
	assert_int_equal(stats.rings, stats.signals + stats.elided);
	assert_int_equal(stats.offloaded, !stats.why_not_offloaded);
	return stats;
}

/* ---- rings ---- */

static void a_ring_without_an_eventfd_is_elided(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("n");
	struct bw_ioeventfd *ie = must_assign(bus, BW_PIO, AT, of_len(2), n);
	struct bw_ioeventfd_stats stats;

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		write_to(bus, BW_PIO, AT, 2, i);
	bw_notifier_ring(n); /* by hand: it is no ioeventfd's */
	stats = stats_of(ie);
	assert_int_equal(stats.elided, 3);
	assert_int_equal(stats.signals, 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void a_ring_of_an_eventfd_is_a_signal(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("n");
	struct bw_ioeventfd *ie = must_assign(bus, BW_PIO, AT, of_len(2), n);
	struct bw_ioeventfd_stats stats;

	(void)state;
	write_to(bus, BW_PIO, AT, 2, 0);
	bw_notifier_fd(n);
	write_to(bus, BW_PIO, AT, 2, 0);
	write_to(bus, BW_PIO, AT, 2, 0);
	stats = stats_of(ie);
	assert_int_equal(stats.elided, 1);
	assert_int_equal(stats.signals, 2);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void deliver(void *opaque, struct bw_notifier *n, uint64_t count)
{
	(void)opaque;
	(void)n;
	(void)count;
}

static void only_the_ring_that_wakes_a_poller_is_a_signal(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("n");
	struct bw_ioeventfd *ie = must_assign(bus, BW_PIO, AT, of_len(2), n);
	struct bw_ioeventfd_stats stats;
	struct bw_poller *p;

	(void)state;
	assert_int_equal(bw_poller_new(&p), 0);
	assert_int_equal(bw_poller_add(p, n, deliver, NULL), 0);
	bw_poller_poll(p, 0);
	assert_true(bw_poller_arm(p) >= 0);
	for (unsigned int i = 0; i < 5; i++)
		write_to(bus, BW_PIO, AT, 2, 0);
	stats = stats_of(ie);
	assert_int_equal(stats.signals, 1);
	assert_int_equal(stats.elided, 4);
	bw_poller_free(p);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void the_last_value_has_the_width_of_the_write(void **state)
{
	static const struct {
		struct bw_match match;
		uint32_t len;
		uint64_t written, kept;
	} cases[] = {
		{ { 0, false, 0 }, 3, 0x11223344, 0x223344 },
		{ { 0, false, 0 }, 8, UINT64_MAX - 1, UINT64_MAX - 1 },
		{ { 1, false, 0 }, 1, 0x1234, 0x34 },
		{ { 2, false, 0 }, 2, 0x123456, 0x3456 },
		{ { 4, true, 7 }, 4, 7, 7 },
		{ { 8, true, 9 }, 8, 9, 9 },
	};

	(void)state;
	for (unsigned int i = 0; i < COUNT_OF(cases); i++) {
		struct bw_bus *bus = make_bus();
		struct bw_notifier *n = make_notifier("n");
		struct bw_ioeventfd *ie = must_assign(bus, BW_MMIO, AT, cases[i].match, n);

		assert_int_equal(stats_of(ie).last_value, 0);
		assert_int_equal(write_to(bus, BW_MMIO, AT, cases[i].len, cases[i].written),
				 BW_SIGNALLED);
		assert_int_equal(stats_of(ie).last_value, cases[i].kept);
		bw_bus_free(bus);
		bw_notifier_free(n);
	}
}

static void a_hypercall_has_no_value(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("n");
	struct bw_ioeventfd *ie = must_assign(bus, BW_HYPERCALL, 5, any_len(), n);
	struct bw_access access = { .space = BW_HYPERCALL, .is_write = true, .addr = 5 };

	(void)state;
	assert_int_equal(bw_bus_access(bus, &access), BW_SIGNALLED);
	assert_int_equal(stats_of(ie).rings, 1);
	assert_int_equal(stats_of(ie).last_value, 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

/* ---- near misses ---- */

struct near_world {
	struct bw_bus *bus;
	struct bw_notifier *n;
};

static struct near_world near_world(void)
{
	return (struct near_world){ make_bus(), make_notifier("n") };
}

static void end(struct near_world *w)
{
	bw_bus_free(w->bus);
	bw_notifier_free(w->n);
}

static void assert_near(struct bw_ioeventfd *ie, uint64_t by_width, uint64_t by_value)
{
	struct bw_ioeventfd_stats stats = stats_of(ie);

	assert_int_equal(stats.near_width, by_width);
	assert_int_equal(stats.near_value, by_value);
}

static void another_width_is_a_near_miss_of_all_that_are_there(void **state)
{
	struct near_world w = near_world();
	struct bw_ioeventfd *two = must_assign(w.bus, BW_MMIO, AT, of_len(2), w.n);
	struct bw_ioeventfd *four = must_assign(w.bus, BW_MMIO, AT, of_len(4), w.n);
	struct bw_ioeventfd *elsewhere = must_assign(w.bus, BW_MMIO, AT + 8, of_len(4), w.n);

	(void)state;
	for (uint32_t len = 1; len <= 8; len++)
		write_to(w.bus, BW_MMIO, AT, len, 0);
	write_to(w.bus, BW_PIO, AT, 1, 0);
	assert_near(two, 6, 0);
	assert_near(four, 6, 0);
	assert_near(elsewhere, 0, 0);
	assert_int_equal(stats_of(two).rings, 1);
	end(&w);
}

static void another_value_is_a_near_miss_of_those_of_that_width(void **state)
{
	struct near_world w = near_world();
	struct bw_ioeventfd *one = must_assign(w.bus, BW_PIO, AT, of_value(4, 1), w.n);
	struct bw_ioeventfd *two = must_assign(w.bus, BW_PIO, AT, of_value(4, 2), w.n);
	struct bw_ioeventfd *narrow = must_assign(w.bus, BW_PIO, AT, of_value(2, 1), w.n);

	(void)state;
	write_to(w.bus, BW_PIO, AT, 4, 3);
	write_to(w.bus, BW_PIO, AT, 4, 3);
	write_to(w.bus, BW_PIO, AT, 2, 9);
	write_to(w.bus, BW_PIO, AT, 1, 1);
	write_to(w.bus, BW_PIO, AT, 4, 1); /* a hit */
	assert_near(one, 2, 2);
	assert_near(two, 2, 2);
	assert_near(narrow, 3, 1);
	assert_int_equal(stats_of(one).rings, 1);
	end(&w);
}

static void a_read_is_no_near_miss(void **state)
{
	struct near_world w = near_world();
	struct bw_ioeventfd *sized = must_assign(w.bus, BW_PIO, AT, of_len(4), w.n);
	struct bw_ioeventfd *valued = must_assign(w.bus, BW_PIO, AT, of_value(2, 1), w.n);
	uint64_t value;

	(void)state;
	read_from(w.bus, BW_PIO, AT, 1, &value);
	assert_near(sized, 0, 0);
	assert_near(valued, 0, 0);
	end(&w);
}

static void near_misses_count_from_the_assign_on(void **state)
{
	struct near_world w = near_world();
	struct bw_ioeventfd *first = must_assign(w.bus, BW_PIO, AT, of_value(4, 1), w.n), *second;

	(void)state;
	write_to(w.bus, BW_PIO, AT, 4, 9);
	write_to(w.bus, BW_PIO, AT, 2, 9);
	second = must_assign(w.bus, BW_PIO, AT, of_value(4, 2), w.n);
	assert_near(second, 0, 0);
	write_to(w.bus, BW_PIO, AT, 4, 9);
	assert_near(first, 1, 2);
	assert_near(second, 0, 1);
	bw_ioeventfd_deassign(first);
	write_to(w.bus, BW_PIO, AT, 4, 1);
	assert_near(second, 0, 2);
	end(&w);
}

static void a_failed_assign_leaves_no_near_misses_behind(void **state)
{
	struct near_world w = near_world();
	struct bw_ioeventfd *ie;

	(void)state;
	assert_int_equal(bw_bus_begin(w.bus), 0);
	must_assign(w.bus, BW_PIO, AT, of_value(4, 1), w.n);
	bw_bus_abort(w.bus);
	write_to(w.bus, BW_PIO, AT, 4, 9);
	ie = must_assign(w.bus, BW_PIO, AT, of_value(4, 1), w.n);
	assert_near(ie, 0, 0);
	write_to(w.bus, BW_PIO, AT, 4, 9);
	assert_near(ie, 0, 1);
	end(&w);
}

/* ---- what moves keeps its counts ---- */

static void counts_go_where_the_region_goes(void **state)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .len = 0x100 };
	struct near_world w = near_world();
	struct bw_ioeventfd *sized, *valued;
	struct bw_ioeventfd_stats stats;
	struct bw_region *region;

	(void)state;
	assert_int_equal(bw_region_new(w.bus, &region, &opts), 0);
	assert_int_equal(bw_region_doorbell(region, &sized, 0, of_len(4), w.n), 0);
	assert_int_equal(bw_region_doorbell(region, &valued, 8, of_value(4, 6), w.n), 0);
	for (uint64_t addr = AT; addr < AT + 0x400; addr += 0x100) {
		assert_int_equal(bw_region_map(region, addr), 0);
		write_to(w.bus, BW_MMIO, addr, 4, addr);
		write_to(w.bus, BW_MMIO, addr, 2, 0);
		write_to(w.bus, BW_MMIO, addr + 8, 4, 6);
		write_to(w.bus, BW_MMIO, addr + 8, 4, 5);
	}
	assert_int_equal(bw_region_unmap(region), 0);
	write_to(w.bus, BW_MMIO, AT + 0x300, 4, 1);
	stats = stats_of(sized);
	assert_int_equal(stats.rings, 4);
	assert_int_equal(stats.last_value, AT + 0x300);
	assert_false(stats.active);
	assert_near(sized, 4, 0);
	assert_near(valued, 0, 4);
	assert_int_equal(stats_of(valued).rings, 4);
	assert_int_equal(stats_of(valued).last_value, 6);
	assert_int_equal(bw_region_map(region, AT), 0);
	assert_int_equal(stats_of(sized).last_value, AT + 0x300);
	end(&w);
}

static void counts_survive_the_growth_of_the_table(void **state)
{
	struct near_world w = near_world();
	struct bw_ioeventfd *sized = must_assign(w.bus, BW_MMIO, AT, of_len(4), w.n);
	struct bw_ioeventfd *valued = must_assign(w.bus, BW_MMIO, AT + 8, of_value(4, 1), w.n);

	(void)state;
	write_to(w.bus, BW_MMIO, AT, 4, 77);
	write_to(w.bus, BW_MMIO, AT + 8, 4, 2);
	for (uint64_t i = 0; i < 1000; i++)
		must_assign(w.bus, BW_MMIO, 2 * AT + 16 * i, of_value(4, i), w.n);
	assert_int_equal(stats_of(sized).rings, 1);
	assert_int_equal(stats_of(sized).last_value, 77);
	write_to(w.bus, BW_MMIO, AT, 4, 78);
	write_to(w.bus, BW_MMIO, AT + 8, 4, 2);
	assert_int_equal(stats_of(sized).rings, 2);
	assert_int_equal(stats_of(sized).last_value, 78);
	assert_near(valued, 0, 2);
	end(&w);
}

/* ---- while guests ring ---- */

#define RINGERS 2u
#define DOORBELLS 4u
#define OFFSET(i) (8u * (i))

struct race {
	struct bw_bus *bus;
	bool stop;
};

struct ringer {
	struct race *race;
	uint64_t signalled[DOORBELLS]; /* at the address that stays */
	uint64_t missed;               /* beside the value there */
};

static void *ring(void *arg)
{
	struct ringer *r = arg;

	for (uint64_t i = 0; !__atomic_load_n(&r->race->stop, __ATOMIC_RELAXED); i++) {
		unsigned int doorbell = i % DOORBELLS;

		r->signalled[doorbell] += write_to(r->race->bus, BW_MMIO, AT + OFFSET(doorbell), 4,
						   i) == BW_SIGNALLED;
		r->missed += write_to(r->race->bus, BW_PIO, AT, 2, 1000) == BW_UNCLAIMED;
	}
	return NULL;
}

/* New tables, a doorbell that comes to the address of another and goes, and new hashes of those. */
static void disturb(struct bw_bus *bus, struct bw_notifier *n)
{
	for (uint64_t i = 0; i < 3000; i++) {
		struct bw_ioeventfd *beside = must_assign(bus, BW_PIO, AT, of_value(2, i % 999), n);

		if (i % 8 == 0)
			must_assign(bus, BW_MMIO, 0x100000 + 16 * i, of_value(4, i), n);
		bw_ioeventfd_deassign(beside);
	}
}

static void no_count_is_lost_while_the_table_grows(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("n");
	struct bw_ioeventfd *doorbells[DOORBELLS];
	struct bw_ioeventfd *valued = must_assign(bus, BW_PIO, AT, of_value(2, 999), n);
	struct race race = { .bus = bus };
	struct ringer ringers[RINGERS] = { { &race, {}, 0 }, { &race, {}, 0 } };
	pthread_t threads[RINGERS];

	(void)state;
	for (unsigned int i = 0; i < DOORBELLS; i++)
		doorbells[i] = must_assign(bus, BW_MMIO, AT + OFFSET(i), of_len(4), n);
	for (unsigned int i = 0; i < RINGERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ring, &ringers[i]), 0);
	disturb(bus, n);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < RINGERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < DOORBELLS; i++)
		assert_int_equal(stats_of(doorbells[i]).rings,
				 ringers[0].signalled[i] + ringers[1].signalled[i]);
	assert_near(valued, 0, ringers[0].missed + ringers[1].missed);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void no_count_is_lost_while_a_doorbell_moves(void **state)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .len = OFFSET(DOORBELLS) };
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("n");
	struct bw_ioeventfd *doorbells[DOORBELLS];
	struct race race = { .bus = bus };
	struct ringer ringer = { .race = &race };
	struct bw_region *region;
	pthread_t thread;

	(void)state;
	assert_int_equal(bw_region_new(bus, &region, &opts), 0);
	for (unsigned int i = 0; i < DOORBELLS; i++)
		assert_int_equal(bw_region_doorbell(region, &doorbells[i], OFFSET(i), of_len(4), n),
				 0);
	assert_int_equal(pthread_create(&thread, NULL, ring, &ringer), 0);
	for (unsigned int i = 0; i < 3000; i++)
		assert_int_equal(bw_region_map(region, i % 2 ? AT : AT + 0x1000), 0);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	for (unsigned int i = 0; i < DOORBELLS; i++)
		assert_int_equal(stats_of(doorbells[i]).rings, ringer.signalled[i]);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

/* ---- offloaded, and why not ---- */

static const char *why_not(struct bw_ioeventfd *ie)
{
	return stats_of(ie).why_not_offloaded;
}

static void it_says_why_it_is_not_offloaded(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("n");
	struct fake_offload *fake = calloc(1, sizeof(*fake));
	struct bw_ioeventfd *ie = must_assign(bus, BW_PIO, AT, of_len(2), n);

	(void)state;
	assert_string_equal(why_not(ie), "the bus has no offload");
	assert_int_equal(bus_offload(bus, &fake_ops, fake), 0);
	assert_null(why_not(ie));
	fake->refuse_all = "will not";
	ie = must_assign(bus, BW_PIO, AT + 1, of_len(2), n);
	assert_string_equal(why_not(ie), "will not");
	fake->refuse_all = NULL;
	fake->fail_at = 1;
	fake->fail_with = -EOPNOTSUPP;
	ie = must_assign(bus, BW_PIO, AT + 2, of_len(2), n);
	assert_string_equal(why_not(ie), "no room");
	bw_bus_free(bus);
	bw_notifier_free(n);
	free(fake);
}

static void a_failed_move_leaves_the_reason_as_it_was(void **state)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .len = 0x10, .space = BW_PIO };
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("n");
	struct fake_offload *fake = calloc(1, sizeof(*fake));
	struct bw_ioeventfd *first, *second;
	struct bw_region *region;

	(void)state;
	fake->refuse_all = "will not";
	assert_int_equal(bus_offload(bus, &fake_ops, fake), 0);
	assert_int_equal(bw_region_new(bus, &region, &opts), 0);
	assert_int_equal(bw_region_doorbell(region, &first, 0, of_len(2), n), 0);
	assert_int_equal(bw_region_doorbell(region, &second, 8, of_len(2), n), 0);
	assert_string_equal(why_not(first), "it is inactive");
	assert_int_equal(bw_region_map(region, AT), 0);
	fake->refuse_all = NULL;
	fake->fail_at = 2; /* the first would do */
	fake->fail_with = -ENOMEM;
	assert_int_equal(bw_region_map(region, 2 * AT), -ENOMEM);
	assert_string_equal(why_not(first), "will not");
	bw_bus_free(bus);
	bw_notifier_free(n);
	free(fake);
}

/* ---- the call ---- */

static void the_size_says_how_much_is_filled(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("n");
	struct bw_ioeventfd *ie = must_assign(bus, BW_PIO, AT, of_len(2), n);
	struct {
		struct bw_ioeventfd_stats stats;
		uint64_t unknown;
	} later = { .stats = { .size = sizeof(later) }, .unknown = 1 };
	struct bw_ioeventfd_stats earlier = {
		.size = offsetof(struct bw_ioeventfd_stats, signals),
		.signals = 99,
	};

	(void)state;
	write_to(bus, BW_PIO, AT, 2, 0);
	assert_int_equal(bw_ioeventfd_stats(ie, &earlier), 0);
	assert_int_equal(earlier.rings, 1);
	assert_int_equal(earlier.signals, 99);
	assert_int_equal(bw_ioeventfd_stats(ie, &later.stats), 0);
	assert_int_equal(later.stats.rings, 1);
	assert_int_equal(later.unknown, 0);
	earlier.size = 0;
	assert_int_equal(bw_ioeventfd_stats(ie, &earlier), -EINVAL);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static int ask(void *arg)
{
	struct bw_ioeventfd_stats stats = { .size = sizeof(stats) };

	return bw_ioeventfd_stats(arg, &stats) == -EIO;
}

static void a_child_is_refused(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("n");

	(void)state;
	assert_int_equal(in_child(ask, must_assign(bus, BW_PIO, AT, of_len(2), n)), 1);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_without_an_eventfd_is_elided),
		cmocka_unit_test(a_ring_of_an_eventfd_is_a_signal),
		cmocka_unit_test(only_the_ring_that_wakes_a_poller_is_a_signal),
		cmocka_unit_test(the_last_value_has_the_width_of_the_write),
		cmocka_unit_test(a_hypercall_has_no_value),
		cmocka_unit_test(another_width_is_a_near_miss_of_all_that_are_there),
		cmocka_unit_test(another_value_is_a_near_miss_of_those_of_that_width),
		cmocka_unit_test(a_read_is_no_near_miss),
		cmocka_unit_test(near_misses_count_from_the_assign_on),
		cmocka_unit_test(a_failed_assign_leaves_no_near_misses_behind),
		cmocka_unit_test(counts_go_where_the_region_goes),
		cmocka_unit_test(counts_survive_the_growth_of_the_table),
		cmocka_unit_test(no_count_is_lost_while_the_table_grows),
		cmocka_unit_test(no_count_is_lost_while_a_doorbell_moves),
		cmocka_unit_test(it_says_why_it_is_not_offloaded),
		cmocka_unit_test(a_failed_move_leaves_the_reason_as_it_was),
		cmocka_unit_test(the_size_says_how_much_is_filled),
		cmocka_unit_test(a_child_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
