/* SPDX-License-Identifier: MIT
 *
 * Doorbell pages: declaring them, and what a commit does to them. A commit that changes a page, its
 * place or its slots takes it away from the guest before anything else changes; until it comes
 * back, its doorbells are doorbells as others are, and lose nothing.
 */
#include "pages.h"
#include "error.h"
#include "notifier.h"
#include "poller.h"
#include "publish.h"
#include "rcu.h"
#include "txn.h"

#include <errno.h>
#include <unistd.h>

/* ---- what may be a slot ---- */

/* self: the doorbell, if it is there already. */
static int check_slot(const struct bw_page *page, const struct bw_ioeventfd *self, uint64_t offset,
		      const struct bw_match *match)
{
	const struct bw_ioeventfd *ie;

	if (match->len == BW_ANY_LEN)
		return fail(-EINVAL, "a slot of a doorbell page needs a length: this one has any");
	if (match->has_value)
		return fail(-EINVAL, "a slot of a doorbell page cannot match a value");
	if (offset % match->len)
		return fail(-EINVAL, "offset 0x%llx of a doorbell page is not aligned to %u bytes",
			    (unsigned long long)offset, match->len);
	row_for_each (ie, &page->region->doorbells)
		if (ie != self && !ie->gone && ie->addr < offset + match->len &&
		    offset < ie->addr + ie->match.len)
			return fail(-EEXIST, "offset 0x%llx overlaps the slot at 0x%llx",
				    (unsigned long long)offset, (unsigned long long)ie->addr);
	return 0;
}

static bool is_in(const struct bw_page *page, uint64_t offset)
{
	return offset - page->offset < BW_PAGE_SIZE;
}

static unsigned int count_slots(const struct bw_page *page)
{
	const struct bw_ioeventfd *ie;
	unsigned int slots = 0;

	row_for_each (ie, &page->region->doorbells)
		slots += is_in(page, ie->addr);
	return slots;
}

int pages_admit(struct bw_region *region, uint64_t offset, const struct bw_match *match,
		struct bw_page **out)
{
	struct bw_page *page;
	int err;

	*out = NULL;
	for (page = region->pages; page; page = page->next) {
		if (page->gone || !is_in(page, offset))
			continue;
		err = check_slot(page, NULL, offset, match);
		if (err)
			return err;
		*out = page;
		return page_reserve(page, count_slots(page) + 1);
	}
	return 0;
}

static int check_slots(const struct bw_page *page)
{
	const struct bw_ioeventfd *ie;
	int err;

	row_for_each (ie, &page->region->doorbells) {
		if (ie->gone || !is_in(page, ie->addr))
			continue;
		if (ie->wants_captured)
			return fail(-EINVAL, "the values of the doorbell at 0x%llx are captured",
				    (unsigned long long)ie->addr);
		err = check_slot(page, ie, ie->addr, &ie->match);
		if (err)
			return err;
	}
	return 0;
}

void page_claim_slot(struct bw_ioeventfd *ie, struct bw_page *owner)
{
	unsigned int change = (unsigned int)!!owner - (unsigned int)!!ie->in_page;

	__atomic_store_n(&ie->in_page, owner, __ATOMIC_RELAXED);
	__atomic_add_fetch(&ie->notifier->slots, change, __ATOMIC_RELAXED);
}

static void claim_slots(struct bw_page *page, struct bw_page *owner)
{
	struct bw_ioeventfd *ie;

	row_for_each (ie, &page->region->doorbells)
		if (is_in(page, ie->addr))
			page_claim_slot(ie, owner);
}

/* ---- control calls ---- */

static void touch_page(struct bw_page *page)
{
	if (cds_list_empty(&page->in_touched))
		cds_list_add_tail(&page->in_touched, &page->bus->touched_pages);
	page->bus->spaces[BW_MMIO].dirty = true;
}

static int check_options(const struct bw_region *region, const struct bw_page_opts *opts)
{
	if (region->space != BW_MMIO)
		return fail(-EINVAL, "a doorbell page lies in MMIO, region %s does not",
			    region->name);
	if (opts->offset % BW_PAGE_SIZE)
		return fail(-EINVAL, "offset 0x%llx of a doorbell page is no multiple of %u",
			    (unsigned long long)opts->offset, BW_PAGE_SIZE);
	if (region->len < BW_PAGE_SIZE || opts->offset > region->len - BW_PAGE_SIZE)
		return fail(-ERANGE,
			    "a doorbell page at 0x%llx is beyond region %s of 0x%llx bytes",
			    (unsigned long long)opts->offset, region->name,
			    (unsigned long long)region->len);
	if (opts->policy > BW_PAGE_COLD)
		return fail(-EINVAL, "there is no policy %u of doorbell pages", opts->policy);
	return 0;
}

