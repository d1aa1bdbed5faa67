/* SPDX-License-Identifier: MIT
 *
 * A commit takes the difference between what is wanted and what readers see, and makes it so: the
 * maps, the slots (no reader sees them yet), the hypervisor (new claims in, then old ones out),
 * then one pointer is replaced, and one grace period later the old slots are freed. Each step
 * before the pointer can be undone, and is, in reverse, if a later one fails.
 *
 * No ring is lost on the way. While the hypervisor changes, readers still see the old view: a write
 * that it no longer takes exits and is signalled there. A write to a new place that it takes
 * already is signalled early, which is what the caller asked for. And none comes late: a claim is
 * out of the hypervisor, and every reader of the old view gone, before the commit returns.
 *
 * Removals cannot fail: the spare view and the spare maps are there beforehand, and the table has
 * room for every ioeventfd there is.
 */
#include "txn.h"
#include "capture.h"
#include "error.h"
#include "ioeventfd.h"
#include "near.h"
#include "offloading.h"
#include "pages.h"
#include "pin.h"
#include "probe.h"
#include "publish.h"
#include "stats.h"

#include <errno.h>
#include <unistd.h>

static _Thread_local char self; /* its address tells threads apart */

int txn_check(const struct bw_bus *bus)
{
	if (bus->pid != getpid())
		return fail(-EIO, "this bus belongs to the process that made it");
	return 0;
}

int txn_begin(struct bw_bus *bus)
{
	int err = txn_check(bus);

	if (err)
		return err;
	pthread_mutex_lock(&bus->lock);
	bus->depth++;
	__atomic_store_n(&bus->owner, &self, __ATOMIC_RELAXED);
	return 0;
}

bool txn_is_mine(struct bw_bus *bus)
{
	/* only this thread stores its own address, and it took it back if it holds no lock */
	return __atomic_load_n(&bus->owner, __ATOMIC_RELAXED) == &self;
}

void touch_ioeventfd(struct bw_ioeventfd *ie)
{
	if (cds_list_empty(&ie->in_touched))
		cds_list_add_tail(&ie->in_touched, &ie->bus->touched_ioeventfds);
}

void touch_region(struct bw_region *region)
{
	if (!cds_list_empty(&region->in_touched))
		return;
	region->before = region->wanted;
	cds_list_add_tail(&region->in_touched, &region->bus->touched_regions);
}

/* ---- the difference ---- */

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
	return !bus->nr_plain ||
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
		/* pairs with the load in probe(): those who see it are of this generation or older
		 */
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

static int weigh_all(struct bw_bus *bus, bool must)
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

/* ---- commit and its undoing ---- */

/* Nobody sees the next generation: its slots can be freed at once, and the old ones stay. */
static void unstage(struct bw_bus *bus)
{
	for (size_t i = 0; i < bus->changed.nr; i++) {
		struct bw_ioeventfd *ie = bus->changed.at[i];

		if (ie->next) {
			bus->shape_uses[ie->next->shape]--;
			table_remove(bus->table, ie->next);
			near_unjoin(ie);
		}
		if (ie->active) {
			bus->shape_uses[ie->active->shape]++;
			__atomic_store_n(&ie->active->until, GENERATION_NEVER, __ATOMIC_RELAXED);
		}
		ie->next = NULL;
		ie->weighed = false;
	}
	bus->changed.nr = 0;
}

/* Nothing can fail any more. */
static void prepare_counts(struct bw_bus *bus)
{
	for (size_t i = 0; i < bus->changed.nr; i++) {
		struct bw_ioeventfd *ie = row_walk(&bus->changed, i);

		near_leaving(ie);
		if (ie->next)
			counts_begin_move(ie->next, ie->active);
	}
}

/* Nobody sees the last generation any more. */
static void settle(struct bw_bus *bus)
{
	for (size_t i = 0; i < bus->changed.nr; i++) {
		struct bw_ioeventfd *ie = row_walk(&bus->changed, i);

		near_settle(ie);
		if (ie->active) {
			counts_end_move(ie, ie->next, ie->active);
			table_remove(bus->table, ie->active);
		}
		ie->active = ie->next;
		ie->offloaded = ie->next_offloaded;
		ie->why_not = ie->next_why_not;
		ie->next = NULL;
		ie->next_offloaded = ie->withdrawn = ie->published = ie->weighed = false;
	}
	bus->changed.nr = 0;
}

