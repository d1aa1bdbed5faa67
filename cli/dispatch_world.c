/* SPDX-License-Identifier: MIT
 *
 * A bus with so many entries, and the accesses to them.
 */
#define _GNU_SOURCE
#include "cli/dispatch.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0x100000000u
#define STRIDE 0x2000u /* a page each, and one between them */
#define REGION_LEN 0x1000u
#define LEN 4u /* of an access */

uint64_t world_addr(const struct world *w, uint64_t entry)
{
	return w->kind == WORLD_VALUES ? BASE : BASE + entry * STRIDE;
}

static void handle(void *opaque, struct bw_access *access)
{
	(void)opaque;
	(void)access;
}

static int add_region(struct world *w, uint64_t entry)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.space = BW_MMIO,
		.len = REGION_LEN,
		.handler = handle,
	};
	struct bw_region *region;
	int err = bw_region_new(w->bus, &region, &opts);

	return err ? err : bw_region_map(region, world_addr(w, entry));
}

static int add_ioeventfd(struct world *w, uint64_t entry)
{
	struct bw_match match = { .len = LEN };
	struct bw_ioeventfd *ioeventfd;

	if (w->kind == WORLD_VALUES)
		match = (struct bw_match){ .len = LEN, .has_value = true, .value = entry };
	return bw_ioeventfd_assign(w->bus, &ioeventfd, BW_MMIO, world_addr(w, entry), match,
				   w->notifiers[entry * w->nr_notifiers / w->entries]);
}

static int add_entries(struct world *w)
{
	int err = bw_bus_begin(w->bus), committed;

	if (err)
		return err;
	for (uint64_t i = 0; i < w->entries && !err; i++)
		err = w->kind == WORLD_REGIONS ? add_region(w, i) : add_ioeventfd(w, i);
	committed = bw_bus_commit(w->bus);
	return err ? err : committed;
}

static int fill(struct world *w)
{
	int err = bw_bus_new(&w->bus, NULL);

	for (uint64_t i = 0; i < w->nr_notifiers && !err; i++)
		err = bw_notifier_new(&w->notifiers[i], NULL);
	return err ? err : add_entries(w);
}

/* Both threads count on their own: a notifier is shared by one half of the entries. */
static uint64_t notifiers_wanted(enum world_kind kind, uint64_t entries)
{
	switch (kind) {
	case WORLD_SHARED:
		return entries > 1 ? 2 : 1;
	case WORLD_OWN:
		return entries;
	case WORLD_VALUES:
		return 1;
	default:
		return 0;
	}
}

/* By malloc(); where another one has taken its place, as under a sanitizer, it stays the same. */
static uint64_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

int world_open(struct world *w, enum world_kind kind, uint64_t entries, char why[DISPATCH_WHY])
{
	uint64_t before;
	int err;

	*w = (struct world){ .kind = kind, .entries = entries };
	w->nr_notifiers = notifiers_wanted(kind, entries);
	w->notifiers = calloc(w->nr_notifiers + 1, sizeof(struct bw_notifier *));
	if (!w->notifiers) {
		snprintf(why, DISPATCH_WHY, "no memory");
		return -ENOMEM;
	}
	before = allocated();
	err = fill(w);
	w->bytes = allocated() - before;
	if (err) {
		snprintf(why, DISPATCH_WHY, "%s", bw_last_error());
		world_close(w);
	}
	return err;
}

void world_close(struct world *w)
{
	bw_bus_free(w->bus);
	for (uint64_t i = 0; i < w->nr_notifiers; i++)
		bw_notifier_free(w->notifiers[i]);
	free(w->notifiers);
}

/* Knuth's MMIX; the upper half is random enough, and costs less than a cache miss that waits for
 * it. */
static uint64_t random_below(uint64_t *state, uint64_t n)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (*state >> 32) * n >> 32;
}

/* What a ring cannot do without, a line that says where it goes and a count, and nothing else. */
static void run_without_library(struct ringer *r, uint64_t accesses)
{
	_Alignas(64) uint64_t count = 0;
	uint64_t random = r->random;

	for (uint64_t i = 0; i < accesses; i++) {
		uint64_t line = r->first + random_below(&random, r->nr);

		__atomic_add_fetch(&count, chase_read(r->memory, line), __ATOMIC_SEQ_CST);
	}
	r->random = random;
}

void ringer_run(struct ringer *r, uint64_t accesses)
{
	const struct world *w = r->world;
	int expected = w->kind == WORLD_REGIONS ? BW_HANDLED : BW_SIGNALLED;
	uint64_t random = r->random, missed = 0; /* ours: the other thread's r may be near */
	uint32_t entry;
	struct bw_access access = {
		.space = BW_MMIO,
		.is_write = true,
		.len = LEN,
		.data = &entry,
	};

	if (r->memory) {
		run_without_library(r, accesses);
		return;
	}
	for (uint64_t i = 0; i < accesses; i++) {
		entry = (uint32_t)(r->first + random_below(&random, r->nr));
		access.addr = world_addr(w, entry);
		missed += bw_bus_access(w->bus, &access) != expected;
	}
	r->random = random;
	r->missed += missed;
	r->made += accesses;
}
