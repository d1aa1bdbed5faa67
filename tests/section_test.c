/* SPDX-License-Identifier: MIT
 *
 * What of an access is done inside the RCU section and what outside: too late or too early by a
 * line goes wrong once in a million times, so it is looked at and not waited for. Linked with
 * --wrap for the two functions.
 */
#include "world.h"
#include "../lib/bus.h"
#include "../lib/rcu.h"

#include <sched.h>

void __real_region_pin(struct bw_region *region);
bool __real_notifier_ring(struct bw_notifier *n);
void __wrap_region_pin(struct bw_region *region);
bool __wrap_notifier_ring(struct bw_notifier *n);

static unsigned int inside, outside;

static void look(void)
{
	if (urcu_bp_read_ongoing())
		inside++;
	else
		outside++;
}

void __wrap_region_pin(struct bw_region *region)
{
	look();
	__real_region_pin(region);
}

bool __wrap_notifier_ring(struct bw_notifier *n)
{
	look();
	return __real_notifier_ring(n);
}

static int forget(void **state)
{
	(void)state;
	inside = outside = 0;
	return 0;
}

static void look_where_it_runs(void *opaque, struct bw_access *access)
{
	(void)access;
	if (urcu_bp_read_ongoing())
		++*(unsigned int *)opaque;
}

/* Freed in between it would be gone. */
static void a_region_is_pinned_in_the_section_that_found_it(void **state)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .len = 8 };
	unsigned int handled_inside = 0;
	struct bw_bus *bus = make_bus();
	struct bw_region *region;

	(void)state;
	opts.handler = look_where_it_runs;
	opts.opaque = &handled_inside;
	assert_int_equal(bw_region_new(bus, &region, &opts), 0);
	assert_int_equal(bw_region_map(region, 0x1000), 0);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1000, 4, 0), BW_HANDLED);
	assert_int_equal(inside, 1);
	assert_int_equal(outside, 0);
	assert_int_equal(handled_inside, 0);
	bw_bus_free(bus);
}

/* A deassign in between would be followed by a signal. */
static void a_ring_is_made_in_the_section_that_found_it(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);
	struct bw_bus *bus = make_bus();

	(void)state;
	must_assign(bus, BW_PIO, 0x60, of_len(1), n);
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_SIGNALLED);
	assert_int_equal(inside, 1);
	assert_int_equal(outside, 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void what_nobody_takes_is_shown_outside(void **state)
{
	unsigned int shown_inside = 0;
	struct bw_bus_opts opts = { .size = sizeof(opts),
				    .unclaimed = look_where_it_runs,
				    .opaque = &shown_inside };
	struct bw_bus *bus;

	(void)state;
	assert_int_equal(bw_bus_new(&bus, &opts), 0);
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_UNCLAIMED);
	assert_int_equal(shown_inside, 0);
	bw_bus_free(bus);
}

/* ---- what a commit has published, while it waits for those who came before ---- */

struct visitor {
	struct bw_bus *bus;
	bool inside;
	int result;
};

static const struct view *view_of(struct bw_bus *bus)
{
	return __atomic_load_n(&bus->view, __ATOMIC_ACQUIRE);
}

/* Its section keeps the commit from ending, so what it finds was there when the view was. */
static void *ring_once_it_is_published(void *opaque)
{
	struct visitor *v = opaque;
	const struct view *before = view_of(v->bus);

	rcu_enter();
	__atomic_store_n(&v->inside, true, __ATOMIC_RELEASE);
	while (view_of(v->bus) == before)
		sched_yield();
	v->result = write_to(v->bus, BW_PIO, 0x60, 1, 0);
	rcu_leave();
	return NULL;
}

static void a_generation_finds_its_keys_from_its_first_moment(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);
	struct visitor v = { .bus = make_bus() };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, ring_once_it_is_published, &v), 0);
	while (!__atomic_load_n(&v.inside, __ATOMIC_ACQUIRE))
		sched_yield();
	must_assign(v.bus, BW_PIO, 0x60, of_len(1), n);
	pthread_join(thread, NULL);
	assert_int_equal(v.result, BW_SIGNALLED);
	bw_bus_free(v.bus);
	bw_notifier_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_region_is_pinned_in_the_section_that_found_it, forget),
		cmocka_unit_test_setup(a_ring_is_made_in_the_section_that_found_it, forget),
		cmocka_unit_test_setup(what_nobody_takes_is_shown_outside, forget),
		cmocka_unit_test(a_generation_finds_its_keys_from_its_first_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
