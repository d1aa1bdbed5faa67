/* SPDX-License-Identifier: MIT
 *
 * Doorbell pages when more than one thing changes: transactions, two buses, two pollers, a poller
 * that is frozen.
 */
#include "page_world.h"
#include "../lib/notifier.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define SLOT (BASE + PAGE_OFFSET)

/* ---- another page in the place of one, in one transaction ---- */

static void replace(struct stage *s, bool commit)
{
	struct bw_page *other;

	open_stage(s, BW_PAGE_HOT);
	bw_poller_poll(s->poller, 0);
	assert_int_equal(bw_bus_begin(s->bus), 0);
	bw_page_free(s->page);
	other = must_page(s->region, BW_PAGE_HOT);
	assert_int_equal(bw_poller_add_page(s->poller, other), 0);
	if (commit)
		assert_int_equal(bw_bus_commit(s->bus), 0);
	else
		bw_bus_abort(s->bus);
	bw_poller_poll(s->poller, 0);
	assert_non_null(s->emulator.memory);
}

static void the_slots_go_to_the_page_that_stays(void **state)
{
	struct stage s;
	uint64_t value;

	(void)state;
	for (int commit = 0; commit < 2; commit++) {
		replace(&s, commit);
		guest_stores(&s, SLOT, 4, 5);
		assert_int_equal(bw_poller_poll(s.poller, 0), 1);
		assert_int_equal(bw_ioeventfd_value(s.ie, &value), 0);
		assert_int_equal(value, 5);
		bw_ioeventfd_deassign(s.ie);
		bw_poller_poll(s.poller, 0);
		guest_stores(&s, SLOT, 4, 6);
		bw_poller_poll(s.poller, 0);
		assert_int_equal(s.heard.rings, 1);
		close_stage(&s);
	}
}

/* The map of an open transaction is nobody's yet. */
static void an_offload_in_a_transaction_waits_for_its_end(void **state)
{
	struct bw_emulator_opts emulator = { .size = sizeof(emulator),
					     .map = map_page,
					     .unmap = unmap_page };
	struct bw_region_opts opts = { .size = sizeof(opts), .space = BW_MMIO, .len = REGION_LEN };
	struct stage s;

	(void)state;
	for (int commit = 0; commit < 2; commit++) {
		memset(&s, 0, sizeof(s));
		emulator.opaque = &s.emulator;
		s.bus = make_bus();
		s.n = make_notifier("kick");
		assert_int_equal(bw_poller_new(&s.poller), 0);
		assert_int_equal(bw_region_new(s.bus, &s.region, &opts), 0);
		s.page = must_page(s.region, BW_PAGE_HOT);
		assert_int_equal(bw_poller_add_page(s.poller, s.page), 0);
		assert_int_equal(bw_bus_begin(s.bus), 0);
		assert_int_equal(bw_region_map(s.region, BASE), 0);
		assert_int_equal(bw_bus_offload_emulator(s.bus, &emulator), 0);
		bw_poller_poll(s.poller, 0);
		assert_null(s.emulator.memory);
		if (commit)
			assert_int_equal(bw_bus_commit(s.bus), 0);
		else
			bw_bus_abort(s.bus);
		bw_poller_poll(s.poller, 0);
		assert_int_equal(!!s.emulator.memory, commit);
		close_stage(&s);
	}
}

/* ---- who hears what ---- */

static void a_value_that_may_be_old_is_not_given(void **state)
{
	struct bw_notifier *other = make_notifier("other");
	struct bw_ioeventfd *ie;
	struct stage s;
	uint64_t value;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	assert_int_equal(bw_region_doorbell(s.region, &ie, PAGE_OFFSET + 64, of_len(4), other), 0);
	bw_poller_poll(s.poller, 0);
	guest_stores(&s, SLOT + 64, 4, 5);
	bw_poller_poll(s.poller, 0);
	assert_int_equal(bw_notifier_take(other), 1);
	/* what traps now is not heard of here */
	assert_int_equal(bw_ioeventfd_value(ie, &value), -ENODATA);
	close_stage(&s);
	bw_notifier_free(other);
}

static void an_fd_of_two_buses_gets_what_was_swept(void **state)
{
	struct bw_bus *other = make_bus();
	struct stage s;
	bool made;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	assert_int_equal(notifier_publish(s.n, s.bus, &made), 0);
	assert_int_equal(notifier_publish(s.n, other, &made), 0);
	bw_poller_poll(s.poller, 0);
	guest_stores(&s, SLOT, 4, 5);
	assert_int_equal(bw_poller_freeze(s.poller), 1);
	assert_int_equal(drain(bw_notifier_fd(s.n)), 1);
	close_stage(&s);
	bw_bus_free(other);
}

