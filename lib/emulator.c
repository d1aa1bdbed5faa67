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
#include <stdlib.h>

static const char *refuses(void *state, const struct offload_claim *claim)
{
	(void)state, (void)claim;
	return "an emulator's ioeventfds are the bus's";
}

static const struct page_way *page_way(void *state, const char **why_not)
{
	(void)state;
	*why_not = NULL;
	return &page_way_slot;
}

static int map(void *state, uint64_t gpa, void *memory, unsigned int *place)
{
	const struct bw_emulator_opts *opts = state;

	*place = 0;
	return opts->map(opts->opaque, gpa, memory);
}

static void unmap(void *state, uint64_t gpa, unsigned int place)
{
	const struct bw_emulator_opts *opts = state;

	(void)place;
	opts->unmap(opts->opaque, gpa);
}

static unsigned int caps(void *state)
{
	(void)state;
	return BW_CAP_PAGE;
}

static const struct offload_ops emulator_ops = {
	.name = "an emulator",
	.refuses = refuses,
	.page_way = page_way,
	.map = map,
	.unmap = unmap,
	.caps = caps,
	.free = free,
};

int bw_bus_offload_emulator(struct bw_bus *bus, const struct bw_emulator_opts *opts)
{
	struct bw_emulator_opts *known;
	int err = txn_check(bus);

	if (err)
		return err;
	known = calloc(1, sizeof(*known));
	if (!known)
		return fail(-ENOMEM, "no memory for an offload");
	err = copy_options(known, sizeof(*known), opts, "bw_bus_offload_emulator");
	if (!err && (!known->map || !known->unmap))
		err = fail(-EINVAL, "bw_bus_offload_emulator: map and unmap are needed");
	if (!err)
		err = bus_offload(bus, &emulator_ops, known);
	if (err)
		free(known);
	return err;
}
