/* SPDX-License-Identifier: MIT
 *
 * Assign, deassign and ring, through the public calls, on a bus alone.
 */
#include "world.h"

#include <errno.h>
#include <stdlib.h>

static void assign_refuses_what_kvm_refuses(void **state)
{
	static const struct {
		enum bw_space space;
		uint64_t addr;
		struct bw_match match;
		int expected;
	} table[] = {
		{ BW_MMIO, 0x1000, { 3, false, 0 }, -EINVAL },
		{ BW_PIO, 0x300, { 16, false, 0 }, -EINVAL },
		{ BW_MMIO, UINT64_MAX, { 1, false, 0 }, -EINVAL },
		{ BW_PIO, UINT64_MAX - 3, { 4, false, 0 }, -EINVAL },
		{ BW_MMIO, 0x1000, { 0, true, 0 }, -EINVAL },
		{ BW_HYPERCALL, 0x1000000, { 0, false, 0 }, -EINVAL },
		{ BW_HYPERCALL, 1, { 4, false, 0 }, -EINVAL },
		{ (enum bw_space)3, 0x1000, { 4, false, 0 }, -EINVAL },
		{ (enum bw_space)4, 0x1000, { 4, false, 0 }, -EINVAL },
		{ BW_MMIO, UINT64_MAX, { 0, false, 0 }, 0 },
		{ BW_MMIO, 0x1003, { 8, true, 5 }, 0 },
		{ BW_PIO, 0x12345, { 4, false, 0 }, 0 },
		{ BW_PIO, 0xffff, { 8, false, 0 }, 0 },
		{ BW_MMIO, 0x2000, { 1, true, 0x1ff }, 0 },
		{ BW_HYPERCALL, 0xffffff, { 0, false, 0 }, 0 },
	};
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier(NULL);
	struct bw_ioeventfd *ie;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		ie = (struct bw_ioeventfd *)bus;
		assert_int_equal(bw_ioeventfd_assign(bus, &ie, table[i].space, table[i].addr,
						     table[i].match, n),
				 table[i].expected);
		assert_true(table[i].expected ? !ie : ie && ie != (void *)bus);
	}
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void an_access_that_cannot_be_is_refused(void **state)
{
	static const struct {
		unsigned int space;
		uint32_t len;
		bool no_data;
		int expected;
	} table[] = {
		{ BW_MMIO, 8, false, BW_UNCLAIMED },
		{ BW_MMIO, 0, false, -EINVAL },
		{ BW_MMIO, 9, false, -EINVAL },
		{ BW_PIO, UINT32_MAX, false, -EINVAL },
		{ BW_PIO, 4, true, -EINVAL },
		{ BW_HYPERCALL, 0, true, BW_UNCLAIMED },
		{ BW_HYPERCALL, 8, true, BW_UNCLAIMED },
		{ BW_HYPERCALL, 9, false, -EINVAL },
		{ 3, 4, false, -EINVAL },
		{ UINT32_MAX, 4, false, -EINVAL },
	};
	struct bw_bus *bus = make_bus();
	uint64_t value = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table) * 2; i++) {
		struct bw_access access = { .space = table[i / 2].space,
					    .is_write = i % 2,
					    .len = table[i / 2].len,
					    .data = table[i / 2].no_data ? NULL : &value };

		assert_int_equal(bw_bus_access(bus, &access), table[i / 2].expected);
	}
	bw_bus_free(bus);
}

