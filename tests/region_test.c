/* SPDX-License-Identifier: MIT
 *
 * Regions: who serves an access, what covers what, and what a handler may do.
 */
#include "world.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

/* A device: what its handler saw last, and what it does. */
struct device {
	struct bw_bus *bus;
	struct bw_region *region;
	struct bw_ioeventfd *bell;
	unsigned int handled, unused;
	struct bw_access last;
	uint64_t written;
	void (*in_handler)(struct device *d);
	sem_t entered, go_on;
	int result;
};

static void handler(void *opaque, struct bw_access *access)
{
	struct device *d = opaque;

	d->handled++;
	d->last = *access;
	if (access->is_write)
		memcpy(&d->written, access->data, access->len);
	else
		memset(access->data, 0x5a, access->len);
	if (d->in_handler)
		d->in_handler(d);
}

static void unused(void *opaque)
{
	((struct device *)opaque)->unused++;
}

static void add_device(struct bw_bus *bus, struct device *d, enum bw_space space, uint64_t len,
		       int priority)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = "device",
		.space = space,
		.len = len,
		.priority = priority,
		.handler = handler,
		.opaque = d,
		.unused = unused,
	};

	memset(d, 0, sizeof(*d));
	d->bus = bus;
	sem_init(&d->entered, 0, 0);
	sem_init(&d->go_on, 0, 0);
	assert_int_equal(bw_region_new(bus, &d->region, &opts), 0);
}

static int write_mmio(struct bw_bus *bus, uint64_t addr)
{
	return write_to(bus, BW_MMIO, addr, 4, 0);
}

static void the_handler_gets_the_access_and_answers_it(void **state)
{
	struct bw_bus *bus = make_bus();
	uint64_t value = 0x1122334455667788;
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1010, 2, value), BW_HANDLED);
	assert_int_equal(d.last.offset, 0x10);
	assert_int_equal(d.last.addr, 0x1010);
	assert_int_equal(d.last.len, 2);
	assert_int_equal(d.written, 0x7788);
	assert_int_equal(read_from(bus, BW_MMIO, 0x10fc, 4, &value), BW_HANDLED);
	assert_int_equal(value, 0x5a5a5a5a);
	bw_bus_free(bus);
	assert_int_equal(d.unused, 1);
}

/* addr, len, whether a region of [0x1000, 0x1100) gets it. */
static void an_access_must_lie_whole_in_the_region(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		int result;
	} cases[] = {
		{ 0xfff, 1, BW_UNCLAIMED },  { 0xfff, 2, BW_UNCLAIMED },  { 0x1000, 8, BW_HANDLED },
		{ 0x10f8, 8, BW_HANDLED },   { 0x10f9, 8, BW_UNCLAIMED }, { 0x10ff, 1, BW_HANDLED },
		{ 0x10ff, 2, BW_UNCLAIMED }, { 0x1100, 1, BW_UNCLAIMED },
	};
	struct bw_bus *bus = make_bus();
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t value;

		assert_int_equal(read_from(bus, BW_MMIO, cases[i].addr, cases[i].len, &value),
				 cases[i].result);
	}
	bw_bus_free(bus);
}

static void the_ends_of_the_space_are_reachable(void **state)
{
	struct bw_bus *bus = make_bus();
	struct device top, all;

	(void)state;
	add_device(bus, &top, BW_MMIO, 0x10, 1);
	add_device(bus, &all, BW_MMIO, UINT64_MAX, 0);
	assert_int_equal(bw_region_map(top.region, UINT64_MAX - 0xf), 0);
	assert_int_equal(bw_region_map(all.region, 0), 0);
	assert_int_equal(write_to(bus, BW_MMIO, UINT64_MAX, 1, 0), BW_HANDLED);
	assert_int_equal(top.handled, 1);
	assert_int_equal(write_to(bus, BW_MMIO, UINT64_MAX, 2, 0), BW_UNCLAIMED);
	assert_int_equal(write_to(bus, BW_MMIO, 0, 8, 0), BW_HANDLED);
	assert_int_equal(all.handled, 1);
	bw_bus_free(bus);
}

