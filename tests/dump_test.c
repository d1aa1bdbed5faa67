/* SPDX-License-Identifier: MIT
 *
 * What a dump says of a bus, as text and as JSON read back.
 */
#include "world.h"
#include "fake_offload.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

static json_t *dump(struct bw_bus *bus)
{
	json_error_t error;
	char *text;
	json_t *root;

	assert_int_equal(bw_bus_dump(bus, BW_DUMP_JSON, &text), 0);
	root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		fail_msg("%s at line %d of\n%s", error.text, error.line, text);
	free(text);
	return root;
}

static json_t *nth(json_t *root, const char *array, size_t i)
{
	json_t *object = json_array_get(json_object_get(root, array), i);

	assert_non_null(object);
	return object;
}

static void assert_string(json_t *object, const char *key, const char *expected)
{
	json_t *value = json_object_get(object, key);

	assert_non_null(value);
	if (expected)
		assert_string_equal(json_string_value(value), expected);
	else
		assert_true(json_is_null(value));
}

static void assert_number(json_t *object, const char *key, json_int_t expected)
{
	json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	assert_int_equal(json_integer_value(value), expected);
}

static void assert_bool(json_t *object, const char *key, bool expected)
{
	assert_ptr_equal(json_object_get(object, key), json_boolean(expected));
}

/* A BAR with two doorbells, half of it under another region, and one of the bus itself. */
struct scene {
	struct bw_bus *bus;
	struct bw_notifier *n;
	struct bw_region *bar, *above;
	struct bw_ioeventfd *seen, *covered, *plain;
};

static void handle(void *opaque, struct bw_access *access)
{
	(void)opaque;
	(void)access;
}

static struct scene scene(void)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts), .name = "bar", .len = 0x2000, .handler = handle
	};
	struct scene s = { .bus = make_bus(), .n = make_notifier("queue") };

	assert_int_equal(bw_region_new(s.bus, &s.bar, &opts), 0);
	opts = (struct bw_region_opts){ .size = sizeof(opts), .len = 0x1000, .priority = 1 };
	assert_int_equal(bw_region_new(s.bus, &s.above, &opts), 0);
	assert_int_equal(bw_region_doorbell(s.bar, &s.seen, 0x10, of_len(4), s.n), 0);
	assert_int_equal(bw_region_doorbell(s.bar, &s.covered, 0x1010, of_value(2, 7), s.n), 0);
	s.plain = must_assign(s.bus, BW_PIO, 0x3f8, any_len(), s.n);
	assert_int_equal(bw_region_map(s.bar, 0xfe000000), 0);
	assert_int_equal(bw_region_map(s.above, 0xfe001000), 0);
	return s;
}

static void end(struct scene *s)
{
	bw_bus_free(s->bus);
	bw_notifier_free(s->n);
}

static void an_empty_bus_is_a_whole_document(void **state)
{
	struct bw_bus *bus = make_bus();
	json_t *root = dump(bus);

	(void)state;
	assert_string(root, "schema", "bellwire.dump/1");
	assert_string(root, "offload", NULL);
	assert_string(root, "pio_mmio_base", NULL);
	assert_int_equal(json_array_size(json_object_get(root, "regions")), 0);
	assert_int_equal(json_array_size(json_object_get(root, "map")), 0);
	assert_int_equal(json_array_size(json_object_get(root, "ioeventfds")), 0);
	json_decref(root);
	bw_bus_free(bus);
}

static void it_tells_the_regions_and_what_is_seen_of_them(void **state)
{
	struct scene s = scene();
	json_t *root = dump(s.bus), *region = nth(root, "regions", 0);

	(void)state;
	assert_string(region, "name", "bar");
	assert_string(region, "space", "MMIO");
	assert_string(region, "addr", "0xfe000000");
	assert_string(region, "len", "0x2000");
	assert_number(region, "priority", 0);
	assert_bool(region, "handler", true);
	assert_number(nth(root, "regions", 1), "priority", 1);
	assert_bool(nth(root, "regions", 1), "handler", false);
	assert_int_equal(json_array_size(json_object_get(root, "map")), 2);
	assert_string(nth(root, "map", 0), "first", "0xfe000000");
	assert_string(nth(root, "map", 0), "last", "0xfe000fff");
	assert_string(nth(root, "map", 0), "region", "bar");
	assert_string(nth(root, "map", 1), "region", "(unnamed)");
	assert_string(nth(root, "map", 1), "region_addr", "0xfe001000");
	json_decref(root);
	end(&s);
}

