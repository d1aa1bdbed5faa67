/* SPDX-License-Identifier: MIT
 *
 * The difference between what is wanted and what readers see: which ioeventfds are to be found
 * elsewhere than they are, or no longer, or anew. Only those are weighed that may be: the doorbells
 * of a space in which a mapping changed, and what was touched. The new slot of each that differs is
 * staged in the live table for the next generation, the old one marked to end with this, and it is
 * noted in bus->changed.
 */
#include "commit.h"
#include "ioeventfd.h"
#include "near.h"
#include "publish.h"

#include <errno.h>

/* Whether readers are to find ie, and at which address. */
static bool wanted_at(const struct bw_ioeventfd *ie, uint64_t *addr)
{
	const struct bw_region *region = ie->region;
	struct bw_bus *bus = ie->bus;
	const struct piece *piece;

	*addr = ie->addr;
	if (ie->gone || !region)
		return !ie->gone;
	if (!region->wanted.mapped || region->gone)
		return false;
	*addr += region->wanted.addr;
	if (ie->space == BW_MMIO && in_pio_window(bus, *addr, ie->match.len ? ie->match.len : 1))
		return false;
	piece = flat_find(wanted_flat(bus, ie->space), *addr, ie->match.len);
	if (!piece || piece->region != region)
		return false;
	return !bus->plain.nr ||
	       !index_collision(index_find(&bus->index, NULL, ie->space, *addr), &ie->match);
}

/* There already, with its values kept by whom they are to be. */
static bool is_found_at(const struct bw_ioeventfd *ie, uint64_t addr)
{
	return ie->active && ie->active->addr == addr && ie->active->captured == ie->wants_captured;
}

static int weigh(struct bw_ioeventfd *ie, bool must)
{
	struct bw_bus *bus = ie->bus;
	struct key key;
	uint64_t addr;
	bool wanted;

	if (ie->weighed)
		return 0;
	wanted = wanted_at(ie, &addr);
	if (wanted ? is_found_at(ie, addr) : !ie->active)
		return 0;
	key = match_key(ie->space, addr, &ie->match);
	if (wanted) {
		ie->next = stage_slot(ie, &key, must);
		if (!ie->next)
			return -ENOMEM;
		ie->next_near = near_join(ie, addr);
		bus->shape_uses[key.shape]++;
	}
	if (ie->active) {
		/* relaxed: who is of the next generation sees it with the view, and to older ones
		 * both values say the same */
		__atomic_store_n(&ie->active->until, bus->view->generation + 1, __ATOMIC_RELAXED);
		bus->shape_uses[key.shape]--;
	}
	ie->weighed = true;
	bus->changed.at[bus->changed.nr++] = ie;
	return 0;
}

/* An ioeventfd of the bus itself hides, or uncovers, what a region has at its address. */
static int weigh_doorbells_below(struct bw_ioeventfd *plain, bool must)
{
	const struct piece *piece =
		flat_find(wanted_flat(plain->bus, plain->space), plain->addr, 0);
	struct bw_ioeventfd *ie;
	struct place *place;
	int err;

	if (!piece)
		return 0;
	place = index_find(&plain->bus->index, piece->region, plain->space,
			   plain->addr - piece->base);
	if (!place)
		return 0;
	cds_list_for_each_entry (ie, &place->ioeventfds, at_place) {
		err = weigh(ie, must);
		if (err)
			return err;
	}
	return 0;
}

/* The slots that doorbells go to are as cold as they are: they are asked for all at once. */
static void fetch_slots(const struct bw_region *region)
{
	for (size_t i = 0; i < region->doorbells.nr; i++) {
		const struct bw_ioeventfd *ie = row_walk(&region->doorbells, i);
		struct key key = match_key(ie->space, region->wanted.addr + ie->addr, &ie->match);

		if (region->wanted.mapped)
			table_fetch(region->bus->table, &key);
		if (ie->active)
			__builtin_prefetch(ie->active, 1);
	}
}

static int weigh_space(struct bw_bus *bus, unsigned int space, bool must)
{
	struct bw_region *region;
	int err;

	cds_list_for_each_entry (region, &bus->regions, in_bus) {
		if (region->space != space)
			continue;
		fetch_slots(region);
		for (size_t i = 0; i < region->doorbells.nr; i++) {
			err = weigh(region->doorbells.at[i], must);
			if (err)
				return err;
		}
	}
	return 0;
}

int weigh_all(struct bw_bus *bus, bool must)
{
	struct bw_ioeventfd *ie;
	int err;

	for (unsigned int space = 0; space < NR_SPACES; space++) {
		if (!bus->spaces[space].dirty)
			continue;
		flatten_space(bus, space);
		err = weigh_space(bus, space, must);
		if (err)
			return err;
	}
	cds_list_for_each_entry (ie, &bus->touched_ioeventfds, in_touched) {
		err = weigh(ie, must);
		if (!err && !ie->region)
			err = weigh_doorbells_below(ie, must);
		if (err)
			return err;
	}
	return 0;
}
