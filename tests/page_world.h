/* SPDX-License-Identifier: MIT
 *
 * A bus with one doorbell page in a region, a poller, and an emulator that the test plays.
 */
#ifndef TESTS_PAGE_WORLD_H
#define TESTS_PAGE_WORLD_H

#include "world.h"

#include <errno.h>

#define BASE 0xd0000000u
#define REGION_LEN 0x4000u
#define PAGE_OFFSET 0x1000u
#define IDLE 0xffffffffffffffffu

/* What the guest's stores reach: the page while it is mapped, else the bus. */
struct emulator {
	uint64_t gpa;
	uint8_t *memory; /* NULL: not mapped */
	unsigned int maps, unmaps;
	int refuse;                         /* -errno for the next map */
	void (*before_unmap)(void *opaque); /* the guest's last chance to store */
	void *opaque;
};

static inline int map_page(void *opaque, uint64_t gpa, void *memory)
{
	struct emulator *e = opaque;
	int err = e->refuse;

	e->refuse = 0;
	if (err)
		return err;
	assert_null(e->memory);
	e->gpa = gpa;
	e->memory = memory;
	e->maps++;
	return 0;
}

static inline void unmap_page(void *opaque, uint64_t gpa)
{
	struct emulator *e = opaque;

	assert_non_null(e->memory);
	assert_int_equal(e->gpa, gpa);
	if (e->before_unmap)
		e->before_unmap(e->opaque);
	e->memory = NULL;
	e->unmaps++;
}

struct heard {
	unsigned int calls;
	uint64_t rings;
	struct bw_ioeventfd *ie; /* whose value is noted */
	int value_result;
	uint64_t value;
};

static inline void hear(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct heard *h = opaque;

	(void)n;
	h->calls++;
	h->rings += count;
	if (h->ie)
		h->value_result = bw_ioeventfd_value(h->ie, &h->value);
}

struct stage {
	struct emulator emulator;
	struct bw_bus *bus;
	struct bw_region *region;
	struct bw_page *page;
	struct bw_poller *poller;
	struct bw_notifier *n;
	struct bw_ioeventfd *ie; /* 4 bytes at the page's start */
	struct heard heard;
	unsigned int handled;
};

static inline void count_handled(void *opaque, struct bw_access *access)
{
	struct stage *s = opaque;

	s->handled++;
	if (!access->is_write)
		memset(access->data, 0x5a, access->len);
}

static inline struct bw_page *must_page(struct bw_region *region, enum bw_page_policy policy)
{
	struct bw_page_opts opts = {
		.size = sizeof(opts), .offset = PAGE_OFFSET, .idle = IDLE, .policy = policy
	};
	struct bw_page *page;

	assert_int_equal(bw_region_page(region, &page, &opts), 0);
	return page;
}

static inline void open_stage(struct stage *s, enum bw_page_policy policy)
{
	struct bw_emulator_opts emulator = { .size = sizeof(emulator),
					     .map = map_page,
					     .unmap = unmap_page,
					     .opaque = &s->emulator };
	struct bw_region_opts region = { .size = sizeof(region),
					 .name = "bar",
					 .space = BW_MMIO,
					 .len = REGION_LEN,
					 .handler = count_handled,
					 .opaque = s };

	memset(s, 0, sizeof(*s));
	s->bus = make_bus();
	s->n = make_notifier("kick");
	assert_int_equal(bw_bus_offload_emulator(s->bus, &emulator), 0);
	assert_int_equal(bw_region_new(s->bus, &s->region, &region), 0);
	s->page = must_page(s->region, policy);
	assert_int_equal(bw_region_doorbell(s->region, &s->ie, PAGE_OFFSET, of_len(4), s->n), 0);
	assert_int_equal(bw_poller_new(&s->poller), 0);
	assert_int_equal(bw_poller_add(s->poller, s->n, hear, &s->heard), 0);
	assert_int_equal(bw_poller_add_page(s->poller, s->page), 0);
	assert_int_equal(bw_region_map(s->region, BASE), 0);
	s->heard.ie = s->ie;
}

static inline void close_stage(struct stage *s)
{
	bw_poller_free(s->poller);
	bw_bus_free(s->bus);
	bw_notifier_free(s->n);
	assert_null(s->emulator.memory);
	assert_int_equal(s->emulator.maps, s->emulator.unmaps);
}

/* A store of the guest: what the bus said, or -1 if it went to memory. */
static inline int guest_stores(struct stage *s, uint64_t addr, uint32_t len, uint64_t value)
{
	struct emulator *e = &s->emulator;

	if (!e->memory || addr - e->gpa >= BW_PAGE_SIZE)
		return write_to(s->bus, BW_MMIO, addr, len, value);
	memcpy(e->memory + (addr - e->gpa), &value, len);
	return -1;
}

static inline struct bw_page_stats stats_of(struct bw_page *page)
{
	struct bw_page_stats stats = { .size = sizeof(stats) };

	assert_int_equal(bw_page_stats(page, &stats), 0);
	return stats;
}

#endif
