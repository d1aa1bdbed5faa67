/* SPDX-License-Identifier: MIT
 *
 * Doorbell pages with an emulator that the test plays: what is refused, what is delivered, and what
 * each call that changes the page sees to first.
 */
#include "page_world.h"
#include "../lib/notifier.h"

#include <stdlib.h>

#define SLOT (BASE + PAGE_OFFSET)

static int try_page(struct bw_region *region, uint64_t offset)
{
	struct bw_page_opts opts = { .size = sizeof(opts), .offset = offset };
	struct bw_page *page;

	return bw_region_page(region, &page, &opts);
}

static void what_cannot_be_a_page_is_refused(void **state)
{
	struct bw_region_opts ports = { .size = sizeof(ports), .space = BW_PIO, .len = 0x2000 };
	struct bw_region_opts small = { .size = sizeof(small), .space = BW_MMIO, .len = 0x1800 };
	struct bw_bus *bus = make_bus();
	struct bw_region *region;

	(void)state;
	assert_int_equal(bw_region_new(bus, &region, &ports), 0);
	assert_int_equal(try_page(region, 0), -EINVAL);
	assert_int_equal(bw_region_new(bus, &region, &small), 0);
	assert_int_equal(try_page(region, 0x800), -EINVAL);
	assert_int_equal(try_page(region, 0x1000), -ERANGE);
	assert_int_equal(try_page(region, -(uint64_t)0x1000), -ERANGE);
	assert_int_equal(try_page(region, 0), 0);
	assert_int_equal(try_page(region, 0), -EEXIST);
	bw_bus_free(bus);
}

static int try_slot(struct stage *s, uint64_t offset, struct bw_match match)
{
	struct bw_ioeventfd *ie;
	int err = bw_region_doorbell(s->region, &ie, offset, match, s->n);

	if (!err)
		bw_ioeventfd_deassign(ie);
	return err;
}

static void what_cannot_be_a_slot_is_refused(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	assert_int_equal(try_slot(&s, PAGE_OFFSET + 8, any_len()), -EINVAL);
	assert_int_equal(try_slot(&s, PAGE_OFFSET + 8, of_value(4, 1)), -EINVAL);
	assert_int_equal(try_slot(&s, PAGE_OFFSET + 10, of_len(4)), -EINVAL);
	assert_int_equal(try_slot(&s, PAGE_OFFSET + 2, of_len(2)), -EEXIST);
	assert_int_equal(try_slot(&s, PAGE_OFFSET, of_len(8)), -EEXIST);
	assert_int_equal(try_slot(&s, PAGE_OFFSET, of_len(4)), -EEXIST);
	assert_int_equal(try_slot(&s, PAGE_OFFSET + 4, of_len(4)), 0);
	/* outside the page all is as ever */
	assert_int_equal(try_slot(&s, PAGE_OFFSET - 3, any_len()), 0);
	assert_int_equal(try_slot(&s, PAGE_OFFSET + BW_PAGE_SIZE, of_value(4, 1)), 0);
	close_stage(&s);
}

static void a_page_refuses_what_is_there_and_cannot_be_a_slot(void **state)
{
	struct bw_match bad[] = { any_len(), of_value(4, 1) };
	struct bw_region_opts opts = { .size = sizeof(opts), .space = BW_MMIO, .len = 0x2000 };
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier(NULL);
	struct bw_ioeventfd *ie;
	struct bw_region *region;
	uint64_t value;

	(void)state;
	assert_int_equal(bw_region_new(bus, &region, &opts), 0);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(bw_region_doorbell(region, &ie, 0x1004, bad[i], n), 0);
		assert_int_equal(try_page(region, 0x1000), -EINVAL);
		assert_int_equal(bw_ioeventfd_value(ie, &value), -EINVAL);
		bw_ioeventfd_deassign(ie);
	}
	assert_int_equal(bw_region_doorbell(region, &ie, 0x1004, of_len(4), n), 0);
	assert_int_equal(try_page(region, 0x1000), 0);
	assert_int_equal(bw_ioeventfd_value(ie, &value), -ENODATA);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void a_hot_page_takes_stores_and_delivers_the_newest(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	assert_int_equal(bw_poller_poll(s.poller, 0), 0);
	assert_non_null(s.emulator.memory);
	assert_int_equal(s.emulator.gpa, SLOT);
	for (uint64_t value = 1; value <= 3; value++)
		assert_int_equal(guest_stores(&s, SLOT, 4, value), -1);
	assert_int_equal(bw_poller_poll(s.poller, 0), 1);
	assert_int_equal(s.heard.rings, 1); /* coalesced */
	assert_int_equal(s.heard.value_result, 0);
	assert_int_equal(s.heard.value, 3);
	assert_int_equal(bw_poller_poll(s.poller, 0), 0); /* nothing invented */
	guest_stores(&s, SLOT, 4, IDLE);
	assert_int_equal(bw_poller_poll(s.poller, 0), 0);
	assert_int_equal(stats_of(s.page).deliveries, 1);
	assert_true(stats_of(s.page).hot);
	assert_string_equal(stats_of(s.page).way, "slot");
	close_stage(&s);
}

