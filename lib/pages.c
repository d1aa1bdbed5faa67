/* SPDX-License-Identifier: MIT
 *
 * Doorbell pages as control calls see them: declared, freed, asked about. Whatever changes is
 * noted, and done by the commit (pages_commit.c).
 */
#include "pages.h"
#include "error.h"
#include "poller.h"
#include "txn.h"

#include <errno.h>

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

struct bw_page *page_wanted_at(const struct bw_region *region, uint64_t offset)
{
	uint64_t start = offset - offset % BW_PAGE_SIZE;
	struct chain_link *link = region->pages ? chain_first(region->pages, start) : NULL;

	while (link && (link->key != start || ((struct bw_page *)link)->gone))
		link = chain_next(region->pages, link);
	return (struct bw_page *)link;
}

static int declare(struct bw_region *region, struct bw_page **out, const struct bw_page_opts *opts)
{
	struct bw_page *page;
	int err;

	if (page_wanted_at(region, opts->offset))
		return fail(-EEXIST, "offset 0x%llx of region %s is a doorbell page",
			    (unsigned long long)opts->offset, region->name);
	page = page_new(region, opts);
	if (!page)
		return fail(-ENOMEM, "no memory for a doorbell page");
	err = page_admit_slots(page);
	if (!err && chains_add(&region->pages, &page->link, region->bus->table->seed[0]))
		err = fail(-ENOMEM, "no memory for a doorbell page");
	if (err) {
		page_destroy(page);
		return err;
	}
	page_claim_slots(page, page);
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

void region_for_pages(const struct bw_region *region, void (*fn)(struct bw_page *page))
{
	const struct chains *c = region->pages;

	for (size_t i = 0; c && i <= c->mask; i++)
		for (struct chain_link *link = c->first[i]; link; link = link->next[c->turn])
			fn((struct bw_page *)link);
}

void pages_forget(struct bw_region *region)
{
	region_for_pages(region, forget);
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

void pages_offload(struct bw_bus *bus)
{
	struct bw_page *page;

	cds_list_for_each_entry (page, &bus->pages, in_bus)
		touch_page(page);
	pages_unsettle(bus); /* the offload stays if this transaction is aborted */
}

void pages_destroy(struct bw_bus *bus)
{
	struct bw_page *page, *next;

	cds_list_for_each_entry_safe (page, next, &bus->pages, in_bus) {
		page_leave_poller(page); /* which opens all pages of the bus */
		cds_list_del(&page->in_bus);
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