static bool is_visible(struct bw_bus *bus)
{
	bool visible = bus->changed.nr > 0;

	for (unsigned int space = 0; space < NR_SPACES; space++)
		visible |= bus->spaces[space].dirty;
	return visible;
}

static int make_it_so(struct bw_bus *bus, bool must)
{
	int err = weigh_all(bus, must);

	if (err)
		goto unstage;
	pages_suspend(bus);
	err = offload_changes(bus, must);
	if (err)
		goto resume;
	if (is_visible(bus)) {
		pages_publish(bus);
		prepare_counts(bus);
		publish(bus);
		settle(bus);
	}
	pages_resume(bus, true);
	return 0;

resume:
	pages_resume(bus, false);
unstage:
	unstage(bus);
	return err;
}

static int commit(struct bw_bus *bus, bool must)
{
	int err = make_it_so(bus, must);

	PROBE_COMMIT(bus, bus->view->generation, err);
	return err;
}

static void finish_ioeventfds(struct bw_bus *bus, bool committed)
{
	struct bw_ioeventfd *ie, *tmp;

	cds_list_for_each_entry_safe (ie, tmp, &bus->touched_ioeventfds, in_touched) {
		cds_list_del_init(&ie->in_touched);
		capture_settle(ie, committed);
		if (committed ? ie->gone : ie->fresh)
			ioeventfd_destroy(ie);
		else
			ie->fresh = ie->gone = false;
	}
}

/* Regions that end with the transaction go to dead, if no handler holds them any more. */
static void finish_regions(struct bw_bus *bus, bool committed, struct cds_list_head *dead)
{
	struct bw_region *region, *tmp;

	cds_list_for_each_entry_safe (region, tmp, &bus->touched_regions, in_touched) {
		bool ends = committed ? region->gone : region->fresh;

		cds_list_del_init(&region->in_touched);
		if (!committed)
			region->wanted = region->before;
		if (ends) {
			cds_list_del(&region->in_bus);
			bus->spaces[region->space].regions--;
			if (region_release(region))
				cds_list_add_tail(&region->in_touched, dead);
			continue;
		}
		if (region->before.mapped && !region->wanted.mapped)
			region_depart(region);
		region->fresh = region->gone = false;
	}
}

static int end_outermost(struct bw_bus *bus, bool must, struct cds_list_head *dead)
{
	int err = 0;

	if (bus->aborted)
		err = -ECANCELED; /* no sentence: who aborts keeps that of why */
	else if (!cds_list_empty(&bus->touched_ioeventfds) ||
		 !cds_list_empty(&bus->touched_regions) || !cds_list_empty(&bus->touched_pages))
		err = commit(bus, must);
	pages_finish(bus, !err);
	finish_ioeventfds(bus, !err);
	finish_regions(bus, !err, dead);
	for (unsigned int space = 0; space < NR_SPACES; space++)
		bus->spaces[space].dirty = false;
	bus->aborted = false;
	__atomic_store_n(&bus->owner, NULL, __ATOMIC_RELAXED);
	return err;
}

static int end(struct bw_bus *bus, bool must)
{
	struct bw_region *region, *tmp;
	CDS_LIST_HEAD(dead);
	int err = 0;

	if (bus->depth == 1)
		err = end_outermost(bus, must, &dead);
	bus->depth--;
	pthread_mutex_unlock(&bus->lock);
	cds_list_for_each_entry_safe (region, tmp, &dead, in_touched)
		region_destroy(region);
	return err;
}

int txn_end(struct bw_bus *bus)
{
	int err = end(bus, false);

	return err == -ECANCELED ? fail(err, "a transaction inside this one was aborted") : err;
}

void txn_end_removal(struct bw_bus *bus)
{
	end(bus, true);
}

int bw_bus_begin(struct bw_bus *bus)
{
	return txn_begin(bus);
}

int bw_bus_commit(struct bw_bus *bus)
{
	int err = txn_check(bus);

	if (err)
		return err;
	if (!txn_is_mine(bus))
		return fail(-EINVAL, "no transaction of this thread is open");
	return txn_end(bus);
}

void bw_bus_abort(struct bw_bus *bus)
{
	if (txn_check(bus) || !txn_is_mine(bus))
		return;
	bus->aborted = true;
	end(bus, false);
}