static void a_cold_page_is_doorbells_and_swallows_the_rest(void **state)
{
	uint64_t value;
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_COLD);
	bw_poller_poll(s.poller, 0);
	assert_null(s.emulator.memory);
	assert_string_equal(stats_of(s.page).why_not, "its policy is to stay cold");
	assert_int_equal(guest_stores(&s, SLOT, 4, 7), BW_SIGNALLED);
	assert_int_equal(bw_poller_poll(s.poller, 0), 1);
	assert_int_equal(s.heard.value_result, -ENODATA); /* it trapped */
	assert_int_equal(guest_stores(&s, SLOT, 2, 7), BW_HANDLED);
	assert_int_equal(guest_stores(&s, SLOT + 0xffc, 4, 7), BW_HANDLED);
	assert_int_equal(read_from(s.bus, BW_MMIO, SLOT, 8, &value), BW_HANDLED);
	assert_int_equal(value, 0xffffffff); /* idle, and no slot */
	assert_int_equal(s.handled, 0);
	assert_int_equal(guest_stores(&s, BASE + 8, 4, 7), BW_HANDLED);
	assert_int_equal(guest_stores(&s, SLOT + BW_PAGE_SIZE, 4, 7), BW_HANDLED);
	assert_int_equal(s.handled, 2);
	close_stage(&s);
}

static void a_ring_that_traps_makes_the_value_unknown(void **state)
{
	uint64_t value;
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	bw_poller_poll(s.poller, 0);
	guest_stores(&s, SLOT, 4, 9);
	bw_poller_poll(s.poller, 0);
	assert_int_equal(bw_ioeventfd_value(s.ie, &value), 0);
	write_to(s.bus, BW_MMIO, SLOT, 4, 10); /* a vCPU that was on its way */
	assert_int_equal(bw_poller_poll(s.poller, 0), 1);
	assert_int_equal(bw_ioeventfd_value(s.ie, &value), -ENODATA);
	close_stage(&s);
}

/* The widths, side by side and at the page's end. */
static void slots_of_each_width(void **state)
{
	static const struct {
		uint16_t offset;
		uint32_t len;
	} slots[] = { { 8, 1 }, { 10, 2 }, { 12, 4 }, { 16, 8 }, { 4088, 8 }, { 2048, 1 } };
	struct bw_ioeventfd *ies[COUNT_OF(slots)];
	uint64_t value, stored = 0x0123456789abcdefu;
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	for (size_t i = 0; i < COUNT_OF(slots); i++)
		assert_int_equal(bw_region_doorbell(s.region, &ies[i],
						    PAGE_OFFSET + slots[i].offset,
						    of_len(slots[i].len), s.n),
				 0);
	bw_poller_poll(s.poller, 0);
	for (size_t i = 0; i < COUNT_OF(slots); i++) {
		assert_int_equal(guest_stores(&s, SLOT + slots[i].offset, slots[i].len, stored),
				 -1);
		assert_int_equal(bw_poller_poll(s.poller, 0), 1);
		assert_int_equal(s.heard.rings, i + 1);
		assert_int_equal(bw_ioeventfd_value(ies[i], &value), 0);
		assert_int_equal(value, stored & (~0ull >> (64 - 8 * slots[i].len)));
	}
	assert_int_equal(bw_poller_poll(s.poller, 0), 0);
	close_stage(&s);
}

