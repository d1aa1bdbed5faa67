/* SPDX-License-Identifier: MIT
 *
 * Guests that ring while everything around them changes. What is counted must agree to the last
 * ring; the sanitizers watch. Bounded by numbers of operations, never by time.
 */
#include "world.h"

#include <pthread.h>
#include <sched.h>

#define RINGERS 2
#define WRITES 20000u
#define CHANGES 300u

struct ringer {
	struct bw_bus *bus;
	uint64_t addrs[2]; /* rung in turn */
	uint64_t signalled, handled, unclaimed, bad;
	const bool *stop; /* or after WRITES */
	pthread_t thread;
};

static void ring_once(struct ringer *r, uint64_t addr)
{
	uint64_t value = 1;
	struct bw_access access = { BW_MMIO, true, 4, addr, 0, &value, NULL };

	switch (bw_bus_access(r->bus, &access)) {
	case BW_SIGNALLED:
		r->signalled++;
		break;
	case BW_HANDLED:
		r->handled++;
		break;
	case BW_UNCLAIMED:
		r->unclaimed++;
		break;
	default:
		r->bad++;
	}
}

static void *ring(void *opaque)
{
	struct ringer *r = opaque;

	for (unsigned int i = 0;
	     r->stop ? !__atomic_load_n(r->stop, __ATOMIC_ACQUIRE) || i < WRITES : i < WRITES; i++)
		ring_once(r, r->addrs[i % 2]);
	return NULL;
}

static void start(struct ringer *ringers, struct bw_bus *bus, uint64_t first, uint64_t second,
		  const bool *stop)
{
	for (struct ringer *r = ringers; r < ringers + RINGERS; r++) {
		*r = (struct ringer){ .bus = bus, .addrs = { first, second }, .stop = stop };
		assert_int_equal(pthread_create(&r->thread, NULL, ring, r), 0);
	}
}

static struct ringer finish(struct ringer *ringers)
{
	struct ringer sum = { 0 };

	for (struct ringer *r = ringers; r < ringers + RINGERS; r++) {
		pthread_join(r->thread, NULL);
		sum.signalled += r->signalled;
		sum.handled += r->handled;
		sum.unclaimed += r->unclaimed;
		sum.bad += r->bad;
	}
	assert_int_equal(sum.bad, 0);
	return sum;
}

/* Growth of the table, and every kind of neighbour coming and going, must not hide it for a moment.
 */
