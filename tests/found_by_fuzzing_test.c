/* SPDX-License-Identifier: MIT
 *
 * What the fuzzers found, one case each, as small as it can be said.
 */
#include "fake_offload.h"
#include "world.h"

#include <stdlib.h>

#define WINDOW 0x4000u

static struct bw_bus *make_bus_with_window(void)
{
	struct bw_bus_opts opts = { .size = sizeof(opts),
				    .pio_is_mmio = true,
				    .pio_mmio_base = WINDOW };
	struct bw_bus *bus;

	assert_int_equal(bw_bus_new(&bus, &opts), 0);
	return bus;
}

static struct bw_region *map_region(struct bw_bus *bus, enum bw_space space, uint64_t addr)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .space = space, .len = 0x100 };
	struct bw_region *region;

	assert_int_equal(bw_region_new(bus, &region, &opts), 0);
	assert_int_equal(bw_region_map(region, addr), 0);
	return region;
}

static void the_region_at_a_port_that_lies_in_mmio_is_the_ports(void **state)
{
	struct bw_bus *bus = make_bus_with_window();
	struct bw_region *ports;

	(void)state;
	map_region(bus, BW_MMIO, WINDOW);
	assert_null(bw_region_at(bus, BW_MMIO, WINDOW));
	ports = map_region(bus, BW_PIO, 0);
	assert_ptr_equal(bw_region_at(bus, BW_MMIO, WINDOW), ports);
	bw_bus_free(bus);
}

/* 0x10000 is no port that the guest could reach through the window, but MMIO behind it. */
static void a_port_beyond_the_window_is_not_offloaded_to_mmio(void **state)
{
	struct fake_offload *fake = calloc(1, sizeof(*fake));
	struct bw_bus *bus = make_bus_with_window();
	struct bw_notifier *n = make_notifier(NULL);
	bool taken;

	(void)state;
	assert_int_equal(bus_offload(bus, &fake_ops, fake), 0);
	must_assign(bus, BW_PIO, 0x10000, of_len(4), n);
	must_assign(bus, BW_PIO, 0xffff, of_len(4), n);
	assert_int_equal(fake->nr, 1);
	assert_int_equal(fake_write(fake, bus, BW_MMIO, WINDOW + 0x10000, 4, 0, &taken),
			 BW_UNCLAIMED);
	must_assign(bus, BW_MMIO, WINDOW + 0x10000, of_len(4), n); /* nor in the way of another */
	bw_bus_free(bus);
	bw_notifier_free(n);
	free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_region_at_a_port_that_lies_in_mmio_is_the_ports),
		cmocka_unit_test(a_port_beyond_the_window_is_not_offloaded_to_mmio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
