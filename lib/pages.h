/* SPDX-License-Identifier: MIT
 *
 * Doorbell pages as the control calls and a commit see them.
 */
#ifndef BELLWIRE_PAGES_H
#define BELLWIRE_PAGES_H

#include "page.h"

/* Inside a transaction: the page that a doorbell at offset would be a slot of goes to *page, or
 * NULL; there is room for it. -EINVAL: it cannot be one, -EEXIST: it overlaps one. */
int pages_admit(struct bw_region *region, uint64_t offset, const struct bw_match *match,
		struct bw_page **page);

/* The same for a page that is to be, and the doorbells that are there. */
int page_admit_slots(struct bw_page *page);

/* It is a slot of owner from now on, or with NULL of none; all that lie in the page. */
void page_claim_slot(struct bw_ioeventfd *ie, struct bw_page *owner);
void page_claim_slots(struct bw_page *page, struct bw_page *owner);

/* Inside a transaction: the region goes. */
void pages_forget(struct bw_region *region);

/* In a commit, once the difference is known: takes each page away from the guest that is about to
 * change. Undone by pages_resume(bus, false). */
void pages_suspend(struct bw_bus *bus);

/* Readers find those that are new, and not those that go. Before publish(). */
void pages_publish(struct bw_bus *bus);

/* Inside a transaction: there is a way now, its commit will see. */
void pages_offload(struct bw_bus *bus);

/* The commit has happened, or not: what stays may be hot again. */
void pages_resume(struct bw_bus *bus, bool committed);

/* At the end of the outermost transaction. */
void pages_finish(struct bw_bus *bus, bool committed);

/* Nobody is inside: at the end of a bus. */
void pages_destroy(struct bw_bus *bus);

/* Inside an RCU section: the page that holds all of [offset, offset + len) of the region. One that
 * takes another's place is behind it in the chain, and live before that goes. */
static inline struct bw_page *page_at(const struct bw_region *region, uint64_t offset, uint32_t len)
{
	const struct chains *pages = chains_in(&region->pages);
	uint64_t in_page = offset % BW_PAGE_SIZE, start = offset - in_page;
	struct chain_link *link;

	if (!pages || len > BW_PAGE_SIZE - in_page)
		return NULL;
	for (link = chain_first(pages, start); link; link = chain_next(pages, link)) {
		struct bw_page *page = (struct bw_page *)link;

		/* pairs with the release in pages_publish() */
		if (link->key == start && __atomic_load_n(&page->live, __ATOMIC_ACQUIRE))
			return page;
	}
	return NULL;
}

/* With the control lock held: the page that holds offset once the transaction is committed. */
struct bw_page *page_wanted_at(const struct bw_region *region, uint64_t offset);

/* With the control lock held: calls fn with each page of the region, also those that go. */
void region_for_pages(const struct bw_region *region, void (*fn)(struct bw_page *page));

/* Inside an RCU section, or with the control lock held: whether a write that nobody else takes goes
 * to the handler of the region that is seen there. piece may be NULL. */
static inline bool has_handler(const struct piece *piece, const struct bw_access *a)
{
	return piece && piece->region->handler &&
	       !page_at(piece->region, a->addr - piece->base, a->len);
}

#endif
