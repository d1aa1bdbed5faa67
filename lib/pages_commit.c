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

	if (!bus->nr_plain)
		return false;
	cds_list_for_each_entry (ie, &bus->ioeventfds, in_bus)
		if (!ie->region && !ie->gone && ie->space == BW_MMIO &&
		    ie->addr - gpa < BW_PAGE_SIZE)
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
	*way = bus->offload->page_way(bus->offload_state,
				      __atomic_load_n(&page->slot_is_slow, __ATOMIC_RELAXED),
				      &why_not);
	return *way ? NULL : why_not;
}

static bool slots_change(const struct bw_page *page)
{
	const struct bw_ioeventfd *ie;

	row_for_each (ie, &page->bus->changed)
		if (ie->in_page == page)
			return true;
	return false;
}

static void weigh_page(struct bw_page *page)
{
	struct page_plan *plan = &page->next_plan;

	plan->why_not = why_not_hot(page, &plan->gpa, &plan->way);
	if (!page->fresh && !page->gone && plan->gpa == page->plan.gpa &&
	    plan->why_not == page->plan.why_not && plan->way == page->plan.way &&
	    !__atomic_load_n(&page->failed, __ATOMIC_RELAXED) && !slots_change(page))
		return;
	if (!page->bus->held_open)
		pages_hold_open(page->bus);
	page->suspended = true;
	poller_suspend_page(page);
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

void pages_suspend(struct bw_bus *bus)
{
	struct bw_page *page;

	if (!mmio_changes(bus))
		return;
	cds_list_for_each_entry (page, &bus->pages, in_bus)
		weigh_page(page);
}

void pages_resume(struct bw_bus *bus, bool committed)
{
	struct bw_page *page;

	cds_list_for_each_entry (page, &bus->pages, in_bus) {
		bool stays = committed ? !page->gone : !page->fresh;

		if (page->suspended && stays)
			poller_resume_page(page, committed ? &page->next_plan : &page->plan);
		page->suspended = false;
	}
	pages_let_close(bus);
}

void pages_publish(struct bw_bus *bus)
{
	struct bw_page *page;

	cds_list_for_each_entry (page, &bus->touched_pages, in_touched)
		if (page->gone)
			chains_remove(page->region->pages, &page->link);
		else
			/* pairs with the load in page_at() */
			__atomic_store_n(&page->live, true, __ATOMIC_RELEASE);
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
	bool waited = committed; /* by the commit, for those that it unlinked */

	cds_list_for_each_entry_safe (page, next, &bus->touched_pages, in_touched) {
		cds_list_del_init(&page->in_touched);
		if (committed ? !page->gone : !page->fresh) {
			page->fresh = page->gone = false;
			continue;
		}
		if (!committed)
			chains_remove(page->region->pages, &page->link);
		if (!waited)
			rcu_wait();
		end_page(page);
	}
}