static void a_hot_page_does_not_hide_eventfds_from_poll(void **state)
{
	struct bw_notifier *other = make_notifier("other");
	struct heard heard = { 0 };
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	assert_int_equal(bw_poller_add(s.poller, other, hear, &heard), 0);
	assert_true(bw_notifier_fd(other) >= 0);
	bw_poller_poll(s.poller, 0);
	for (unsigned int i = 1; i <= 3; i++) {
		bw_notifier_ring(other);
		bw_poller_poll(s.poller, 0);
		assert_int_equal(heard.rings, i);
	}
	close_stage(&s);
	bw_notifier_free(other);
}

/* ---- frozen ---- */

static void a_frozen_poller_can_be_slept_on(void **state)
{
	struct pollfd armed = { .events = POLLIN };
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_COLD);
	assert_int_equal(bw_poller_freeze(s.poller), 0);
	armed.fd = bw_poller_arm(s.poller);
	assert_true(armed.fd >= 0);
	bw_notifier_ring(s.n);
	bw_poller_poll(s.poller, 0);
	armed.fd = bw_poller_arm(s.poller);
	assert_int_equal(poll(&armed, 1, 0), 0);
	bw_poller_thaw(s.poller);
	assert_int_equal(poll(&armed, 1, 0), 1);
	assert_int_equal(bw_poller_poll(s.poller, 0), 1);
	close_stage(&s);
}

static void *run(void *poller)
{
	assert_int_equal(bw_poller_run(poller), 0);
	return NULL;
}

static void a_frozen_poller_can_be_stopped(void **state)
{
	pthread_t consumer;
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	assert_int_equal(pthread_create(&consumer, NULL, run, s.poller), 0);
	assert_true(bw_poller_freeze(s.poller) >= 0);
	assert_string_equal(stats_of(s.page).why_not, "its poller is frozen");
	bw_poller_stop(s.poller);
	pthread_join(consumer, NULL);
	bw_poller_thaw(s.poller);
	close_stage(&s);
}

/* ---- two pollers ---- */

static struct {
	unsigned int inside, most, done;
} mapping;

static int map_slowly(void *opaque, uint64_t gpa, void *memory)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	unsigned int inside = __atomic_add_fetch(&mapping.inside, 1, __ATOMIC_SEQ_CST);

	(void)opaque, (void)gpa, (void)memory;
	if (inside > mapping.most)
		mapping.most = inside;
	nanosleep(&pause, NULL);
	__atomic_sub_fetch(&mapping.inside, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&mapping.done, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void unmap_at_once(void *opaque, uint64_t gpa)
{
	(void)opaque, (void)gpa;
}

static void an_emulator_is_asked_by_one_thread_at_a_time(void **state)
{
	struct bw_emulator_opts emulator = { .size = sizeof(emulator),
					     .map = map_slowly,
					     .unmap = unmap_at_once };
	struct bw_region_opts opts = { .size = sizeof(opts), .space = BW_MMIO, .len = REGION_LEN };
	struct bw_bus *bus = make_bus();
	struct bw_poller *pollers[2];
	pthread_t consumers[2];
	struct bw_region *region;

	(void)state;
	assert_int_equal(bw_bus_offload_emulator(bus, &emulator), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(bw_region_new(bus, &region, &opts), 0);
		assert_int_equal(bw_region_map(region, BASE + i * REGION_LEN), 0);
		assert_int_equal(bw_poller_new(&pollers[i]), 0);
		assert_int_equal(bw_poller_add_page(pollers[i], must_page(region, BW_PAGE_HOT)), 0);
	}
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&consumers[i], NULL, run, pollers[i]), 0);
	while (__atomic_load_n(&mapping.done, __ATOMIC_SEQ_CST) < 2)
		sched_yield();
	for (unsigned int i = 0; i < 2; i++) {
		bw_poller_stop(pollers[i]);
		pthread_join(consumers[i], NULL);
		bw_poller_free(pollers[i]);
	}
	bw_bus_free(bus);
	assert_int_equal(mapping.most, 1);
}