static void a_hit_rings_once_and_goes_no_further(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier(NULL);

	(void)state;
	must_assign(bus, BW_PIO, 0x300, of_len(2), n);
	assert_int_equal(write_to(bus, BW_PIO, 0x300, 2, 7), BW_SIGNALLED);
	assert_int_equal(bw_notifier_take(n), 1);
	assert_int_equal(write_to(bus, BW_PIO, 0x300, 4, 7), BW_UNCLAIMED);
	assert_int_equal(write_to(bus, BW_MMIO, 0x300, 2, 7), BW_UNCLAIMED);
	assert_int_equal(bw_notifier_take(n), 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void count_access(void *opaque, struct bw_access *access)
{
	(void)access;
	++*(unsigned int *)opaque;
}

static void the_handler_beneath_gets_what_misses_and_reads(void **state)
{
	unsigned int handled = 0;
	struct bw_region_opts opts = { .size = sizeof(opts),
				       .space = BW_MMIO,
				       .len = 0x1000,
				       .handler = count_access,
				       .opaque = &handled };
	struct bw_notifier *n = make_notifier(NULL);
	struct bw_bus *bus = make_bus();
	struct bw_region *region;
	uint64_t value;

	(void)state;
	assert_int_equal(bw_region_new(bus, &region, &opts), 0);
	assert_int_equal(bw_region_map(region, 0x10000), 0);
	must_assign(bus, BW_MMIO, 0x10004, of_value(4, 1), n);
	must_assign(bus, BW_MMIO, 0x10008, any_len(), n);
	assert_int_equal(write_to(bus, BW_MMIO, 0x10004, 4, 1), BW_SIGNALLED);
	assert_int_equal(handled, 0);
	assert_int_equal(write_to(bus, BW_MMIO, 0x10004, 4, 2), BW_HANDLED);
	assert_int_equal(read_from(bus, BW_MMIO, 0x10004, 4, &value), BW_HANDLED);
	assert_int_equal(read_from(bus, BW_MMIO, 0x10008, 4, &value), BW_HANDLED);
	assert_int_equal(handled, 3);
	assert_int_equal(bw_notifier_take(n), 1);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void a_read_never_rings(void **state)
{
	static const struct bw_match matches[] = { { 0, false, 0 },
						   { 4, false, 0 },
						   { 4, true, 0 } };
	struct bw_notifier *n = make_notifier(NULL);
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(matches); i++) {
		struct bw_bus *bus = make_bus();

		must_assign(bus, BW_MMIO, 0x1000, matches[i], n);
		assert_int_equal(read_from(bus, BW_MMIO, 0x1000, 4, &value), BW_UNCLAIMED);
		assert_int_equal(value, 0xffffffff);
		bw_bus_free(bus);
	}
	assert_int_equal(bw_notifier_take(n), 0);
	bw_notifier_free(n);
}

/* Among them the order in which KVM hides the third one behind the first two. */
static void nested_ranges_are_found_in_every_order(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
	} ranges[5] = { { 0x300, 1 }, { 0x402, 1 }, { 0x400, 4 }, { 0x400, 8 }, { 0x3ff, 2 } };
	static const enum bw_space spaces[] = { BW_PIO, BW_MMIO };

	(void)state;
	for (unsigned int order = 0; order < 2 * 120; order++) {
		struct bw_bus *bus = make_bus();
		struct bw_notifier *n[5] = { 0 };

		/* order counts the permutations: at each step, which of the free places is next */
		for (unsigned int i = 0, left = order / 2; i < 5; left /= 5 - i, i++) {
			unsigned int at = 0, skip = left % (5 - i);

			for (; n[at] || skip; at++)
				skip -= !n[at];
			n[at] = make_notifier(NULL);
			must_assign(bus, spaces[order % 2], ranges[at].addr, of_len(ranges[at].len),
				    n[at]);
		}
		for (unsigned int i = 0; i < 5; i++) {
			assert_int_equal(
				write_to(bus, spaces[order % 2], ranges[i].addr, ranges[i].len, i),
				BW_SIGNALLED);
			for (unsigned int j = 0; j < 5; j++)
				assert_int_equal(bw_notifier_take(n[j]), i == j);
		}
		bw_bus_free(bus);
		for (unsigned int i = 0; i < 5; i++)
			bw_notifier_free(n[i]);
	}
}

static void who_is_in_the_way_is_named(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier("net0.tx"), *other = make_notifier("other");
	struct bw_ioeventfd *ie;

	(void)state;
	must_assign(bus, BW_PIO, 0xc050, of_value(2, 0x1f), n);
	assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_PIO, 0xc050, of_len(2), other), -EEXIST);
	assert_null(ie);
	assert_non_null(strstr(bw_last_error(), "net0.tx"));
	assert_non_null(strstr(bw_last_error(), "PIO"));
	assert_non_null(strstr(bw_last_error(), "0xc050"));
	assert_non_null(strstr(bw_last_error(), "length 2"));
	assert_non_null(strstr(bw_last_error(), "0x1f"));
	bw_bus_free(bus);
	bw_notifier_free(n);
	bw_notifier_free(other);
}

