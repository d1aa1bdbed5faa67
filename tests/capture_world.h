/* SPDX-License-Identifier: MIT
 *
 * Captures as most of their tests make them, on a bus with one doorbell.
 */
#ifndef TESTS_CAPTURE_WORLD_H
#define TESTS_CAPTURE_WORLD_H

#include "world.h"

#define DOORBELL 0x1000u

static inline struct bw_capture *make_queue(uint32_t entries)
{
	struct bw_capture_opts opts = {
		.size = sizeof(opts), .mode = BW_CAPTURE_QUEUE, .entries = entries, .name = "queue"
	};
	struct bw_capture *c;

	assert_int_equal(bw_capture_new(&c, &opts), 0);
	return c;
}

static inline struct bw_capture *make_last(void)
{
	struct bw_capture_opts opts = { .size = sizeof(opts),
					.mode = BW_CAPTURE_LAST,
					.name = "last" };
	struct bw_capture *c;

	assert_int_equal(bw_capture_new(&c, &opts), 0);
	return c;
}

/* One doorbell of any length, captured with tag 7. */
struct captured_world {
	struct bw_bus *bus;
	struct bw_notifier *n;
	struct bw_ioeventfd *ie;
	struct bw_capture *c;
};

static inline struct captured_world make_captured(struct bw_capture *c)
{
	struct captured_world w = { .bus = make_bus(), .n = make_notifier("bell"), .c = c };

	w.ie = must_assign(w.bus, BW_MMIO, DOORBELL, any_len(), w.n);
	assert_int_equal(bw_ioeventfd_capture(w.ie, c, 7), 0);
	return w;
}

static inline void free_captured(struct captured_world *w)
{
	bw_bus_free(w->bus);
	bw_notifier_free(w->n);
	bw_capture_free(w->c);
}

#endif