static void it_tells_where_an_ioeventfd_is_and_what_it_matches(void **state)
{
	struct scene s = scene();
	json_t *root = dump(s.bus), *seen = nth(root, "ioeventfds", 0),
	       *covered = nth(root, "ioeventfds", 1), *plain = nth(root, "ioeventfds", 2);

	(void)state;
	assert_string(seen, "addr", "0xfe000010");
	assert_string(seen, "region", "bar");
	assert_string(seen, "offset", "0x10");
	assert_number(seen, "len", 4);
	assert_string(seen, "value", NULL);
	assert_string(seen, "notifier", "queue");
	assert_string(seen, "eventfd", NULL);
	assert_bool(seen, "active", true);
	assert_string(seen, "why_inactive", NULL);
	assert_string(covered, "value", "0x7");
	assert_bool(covered, "active", false);
	assert_string(covered, "why_inactive", "another region covers it");
	assert_string(plain, "space", "PIO");
	assert_string(plain, "region", NULL);
	assert_string(plain, "offset", NULL);
	assert_number(plain, "len", 0);
	json_decref(root);
	end(&s);
}

static void it_tells_the_counts(void **state)
{
	struct scene s = scene();
	json_t *root, *seen;

	(void)state;
	write_to(s.bus, BW_MMIO, 0xfe000010, 4, 0xabcd);
	bw_notifier_fd(s.n);
	write_to(s.bus, BW_MMIO, 0xfe000010, 4, UINT32_MAX);
	write_to(s.bus, BW_MMIO, 0xfe000010, 2, 0);
	root = dump(s.bus);
	seen = nth(root, "ioeventfds", 0);
	assert_number(seen, "rings", 2);
	assert_number(seen, "signals", 1);
	assert_number(seen, "elided", 1);
	assert_number(seen, "near_width", 1);
	assert_number(seen, "near_value", 0);
	assert_string(seen, "last_value", "0xffffffff");
	assert_number(seen, "eventfd", bw_notifier_fd(s.n));
	assert_string(nth(root, "ioeventfds", 2), "last_value", NULL);
	json_decref(root);
	end(&s);
}

static void it_tells_what_is_offloaded(void **state)
{
	struct scene s = scene();
	struct fake_offload *fake = calloc(1, sizeof(*fake));
	json_t *root;

	(void)state;
	fake->fail_at = 2;
	fake->fail_with = -EOPNOTSUPP;
	assert_int_equal(bus_offload(s.bus, &fake_ops, fake), 0);
	root = dump(s.bus);
	assert_string(root, "offload", "fake");
	assert_bool(nth(root, "ioeventfds", 0), "offloaded", true);
	assert_string(nth(root, "ioeventfds", 0), "why_not_offloaded", NULL);
	assert_string(nth(root, "ioeventfds", 1), "why_not_offloaded", "it is inactive");
	assert_string(nth(root, "ioeventfds", 2), "why_not_offloaded", "no room");
	json_decref(root);
	end(&s);
	free(fake);
}

static void names_of_any_bytes_make_no_bad_json(void **state)
{
	static const struct {
		const char *name, *dumped;
	} cases[] = {
		{ "a \"quoted\" \\ name", "a \"quoted\" \\ name" },
		{ "line\nand\ttab\x1b\x7f", "line\nand\ttab\x1b\x7f" },
		{ "sm\xc3\xb6rg\xc3\xa5s \xf0\x9f\x94\x94",
		  "sm\xc3\xb6rg\xc3\xa5s \xf0\x9f\x94\x94" },
		{ "\xff\xc3(", "\xef\xbf\xbd\xef\xbf\xbd(" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* a surrogate */
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },                 /* overlong */
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd" },
	};

	(void)state;
	for (unsigned int i = 0; i < COUNT_OF(cases); i++) {
		struct bw_bus *bus = make_bus();
		struct bw_notifier *n = make_notifier(cases[i].name);
		json_t *root;

		must_assign(bus, BW_PIO, 1, of_len(1), n);
		root = dump(bus);
		assert_string(nth(root, "ioeventfds", 0), "notifier", cases[i].dumped);
		json_decref(root);
		bw_bus_free(bus);
		bw_notifier_free(n);
	}
}

