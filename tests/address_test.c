/* SPDX-License-Identifier: MIT
 *
 * Where doorbells lie, from the specifications' own numbers.
 */
#include "fake_offload.h"
#include "world.h"

#include <errno.h>
#include <stdlib.h>

static const struct virtio_case {
	struct bw_virtio_pci_notify cap;
	uint16_t off, queue;
	int err;
	uint64_t offset;
	uint32_t len;
	bool has_value;
} virtio_cases[] = {
	/* offset, length, multiplier, data */
	{ { 0x3000, 0x1000, 4, false }, 0, 0, 0, 0x3000, 2, false },
	{ { 0x3000, 0x1000, 4, false }, 3, 3, 0, 0x300c, 2, false },
	{ { 0x3000, 0x1000, 4, true }, 3, 3, 0, 0x300c, 4, false },
	{ { 0x3000, 0x400000, 0x1000, false }, 1023, 1023, 0, 0x3000 + 1023 * 0x1000, 2, false },
	/* one address for all: told by the index */
	{ { 0x3000, 2, 0, false }, 7, 7, 0, 0x3000, 2, true },
	{ { 0x3000, 4, 0, true }, 0, 0, -EOPNOTSUPP, 0, 0, false },
	/* cap.length >= queue_notify_off * notify_off_multiplier + 2, or + 4 */
	{ { 0, 14, 4, false }, 3, 3, 0, 12, 2, false },
	{ { 0, 13, 4, false }, 3, 3, -ERANGE, 0, 0, false },
	{ { 0, 14, 4, true }, 3, 3, -ERANGE, 0, 0, false },
	{ { 0, 16, 4, true }, 3, 3, 0, 12, 4, false },
	{ { 0, UINT32_MAX, 0x80000000, false }, 0xffff, 1, -ERANGE, 0, 0, false }, /* 32 bits wrap
										    */
	/* alignment, and what a multiplier may be */
	{ { 1, 0x1000, 4, false }, 0, 0, -EINVAL, 0, 0, false },
	{ { 2, 0x1000, 4, false }, 0, 0, 0, 2, 2, false },
	{ { 2, 0x1000, 4, true }, 0, 0, -EINVAL, 0, 0, false },
	{ { 0, 0x1000, 1, false }, 0, 0, -EINVAL, 0, 0, false },
	{ { 0, 0x1000, 6, false }, 0, 0, -EINVAL, 0, 0, false },
	{ { 0, 0x1000, 2, false }, 1, 1, 0, 2, 2, false },
	{ { 0, 0x1000, 2, true }, 1, 1, -EINVAL, 0, 0, false },
};

static void virtio_pci_notify_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(virtio_cases); i++) {
		const struct virtio_case *c = &virtio_cases[i];
		struct bw_doorbell bell = { 0 };

		assert_int_equal(bw_virtio_pci_doorbell(&bell, &c->cap, c->off, c->queue), c->err);
		assert_int_equal(bell.offset, c->offset);
		assert_int_equal(bell.match.len, c->len);
		assert_int_equal(bell.match.has_value, c->has_value);
		assert_int_equal(bell.match.value, c->has_value ? c->queue : 0);
	}
}

static void virtio_mmio_queue_notify(void **state)
{
	struct bw_doorbell bell = bw_virtio_mmio_doorbell(5);

	(void)state;
	assert_int_equal(bell.offset, 0x50);
	assert_int_equal(bell.match.len, 4);
	assert_true(bell.match.has_value);
	assert_int_equal(bell.match.value, 5);
}

