/* SPDX-License-Identifier: MIT
 *
 * Doorbell pages in a commit. One that changes a page, its place or its slots takes it away from
 * the guest before anything else changes; until it comes back, its doorbells are doorbells as
 * others are, and lose nothing.
 */
#include "pages.h"
#include "poller.h"
#include "publish.h"
#include "rcu.h"

static bool has_plain(const struct bw_bus *bus, uint64_t gpa)
{
	const struct bw_ioeventfd *ie;

	row_for_each (ie, &bus->plain)
		if (!ie->gone && ie->space == BW_MMIO && ie->addr - gpa < BW_PAGE_SIZE)
			return true;
	return false;
}

static const char *why_not_hot(const struct bw_page *page, uint64_t *gpa,
			       const struct page_way **way)
{
	const struct bw_region *region = page->region;
	const struct bw_bus *bus = page->bus;
	const struct piece *piece;
	const char *why_not;

	*way = NULL;
	*gpa = region->wanted.addr + page->offset;
	if (page->gone || region->gone || !region->wanted.mapped)
		return "its region is not mapped";
	if (*gpa % BW_PAGE_SIZE)
		return "it does not lie at a multiple of 4096";
	if (in_pio_window(bus, *gpa, BW_PAGE_SIZE))
		return "there are ports";
	piece = flat_find(wanted_flat(bus, BW_MMIO), *gpa, BW_PAGE_SIZE);
	if (!piece || piece->region != region)
		return "another region covers some of it";
	if (has_plain(bus, *gpa))
		return "an ioeventfd of the bus itself lies in it";
	if (!bus->offload || !bus->offload->page_way)
		return "the bus has no offload for doorbell pages";
	*way = bus->offload->page_way(bus->offload_state, bus->gives_slots_up, &why_not);
	return *way ? NULL : why_not;
}

static bool is_as_planned(const struct bw_page *page)
{
	const struct page_plan *plan = &page->plan, *next = &page->next_plan;

	return plan->gpa == next->gpa && plan->why_not == next->why_not && plan->way == next->way &&
	       !__atomic_load_n(&page->failed, __ATOMIC_RELAXED);
}

/* changes: the page itself does, and is suspended wherever it is to be. */
static void weigh_page(struct bw_page *page, bool changes)
{
	struct page_plan *plan = &page->next_plan;

	if (page->suspended)
		return;
	plan->why_not = why_not_hot(page, &plan->gpa, &plan->way);
	if (!changes && is_as_planned(page))
		return;
	if (!page->bus->held_open)
		pages_hold_open(page->bus);
	poller_suspend_page(page);
}

static void weigh_place(struct bw_page *page)
{
	weigh_page(page, false);
}

static void weigh_slots(struct bw_bus *bus)
{
	const struct bw_ioeventfd *ie;

	row_for_each (ie, &bus->changed)
		if (ie->in_page)
			weigh_page(ie->in_page, true);
}

static void weigh_page_below(const struct bw_ioeventfd *plain)
{
	const struct piece *piece =
		flat_find(wanted_flat(plain->bus, plain->space), plain->addr, 0);
	struct bw_page *page =
		piece ? page_wanted_at(piece->region, plain->addr - piece->base) : NULL;

	if (page)
		weigh_place(page);
}

static bool meet(const struct bw_region *region, const struct bw_region *other,
		 const struct mapping *there)
{
	const struct mapping *here = &region->wanted;

	return here->mapped && there->mapped && here->addr <= there->addr + (other->len - 1) &&
	       there->addr <= here->addr + (region->len - 1);
}

/* One that comes, goes or moves covers or uncovers something where it was and where it will be. */
static bool is_touched(const struct bw_region *region)
{
	const struct bw_region *other;

	cds_list_for_each_entry (other, &region->bus->touched_regions, in_touched)
		if (other == region ||
		    (other->space == BW_MMIO &&
		     (meet(region, other, &other->before) || meet(region, other, &other->wanted))))
			return true;
	return false;
}

static void weigh_regions(struct bw_bus *bus)
{
	struct bw_region *region;

	cds_list_for_each_entry (region, &bus->regions, in_bus)
		if (region->pages && is_touched(region))
			region_for_pages(region, weigh_place);
}