/* ---- what changes the page ---- */

static void store_once(void *opaque)
{
	struct stage *s = opaque;

	s->emulator.before_unmap = NULL;
	guest_stores(s, SLOT, 4, 77);
}

/* The store comes when the call has begun, and the page is still hot. */
static void expect_last_store(struct stage *s, unsigned int rings)
{
	assert_null(s->emulator.before_unmap);
	assert_int_equal(bw_notifier_take(s->n), rings);
}

static void open_hot(struct stage *s)
{
	open_stage(s, BW_PAGE_HOT);
	bw_poller_poll(s->poller, 0);
	assert_non_null(s->emulator.memory);
	s->emulator.opaque = s;
	s->emulator.before_unmap = store_once;
}

static void the_last_store_before_each_change_is_rung(void **state)
{
	struct stage s;

	(void)state;
	open_hot(&s);
	bw_ioeventfd_deassign(s.ie);
	expect_last_store(&s, 1);
	assert_int_equal(guest_stores(&s, SLOT, 4, 1), BW_HANDLED);
	close_stage(&s);

	open_hot(&s);
	assert_int_equal(bw_region_unmap(s.region), 0);
	expect_last_store(&s, 1);
	assert_int_equal(guest_stores(&s, SLOT, 4, 1), BW_UNCLAIMED);
	close_stage(&s);

	open_hot(&s);
	bw_region_free(s.region);
	expect_last_store(&s, 1);
	close_stage(&s);

	open_hot(&s);
	bw_page_free(s.page);
	expect_last_store(&s, 1);
	assert_int_equal(guest_stores(&s, SLOT, 4, 1), BW_SIGNALLED);
	assert_int_equal(guest_stores(&s, SLOT, 2, 1), BW_HANDLED);
	assert_int_equal(s.handled, 1); /* no page any more */
	close_stage(&s);

	open_hot(&s);
	bw_poller_del_page(s.poller, s.page);
	expect_last_store(&s, 1);
	assert_string_equal(stats_of(s.page).why_not, "it is in no poller");
	close_stage(&s);
}

static void a_page_moves_with_its_region(void **state)
{
	struct stage s;

	(void)state;
	open_hot(&s);
	assert_int_equal(bw_region_map(s.region, BASE + 0x100000), 0);
	expect_last_store(&s, 1);
	bw_poller_poll(s.poller, 0);
	assert_int_equal(s.emulator.gpa, SLOT + 0x100000);
	guest_stores(&s, SLOT + 0x100000, 4, 5);
	assert_int_equal(bw_poller_poll(s.poller, 0), 1);
	assert_int_equal(write_to(s.bus, BW_MMIO, SLOT, 4, 1), BW_UNCLAIMED);
	close_stage(&s);
}

static void a_page_that_the_guest_cannot_see_whole_is_cold(void **state)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts), .space = BW_MMIO, .len = 16, .priority = 1
	};
	struct bw_ioeventfd *plain;
	struct bw_region *cover;
	struct stage s;

	(void)state;
	open_hot(&s);
	assert_int_equal(bw_region_new(s.bus, &cover, &opts), 0);
	assert_int_equal(bw_region_map(cover, SLOT + 0x800), 0);
	expect_last_store(&s, 1);
	bw_poller_poll(s.poller, 0);
	assert_null(s.emulator.memory);
	assert_string_equal(stats_of(s.page).why_not, "another region covers some of it");
	bw_region_free(cover);
	bw_poller_poll(s.poller, 0);
	assert_non_null(s.emulator.memory);
	plain = must_assign(s.bus, BW_MMIO, SLOT + 0x900, of_len(2), s.n);
	assert_null(s.emulator.memory);
	bw_ioeventfd_deassign(plain);
	bw_poller_poll(s.poller, 0);
	assert_non_null(s.emulator.memory);
	assert_int_equal(bw_region_map(s.region, BASE + 0x10), 0);
	assert_null(s.emulator.memory);
	assert_string_equal(stats_of(s.page).why_not, "it does not lie at a multiple of 4096");
	close_stage(&s);
}