static void greatest_numbers_are_read_back_whole(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier(NULL);
	json_t *root;

	(void)state;
	must_assign(bus, BW_MMIO, UINT64_MAX - 8, of_value(8, UINT64_MAX), n);
	write_to(bus, BW_MMIO, UINT64_MAX - 8, 8, UINT64_MAX);
	root = dump(bus);
	assert_string(nth(root, "ioeventfds", 0), "addr", "0xfffffffffffffff7");
	assert_string(nth(root, "ioeventfds", 0), "value", "0xffffffffffffffff");
	assert_string(nth(root, "ioeventfds", 0), "last_value", "0xffffffffffffffff");
	assert_string(nth(root, "ioeventfds", 0), "notifier", NULL);
	json_decref(root);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

/* What an open transaction wants is not there yet. */
static void it_tells_what_the_guest_sees(void **state)
{
	struct scene s = scene();
	json_t *root;

	(void)state;
	assert_int_equal(bw_bus_begin(s.bus), 0);
	assert_int_equal(bw_region_map(s.bar, 0xd0000000), 0);
	assert_int_equal(bw_region_unmap(s.above), 0);
	must_assign(s.bus, BW_PIO, 0x2f8, any_len(), s.n);
	bw_ioeventfd_deassign(s.plain);
	root = dump(s.bus);
	assert_string(nth(root, "regions", 0), "addr", "0xfe000000");
	assert_string(nth(root, "regions", 1), "addr", "0xfe001000");
	assert_string(nth(root, "ioeventfds", 0), "addr", "0xfe000010");
	assert_bool(nth(root, "ioeventfds", 2), "active", true);
	assert_string(nth(root, "ioeventfds", 3), "addr", NULL);
	assert_string(nth(root, "ioeventfds", 3), "why_inactive",
		      "the transaction that assigned it is open");
	json_decref(root);
	bw_bus_abort(s.bus);
	end(&s);
}

static void the_text_has_a_line_for_each(void **state)
{
	struct scene s = scene();
	char *text;

	(void)state;
	write_to(s.bus, BW_MMIO, 0xfe000010, 4, 5);
	assert_int_equal(bw_bus_dump(s.bus, BW_DUMP_TEXT, &text), 0);
	assert_string_equal(
		text,
		"bus: offload none\n"
		"region \"bar\": MMIO 0xfe000000..0xfe001fff, priority 0, a handler\n"
		"region \"(unnamed)\": MMIO 0xfe001000..0xfe001fff, priority 1, no handler\n"
		"seen MMIO 0xfe000000..0xfe000fff: region \"bar\" from its offset 0x0\n"
		"seen MMIO 0xfe001000..0xfe001fff: region \"(unnamed)\" from its offset 0x0\n"
		"ioeventfd MMIO 0xfe000010 (offset 0x10 of \"bar\"), length 4 -> \"queue\": not "
		"offloaded (the bus has no offload); 1 rings, 0 signals, 1 elided, missed 0 by "
		"width, 0 by value, last 0x5\n"
		"ioeventfd MMIO 0xfe001010 (offset 0x1010 of \"bar\"), length 2, value 0x7 -> "
		"\"queue\": inactive (another region covers it); 0 rings, 0 signals, 0 elided, "
		"missed 0 by width, 0 by value\n"
		"ioeventfd PIO 0x3f8, any length -> \"queue\": not offloaded (the bus has no "
		"offload); 0 rings, 0 signals, 0 elided, missed 0 by width, 0 by value\n");
	free(text);
	end(&s);
}

static void bad_formats_are_refused(void **state)
{
	struct bw_bus *bus = make_bus();
	char *text = "";

	(void)state;
	assert_int_equal(bw_bus_dump(bus, (enum bw_dump_format)2, &text), -EINVAL);
	assert_null(text);
	bw_bus_free(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_bus_is_a_whole_document),
		cmocka_unit_test(it_tells_the_regions_and_what_is_seen_of_them),
		cmocka_unit_test(it_tells_where_an_ioeventfd_is_and_what_it_matches),
		cmocka_unit_test(it_tells_the_counts),
		cmocka_unit_test(it_tells_what_is_offloaded),
		cmocka_unit_test(names_of_any_bytes_make_no_bad_json),
		cmocka_unit_test(greatest_numbers_are_read_back_whole),
		cmocka_unit_test(it_tells_what_the_guest_sees),
		cmocka_unit_test(the_text_has_a_line_for_each),
		cmocka_unit_test(bad_formats_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