static void a_region_beyond_its_space_is_refused(void **state)
{
	struct bw_bus *bus = make_bus();
	struct device mmio, pio;

	(void)state;
	add_device(bus, &mmio, BW_MMIO, 0x10, 0);
	add_device(bus, &pio, BW_PIO, 0x10, 0);
	assert_int_equal(bw_region_map(mmio.region, UINT64_MAX - 0xe), -EINVAL);
	assert_int_equal(bw_region_map(pio.region, 0xfff1), -EINVAL);
	assert_int_equal(bw_region_map(pio.region, 0x10000), -EINVAL);
	assert_non_null(strstr(bw_last_error(), "0xffff"));
	assert_int_equal(bw_region_map(pio.region, 0xfff0), 0);
	bw_bus_free(bus);
}

static void bad_options_are_refused(void **state)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .space = BW_MMIO };
	struct bw_bus *bus = make_bus();
	struct bw_region *region;

	(void)state;
	assert_int_equal(bw_region_new(bus, &region, &opts), -EINVAL);
	assert_null(region);
	opts.len = 1;
	opts.space = BW_HYPERCALL;
	assert_int_equal(bw_region_new(bus, &region, &opts), -EINVAL);
	bw_bus_free(bus);
}

static void the_higher_priority_is_visible(void **state)
{
	struct bw_bus *bus = make_bus();
	struct device high, low;

	(void)state;
	add_device(bus, &high, BW_MMIO, 0x10, 1);
	add_device(bus, &low, BW_MMIO, 0x100, 0);
	assert_int_equal(bw_region_map(high.region, 0x1010), 0);
	assert_int_equal(bw_region_map(low.region, 0x1000), 0);
	write_mmio(bus, 0x100c);
	write_mmio(bus, 0x1010);
	write_mmio(bus, 0x1020);
	assert_int_equal(high.handled, 1);
	assert_int_equal(low.handled, 2);
	assert_int_equal(write_mmio(bus, 0x100e), BW_UNCLAIMED); /* across the edge */
	assert_int_equal(bw_region_unmap(high.region), 0);
	assert_int_equal(write_mmio(bus, 0x100e), BW_HANDLED);
	bw_bus_free(bus);
}

static void among_equals_the_last_mapped_is_visible(void **state)
{
	struct bw_bus *bus = make_bus();
	struct device first, second;

	(void)state;
	add_device(bus, &first, BW_MMIO, 0x10, 0);
	add_device(bus, &second, BW_MMIO, 0x10, 0);
	assert_int_equal(bw_region_map(first.region, 0x1000), 0);
	assert_int_equal(bw_region_map(second.region, 0x1000), 0);
	write_mmio(bus, 0x1000);
	assert_int_equal(second.handled, 1);
	assert_int_equal(bw_region_map(first.region, 0x1000), 0);
	write_mmio(bus, 0x1000);
	assert_int_equal(first.handled, 1);
	bw_bus_free(bus);
}

static void a_region_without_a_handler_covers_what_is_below(void **state)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .len = 0x10, .priority = 1 };
	struct bw_bus *bus = make_bus();
	struct bw_region *hole;
	struct device below;
	uint64_t value = 0;

	(void)state;
	add_device(bus, &below, BW_MMIO, 0x10, 0);
	assert_int_equal(bw_region_map(below.region, 0x1000), 0);
	assert_int_equal(bw_region_new(bus, &hole, &opts), 0);
	assert_int_equal(bw_region_map(hole, 0x1000), 0);
	assert_int_equal(read_from(bus, BW_MMIO, 0x1000, 8, &value), BW_UNCLAIMED);
	assert_true(value == UINT64_MAX);
	assert_int_equal(below.handled, 0);
	bw_bus_free(bus);
}

