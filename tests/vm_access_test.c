/* SPDX-License-Identifier: MIT
 *
 * What the guest does arrives exactly, on each back end the same: the space, the address, the
 * length and the value, whole, split where KVM splits it, and nothing else.
 */
#include "vm_world.h"

static void assert_seen(const struct world *w, unsigned int i, struct seen expected)
{
	const struct seen *seen = &w->seen[i];

	assert_true(i < w->nr_seen);
	assert_int_equal(seen->space, expected.space);
	assert_int_equal(seen->is_write, expected.is_write);
	assert_int_equal(seen->len, expected.len);
	assert_int_equal(seen->addr, expected.addr);
	assert_int_equal(seen->value, expected.value);
}

static uint64_t low_bytes(uint64_t value, uint32_t len)
{
	return value & (~0ull >> (64 - 8 * len));
}

#define VALUE 0xa1a2a3a4a5a6a7a8u

static void a_write_arrives_exactly(void **state)
{
	struct world *w = make_world(state, note, 1);

	for (uint32_t len = 1; len <= 8; len *= 2) {
		play(w, store(BAR, len, VALUE));
		assert_int_equal(w->nr_seen, 1);
		assert_seen(w, 0, (struct seen){ BW_MMIO, true, len, BAR, low_bytes(VALUE, len) });
	}
	for (uint32_t len = 1; len <= 4; len *= 2) {
		play(w, out(PORT, len, VALUE));
		assert_int_equal(w->nr_seen, 1);
		assert_seen(w, 0, (struct seen){ BW_PIO, true, len, PORT, low_bytes(VALUE, len) });
	}
	free_world(w);
}

static void a_read_gives_what_the_handler_gave(void **state)
{
	struct world *w = make_world(state, note, 1);

	for (uint32_t len = 1; len <= 8; len *= 2) {
		assert_int_equal(play(w, load(BAR, len)), bytes_at(BAR, len));
		assert_int_equal(w->nr_seen, 1);
		assert_seen(w, 0, (struct seen){ BW_MMIO, false, len, BAR, bytes_at(BAR, len) });
	}
	for (uint32_t len = 1; len <= 4; len *= 2) {
		assert_int_equal(play(w, in(PORT, len)), bytes_at(PORT, len));
		assert_int_equal(w->nr_seen, 1);
		assert_seen(w, 0, (struct seen){ BW_PIO, false, len, PORT, bytes_at(PORT, len) });
	}
	free_world(w);
}

static void an_unaligned_access_arrives_whole(void **state)
{
	struct world *w = make_world(state, note, 1);
	uint64_t addr = BAR + 1;

	for (uint32_t len = 2; len <= 8; len *= 2) {
		play(w, store(addr, len, VALUE));
		assert_int_equal(w->nr_seen, 1);
		assert_seen(w, 0, (struct seen){ BW_MMIO, true, len, addr, low_bytes(VALUE, len) });
		assert_int_equal(play(w, load(addr, len)), bytes_at(addr, len));
		assert_int_equal(w->nr_seen, 1);
		assert_seen(w, 0, (struct seen){ BW_MMIO, false, len, addr, bytes_at(addr, len) });
	}
	free_world(w);
}

static void an_access_across_a_page_is_split_there(void **state)
{
	struct world *w = make_world(state, note, 1);
	uint64_t addr = BAR + 0x1000 - 3;

	play(w, store(addr, 8, VALUE));
	assert_int_equal(w->nr_seen, 2);
	assert_seen(w, 0, (struct seen){ BW_MMIO, true, 3, addr, low_bytes(VALUE, 3) });
	assert_seen(w, 1, (struct seen){ BW_MMIO, true, 5, addr + 3, VALUE >> 24 });
	assert_int_equal(play(w, load(addr, 8)), bytes_at(addr, 8));
	assert_int_equal(w->nr_seen, 2);
	assert_seen(w, 0, (struct seen){ BW_MMIO, false, 3, addr, bytes_at(addr, 3) });
	assert_seen(w, 1, (struct seen){ BW_MMIO, false, 5, addr + 3, bytes_at(addr + 3, 5) });
	free_world(w);
}

/* Whatever the back end did to fetch the parts of a load, the next one is not confused by it. */
static void loads_one_after_another_are_each_seen(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
	} loads[] = {
		{ BAR + 0xffd, 8 }, { BAR + 0xff8, 8 }, { BAR + 0x1000, 8 }, { BAR + 1, 4 },
		{ BAR, 4 },         { BAR + 4, 4 },     { BAR + 3, 2 },      { BAR + 2, 2 },
	};
	struct world *w = make_world(state, note, 1);

	for (size_t i = 0; i < COUNT_OF(loads); i++) {
		uint64_t addr = loads[i].addr;
		uint32_t len = loads[i].len;

		assert_int_equal(play(w, load(addr, len)), bytes_at(addr, len));
		assert_int_equal(w->nr_seen, i == 0 ? 2 : 1);
	}
	free_world(w);
}

