/* SPDX-License-Identifier: MIT
 *
 * The account by address: what it keeps apart, and where that ends.
 */
#include "cli/watch_account.h"

#include "world.h"

static struct watch_account *make_account(void)
{
	static struct watch_account account;

	memset(&account, 0, sizeof(account));
	account.seed = 0x123456789abcdef;
	return &account;
}

static void add(struct watch_account *account, struct watch_access access, bool slow)
{
	watch_account_access(account, &access, slow, 10);
}

static struct watch_access write_at(enum bw_space space, uint64_t addr, uint64_t value)
{
	return (struct watch_access){
		.space = space, .is_write = true, .len = 4, .addr = addr, .value = value
	};
}

static void a_port_and_an_mmio_address_are_apart(void **state)
{
	struct watch_account *a = make_account();

	(void)state;
	add(a, write_at(BW_PIO, 0x510, 1), true);
	add(a, write_at(BW_MMIO, 0x510, 1), true);
	add(a, write_at(BW_PIO, 0x510, 1), true);
	assert_int_equal(a->nr, 2);
	assert_int_equal(a->addresses[0].slow.writes, 2);
	assert_int_equal(a->addresses[1].slow.writes, 1);
}

static void widths_and_values_are_kept_apart(void **state)
{
	struct watch_account *a = make_account();

	(void)state;
	for (uint64_t i = 0; i < 12; i++) {
		struct watch_access access = write_at(BW_MMIO, 0x1000, i % 3);

		access.len = i % 2 ? 2 : 8;
		add(a, access, true);
	}
	assert_int_equal(a->addresses[0].nr_values, 3);
	assert_int_equal(a->addresses[0].widths, 1u << 2 | 1u << 8);
}

static void a_width_beyond_any_is_one_more(void **state)
{
	struct watch_account *a = make_account();
	struct watch_access access = write_at(BW_MMIO, 0x1000, 0);

	(void)state;
	access.len = UINT32_MAX;
	add(a, access, true);
	assert_int_equal(a->addresses[0].widths, 1u << 31);
}

static void values_end_at_a_limit(void **state)
{
	struct watch_account *a = make_account();

	(void)state;
	for (uint64_t value = 0; value < 3 * WATCH_VALUES; value++)
		add(a, write_at(BW_MMIO, 0x1000, value), true);
	assert_int_equal(a->addresses[0].nr_values, WATCH_VALUES);
	assert_int_equal(a->addresses[0].slow.writes, 3 * WATCH_VALUES);
}

static void addresses_end_at_a_limit_and_the_rest_is_counted(void **state)
{
	struct watch_account *a = make_account();

	(void)state;
	for (uint64_t round = 0; round < 2; round++)
		for (uint64_t i = 0; i < WATCH_ADDRESSES + 10; i++)
			add(a, write_at(BW_MMIO, i * 4096, 0), i % 2);
	assert_int_equal(a->nr, WATCH_ADDRESSES);
	for (unsigned int i = 0; i < a->nr; i++)
		assert_int_equal(watch_path_count(&a->addresses[i].slow) +
					 watch_path_count(&a->addresses[i].light),
				 2);
	assert_int_equal(a->rest_slow.writes, 10);
	assert_int_equal(a->rest_light.writes, 10);
}

static void only_what_is_only_written_would_gain(void **state)
{
	static const struct {
		uint64_t slow_writes, slow_reads, light_writes, light_reads;
		bool gains;
	} table[] = {
		{ 1, 0, 0, 0, true },  { 5, 0, 3, 0, true },  { 0, 0, 3, 0, false },
		{ 5, 1, 0, 0, false }, { 5, 0, 0, 1, false }, { 0, 4, 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct watch_address address = {
			.slow = { .writes = table[i].slow_writes, .reads = table[i].slow_reads },
			.light = { .writes = table[i].light_writes, .reads = table[i].light_reads },
		};

		assert_int_equal(watch_would_gain(&address), table[i].gains);
	}
}

static void what_has_no_time_does_not_spoil_the_mean(void **state)
{
	struct watch_account *a = make_account();
	struct watch_access access = write_at(BW_PIO, 0x510, 0);

	(void)state;
	watch_account_access(a, &access, true, 100);
	watch_account_access(a, &access, true, 0);
	watch_account_access(a, &access, true, 300);
	assert_int_equal(a->addresses[0].slow.writes, 3);
	assert_int_equal(a->addresses[0].slow.timed, 2);
	assert_int_equal(a->addresses[0].slow.ns, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_and_an_mmio_address_are_apart),
		cmocka_unit_test(widths_and_values_are_kept_apart),
		cmocka_unit_test(a_width_beyond_any_is_one_more),
		cmocka_unit_test(values_end_at_a_limit),
		cmocka_unit_test(addresses_end_at_a_limit_and_the_rest_is_counted),
		cmocka_unit_test(only_what_is_only_written_would_gain),
		cmocka_unit_test(what_has_no_time_does_not_spoil_the_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