static void a_doorbell_is_never_missed_while_others_come_and_go(void **state)
{
	struct bw_ioeventfd *others[CHANGES];
	struct bw_notifier *n = make_notifier(NULL), *other = make_notifier(NULL);
	struct ringer ringers[RINGERS], sum;
	struct bw_bus *bus;
	bool stop = false;

	(void)state;
	bus = make_bus();
	must_assign(bus, BW_MMIO, 0x1000, of_len(4), n);
	start(ringers, bus, 0x1000, 0x1000, &stop);
	for (unsigned int i = 0; i < CHANGES; i++)
		others[i] = must_assign(bus, BW_MMIO, 0x1004 + i, of_len(4), other);
	for (unsigned int i = 0; i < CHANGES; i++)
		bw_ioeventfd_deassign(others[i]);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	sum = finish(ringers);
	assert_int_equal(sum.unclaimed + sum.handled, 0);
	assert_int_equal(bw_notifier_take(n), sum.signalled);
	assert_int_equal(bw_notifier_take(other), 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
	bw_notifier_free(other);
}

/* Until somebody has rung. */
static uint64_t take_some(struct bw_notifier *n)
{
	uint64_t count;

	while (!(count = bw_notifier_take(n)))
		sched_yield();
	return count;
}

static void no_signal_comes_after_deassign_and_none_is_lost_before(void **state)
{
	struct ringer ringers[RINGERS], sum;
	struct bw_notifier *n = make_notifier(NULL);
	uint64_t taken = 0;
	struct bw_bus *bus;
	bool stop = false;

	(void)state;
	bus = make_bus();
	start(ringers, bus, 0x1000, 0x1000, &stop);
	for (unsigned int i = 0; i < CHANGES; i++) {
		struct bw_ioeventfd *ie = must_assign(bus, BW_MMIO, 0x1000, of_len(4), n);

		if (i % 8 == 0)
			taken += take_some(n);
		bw_ioeventfd_deassign(ie);
		taken += bw_notifier_take(n);
		sched_yield();
		assert_int_equal(bw_notifier_take(n), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	sum = finish(ringers);
	assert_int_equal(taken, sum.signalled);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

/* A device whose doorbell is at offset 0 and whose handler counts. */
struct device {
	struct bw_region *region;
	uint64_t handled;
	unsigned int unused;
};

static void count_handled(void *opaque, struct bw_access *access)
{
	(void)access;
	__atomic_add_fetch(&((struct device *)opaque)->handled, 1, __ATOMIC_RELAXED);
}

static void count_unused(void *opaque)
{
	__atomic_add_fetch(&((struct device *)opaque)->unused, 1, __ATOMIC_RELAXED);
}

static void new_device(struct bw_bus *bus, struct device *d)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.len = 0x100,
		.handler = count_handled,
		.opaque = d,
		.unused = count_unused,
	};

	assert_int_equal(bw_region_new(bus, &d->region, &opts), 0);
}

/* Wherever the region is while it moves, a ring at one of the two places counts or is unclaimed. */
static void a_region_that_moves_loses_no_ring(void **state)
{
	struct ringer ringers[RINGERS], sum;
	struct bw_notifier *n = make_notifier(NULL);
	struct device d = { 0 };
	struct bw_ioeventfd *bell;
	struct bw_bus *bus;
	bool stop = false;

	(void)state;
	bus = make_bus();
	new_device(bus, &d);
	assert_int_equal(bw_region_doorbell(d.region, &bell, 0, of_len(4), n), 0);
	start(ringers, bus, 0x1000, 0x2000, &stop);
	for (unsigned int i = 0; i < CHANGES; i++)
		assert_int_equal(bw_region_map(d.region, i % 2 ? 0x1000 : 0x2000), 0);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	sum = finish(ringers);
	assert_int_equal(bw_notifier_take(n), sum.signalled);
	assert_int_equal(d.handled, 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void regions_come_and_go_under_running_handlers(void **state)
{
	static struct device devices[CHANGES];
	struct ringer ringers[RINGERS], sum;
	uint64_t handled = 0;
	struct bw_bus *bus;
	bool stop = false;

	(void)state;
	bus = make_bus();
	start(ringers, bus, 0x1000, 0x1004, &stop);
	for (unsigned int i = 0; i < CHANGES; i++) {
		new_device(bus, &devices[i]);
		assert_int_equal(bw_region_map(devices[i].region, 0x1000), 0);
		if (i % 8 == 0)
			while (!__atomic_load_n(&devices[i].handled, __ATOMIC_RELAXED))
				sched_yield();
		bw_region_free(devices[i].region);
		if (i % 3 == 0) {
			assert_int_equal(bw_bus_synchronize(bus), 0);
			assert_int_equal(__atomic_load_n(&devices[i].unused, __ATOMIC_RELAXED), 1);
		}
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	sum = finish(ringers);
	for (unsigned int i = 0; i < CHANGES; i++) {
		assert_int_equal(devices[i].unused, 1);
		handled += devices[i].handled;
	}
	assert_int_equal(handled, sum.handled);
	bw_bus_free(bus);
}

struct consumer {
	struct bw_poller *poller;
	uint64_t delivered;
	const uint64_t *stored; /* by the ringer, before each ring */
	uint64_t out_of_order;
};

static void deliver(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct consumer *c = opaque;

	(void)n;
	c->delivered += count;
	if (c->stored && __atomic_load_n(c->stored, __ATOMIC_RELAXED) < c->delivered)
		c->out_of_order++;
}

static void *consume(void *opaque)
{
	return (void *)(intptr_t)bw_poller_run(((struct consumer *)opaque)->poller);
}

/* Also while it is asleep, and when the notifier becomes an eventfd half-way. */
static void a_poller_delivers_every_ring(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);
	struct ringer ringers[RINGERS], sum;
	struct consumer c = { 0 };
	pthread_t thread;
	struct bw_bus *bus;

	(void)state;
	bus = make_bus();
	assert_int_equal(bw_poller_new(&c.poller), 0);
	assert_int_equal(bw_poller_add(c.poller, n, deliver, &c), 0);
	must_assign(bus, BW_MMIO, 0x1000, of_len(4), n);
	pthread_create(&thread, NULL, consume, &c);
	start(ringers, bus, 0x1000, 0x1000, NULL);
	sched_yield();
	assert_true(bw_notifier_fd(n) >= 0);
	sum = finish(ringers);
	bw_poller_del(c.poller, n);
	bw_poller_stop(c.poller);
	pthread_join(thread, NULL);
	assert_int_equal(sum.signalled, RINGERS * WRITES);
	assert_int_equal(c.delivered + bw_notifier_take(n), sum.signalled);
	bw_poller_free(c.poller);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

/* What the vCPU stored before a ring is seen by whoever sees the ring. */
static void a_ring_carries_the_stores_before_it(bool published)
{
	struct bw_notifier *n = make_notifier(NULL);
	struct ringer r = { 0 };
	uint64_t stored = 0;
	struct consumer c = { .stored = &stored };
	pthread_t thread;

	r.bus = make_bus();
	assert_int_equal(bw_poller_new(&c.poller), 0);
	assert_int_equal(bw_poller_add(c.poller, n, deliver, &c), 0);
	if (published)
		assert_true(bw_notifier_fd(n) >= 0);
	must_assign(r.bus, BW_MMIO, 0x1000, of_len(4), n);
	pthread_create(&thread, NULL, consume, &c);
	for (uint64_t i = 1; i <= WRITES; i++) {
		__atomic_store_n(&stored, i, __ATOMIC_RELAXED);
		ring_once(&r, 0x1000);
	}
	bw_poller_del(c.poller, n);
	bw_poller_stop(c.poller);
	pthread_join(thread, NULL);
	assert_int_equal(c.delivered + bw_notifier_take(n), WRITES);
	assert_int_equal(c.out_of_order, 0);
	bw_poller_free(c.poller);
	bw_bus_free(r.bus);
	bw_notifier_free(n);
}

static void a_ring_carries_the_stores_before_it_to_the_poller(void **state)
{
	(void)state;
	a_ring_carries_the_stores_before_it(false);
}

static void a_ring_carries_the_stores_before_it_through_an_eventfd(void **state)
{
	(void)state;
	a_ring_carries_the_stores_before_it(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_doorbell_is_never_missed_while_others_come_and_go),
		cmocka_unit_test(no_signal_comes_after_deassign_and_none_is_lost_before),
		cmocka_unit_test(a_region_that_moves_loses_no_ring),
		cmocka_unit_test(regions_come_and_go_under_running_handlers),
		cmocka_unit_test(a_poller_delivers_every_ring),
		cmocka_unit_test(a_ring_carries_the_stores_before_it_to_the_poller),
		cmocka_unit_test(a_ring_carries_the_stores_before_it_through_an_eventfd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