static void a_refused_assign_changes_nothing(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier(NULL), *other = make_notifier(NULL);
	unsigned int fds = count_fds();
	struct bw_ioeventfd *ie;

	(void)state;
	must_assign(bus, BW_MMIO, 0x1000, of_value(4, 1), n);
	assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_MMIO, 0x1000, any_len(), other), -EEXIST);
	assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_MMIO, 0x1000, of_len(3), other), -EINVAL);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1000, 4, 1), BW_SIGNALLED);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1000, 2, 1), BW_UNCLAIMED);
	assert_int_equal(bw_notifier_take(n), 1);
	assert_int_equal(bw_notifier_take(other), 0);
	assert_int_equal(count_fds(), fds);
	/* nor is the place taken, nor a reference kept (the address sanitizer sees one) */
	must_assign(bus, BW_MMIO, 0x1000, of_value(4, 2), other);
	bw_bus_free(bus);
	bw_notifier_free(n);
	bw_notifier_free(other);
}

static void deassign_stops_the_rings_and_frees_the_place(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier(NULL);
	struct bw_ioeventfd *ie = must_assign(bus, BW_MMIO, 0x1000, any_len(), n);

	(void)state;
	bw_ioeventfd_deassign(ie);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1000, 4, 1), BW_UNCLAIMED);
	assert_int_equal(bw_notifier_take(n), 0);
	must_assign(bus, BW_MMIO, 0x1000, of_len(4), n);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void deassign_of_null_is_fine(void **state)
{
	(void)state;
	bw_ioeventfd_deassign(NULL);
	bw_bus_free(NULL);
	bw_notifier_free(NULL);
}

static void a_thousand_values_on_one_address_ring_their_own(void **state)
{
	enum { VALUES = 1000 };
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n[VALUES];

	(void)state;
	for (unsigned int i = 0; i < VALUES; i++) {
		n[i] = make_notifier(NULL);
		must_assign(bus, BW_PIO, 0x300, of_value(4, i * 3), n[i]);
	}
	for (unsigned int value = 0; value < VALUES * 3; value++) {
		assert_int_equal(write_to(bus, BW_PIO, 0x300, 4, value),
				 value % 3 ? BW_UNCLAIMED : BW_SIGNALLED);
		assert_int_equal(bw_notifier_take(n[value / 3]), !(value % 3));
	}
	bw_bus_free(bus);
	for (unsigned int i = 0; i < VALUES; i++) {
		assert_int_equal(bw_notifier_take(n[i]), 0);
		bw_notifier_free(n[i]);
	}
}

static void ten_thousand_ioeventfds_are_all_found(void **state)
{
	enum { NR = 10000 };
	struct bw_ioeventfd **ies = calloc(NR, sizeof(struct bw_ioeventfd *));
	struct bw_notifier *n = make_notifier(NULL);
	struct bw_bus *bus = make_bus();

	(void)state;
	assert_non_null(ies);
	for (uint64_t i = 0; i < NR; i++)
		ies[i] = must_assign(bus, BW_MMIO, i * 4, of_len(4), n);
	for (uint64_t i = 0; i < NR; i += 2)
		bw_ioeventfd_deassign(ies[i]);
	for (uint64_t i = 0; i < NR; i++)
		assert_int_equal(write_to(bus, BW_MMIO, i * 4, 4, 0),
				 i % 2 ? BW_SIGNALLED : BW_UNCLAIMED);
	assert_int_equal(bw_notifier_take(n), NR / 2);
	bw_bus_free(bus);
	bw_notifier_free(n);
	free(ies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assign_refuses_what_kvm_refuses),
		cmocka_unit_test(an_access_that_cannot_be_is_refused),
		cmocka_unit_test(a_hit_rings_once_and_goes_no_further),
		cmocka_unit_test(the_handler_beneath_gets_what_misses_and_reads),
		cmocka_unit_test(a_read_never_rings),
		cmocka_unit_test(nested_ranges_are_found_in_every_order),
		cmocka_unit_test(who_is_in_the_way_is_named),
		cmocka_unit_test(a_refused_assign_changes_nothing),
		cmocka_unit_test(deassign_stops_the_rings_and_frees_the_place),
		cmocka_unit_test(deassign_of_null_is_fine),
		cmocka_unit_test(a_thousand_values_on_one_address_ring_their_own),
		cmocka_unit_test(ten_thousand_ioeventfds_are_all_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