static void a_transaction_that_is_aborted_leaves_the_page(void **state)
{
	struct bw_page_opts opts = { .size = sizeof(opts), .offset = 0x2000 };
	struct bw_ioeventfd *ie;
	struct bw_page *other;
	uint64_t value;
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	assert_int_equal(bw_region_doorbell(s.region, &ie, 0x2000, of_len(4), s.n), 0);
	assert_int_equal(bw_bus_begin(s.bus), 0);
	bw_page_free(s.page);
	assert_int_equal(bw_region_page(s.region, &other, &opts), 0);
	assert_int_equal(bw_poller_add_page(s.poller, other), 0);
	bw_bus_abort(s.bus);
	assert_int_equal(bw_ioeventfd_value(ie, &value), -EINVAL);
	bw_poller_poll(s.poller, 0);
	guest_stores(&s, SLOT, 4, 5);
	assert_int_equal(bw_poller_poll(s.poller, 0), 1);
	close_stage(&s);
}

static void a_page_that_cannot_be_placed_rings_all_the_same(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	s.emulator.refuse = -ENOSPC;
	bw_poller_poll(s.poller, 0);
	assert_null(s.emulator.memory);
	assert_non_null(stats_of(s.page).why_not);
	assert_int_equal(guest_stores(&s, SLOT, 4, 7), BW_SIGNALLED);
	assert_int_equal(bw_poller_poll(s.poller, 0), 1);
	assert_int_equal(bw_region_map(s.region, BASE), 0); /* it tries again */
	bw_poller_poll(s.poller, 0);
	assert_non_null(s.emulator.memory);
	close_stage(&s);
}

static void a_notifier_elsewhere_is_rung(void **state)
{
	struct bw_notifier *other = make_notifier("other");
	struct bw_ioeventfd *ie;
	struct stage s;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	assert_int_equal(bw_region_doorbell(s.region, &ie, PAGE_OFFSET + 64, of_len(4), other), 0);
	bw_poller_poll(s.poller, 0);
	guest_stores(&s, SLOT + 64, 4, 5);
	bw_poller_poll(s.poller, 0);
	assert_int_equal(bw_notifier_take(other), 1);
	/* its fd is handed out: what comes now is in there */
	assert_true(bw_notifier_fd(s.n) >= 0);
	guest_stores(&s, SLOT, 4, 5);
	bw_poller_del(s.poller, s.n);
	bw_poller_poll(s.poller, 0);
	assert_int_equal(drain(bw_notifier_fd(s.n)), 1);
	close_stage(&s);
	bw_notifier_free(other);
}

/* As on KVM: the fd is there for the hypervisor, and nobody else reads it yet. */
static void what_was_swept_is_in_the_fd_that_is_handed_out(void **state)
{
	struct stage s;
	bool made;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	assert_int_equal(notifier_publish(s.n, NULL, &made), 0);
	bw_poller_poll(s.poller, 0);
	guest_stores(&s, SLOT, 4, 5);
	assert_int_equal(bw_poller_freeze(s.poller), 1);
	assert_int_equal(drain(bw_notifier_fd(s.n)), 1);
	close_stage(&s);
}

/* What is foretold is what comes, and the page is named. */
static void expect_foretold(struct stage *s, bool is_write, uint32_t len, const char *words)
{
	uint64_t value = 7;
	struct bw_access access = {
		.is_write = is_write, .len = len, .addr = SLOT, .data = &value
	};
	char *text;
	int foretold = bw_bus_explain(s->bus, &access, &text);

	assert_non_null(strstr(text, words));
	assert_non_null(strstr(text, "doorbell page at offset 0x1000"));
	assert_int_equal(foretold, bw_bus_access(s->bus, &access));
	free(text);
}