static int declare(struct bw_region *region, struct bw_page **out, const struct bw_page_opts *opts)
{
	struct bw_page *page;
	int err;

	for (page = region->pages; page; page = page->next)
		if (!page->gone && page->offset == opts->offset)
			return fail(-EEXIST, "offset 0x%llx of region %s is a doorbell page",
				    (unsigned long long)opts->offset, region->name);
	page = page_new(region, opts);
	if (!page)
		return fail(-ENOMEM, "no memory for a doorbell page");
	err = check_slots(page);
	if (!err)
		err = page_reserve(page, count_slots(page));
	if (err) {
		page_destroy(page);
		return err;
	}
	claim_slots(page, page);
	page->next = region->pages;
	/* pairs with the load in page_at() */
	__atomic_store_n(&region->pages, page, __ATOMIC_RELEASE);
	cds_list_add_tail(&page->in_bus, &region->bus->pages);
	touch_page(page);
	*out = page;
	return 0;
}

int bw_region_page(struct bw_region *region, struct bw_page **out, const struct bw_page_opts *opts)
{
	struct bw_bus *bus = region->bus;
	struct bw_page_opts known;
	int err = txn_check(bus), ended;

	*out = NULL;
	if (!err)
		err = copy_options(&known, sizeof(known), opts, "bw_region_page");
	if (!err)
		err = check_options(region, &known);
	if (!err)
		err = txn_begin(bus);
	if (err)
		return err;
	err = declare(region, out, &known);
	ended = txn_end(bus);
	if (ended)
		*out = NULL;
	return err ? err : ended;
}

static void forget(struct bw_page *page)
{
	page->gone = true;
	touch_page(page);
}

void pages_forget(struct bw_region *region)
{
	for (struct bw_page *page = region->pages; page; page = page->next)
		forget(page);
}

void bw_page_free(struct bw_page *page)
{
	struct bw_bus *bus;

	if (!page)
		return;
	bus = page->bus;
	if (txn_begin(bus))
		return;
	forget(page);
	txn_end_removal(bus);
}

/* ---- in a commit ---- */

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

static void unlink_page(struct bw_page *page)
{
	struct bw_page **link = &page->region->pages;

	while (*link != page)
		link = &(*link)->next;
	__atomic_store_n(link, page->next, __ATOMIC_RELEASE);
}

void pages_publish(struct bw_bus *bus)
{
	struct bw_page *page;

	cds_list_for_each_entry (page, &bus->touched_pages, in_touched)
		if (page->gone)
			unlink_page(page);
		else
			/* pairs with the load in page_at() */
			__atomic_store_n(&page->live, true, __ATOMIC_RELEASE);
}

void pages_offload(struct bw_bus *bus)
{
	struct bw_page *page;

	cds_list_for_each_entry (page, &bus->pages, in_bus)
		touch_page(page);
}

/* Who has the slots of a page that is unlinked: in one transaction another may have taken its
 * place, or give it back. */
static struct bw_page *successor(const struct bw_page *page)
{
	struct bw_page *other = page->region->pages;

	while (other && other->offset != page->offset)
		other = other->next;
	return other;
}

static void end_page(struct bw_page *page)
{
	page_leave_poller(page);
	claim_slots(page, successor(page));
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
			unlink_page(page);
		if (!waited)
			rcu_wait();
		end_page(page);
	}
}

void pages_destroy(struct bw_bus *bus)
{
	struct bw_page *page, *next;

	cds_list_for_each_entry_safe (page, next, &bus->pages, in_bus) {
		page_leave_poller(page);
		page_destroy(page);
	}
}

int bw_page_stats(struct bw_page *page, struct bw_page_stats *stats)
{
	struct bw_bus *bus = page->bus;
	struct bw_page_stats known = { 0 };
	int err = txn_begin(bus);

	if (err)
		return err;
	poller_page_stats(page, &known);
	txn_end(bus);
	return copy_result(stats, &known, sizeof(known), "bw_page_stats");
}
