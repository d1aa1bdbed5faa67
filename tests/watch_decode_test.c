/* SPDX-License-Identifier: MIT
 *
 * Format files, records and the ring that they come in, whole and damaged.
 */
#include "cli/watch_event.h"

#include "world.h"

#include <linux/perf_event.h>

#define FORMAT                                                                                     \
	"name: kvm_fast_mmio\nID: 109\nformat:\n"                                                  \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"                               \
	"\tfield:u32 other_gpa;\toffset:8;\tsize:4;\tsigned:0;\n"                                  \
	"\tfield:u64 gpa;\toffset:16;\tsize:8;\tsigned:0;\n\n"                                     \
	"print fmt: \"fast mmio at gpa 0x%llx\", REC->gpa\n"

static const struct watch_tracepoint fast_mmio = { .name = "kvm_fast_mmio",
						   .kind = WATCH_FAST_MMIO,
						   .fields = { "gpa" } };
static const struct watch_tracepoint entry = { .name = "kvm_entry", .kind = WATCH_ENTRY };

static const char *parse(struct watch_layout *layout, const char *text)
{
	return watch_layout_parse(layout, &fast_mmio, text, strlen(text));
}

static void a_field_is_found_by_its_whole_name(void **state)
{
	struct watch_layout layout;

	(void)state;
	assert_null(parse(&layout, FORMAT));
	assert_int_equal(layout.fields[0].offset, 16);
	assert_int_equal(layout.fields[0].size, 8);
}

static void a_field_that_is_not_as_we_know_it_is_named(void **state)
{
	static const char *const texts[] = {
		"",
		"\tfield:u64 other_gpa;\toffset:8;\tsize:8;\tsigned:0;\n",
		"\tfield:u64 gpa;\toffset:8;\tsize:16;\tsigned:0;\n",
		"\tfield:u64 gpa;\toffset:8;\tsize:0;\tsigned:0;\n",
		"\tfield:u64 gpa;\toffset:-8;\tsize:8;\tsigned:0;\n",
		"\tfield:u64 gpa;\toffset:99999999999999999999;\tsize:8;\tsigned:0;\n",
		"\tfield:u64 gpa;\toffset:8;\n",
		"\tfield:u64 gpa[1];\toffset:8;\tsize:8;\tsigned:0;\n",
		"\tfield:gpa;\toffset:8;\tsize:8;\tsigned:0;\n",
		"field:",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct watch_layout layout;

		assert_string_equal(parse(&layout, texts[i]), "gpa");
	}
}

/* ---- records ---- */

struct record {
	struct perf_event_header header;
	uint64_t id, time;
	uint32_t size;
	uint8_t raw[28];
};

_Static_assert(sizeof(struct record) == 56, "as perf writes it");

static const struct watch_layout gpa_at_16 = { &fast_mmio, { { 16, 8 } } };
static const struct watch_layout no_fields = { &entry, {} };

static const struct watch_decoder decoder = {
	.nr = 2,
	.sources = { { 71, &gpa_at_16 }, { 72, &no_fields } },
};

static struct record sample(uint64_t gpa)
{
	struct record r = {
		.header = { PERF_RECORD_SAMPLE, 0, sizeof(r) }, .id = 71, .time = 5, .size = 28
	};

	memcpy(r.raw + 16, &gpa, sizeof(gpa));
	return r;
}

static struct watch_event must_decode(const void *record, size_t size)
{
	struct watch_event event;

	assert_true(watch_decode(&decoder, record, size, &event));
	return event;
}

static void a_sample_has_its_time_and_fields(void **state)
{
	struct record r = sample(0xfe003000);
	struct watch_event event = must_decode(&r, sizeof(r));

	(void)state;
	assert_int_equal(event.kind, WATCH_FAST_MMIO);
	assert_int_equal(event.ns, 5);
	assert_int_equal(event.field[0], 0xfe003000);
}

