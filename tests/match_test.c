/* SPDX-License-Identifier: MIT
 *
 * The pure logic: which keys KVM takes, which collide, and which write fits which.
 */
#include "world.h"
#include "../lib/match.h"

#include <errno.h>

static void only_natural_lengths_are_taken(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < 10; len++) {
		struct bw_match match = of_len(len);
		bool natural = len == 0 || len == 1 || len == 2 || len == 4 || len == 8;

		for (unsigned int space = 0; space < NR_SPACES; space++)
			if (space != BW_HYPERCALL)
				assert_int_equal(match_check(space, 0x1000, &match),
						 natural ? 0 : -EINVAL);
	}
}

static void a_key_is_checked_as_kvm_does(void **state)
{
	static const struct {
		unsigned int space;
		uint64_t addr;
		struct bw_match match;
		int expected;
	} table[] = {
		{ BW_MMIO, UINT64_MAX, { 0, false, 0 }, 0 },
		{ BW_MMIO, UINT64_MAX, { 1, false, 0 }, -EINVAL },
		{ BW_MMIO, UINT64_MAX - 1, { 1, false, 0 }, 0 },
		{ BW_MMIO, UINT64_MAX - 7, { 8, false, 0 }, -EINVAL },
		{ BW_MMIO, UINT64_MAX - 8, { 8, false, 0 }, 0 },
		{ BW_PIO, UINT64_MAX - 3, { 4, false, 0 }, -EINVAL },
		{ BW_PIO, 0x10000, { 4, false, 0 }, 0 },
		{ BW_PIO, 0xffff, { 8, false, 0 }, 0 },
		{ BW_MMIO, 0x1001, { 8, true, 0 }, 0 },
		{ BW_MMIO, 0x1000, { 1, true, 0x100 }, 0 },
		{ BW_MMIO, 0x1000, { 0, true, 0 }, -EINVAL },
		{ BW_PIO, 0x1000, { UINT32_MAX, false, 0 }, -EINVAL },
		{ SPACE_CCW, 0x1000, { 8, true, 1 }, 0 },
		{ NR_SPACES, 0, { 4, false, 0 }, -EINVAL },
		{ UINT32_MAX, 0, { 4, false, 0 }, -EINVAL },
		{ BW_HYPERCALL, 0, { 0, false, 0 }, 0 },
		{ BW_HYPERCALL, 0xffffff, { 0, false, 0 }, 0 },
		{ BW_HYPERCALL, 0x1000000, { 0, false, 0 }, -EINVAL },
		{ BW_HYPERCALL, UINT64_MAX, { 0, false, 0 }, -EINVAL },
		{ BW_HYPERCALL, 1, { 8, false, 0 }, -EINVAL },
		{ BW_HYPERCALL, 1, { 4, true, 0 }, -EINVAL },
		{ BW_HYPERCALL, 1, { 0, true, 0 }, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++)
		assert_int_equal(match_check(table[i].space, table[i].addr, &table[i].match),
				 table[i].expected);
}

/* Every pair of these, and whether KVM would say -EEXIST: written out, not computed. */
static void collisions_are_kvms(void **state)
{
	static const struct bw_match kinds[] = {
		{ 0, false, 0 }, { 1, false, 0 }, { 2, false, 0 }, { 4, false, 0 },
		{ 4, true, 1 },  { 4, true, 2 },  { 8, true, 1 },  { 8, false, 0 },
	};
	static const char *const collides[] = {
		"xxxxxxxx", "xx......", "x.x.....", "x..xxx..",
		"x..xx...", "x..x.x..", "x.....xx", "x.....xx",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		for (size_t j = 0; j < COUNT_OF(kinds); j++)
			assert_int_equal(match_collides(&kinds[i], &kinds[j]),
					 collides[i][j] == 'x');
}

static bool fits(struct bw_match match, uint32_t len, const void *data)
{
	struct table *t = table_new(1);
	struct key key = match_key(BW_MMIO, 0x1001, &match);
	struct bw_access access = {
		.space = BW_MMIO, .is_write = true, .len = len, .addr = 0x1001
	};
	bool found;

	assert_non_null(t);
	assert_non_null(table_insert(t, &key, 1, NULL, NULL, false));
	access.data = (void *)data;
	found = match_find(t, 1, UINT64_MAX, &access);
	table_free(t);
	return found;
}

static void a_write_fits_by_length_and_by_the_value_in_that_length(void **state)
{
	/* one byte off: what the guest wrote need not be aligned in the caller's memory */
	static const uint8_t bytes[9] = { 0xee, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };
	static const struct {
		struct bw_match match;
		const char *lens; /* of the writes that fit, from 1 on */
	} table[] = {
		{ { 0, false, 0 }, "12345678" },
		{ { 1, false, 0 }, "1" },
		{ { 2, false, 0 }, "2" },
		{ { 4, false, 0 }, "4" },
		{ { 8, false, 0 }, "8" },
		{ { 1, true, 0x11 }, "1" },
		{ { 2, true, 0x2211 }, "2" },
		{ { 4, true, 0x44332211 }, "4" },
		{ { 8, true, 0x8877665544332211 }, "8" },
		{ { 1, true, 0x12 }, "" },
		/* wider than the length */
		{ { 1, true, 0x2211 }, "" },
		{ { 2, true, 0x44332211 }, "" },
		{ { 4, true, 0x8877665544332211 }, "" },
		/* right in some of the bytes only */
		{ { 2, true, 0x11 }, "" },
		{ { 8, true, 0x44332211 }, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++)
		for (uint32_t len = 1; len <= 8; len++)
			assert_int_equal(fits(table[i].match, len, bytes + 1),
					 strchr(table[i].lens, '0' + (int)len) != NULL);
}

static void a_value_of_zero_is_not_no_value(void **state)
{
	static const uint8_t zero[8], one[8] = { 1 };

	(void)state;
	assert_true(fits(of_value(4, 0), 4, zero));
	assert_false(fits(of_value(4, 0), 4, one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_natural_lengths_are_taken),
		cmocka_unit_test(a_key_is_checked_as_kvm_does),
		cmocka_unit_test(collisions_are_kvms),
		cmocka_unit_test(a_write_fits_by_length_and_by_the_value_in_that_length),
		cmocka_unit_test(a_value_of_zero_is_not_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