static void a_bus_is_freed_before_the_poller_of_its_pages(void **state)
{
	struct bw_page_opts opts = { .size = sizeof(opts), .offset = PAGE_OFFSET + BW_PAGE_SIZE };
	struct bw_page *other;
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_COLD);
	assert_int_equal(bw_region_page(s.region, &other, &opts), 0);
	assert_int_equal(bw_poller_add_page(s.poller, other), 0);
	bw_bus_free(s.bus);
	bw_poller_free(s.poller);
	bw_notifier_free(s.n);
}

/* ---- a thaw in the middle of a commit ---- */

static struct {
	uint64_t frozen_at; /* where the frozen poller's page is mapped; 0: nowhere */
	bool commits, thawed;
} moving;

static int map_noted(void *opaque, uint64_t gpa, void *memory)
{
	(void)memory;
	if (opaque == &moving && gpa % (2 * REGION_LEN) == PAGE_OFFSET)
		moving.frozen_at = gpa;
	return 0;
}

/* Of the other page, by the commit: it goes on after the thaw, and when the consumer has looked. */
static void unmap_after_the_thaw(void *opaque, uint64_t gpa)
{
	(void)opaque;
	if (gpa % (2 * REGION_LEN) == PAGE_OFFSET) {
		moving.frozen_at = 0;
		return;
	}
	__atomic_store_n(&moving.commits, true, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&moving.thawed, __ATOMIC_SEQ_CST))
		sched_yield();
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static struct bw_region *regions[2]; /* of the poller that is frozen, and of the other */

static void *move_both(void *arg)
{
	struct bw_bus *bus = arg;

	assert_int_equal(bw_bus_begin(bus), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(bw_region_map(regions[i], BASE + (2 + i) * REGION_LEN), 0);
	assert_int_equal(bw_bus_commit(bus), 0);
	return NULL;
}

static void a_thaw_brings_no_page_back_to_where_it_was(void **state)
{
	struct bw_emulator_opts emulator = { .size = sizeof(emulator),
					     .map = map_noted,
					     .unmap = unmap_after_the_thaw,
					     .opaque = &moving };
	struct bw_region_opts opts = { .size = sizeof(opts), .space = BW_MMIO, .len = REGION_LEN };
	struct bw_bus *bus = make_bus();
	struct bw_poller *pollers[2];
	pthread_t mover;

	(void)state;
	assert_int_equal(bw_bus_offload_emulator(bus, &emulator), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(bw_region_new(bus, &regions[i], &opts), 0);
		assert_int_equal(bw_region_map(regions[i], BASE + i * REGION_LEN), 0);
		assert_int_equal(bw_poller_new(&pollers[i]), 0);
		assert_int_equal(bw_poller_add_page(pollers[i], must_page(regions[i], BW_PAGE_HOT)),
				 0);
		assert_int_equal(bw_poller_poll(pollers[i], 0), 0);
	}
	assert_int_equal(moving.frozen_at, BASE + PAGE_OFFSET);
	assert_int_equal(bw_poller_freeze(pollers[0]), 0);
	assert_int_equal(pthread_create(&mover, NULL, move_both, bus), 0);
	while (!__atomic_load_n(&moving.commits, __ATOMIC_SEQ_CST))
		sched_yield();
	bw_poller_thaw(pollers[0]);
	__atomic_store_n(&moving.thawed, true, __ATOMIC_SEQ_CST);
	assert_int_equal(bw_poller_poll(pollers[0], 0), 0);
	pthread_join(mover, NULL);
	assert_int_equal(bw_poller_poll(pollers[0], 0), 0);
	assert_int_equal(moving.frozen_at, BASE + 2 * REGION_LEN + PAGE_OFFSET);
	for (unsigned int i = 0; i < 2; i++)
		bw_poller_free(pollers[i]);
	bw_bus_free(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_slots_go_to_the_page_that_stays),
		cmocka_unit_test(an_offload_in_a_transaction_waits_for_its_end),
		cmocka_unit_test(a_value_that_may_be_old_is_not_given),
		cmocka_unit_test(an_fd_of_two_buses_gets_what_was_swept),
		cmocka_unit_test(a_hot_page_does_not_hide_eventfds_from_poll),
		cmocka_unit_test(a_frozen_poller_can_be_slept_on),
		cmocka_unit_test(a_frozen_poller_can_be_stopped),
		cmocka_unit_test(an_emulator_is_asked_by_one_thread_at_a_time),
		cmocka_unit_test(a_bus_is_freed_before_the_poller_of_its_pages),
		cmocka_unit_test(a_thaw_brings_no_page_back_to_where_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
