/* SPDX-License-Identifier: MIT
 *
 * What bellwire bench makes of its samples, with samples made up here.
 */
#include "cli/bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define ROUNDS 9u

struct world {
	struct bench bench;
	struct sample samples[3][ROUNDS];
};

static struct row *add_row(struct world *w, const char *path)
{
	unsigned int i = w->bench.nr_rows++;
	struct row *row = &w->bench.rows[i];

	*row = (struct row){
		.type = bench_path_find(path),
		.available = true,
		.rung = true,
		.samples = w->samples[i],
	};
	for (unsigned int r = 0; r < ROUNDS; r++)
		row->samples[r].exits = NAN;
	return row;
}

/* raw-ioeventfd-pio, whose rounds get slower and slower, and itself as the A/A pair. */
static struct row *make_world(struct world *w)
{
	struct row *raw;

	memset(w, 0, sizeof(*w));
	w->bench.rounds = ROUNDS;
	raw = add_row(w, "raw-ioeventfd-pio");
	for (unsigned int r = 0; r < ROUNDS; r++)
		raw->samples[r].ns = 100 * (r + 1);
	w->bench.aa_of = raw;
	w->bench.aa = raw;
	return raw;
}

static void a_ratio_is_taken_within_each_round(void **state)
{
	static struct world w;
	struct row *raw = make_world(&w), *row = add_row(&w, "ioeventfd-pio");

	(void)state;
	for (unsigned int r = 0; r < ROUNDS; r++)
		row->samples[r].ns = raw->samples[r].ns * 1.5;
	bench_summarise(&w.bench);
	assert_true(row->has_ratio);
	assert_true(fabs(row->ratio.low - 1.5) < 1e-9 && fabs(row->ratio.high - 1.5) < 1e-9);
}

static void a_speedup_says_how_often_the_stall_goes_into_that_through_a_handler(void **state)
{
	static struct world w;
	struct row *raw = make_world(&w), *row = add_row(&w, "userspace-pio");

	(void)state;
	for (unsigned int r = 0; r < ROUNDS; r++)
		row->samples[r].ns = raw->samples[r].ns * 4;
	bench_summarise(&w.bench);
	assert_true(raw->has_speedup && fabs(raw->speedup.median - 4) < 1e-9);
}

static void a_row_without_its_counterpart_has_no_ratio(void **state)
{
	static struct world w;
	struct row *row;

	(void)state;
	make_world(&w);
	row = add_row(&w, "ioeventfd-mmio");
	for (unsigned int r = 0; r < ROUNDS; r++)
		row->samples[r].ns = 1;
	bench_summarise(&w.bench);
	assert_false(row->has_ratio);
}

static void a_row_that_cannot_be_run_is_no_counterpart(void **state)
{
	static struct world w;
	struct row *row;

	(void)state;
	make_world(&w);
	row = add_row(&w, "raw-ioeventfd-mmio");
	row->available = false;
	assert_null(bench_row(&w.bench, "raw-ioeventfd-mmio"));
	assert_non_null(bench_row(&w.bench, "raw-ioeventfd-pio"));
}

static void lost_is_what_was_rung_and_not_counted(void **state)
{
	struct row row = { .rung = true, .rings = 10, .signals = 7 };

	(void)state;
	assert_int_equal(bench_lost(&row), 3);
}

static void a_ring_counted_twice_shows_too(void **state)
{
	struct row row = { .rung = true, .rings = 10, .signals = 11 };

	(void)state;
	assert_int_equal(bench_lost(&row), -1);
}

static void where_nobody_is_rung_nothing_is_lost(void **state)
{
	struct row row = { .rung = false, .rings = 10 };

	(void)state;
	assert_int_equal(bench_lost(&row), 0);
}

/* A name that nothing has would silently leave its column empty. */
static void every_counterpart_in_the_table_is_a_path(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < bench_nr_paths; i++) {
		const struct path_type *type = &bench_paths[i];

		assert_true(!type->raw || bench_path_find(type->raw));
		assert_true(!type->userspace || bench_path_find(type->userspace));
	}
}

static void every_path_has_a_family(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < bench_nr_paths; i++)
		if (bench_colour(bench_paths[i].name) == BENCH_NO_COLOUR)
			fail_msg("%s has no colour: bench_families.c", bench_paths[i].name);
}

static void families_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < bench_nr_families; i++)
		for (size_t j = 0; j < i; j++) {
			const struct bench_family *a = &bench_families[i], *b = &bench_families[j];

			assert_int_not_equal(a->colour, b->colour);
			assert_string_not_equal(a->name, b->name);
			assert_string_not_equal(a->light, b->light);
			assert_string_not_equal(a->dark, b->dark);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ratio_is_taken_within_each_round),
		cmocka_unit_test(
			a_speedup_says_how_often_the_stall_goes_into_that_through_a_handler),
		cmocka_unit_test(a_row_without_its_counterpart_has_no_ratio),
		cmocka_unit_test(a_row_that_cannot_be_run_is_no_counterpart),
		cmocka_unit_test(lost_is_what_was_rung_and_not_counted),
		cmocka_unit_test(a_ring_counted_twice_shows_too),
		cmocka_unit_test(where_nobody_is_rung_nothing_is_lost),
		cmocka_unit_test(every_counterpart_in_the_table_is_a_path),
		cmocka_unit_test(every_path_has_a_family),
		cmocka_unit_test(families_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
