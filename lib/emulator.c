/* SPDX-License-Identifier: MIT
 *
 * The offload to an emulator: it has no ioeventfds of its own, the bus is its bus. What it can lend
 * is its memory map, for doorbell pages.
 */
#include "error.h"
#include "offload.h"
#include "page.h"
#include "txn.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct emulator {
	struct bw_emulator_opts opts;
	pthread_mutex_t lock; /* the user's functions are called by one thread at a time */
};

static const char *refuses(void *state, const struct offload_claim *claim)
{
	(void)state, (void)claim;
	return "an emulator's ioeventfds are the bus's";
}

static const struct page_way *page_way(void *state, bool slot_is_slow, const char **why_not)
{
	(void)state, (void)slot_is_slow;
	*why_not = NULL;
	return &page_way_slot;
}

static int map(void *state, uint64_t gpa, void *memory, unsigned int *place)
{
	struct emulator *e = state;
	int err;

	*place = 0;
	pthread_mutex_lock(&e->lock);
	err = e->opts.map(e->opts.opaque, gpa, memory);
	pthread_mutex_unlock(&e->lock);
	return err;
}

static void unmap(void *state, uint64_t gpa, unsigned int place)
{
	struct emulator *e = state;

	(void)place;
	pthread_mutex_lock(&e->lock);
	e->opts.unmap(e->opts.opaque, gpa);
	pthread_mutex_unlock(&e->lock);
}

static unsigned int caps(void *state)
{
	(void)state;
	return BW_CAP_PAGE;
}

static void free_emulator(void *state)
{
	struct emulator *e = state;

	pthread_mutex_destroy(&e->lock);
	free(e);
}

static const struct offload_ops emulator_ops = {
	.name = "an emulator",
	.refuses = refuses,
	.page_way = page_way,
	.map = map,
	.unmap = unmap,
	.caps = caps,
	.free = free_emulator,
};

int bw_bus_offload_emulator(struct bw_bus *bus, const struct bw_emulator_opts *opts)
{
	int err = txn_check(bus);
	struct emulator *e;

	if (err)
		return err;
	e = calloc(1, sizeof(*e));
	if (!e)
		return fail(-ENOMEM, "no memory for an offload");
	pthread_mutex_init(&e->lock, NULL);
	err = copy_options(&e->opts, sizeof(e->opts), opts, "bw_bus_offload_emulator");
	if (!err && (!e->opts.map || !e->opts.unmap))
		err = fail(-EINVAL, "bw_bus_offload_emulator: map and unmap are needed");
	if (!err)
		err = bus_offload(bus, &emulator_ops, e);
	if (err)
		free_emulator(e);
	return err;
}