static struct bw_notifier *add_bell(struct device *d, uint64_t offset, struct bw_match match)
{
	struct bw_notifier *n = make_notifier("bell");

	assert_int_equal(bw_region_doorbell(d->region, &d->bell, offset, match, n), 0);
	return n;
}

static void a_doorbell_goes_where_its_region_goes(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n;
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 0);
	n = add_bell(&d, 0x10, of_len(4));
	assert_int_equal(write_mmio(bus, 0x1010), BW_UNCLAIMED);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	assert_int_equal(write_mmio(bus, 0x1010), BW_SIGNALLED);
	assert_int_equal(bw_region_map(d.region, 0x2000), 0);
	assert_int_equal(write_mmio(bus, 0x1010), BW_UNCLAIMED);
	assert_int_equal(write_mmio(bus, 0x2010), BW_SIGNALLED);
	assert_int_equal(bw_region_unmap(d.region), 0);
	assert_int_equal(bw_region_unmap(d.region), 0);
	assert_int_equal(write_mmio(bus, 0x2010), BW_UNCLAIMED);
	assert_int_equal(bw_notifier_take(n), 2);
	assert_int_equal(d.handled, 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void a_doorbell_that_is_covered_is_inactive_until_uncovered(void **state)
{
	struct bw_bus *bus = make_bus();
	struct device below, above;
	struct bw_notifier *n;

	(void)state;
	add_device(bus, &below, BW_MMIO, 0x100, 0);
	add_device(bus, &above, BW_MMIO, 1, 1);
	n = add_bell(&below, 0x10, of_len(4));
	assert_int_equal(bw_region_map(below.region, 0x1000), 0);
	for (uint64_t covered = 0x1010; covered < 0x1014; covered++) {
		assert_int_equal(bw_region_map(above.region, covered), 0);
		assert_int_not_equal(write_mmio(bus, 0x1010), BW_SIGNALLED);
	}
	assert_int_equal(bw_region_map(above.region, 0x1014), 0);
	assert_int_equal(write_mmio(bus, 0x1010), BW_SIGNALLED);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void a_doorbell_of_the_bus_is_never_covered_and_wins(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *of_region, *of_bus;
	struct bw_ioeventfd *ie;
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 9);
	of_region = add_bell(&d, 0x10, of_len(4));
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	of_bus = make_notifier(NULL);
	assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_MMIO, 0x1010, any_len(), of_bus), 0);
	write_mmio(bus, 0x1010);
	assert_int_equal(bw_notifier_take(of_bus), 1);
	assert_int_equal(bw_region_map(d.region, 0x2000), 0);
	write_mmio(bus, 0x2010); /* no longer below it */
	assert_int_equal(bw_notifier_take(of_region), 1);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	bw_ioeventfd_deassign(ie);
	write_mmio(bus, 0x1010);
	assert_int_equal(bw_notifier_take(of_region), 1);
	assert_int_equal(bw_notifier_take(of_bus), 0);
	bw_bus_free(bus);
	bw_notifier_free(of_region);
	bw_notifier_free(of_bus);
}

