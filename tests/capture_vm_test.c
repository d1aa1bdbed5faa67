/* SPDX-License-Identifier: MIT
 *
 * A guest rings a captured doorbell: whatever signals other doorbells there, all values of this one
 * arrive, in order.
 */
#include "vm_world.h"

#define RINGS 500u

static struct bw_capture *make_capture(enum bw_capture_mode mode)
{
	struct bw_capture_opts opts = {
		.size = sizeof(opts),
		.mode = mode,
		.entries = mode == BW_CAPTURE_QUEUE ? 1024 : 0,
	};
	struct bw_capture *c;

	assert_int_equal(bw_capture_new(&c, &opts), 0);
	return c;
}

/* Each ring writes another value. */
static void ring(struct world *w, struct guest_access one)
{
	struct guest_access list[RINGS];

	for (uint32_t i = 0; i < RINGS; i++) {
		list[i] = one;
		list[i].value = i * 0x01010101u;
	}
	load_play(w, list, RINGS);
	if (vcpu_run(w->vcpu) < 0)
		fail_msg("%s", vm_last_error());
	assert_int_equal(w->nr_seen, 0);
}

static void all_are_there(struct bw_capture *c, struct bw_notifier *n)
{
	struct bw_captured v;

	assert_int_equal(bw_notifier_take(n), RINGS);
	for (uint32_t i = 0; i < RINGS; i++) {
		assert_int_equal(bw_capture_take(c, &v, 1), 1);
		assert_int_equal(v.value, i * 0x01010101u);
		assert_int_equal(v.len, 4);
	}
	assert_int_equal(bw_capture_take(c, &v, 1), 0);
}

static void all_values_of_a_doorbell_arrive_in_order(void **state)
{
	struct world *w = make_world(state, note, 1);
	struct bw_capture *c = make_capture(BW_CAPTURE_QUEUE);
	struct bw_notifier *n = make_notifier("bell");
	struct bw_ioeventfd *mmio = must_assign(w->bus, BW_MMIO, BAR, of_len(4), n);
	struct bw_ioeventfd *pio = must_assign(w->bus, BW_PIO, PORT, any_len(), n);

	assert_int_equal(bw_ioeventfd_capture(mmio, c, 0), 0);
	ring(w, store(BAR, 4, 0));
	all_are_there(c, n);
	assert_int_equal(bw_ioeventfd_capture(pio, c, 0), 0);
	ring(w, out(PORT, 4, 0));
	all_are_there(c, n);
	assert_int_equal(bw_capture_dropped(c), 0);
	free_world(w);
	bw_capture_free(c);
	bw_notifier_free(n);
}

static void the_last_value_of_a_doorbell_is_there(void **state)
{
	struct world *w = make_world(state, note, 1);
	struct bw_capture *c = make_capture(BW_CAPTURE_LAST);
	struct bw_notifier *n = make_notifier("bell");
	struct bw_ioeventfd *ie = must_assign(w->bus, BW_MMIO, BAR, of_len(4), n);
	struct bw_captured v;

	assert_int_equal(bw_ioeventfd_capture(ie, c, 0), 0);
	ring(w, store(BAR, 4, 0));
	assert_int_equal(bw_capture_last(c, &v), 0);
	assert_int_equal(v.value, (RINGS - 1) * 0x01010101u);
	assert_int_equal(v.sequence, RINGS);
	free_world(w);
	bw_capture_free(c);
	bw_notifier_free(n);
}

/* Signalled by the kernel again, where there is one. */
static void what_is_no_longer_captured_rings_on(void **state)
{
	struct bw_ioeventfd_stats stats = { .size = sizeof(stats) };
	struct world *w = make_world(state, note, 1);
	struct bw_capture *c = make_capture(BW_CAPTURE_QUEUE);
	struct bw_notifier *n = make_notifier("bell");
	struct bw_ioeventfd *ie = must_assign(w->bus, BW_PIO, PORT, of_len(4), n);
	struct bw_captured v;

	assert_int_equal(bw_ioeventfd_capture(ie, c, 0), 0);
	assert_int_equal(bw_ioeventfd_capture(ie, NULL, 0), 0);
	ring(w, out(PORT, 4, 0));
	assert_int_equal(bw_notifier_take(n), RINGS);
	assert_int_equal(bw_capture_take(c, &v, 1), 0);
	assert_int_equal(bw_ioeventfd_stats(ie, &stats), 0);
	assert_int_equal(stats.rings, bw_bus_caps(w->bus) & BW_CAP_PIO ? 0 : RINGS);
	free_world(w);
	bw_capture_free(c);
	bw_notifier_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL(all_values_of_a_doorbell_arrive_in_order),
		ON_ALL(the_last_value_of_a_doorbell_is_there),
		ON_ALL(what_is_no_longer_captured_rings_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