static void a_16_byte_store_is_two_of_8(void **state)
{
	struct world *w = make_world(state, note, 1);

	play(w, store(BAR, 16, VALUE));
	assert_int_equal(w->nr_seen, 2);
	assert_seen(w, 0, (struct seen){ BW_MMIO, true, 8, BAR, VALUE });
	assert_seen(w, 1, (struct seen){ BW_MMIO, true, 8, BAR + 8, VALUE });
	free_world(w);
}

static void a_string_arrives_element_by_element(void **state)
{
	static const char text[] = "abcdefghijkl";
	struct world *w = make_world(state, note, 1);
	uint64_t data = GUEST_SCRATCH + 0x1000;

	memcpy(vm_memory(w->vm, data, sizeof(text)), text, sizeof(text));
	for (uint32_t len = 1; len <= 4; len *= 2) {
		play(w, (struct guest_access){ .kind = GUEST_OUTS,
					       .len = len,
					       .count = 3,
					       .addr = PORT,
					       .value = data });
		assert_int_equal(w->nr_seen, 3);
		for (unsigned int i = 0; i < 3; i++) {
			uint64_t value = 0;

			memcpy(&value, text + i * len, len);
			assert_seen(w, i, (struct seen){ BW_PIO, true, len, PORT, value });
		}
	}
	free_world(w);
}

static void the_first_and_the_last_address_can_be_reached(void **state)
{
	struct world *w = make_world(state, note, 1);

	play(w, store(0, 8, VALUE));
	assert_int_equal(w->nr_seen, 1);
	assert_seen(w, 0, (struct seen){ BW_MMIO, true, 8, 0, VALUE });
	play(w, store(~0ull, 1, 7));
	assert_int_equal(w->nr_seen, 1);
	assert_seen(w, 0, (struct seen){ BW_MMIO, true, 1, vm_last_gpa(w->vm), 7 });
	assert_int_equal(play(w, load(~0ull - 7, 8)), bytes_at(vm_last_gpa(w->vm) - 7, 8));
	free_world(w);
}

static void an_access_that_wraps_goes_on_at_0(void **state)
{
	struct world *w = make_world(state, note, 1);

	play(w, store(~0ull - 2, 8, VALUE));
	assert_int_equal(w->nr_seen, 2);
	assert_seen(w, 0,
		    (struct seen){ BW_MMIO, true, 3, vm_last_gpa(w->vm) - 2, low_bytes(VALUE, 3) });
	assert_seen(w, 1, (struct seen){ BW_MMIO, true, 5, 0, VALUE >> 24 });
	free_world(w);
}

static void below_and_above_ram_only_what_is_outside_arrives(void **state)
{
	struct world *w = make_world(state, note, 1);
	uint64_t below = GUEST_RAM_BASE, end = GUEST_RAM_BASE + GUEST_RAM_MIN, inside, loaded;

	play(w, store(below - 4, 8, VALUE));
	assert_int_equal(w->nr_seen, 1);
	assert_seen(w, 0, (struct seen){ BW_MMIO, true, 4, below - 4, low_bytes(VALUE, 4) });
	assert_memory_equal(vm_memory(w->vm, below, 4), (char *)&(uint64_t){ VALUE } + 4, 4);

	memcpy(vm_memory(w->vm, end - 8, 8), &(uint64_t){ VALUE }, 8);
	loaded = play(w, load(end - 4, 8));
	inside = VALUE >> 32;
	assert_int_equal(loaded, inside | bytes_at(end, 4) << 32);
	assert_int_equal(w->nr_seen, 1);
	assert_seen(w, 0, (struct seen){ BW_MMIO, false, 4, end, bytes_at(end, 4) });
	free_world(w);
}

static void nothing_of_ram_arrives(void **state)
{
	static const uint64_t end = GUEST_RAM_BASE + GUEST_RAM_MIN;
	struct world *w = make_world(state, note, 1);

	for (uint64_t addr = end - 9; addr <= end - 4; addr++) {
		play(w, store(addr, 4, VALUE));
		assert_int_equal(w->nr_seen, 0);
		assert_int_equal(play(w, load(addr, 4)), low_bytes(VALUE, 4));
		assert_int_equal(w->nr_seen, 0);
	}
	/* And the first one outside is. */
	play(w, load(end, 4));
	assert_int_equal(w->nr_seen, 1);
	free_world(w);
}