static void a_page_is_explained_and_dumped(void **state)
{
	struct stage s;
	char *text;

	(void)state;
	open_stage(&s, BW_PAGE_HOT);
	bw_poller_poll(s.poller, 0);
	expect_foretold(&s, true, 4, "hot: a store does not come here");
	expect_foretold(&s, true, 2, "swallows it");
	expect_foretold(&s, false, 4, "gives its memory");
	assert_int_equal(bw_bus_dump(s.bus, BW_DUMP_TEXT, &text), 0);
	assert_non_null(strstr(text, "page at offset 0x1000 of \"bar\", idle 0xffffffffffffffff: "
				     "hot, way slot; 0 deliveries, 1 switches"));
	free(text);
	assert_int_equal(bw_bus_dump(s.bus, BW_DUMP_JSON, &text), 0);
	assert_non_null(strstr(text, "\"hot\": true, \"way\": \"slot\", \"why_not\": null"));
	free(text);
	close_stage(&s);
}

/* ---- freeze ---- */

static void what_a_sweep_found_is_delivered_to_who_is_added_next(void **state)
{
	struct stage s;

	(void)state;
	open_hot(&s);
	guest_stores(&s, SLOT, 4, 7);
	assert_int_equal(bw_region_unmap(s.region), 0); /* looks, and counts it */
	bw_poller_del(s.poller, s.n);
	assert_int_equal(bw_poller_add(s.poller, s.n, hear, &s.heard), 0);
	assert_int_equal(bw_poller_poll(s.poller, 0), 1);
	assert_int_equal(s.heard.rings, 1);
	close_stage(&s);
}

static void a_frozen_poller_keeps_what_came(void **state)
{
	struct stage s;

	(void)state;
	open_hot(&s);
	assert_int_equal(bw_poller_freeze(s.poller), 1);
	assert_null(s.emulator.memory);
	assert_int_equal(bw_poller_poll(s.poller, 0), 0);
	assert_int_equal(guest_stores(&s, SLOT, 4, 1), BW_SIGNALLED);
	assert_int_equal(bw_poller_poll(s.poller, 0), 0);
	assert_int_equal(s.heard.calls, 0);
	assert_int_equal(bw_region_map(s.region, BASE + 0x10000), 0);
	assert_null(s.emulator.memory);
	bw_poller_thaw(s.poller);
	while (bw_poller_poll(s.poller, 0))
		;
	assert_int_equal(s.heard.rings, 2);
	assert_int_equal(s.emulator.gpa, SLOT + 0x10000);
	close_stage(&s);
}

static void freeze_tells_and_gives_what_is_pending(void **state)
{
	struct stage s;

	(void)state;
	open_hot(&s);
	assert_int_equal(bw_poller_freeze(s.poller), 1);
	assert_int_equal(bw_notifier_take(s.n), 1);
	assert_int_equal(bw_poller_freeze(s.poller), 0);
	bw_poller_thaw(s.poller);
	assert_int_equal(bw_poller_poll(s.poller, 0), 0);
	assert_int_equal(s.heard.calls, 0);
	close_stage(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_a_page_is_refused),
		cmocka_unit_test(what_cannot_be_a_slot_is_refused),
		cmocka_unit_test(a_page_refuses_what_is_there_and_cannot_be_a_slot),
		cmocka_unit_test(a_hot_page_takes_stores_and_delivers_the_newest),
		cmocka_unit_test(a_cold_page_is_doorbells_and_swallows_the_rest),
		cmocka_unit_test(a_ring_that_traps_makes_the_value_unknown),
		cmocka_unit_test(slots_of_each_width),
		cmocka_unit_test(the_last_store_before_each_change_is_rung),
		cmocka_unit_test(a_page_moves_with_its_region),
		cmocka_unit_test(a_page_that_the_guest_cannot_see_whole_is_cold),
		cmocka_unit_test(a_transaction_that_is_aborted_leaves_the_page),
		cmocka_unit_test(a_page_that_cannot_be_placed_rings_all_the_same),
		cmocka_unit_test(a_notifier_elsewhere_is_rung),
		cmocka_unit_test(what_was_swept_is_in_the_fd_that_is_handed_out),
		cmocka_unit_test(a_page_is_explained_and_dumped),
		cmocka_unit_test(what_a_sweep_found_is_delivered_to_who_is_added_next),
		cmocka_unit_test(a_frozen_poller_keeps_what_came),
		cmocka_unit_test(freeze_tells_and_gives_what_is_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