static void doorbells_of_one_region_collide_like_ioeventfds(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n;
	struct bw_ioeventfd *ie;
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 0);
	n = add_bell(&d, 0x10, of_len(4));
	assert_int_equal(bw_region_doorbell(d.region, &ie, 0x10, any_len(), n), -EEXIST);
	assert_non_null(strstr(bw_last_error(), "device"));
	assert_int_equal(bw_region_doorbell(d.region, &ie, 0x10, of_len(2), n), 0);
	assert_int_equal(bw_region_doorbell(d.region, &ie, 0xfe, of_len(4), n), -ERANGE);
	assert_int_equal(bw_region_doorbell(d.region, &ie, 0x100, any_len(), n), -ERANGE);
	assert_int_equal(bw_region_doorbell(d.region, &ie, 0xff, any_len(), n), 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

/* ---- what a handler may do ---- */

static void deassign_own_bell(struct device *d)
{
	bw_ioeventfd_deassign(d->bell);
}

static void a_handler_deassigns_its_own_doorbell(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n;
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 0);
	n = add_bell(&d, 0x10, of_len(4));
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	d.in_handler = deassign_own_bell;
	assert_int_equal(write_mmio(bus, 0x1000), BW_HANDLED);
	d.in_handler = NULL;
	assert_int_equal(write_mmio(bus, 0x1010), BW_HANDLED);
	assert_int_equal(bw_notifier_take(n), 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void move_itself(struct device *d)
{
	d->result = bw_region_map(d->region, 0x2000);
}

static void a_handler_moves_its_own_region(void **state)
{
	struct bw_bus *bus = make_bus();
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	d.in_handler = move_itself;
	assert_int_equal(write_mmio(bus, 0x1000), BW_HANDLED);
	assert_int_equal(d.result, 0);
	assert_int_equal(write_mmio(bus, 0x1000), BW_UNCLAIMED);
	assert_int_equal(write_mmio(bus, 0x2000), BW_HANDLED);
	bw_bus_free(bus);
}

static void free_itself(struct device *d)
{
	bw_region_free(d->region);
	d->result = (int)d->unused;
}

static void a_handler_frees_its_own_region_which_lives_until_it_returns(void **state)
{
	struct bw_bus *bus = make_bus();
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	d.in_handler = free_itself;
	assert_int_equal(write_mmio(bus, 0x1000), BW_HANDLED);
	assert_int_equal(d.result, 0); /* not yet unused in the handler */
	assert_int_equal(d.unused, 1);
	assert_int_equal(write_mmio(bus, 0x1000), BW_UNCLAIMED);
	bw_bus_free(bus);
	assert_int_equal(d.unused, 1);
}

static void access_itself(struct device *d)
{
	int result = write_mmio(d->bus, d->last.addr);

	if (result < 0)
		d->result = result;
}

static void handlers_nest_four_deep(void **state)
{
	struct bw_bus *bus = make_bus();
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	d.in_handler = access_itself;
	assert_int_equal(write_mmio(bus, 0x1000), BW_HANDLED);
	assert_int_equal(d.handled, 4);
	assert_int_equal(d.result, -ELOOP);
	d.in_handler = NULL;
	assert_int_equal(write_mmio(bus, 0x1000), BW_HANDLED);
	bw_bus_free(bus);
}

static void synchronize_itself(struct device *d)
{
	d->result = bw_bus_synchronize(d->bus);
}

static void synchronize_in_a_handler_is_refused(void **state)
{
	struct bw_bus *bus = make_bus();
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	d.in_handler = synchronize_itself;
	write_mmio(bus, 0x1000);
	assert_int_equal(d.result, -EDEADLK);
	bw_bus_free(bus);
}

static void wait_for_the_test(struct device *d)
{
	sem_post(&d->entered);
	sem_wait(&d->go_on);
	d->result = 1; /* what synchronize must have waited for */
}

static void *write_once(void *opaque)
{
	struct device *d = opaque;

	write_mmio(d->bus, 0x1000);
	return NULL;
}

static void *go_on_later(void *opaque)
{
	struct device *d = opaque;
	struct timespec a_while = { .tv_nsec = 20000000 };

	nanosleep(&a_while, NULL);
	sem_post(&d->go_on);
	return NULL;
}

/* No control call waits for the handler; synchronize does; unused() comes after it. */
static void synchronize_waits_for_the_handlers_of_what_was(void (*remove)(struct bw_region *),
							   unsigned int unused_after)
{
	struct bw_bus *bus = make_bus();
	pthread_t writer, helper;
	struct device d;

	add_device(bus, &d, BW_MMIO, 0x100, 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	d.in_handler = wait_for_the_test;
	pthread_create(&writer, NULL, write_once, &d);
	sem_wait(&d.entered);
	remove(d.region);
	assert_int_equal(d.unused, 0);
	assert_int_equal(write_mmio(bus, 0x1000), BW_UNCLAIMED);
	pthread_create(&helper, NULL, go_on_later, &d);
	assert_int_equal(bw_bus_synchronize(bus), 0);
	assert_int_equal(d.result, 1);
	assert_int_equal(d.unused, unused_after);
	pthread_join(helper, NULL);
	pthread_join(writer, NULL);
	bw_bus_free(bus);
	assert_int_equal(d.unused, 1);
}

static void unmap(struct bw_region *region)
{
	assert_int_equal(bw_region_unmap(region), 0);
}

static void synchronize_waits_for_the_handlers_of_an_unmapped_region(void **state)
{
	(void)state;
	synchronize_waits_for_the_handlers_of_what_was(unmap, 0);
}

static void synchronize_waits_for_the_handlers_of_a_freed_region(void **state)
{
	(void)state;
	synchronize_waits_for_the_handlers_of_what_was(bw_region_free, 1);
}

static void synchronize_does_not_wait_for_mapped_regions(void **state)
{
	struct bw_bus *bus = make_bus();
	pthread_t writer;
	struct device d;

	(void)state;
	add_device(bus, &d, BW_MMIO, 0x100, 0);
	assert_int_equal(bw_region_map(d.region, 0x1000), 0);
	d.in_handler = wait_for_the_test;
	pthread_create(&writer, NULL, write_once, &d);
	sem_wait(&d.entered);
	assert_int_equal(bw_bus_synchronize(bus), 0); /* or it hangs */
	assert_int_equal(d.result, 0);
	sem_post(&d.go_on);
	pthread_join(writer, NULL);
	bw_bus_free(bus);
}

static void many_regions_are_each_found(void **state)
{
	static struct device devices[1000];
	struct bw_bus *bus = make_bus();

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		add_device(bus, &devices[i], BW_MMIO, 0x10, 0);
		/* in an order that is not theirs by address */
		assert_int_equal(bw_region_map(devices[i].region, i * 7 % 1000 * 0x20), 0);
	}
	for (uint64_t i = 0; i < 1000; i++) {
		write_mmio(bus, i * 7 % 1000 * 0x20 + 8);
		assert_int_equal(devices[i].handled, 1);
		assert_int_equal(write_mmio(bus, i * 0x20 + 0x10), BW_UNCLAIMED);
	}
	bw_bus_free(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_handler_gets_the_access_and_answers_it),
		cmocka_unit_test(an_access_must_lie_whole_in_the_region),
		cmocka_unit_test(the_ends_of_the_space_are_reachable),
		cmocka_unit_test(a_region_beyond_its_space_is_refused),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(the_higher_priority_is_visible),
		cmocka_unit_test(among_equals_the_last_mapped_is_visible),
		cmocka_unit_test(a_region_without_a_handler_covers_what_is_below),
		cmocka_unit_test(a_doorbell_goes_where_its_region_goes),
		cmocka_unit_test(a_doorbell_that_is_covered_is_inactive_until_uncovered),
		cmocka_unit_test(a_doorbell_of_the_bus_is_never_covered_and_wins),
		cmocka_unit_test(doorbells_of_one_region_collide_like_ioeventfds),
		cmocka_unit_test(a_handler_deassigns_its_own_doorbell),
		cmocka_unit_test(a_handler_moves_its_own_region),
		cmocka_unit_test(a_handler_frees_its_own_region_which_lives_until_it_returns),
		cmocka_unit_test(handlers_nest_four_deep),
		cmocka_unit_test(synchronize_in_a_handler_is_refused),
		cmocka_unit_test(synchronize_waits_for_the_handlers_of_an_unmapped_region),
		cmocka_unit_test(synchronize_waits_for_the_handlers_of_a_freed_region),
		cmocka_unit_test(synchronize_does_not_wait_for_mapped_regions),
		cmocka_unit_test(many_regions_are_each_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