static void nvme_doorbells(void **state)
{
	static const struct {
		uint16_t queue;
		bool head;
		uint32_t stride;
		int err;
		uint64_t offset;
	} cases[] = {
		{ 0, false, 0, 0, 0x1000 },   { 0, true, 0, 0, 0x1004 },
		{ 1, false, 0, 0, 0x1008 },   { 1, true, 0, 0, 0x100c },
		{ 0, true, 4, 0, 0x1040 },    { 3, false, 4, 0, 0x1000 + 6 * 64 },
		{ 0, false, 16, -EINVAL, 0 }, { 65535, true, 15, 0, 0x1000 + 131071ull * 131072 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bw_doorbell bell = { 0 };

		assert_int_equal(
			bw_nvme_doorbell(&bell, cases[i].queue, cases[i].head, cases[i].stride),
			cases[i].err);
		assert_int_equal(bell.offset, cases[i].offset);
	}
}

#define WINDOW 0x3eff0000u

static struct bw_bus *make_bus_with_window(uint64_t base)
{
	struct bw_bus_opts opts = { .size = sizeof(opts),
				    .pio_is_mmio = true,
				    .pio_mmio_base = base };
	struct bw_bus *bus;

	return bw_bus_new(&bus, &opts) ? NULL : bus;
}

static void keep_access(void *opaque, struct bw_access *access)
{
	*(struct bw_access *)opaque = *access;
}

static void ports_that_lie_in_mmio_are_ports(void **state)
{
	struct bw_bus *bus = make_bus_with_window(WINDOW);
	struct bw_notifier *n = make_notifier("port");
	struct bw_access last = { 0 };
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.space = BW_PIO,
		.len = 8,
		.handler = keep_access,
		.opaque = &last,
	};
	struct bw_region *region;

	(void)state;
	must_assign(bus, BW_PIO, 0xffff, of_len(1), n);
	assert_int_equal(bw_region_new(bus, &region, &opts), 0);
	assert_int_equal(bw_region_map(region, 0x60), 0);
	assert_int_equal(write_to(bus, BW_MMIO, WINDOW + 0xffff, 1, 0), BW_SIGNALLED);
	assert_int_equal(write_to(bus, BW_MMIO, WINDOW + 0x10000, 1, 0), BW_UNCLAIMED);
	assert_int_equal(write_to(bus, BW_MMIO, WINDOW - 1, 1, 0), BW_UNCLAIMED);
	assert_int_equal(write_to(bus, BW_MMIO, WINDOW + 0x64, 2, 0), BW_HANDLED);
	assert_int_equal(last.space, BW_PIO);
	assert_int_equal(last.addr, 0x64);
	assert_int_equal(last.offset, 4);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void a_port_goes_to_the_hypervisors_mmio_bus(void **state)
{
	struct bw_bus *bus = make_bus_with_window(WINDOW);
	struct fake_offload *fake = calloc(1, sizeof(*fake));
	struct bw_notifier *n = make_notifier("port");

	(void)state;
	assert_int_equal(bus_offload(bus, &fake_ops, fake), 0);
	must_assign(bus, BW_PIO, 0x60, of_len(1), n);
	assert_int_equal(fake->nr, 1);
	assert_int_equal(fake->claims[0].space, BW_MMIO);
	assert_int_equal(fake->claims[0].addr, WINDOW + 0x60);
	bw_bus_free(bus);
	assert_int_equal(fake->nr, 0);
	bw_notifier_free(n);
	free(fake);
}

static void nothing_else_lies_in_the_window(void **state)
{
	struct bw_bus *bus = make_bus_with_window(WINDOW);
	struct fake_offload *fake = calloc(1, sizeof(*fake));
	struct bw_region_opts opts = { .size = sizeof(opts), .len = 0x100 };
	struct bw_notifier *n = make_notifier("port");
	struct bw_region *region;
	struct bw_ioeventfd *ie;

	(void)state;
	assert_int_equal(bus_offload(bus, &fake_ops, fake), 0);
	assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_MMIO, WINDOW - 1, of_len(2), n), -EINVAL);
	assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_MMIO, WINDOW + 0xffff, any_len(), n),
			 -EINVAL);
	assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_MMIO, WINDOW + 0x10000, of_len(2), n), 0);
	bw_ioeventfd_deassign(ie);
	assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_MMIO, WINDOW - 2, of_len(2), n), 0);
	bw_ioeventfd_deassign(ie);
	assert_int_equal(bw_region_new(bus, &region, &opts), 0);
	assert_int_equal(bw_region_doorbell(region, &ie, 0, of_len(4), n), 0);
	assert_int_equal(bw_region_map(region, WINDOW), 0); /* where the guest put it: covered */
	assert_int_equal(fake->nr, 0);
	assert_int_equal(bw_region_map(region, WINDOW + 0x10000), 0);
	assert_int_equal(fake->nr, 1);
	bw_bus_free(bus);
	bw_notifier_free(n);
	free(fake);
}

static void a_window_that_wraps_is_refused(void **state)
{
	(void)state;
	assert_null(make_bus_with_window(UINT64_MAX - 0xfffe));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(virtio_pci_notify_addresses),
		cmocka_unit_test(virtio_mmio_queue_notify),
		cmocka_unit_test(nvme_doorbells),
		cmocka_unit_test(ports_that_lie_in_mmio_are_ports),
		cmocka_unit_test(a_port_goes_to_the_hypervisors_mmio_bus),
		cmocka_unit_test(nothing_else_lies_in_the_window),
		cmocka_unit_test(a_window_that_wraps_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