static void weigh_touched(struct bw_bus *bus)
{
	struct bw_ioeventfd *ie;
	struct bw_page *page;

	cds_list_for_each_entry (page, &bus->touched_pages, in_touched)
		weigh_page(page, page->fresh || page->gone);
	cds_list_for_each_entry (ie, &bus->touched_ioeventfds, in_touched)
		if (!ie->region && ie->space == BW_MMIO)
			weigh_page_below(ie);
}

static void weigh_all_pages(struct bw_bus *bus)
{
	struct bw_page *page;

	cds_list_for_each_entry (page, &bus->pages, in_bus)
		weigh_place(page);
}

static bool mmio_changes(const struct bw_bus *bus)
{
	const struct bw_ioeventfd *ie;

	if (bus->spaces[BW_MMIO].dirty)
		return true;
	cds_list_for_each_entry (ie, &bus->touched_ioeventfds, in_touched)
		if (ie->space == BW_MMIO)
			return true;
	return false;
}

/* From this commit on, if that is new: then for all pages, as a bus has them of one way only. KVM
 * waits for all vCPUs when a consumer switches a memslot, also for one that waits at a protected
 * page until this very consumer lets it in. */
static bool give_slots_up(struct bw_bus *bus)
{
	bool gave_up = bus->gives_slots_up;

	bus->gives_slots_up = __atomic_load_n(&bus->slot_is_slow, __ATOMIC_RELAXED);
	return bus->gives_slots_up != gave_up;
}

/*
 * Only pages near what changes are weighed: no other can have to change. Its slots are in
 * bus->changed if they do. What why_not_hot() asks is of the page and its region (touched, if it is
 * another than before), of what lies over it (a region that covers it, or did, is touched, and
 * meets its own), of an ioeventfd of the bus in it (touched; where the page is covered, that comes
 * first), and of the offload (a new one unsettles all). The rest, a failure and slots found slow,
 * happens between commits, and has all of them weighed.
 */
void pages_suspend(struct bw_bus *bus)
{
	bool all;

	if (cds_list_empty(&bus->pages) || !mmio_changes(bus))
		return;
	/* pairs with the release in pages_unsettle() */
	all = __atomic_exchange_n(&bus->unsettled, false, __ATOMIC_ACQUIRE);
	all |= give_slots_up(bus);
	weigh_slots(bus);
	weigh_touched(bus);
	if (bus->spaces[BW_MMIO].dirty)
		weigh_regions(bus);
	if (all)
		weigh_all_pages(bus);
}

void pages_resume(struct bw_bus *bus, bool committed)
{
	struct bw_page *page;

	if (!bus->held_open)
		return; /* none was suspended */
	cds_list_for_each_entry (page, &bus->pages, in_bus) {
		bool stays = committed ? !page->gone : !page->fresh;

		if (page->suspended && stays) /* the others end suspended */
			poller_resume_page(page, committed ? &page->next_plan : &page->plan);
	}
	if (!committed) /* who was weighed for that is to be weighed again */
		pages_unsettle(bus);
	pages_let_close(bus);
}

void pages_publish(struct bw_bus *bus)
{
	struct bw_page *page;

	cds_list_for_each_entry (page, &bus->touched_pages, in_touched)
		if (!page->gone)
			/* pairs with the load in page_at() */
			__atomic_store_n(&page->live, true, __ATOMIC_RELEASE);
	/* only now: of one that takes another's place, see page_at() */
	cds_list_for_each_entry (page, &bus->touched_pages, in_touched)
		if (page->gone)
			chains_remove(page->region->pages, &page->link);
}

/* In one transaction another may have taken its place, or give it back: then that has the slots. */
static void end_page(struct bw_page *page)
{
	page_leave_poller(page);
	page_claim_slots(page, page_wanted_at(page->region, page->offset));
	cds_list_del(&page->in_bus);
	page_destroy(page);
}

void pages_finish(struct bw_bus *bus, bool committed)
{
	struct bw_page *page, *next;

	cds_list_for_each_entry_safe (page, next, &bus->touched_pages, in_touched) {
		cds_list_del_init(&page->in_touched);
		if (committed ? !page->gone : !page->fresh) {
			page->fresh = page->gone = false;
			continue;
		}
		if (!committed) { /* else the commit has unlinked it, and waited */
			chains_remove(page->region->pages, &page->link);
			rcu_wait();
		}
		end_page(page);
	}
}