static void a_sample_without_fields_needs_none(void **state)
{
	struct record r = { .header = { PERF_RECORD_SAMPLE, 0, 24 }, .id = 72, .time = 6 };
	struct watch_event event = must_decode(&r, 24);

	(void)state;
	assert_int_equal(event.kind, WATCH_ENTRY);
	assert_int_equal(event.ns, 6);
}

static void lost_records_are_a_number(void **state)
{
	struct record r = { .header = { PERF_RECORD_LOST, 0, 24 }, .id = 71, .time = 1234 };
	struct watch_event event = must_decode(&r, 24);

	(void)state;
	assert_int_equal(event.kind, WATCH_LOST);
	assert_int_equal(event.field[0], 1234);
}

static void what_cannot_be_read_is_one_lost(void **state)
{
	struct record unknown = sample(2), longer = sample(2), shorter = sample(2);

	(void)state;
	unknown.id = 73;
	longer.size = 29;
	shorter.size = 23;
	for (size_t size = 0; size < sizeof(struct record); size++)
		assert_int_equal(must_decode(&shorter, size).kind, WATCH_LOST);
	assert_int_equal(must_decode(&unknown, sizeof(unknown)).field[0], 1);
	assert_int_equal(must_decode(&longer, sizeof(longer)).field[0], 1);
	assert_int_equal(must_decode(&shorter, sizeof(shorter)).field[0], 1);
}

static void other_records_are_nothing(void **state)
{
	struct record r = { .header = { PERF_RECORD_THROTTLE, 0, sizeof(r) } };
	struct watch_event event;

	(void)state;
	assert_false(watch_decode(&decoder, &r, sizeof(r), &event));
}

/* ---- the ring ---- */

#define RING 128u

/* At each place of the ring, also where its end cuts the record in two. */
static void a_record_is_whole_wherever_it_is(void **state)
{
	struct record r = sample(0xabcdef), got;
	uint8_t data[RING], bounce[sizeof(r)];

	(void)state;
	for (uint64_t at = 0; at < RING; at += 8) {
		struct watch_ring_view ring = { data, RING, RING + at, RING + at + sizeof(r) };
		const void *record;
		size_t size;

		for (size_t i = 0; i < sizeof(r); i++)
			data[(at + i) % RING] = ((uint8_t *)&r)[i];
		record = watch_ring_next(&ring, bounce, &size);
		assert_non_null(record);
		assert_int_equal(size, sizeof(r));
		memcpy(&got, record, sizeof(got));
		assert_memory_equal(&got, &r, sizeof(r));
		assert_null(watch_ring_next(&ring, bounce, &size));
		assert_int_equal(size, 0);
	}
}

static void a_ring_that_makes_no_sense_ends(void **state)
{
	static const struct {
		uint16_t size;
		uint64_t used;
	} table[] = { { 0, 64 }, { 7, 64 }, { 72, 64 }, { 8, 4 }, { 8, RING + 8 } };
	uint8_t data[RING] = {}, bounce[RING];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct perf_event_header header = { .size = table[i].size };
		struct watch_ring_view ring = { data, RING, 0, table[i].used };
		size_t size;

		memcpy(data, &header, sizeof(header));
		assert_null(watch_ring_next(&ring, bounce, &size));
		assert_int_equal(size, table[i].used);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_is_found_by_its_whole_name),
		cmocka_unit_test(a_field_that_is_not_as_we_know_it_is_named),
		cmocka_unit_test(a_sample_has_its_time_and_fields),
		cmocka_unit_test(a_sample_without_fields_needs_none),
		cmocka_unit_test(lost_records_are_a_number),
		cmocka_unit_test(what_cannot_be_read_is_one_lost),
		cmocka_unit_test(other_records_are_nothing),
		cmocka_unit_test(a_record_is_whole_wherever_it_is),
		cmocka_unit_test(a_ring_that_makes_no_sense_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
