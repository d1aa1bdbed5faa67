/* SPDX-License-Identifier: MIT
 *
 * Regions: made, mapped, moved, unmapped, freed, asked for.
 */
#include "bus_steps.h"

#include <errno.h>

static void count_unused(void *opaque)
{
	((struct device *)opaque)->unused++;
}

static uint64_t choose_len(struct world *w)
{
	static const uint64_t lens[] = { 0, 1, 4, 8, 0x20, 0x1000, 0x10000, UINT64_MAX };

	return lens[choose(w, 8)];
}

void step_region_new(struct world *w)
{
	struct model_region *room = model_region_room(&w->now), new = { .used = true };
	struct bw_region_opts opts = { .size = sizeof(opts), .unused = count_unused };
	int modelled, result;

	new.space = opts.space = choose(w, 8) ? choose(w, 2) : choose(w, 5);
	new.len = opts.len = choose_len(w);
	new.priority = opts.priority = (int)choose(w, 4) - 1;
	new.has_handler = choose(w, 4);
	if (!room || w->nr_devices == DEVICES)
		return;
	new.device = &w->devices[w->nr_devices];
	new.device->world = w;
	opts.handler = new.has_handler ? serve_region : NULL;
	opts.opaque = new.device;
	modelled = new.space > BW_PIO || !new.len ? -EINVAL : 0;
	result = bw_region_new(w->bus, &new.handle, &opts);
	expect(w, "whether there is a region", new.handle != NULL, !result);
	if (!modelled) {
		*room = new;
		w->nr_devices++;
	}
	settle(w, result, modelled);
}

void step_region_free(struct world *w)
{
	struct model_region *region = choose_region(w);

	if (!region)
		return;
	bw_region_free(region->handle);
	model_free_region(&w->now, region);
	settle_removal(w);
}

void step_region_map(struct world *w)
{
	struct model_region *region = choose_region(w);
	uint64_t addr = choose_addr(w);
	int modelled;

	if (!region)
		return;
	modelled = model_check_mapping(region, addr);
	if (!modelled) {
		region->mapped = true;
		region->addr = addr;
		region->order = ++w->now.last_order;
	}
	settle(w, bw_region_map(region->handle, addr), modelled);
}

void step_region_unmap(struct world *w)
{
	struct model_region *region = choose_region(w);

	if (!region)
		return;
	region->mapped = false;
	settle(w, bw_region_unmap(region->handle), 0);
}

void step_region_at(struct world *w)
{
	enum bw_space space = choose(w, 4);
	uint64_t addr = choose_addr(w);
	const struct model_region *region = NULL;

	if (space <= BW_HYPERCALL)
		region = model_region_at(&w->seen, space, addr);
	expect(w, "the region there", (int64_t)bw_region_at(w->bus, space, addr),
	       (int64_t)(region ? region->handle : NULL));
}
