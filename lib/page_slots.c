/* SPDX-License-Identifier: MIT
 *
 * The slots of a doorbell page: which doorbells may be slots, whose slots they are, and how they
 * lie in the page for a sweep, which looks at lines of memory and finds the slots of each.
 */
#include "pages.h"
#include "error.h"
#include "notifier.h"
#include "poller_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	struct bw_page *page = page_wanted_at(region, offset);
	int err;

	*out = NULL;
	if (!page)
		return 0;
	err = check_slot(page, NULL, offset, match);
	if (err)
		return err;
	*out = page;
	return page_reserve(page, count_slots(page) + 1);
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

int page_admit_slots(struct bw_page *page)
{
	int err = check_slots(page);

	return err ? err : page_reserve(page, count_slots(page));
}

void page_claim_slot(struct bw_ioeventfd *ie, struct bw_page *owner)
{
	unsigned int change = (unsigned int)!!owner - (unsigned int)!!ie->in_page;

	__atomic_store_n(&ie->in_page, owner, __ATOMIC_RELAXED);
	__atomic_add_fetch(&ie->notifier->slots, change, __ATOMIC_RELAXED);
}

void page_claim_slots(struct bw_page *page, struct bw_page *owner)
{
	struct bw_ioeventfd *ie;

	row_for_each (ie, &page->region->doorbells)
		if (is_in(page, ie->addr))
			page_claim_slot(ie, owner);
}

/* ---- for the sweep ---- */

int page_reserve(struct bw_page *page, unsigned int slots)
{
	unsigned int capacity = page->capacity ? page->capacity : 16;
	struct page_slot *bigger;

	while (capacity < slots)
		capacity *= 2;
	if (capacity == page->capacity)
		return 0;
	/* no sweep is to see it move */
	if (page->poller)
		pthread_mutex_lock(&page->poller->pages_lock);
	bigger = reallocarray(page->slots, capacity, sizeof(*bigger));
	if (bigger) {
		page->slots = bigger;
		page->capacity = capacity;
	}
	if (page->poller)
		pthread_mutex_unlock(&page->poller->pages_lock);
	return bigger ? 0 : fail(-ENOMEM, "no memory for a doorbell page of %u slots", slots);
}

static int by_offset(const void *a, const void *b)
{
	return ((const struct page_slot *)a)->offset - ((const struct page_slot *)b)->offset;
}

/* Slots are aligned: none lies in two words. */
static void set_words(struct bw_page *page, const struct page_slot *slot)
{
	void *at = (uint8_t *)page->idle_words + slot->offset;

	switch (slot->len) {
	case 1:
		*(uint8_t *)at = (uint8_t)page->idle;
		break;
	case 2:
		*(uint16_t *)at = (uint16_t)page->idle;
		break;
	case 4:
		*(uint32_t *)at = (uint32_t)page->idle;
		break;
	default:
		*(uint64_t *)at = page->idle;
	}
	memset((uint8_t *)page->slot_words + slot->offset, 0xff, slot->len);
	page->lines |= 1ull << (slot->offset / PAGE_LINE);
}

static void index_lines(struct bw_page *page)
{
	unsigned int slot = 0;

	for (unsigned int line = 0; line <= PAGE_LINES; line++) {
		while (slot < page->nr_slots && page->slots[slot].offset < line * PAGE_LINE)
			slot++;
		page->first[line] = (uint16_t)slot;
	}
}

void page_collect_slots(struct bw_page *page)
{
	struct bw_ioeventfd *ie;

	page->nr_slots = 0;
	page->lines = 0;
	memset(page->idle_words, 0, sizeof(page->idle_words));
	memset(page->slot_words, 0, sizeof(page->slot_words));
	row_for_each (ie, &page->region->doorbells) {
		if (!is_in(page, ie->addr) || !ie->active)
			continue;
		page->slots[page->nr_slots++] = (struct page_slot){
			.ie = ie,
			.offset = (uint16_t)(ie->addr - page->offset),
			.len = (uint16_t)ie->match.len,
		};
	}
	qsort(page->slots, page->nr_slots, sizeof(*page->slots), by_offset);
	for (unsigned int i = 0; i < page->nr_slots; i++)
		set_words(page, &page->slots[i]);
	index_lines(page);
	/* the bus may be reading it for the guest */
	for (unsigned int i = 0; i < PAGE_WORDS; i++)
		__atomic_store_n((uint64_t *)page->memory + i, page->idle_words[i],
				 __ATOMIC_RELAXED);
}
