/* SPDX-License-Identifier: MIT
 *
 * Medians and their intervals, against values worked out by hand.
 */
#include "cli/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* n values 1 to n, the largest first. */
static struct stats stats_of_falling(size_t n)
{
	double values[STATS_MAX];

	for (size_t i = 0; i < n; i++)
		values[i] = (double)(n - i);
	return stats_of(values, n);
}

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-6;
}

static void one_value_is_its_own_interval_and_sure_of_nothing(void **state)
{
	struct stats s = stats_of_falling(1);

	(void)state;
	assert_true(near(s.median, 1) && near(s.low, 1) && near(s.high, 1));
	assert_true(near(s.coverage, 0));
}

static void an_even_count_takes_the_mean_of_the_middle_two(void **state)
{
	double values[] = { 10, 1, 4, 3 };

	(void)state;
	assert_true(near(stats_of(values, 4).median, 3.5));
}

static void one_wild_value_moves_neither_median_nor_interval(void **state)
{
	double calm[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	double wild[] = { 1, 2, 3, 4, 5, 6, 7, 8, 1e9 };
	struct stats a = stats_of(calm, 9), b = stats_of(wild, 9);

	(void)state;
	assert_true(near(a.median, b.median) && near(a.low, b.low) && near(a.high, b.high));
}

/* The ranks of the usual tables (for instance Conover, Practical Nonparametric Statistics): from
 * one end, counted from 1, with the coverage 1 - 2 P(B(n, 1/2) < rank). */
static void the_interval_has_the_ranks_of_the_tables(void **state)
{
	static const struct {
		size_t n, rank;
		double coverage;
	} table[] = {
		{ 2, 1, 0.5 },         { 5, 1, 0.9375 },    { 6, 1, 0.96875 },
		{ 8, 1, 0.9921875 },   { 9, 2, 0.9609375 }, { 10, 2, 0.978516 },
		{ 15, 4, 0.964844 },   { 20, 6, 0.958611 }, { 25, 8, 0.956715 },
		{ 100, 40, 0.964800 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct stats s = stats_of_falling(table[i].n);

		assert_true(near(s.low, (double)table[i].rank));
		assert_true(near(s.high, (double)(table[i].n + 1 - table[i].rank)));
		assert_true(near(s.coverage, table[i].coverage));
	}
}

static void the_largest_count_still_has_an_interval(void **state)
{
	struct stats s = stats_of_falling(STATS_MAX);

	(void)state;
	assert_true(near(s.median, 500.5));
	assert_true(near(s.low, 469) && near(s.high, 532));
	assert_true(s.coverage >= 0.95 && s.coverage < 0.955);
}

static void a_percentile_is_the_nearest_rank_rounded_up(void **state)
{
	static const struct {
		double p, value;
	} table[] = {
		{ 0, 1 },   { 0.001, 1 }, { 0.5, 5 }, { 0.51, 6 },
		{ 0.9, 9 }, { 0.99, 10 }, { 1, 10 },
	};
	double values[10] = { 10, 3, 9, 1, 7, 5, 2, 8, 4, 6 };

	(void)state;
	stats_sort(values, 10);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_true(near(stats_percentile(values, 10, table[i].p), table[i].value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_value_is_its_own_interval_and_sure_of_nothing),
		cmocka_unit_test(an_even_count_takes_the_mean_of_the_middle_two),
		cmocka_unit_test(one_wild_value_moves_neither_median_nor_interval),
		cmocka_unit_test(the_interval_has_the_ranks_of_the_tables),
		cmocka_unit_test(the_largest_count_still_has_an_interval),
		cmocka_unit_test(a_percentile_is_the_nearest_rank_rounded_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