static const struct guest_access all_kinds[] = {
	{ .kind = GUEST_OUT, .len = 1, .addr = PORT, .value = VALUE },
	{ .kind = GUEST_IN, .len = 2, .addr = PORT },
	{ .kind = GUEST_OUTS, .len = 4, .count = 2, .addr = PORT, .value = GUEST_SCRATCH },
	{ .kind = GUEST_STORE, .len = 8, .addr = BAR, .value = VALUE },
	{ .kind = GUEST_STORE, .len = 8, .addr = BAR + 0xffc, .value = VALUE },
	{ .kind = GUEST_STORE, .len = 16, .addr = BAR + 0x20, .value = VALUE },
	{ .kind = GUEST_LOAD, .len = 4, .addr = BAR },
	{ .kind = GUEST_LOAD, .len = 8, .addr = BAR + 0xffc },
};

static void a_bare_run_sees_the_same(void **state)
{
	struct world *w = make_world(state, note, 1);
	struct seen seen[MAX_SEEN];
	unsigned int nr_seen;

	load_play(w, all_kinds, COUNT_OF(all_kinds));
	assert_int_equal(vcpu_run(w->vcpu), 0);
	nr_seen = w->nr_seen;
	assert_int_equal(nr_seen, 12);
	memcpy(seen, w->seen, sizeof(seen));

	load_play(w, all_kinds, COUNT_OF(all_kinds));
	assert_int_equal(vcpu_run_bare(w->vcpu, note, w), 0);
	assert_int_equal(w->nr_seen, nr_seen);
	for (unsigned int i = 0; i < nr_seen; i++)
		assert_seen(w, i, seen[i]);
	free_world(w);
}

static void a_ring_reports_and_takes_the_next_command(void **state)
{
	struct world *w = make_world(state, note, 1);
	struct guest_mailbox *mailbox = vcpu_mailbox(w->vcpu);

	for (uint64_t command = 1; command <= 3; command++) {
		w->nr_seen = 0;
		load_ring(w->vcpu, load(BAR, 4), command * 10, GUEST_SCRATCH);
		assert_int_equal(vcpu_run(w->vcpu), 0);
		assert_int_equal(w->nr_seen, command * 10);
		assert_int_equal(*(uint64_t *)vm_memory(w->vm, GUEST_SCRATCH, 8), command * 10);
		assert_int_equal(mailbox->ring.result, bytes_at(BAR, 4));
		assert_int_equal(mailbox->commands, command);
		assert_true(mailbox->tsc_end > mailbox->tsc_start);
	}
	free_world(w);
}

static void every_width_rings_in_a_loop(void **state)
{
	static const struct guest_access rings[] = {
		{ .kind = GUEST_OUT, .len = 1, .addr = PORT },
		{ .kind = GUEST_OUT, .len = 2, .addr = PORT },
		{ .kind = GUEST_OUT, .len = 4, .addr = PORT },
		{ .kind = GUEST_STORE, .len = 1, .addr = BAR },
		{ .kind = GUEST_STORE, .len = 2, .addr = BAR },
		{ .kind = GUEST_STORE, .len = 4, .addr = BAR },
		{ .kind = GUEST_STORE, .len = 8, .addr = BAR },
	};
	struct world *w = make_world(state, note, 1);

	for (size_t i = 0; i < COUNT_OF(rings); i++) {
		enum bw_space space = rings[i].kind == GUEST_OUT ? BW_PIO : BW_MMIO;
		struct guest_access ring = rings[i];

		ring.value = VALUE;
		w->nr_seen = 0;
		load_ring(w->vcpu, ring, 5, 0);
		assert_int_equal(vcpu_run(w->vcpu), 0);
		assert_int_equal(w->nr_seen, 5);
		for (unsigned int n = 0; n < 5; n++)
			assert_seen(w, n,
				    (struct seen){ space, true, ring.len, ring.addr,
						   low_bytes(VALUE, ring.len) });
	}
	free_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL(a_write_arrives_exactly),
		ON_ALL(a_read_gives_what_the_handler_gave),
		ON_ALL(an_unaligned_access_arrives_whole),
		ON_ALL(an_access_across_a_page_is_split_there),
		ON_ALL(loads_one_after_another_are_each_seen),
		ON_ALL(a_16_byte_store_is_two_of_8),
		ON_ALL(a_string_arrives_element_by_element),
		ON_ALL(the_first_and_the_last_address_can_be_reached),
		ON_ALL(an_access_that_wraps_goes_on_at_0),
		ON_ALL(below_and_above_ram_only_what_is_outside_arrives),
		ON_ALL(nothing_of_ram_arrives),
		ON_ALL(a_bare_run_sees_the_same),
		ON_ALL(a_ring_reports_and_takes_the_next_command),
		ON_ALL(every_width_rings_in_a_loop),
	};

	return cmocka_run_group_tests_name("vm_access", tests, NULL, NULL);
}
