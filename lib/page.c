/* SPDX-License-Identifier: MIT
 *
 * A doorbell page: what a sweep finds, and the way from hot to cold without losing a store.
 *
 * Hot, each look exchanges the slots that are not idle with the idle value. A store comes before
 * the exchange, and is what it gives or was overwritten by what it gives, or after it, and is there
 * for the next look: so a delivery follows the last store, and none comes without one. The exchange
 * acquires: with the guest's store, which on x86 releases, elsewhere with the barrier that a driver
 * has before it, whoever is told of the ring sees what the guest stored before.
 *
 * From hot to cold the order is: let stores trap, then look once more. way->cool() returns when no
 * vCPU can store any more: KVM and the kernel have flushed every vCPU's translation, or the
 * emulator has said so. A store before that is in memory, and the last look finds it; one after it
 * traps, and is rung by the hypervisor or the bus, or waits for the page to become hot. The look
 * before would not do: a store may come in between. Where memory cannot be written while it is cold
 * (write-protection stops us too) the last look only reads; if it finds a ring, the page is hot
 * again, and is swept then.
 *
 * From cold to hot nothing can get lost: a store traps until it lands.
 */
#include "page.h"
#include "error.h"
#include "notifier.h"
#include "poller_inside.h"
#include "rcu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Where a memslot takes so long, a ring that waits for the poller instead is the lesser evil. */
#define SLOW_SWITCH_NS 2000000u
#define SOME_SWITCHES 8u

/* ---- the sweep ---- */

static bool line_is_idle(const struct bw_page *page, unsigned int line)
{
	unsigned int first = line * (PAGE_LINE / sizeof(uint64_t));
	const uint64_t *words = (const uint64_t *)page->memory;
	uint64_t differs = 0;

	for (unsigned int i = first; i < first + PAGE_LINE / sizeof(uint64_t); i++)
		differs |= (__atomic_load_n(&words[i], __ATOMIC_RELAXED) ^ page->idle_words[i]) &
			   page->slot_words[i];
	return !differs;
}

static bool page_is_idle(const struct bw_page *page)
{
	for (uint64_t left = page->lines; left; left &= left - 1)
		if (!line_is_idle(page, (unsigned int)__builtin_ctzll(left)))
			return false;
	return true;
}

/* Whether the slot was not idle, and its value; it is idle then. A look that finds nothing leaves
 * the line shared with the vCPU that writes it. */
#define DEFINE_TAKE(name, type)                                                                    \
	static bool name(type *at, type idle, uint64_t *value)                                     \
	{                                                                                          \
		if (__atomic_load_n(at, __ATOMIC_RELAXED) == idle)                                 \
			return false;                                                              \
		*value = __atomic_exchange_n(at, idle, __ATOMIC_ACQ_REL);                          \
		return *value != idle;                                                             \
	}

DEFINE_TAKE(take_8, uint8_t)
DEFINE_TAKE(take_16, uint16_t)
DEFINE_TAKE(take_32, uint32_t)
DEFINE_TAKE(take_64, uint64_t)

static bool take_slot(const struct bw_page *page, const struct page_slot *slot, uint64_t *value)
{
	void *memory = page->memory + slot->offset;

	switch (slot->len) {
	case 1:
		return take_8(memory, (uint8_t)page->idle, value);
	case 2:
		return take_16(memory, (uint16_t)page->idle, value);
	case 4:
		return take_32(memory, (uint32_t)page->idle, value);
	default:
		return take_64(memory, page->idle, value);
	}
}

static void ring(struct bw_page *page, struct bw_ioeventfd *ie, uint64_t value, bool is_consumer)
{
	rcu_enter();
	__atomic_store_n(&ie->page_value, value, __ATOMIC_RELAXED);
	/* of one that traps elsewhere we hear nothing; pairs with the load in bw_ioeventfd_value()
	 */
	__atomic_store_n(&ie->has_page_value, notifier_is_in(ie->notifier, page->poller),
			 __ATOMIC_RELEASE);
	notifier_ring_swept(ie->notifier, page->poller, is_consumer);
	rcu_leave();
	page->deliveries++;
}

static unsigned int sweep_line(struct bw_page *page, unsigned int line, bool is_consumer)
{
	unsigned int found = 0;
	uint64_t value;

	for (unsigned int i = page->first[line]; i < page->first[line + 1]; i++) {
		if (!take_slot(page, &page->slots[i], &value))
			continue;
		ring(page, page->slots[i].ie, value, is_consumer);
		found++;
	}
	return found;
}

unsigned int page_sweep(struct bw_page *page, bool is_consumer)
{
	unsigned int found = 0;

	for (uint64_t left = page->lines; left; left &= left - 1) {
		unsigned int line = (unsigned int)__builtin_ctzll(left);

		if (!line_is_idle(page, line))
			found += sweep_line(page, line, is_consumer);
	}
	return found;
}

/* ---- hot and cold ---- */

static int timed(struct bw_page *page, int (*change)(struct bw_page *page))
{
	uint64_t start = poller_now_ns(), now;
	int err = change(page);

	now = poller_now_ns();
	if (err)
		return err;
	policy_switched(&page->policy, now, now - start);
	if (page->plan.way == &page_way_slot && page->policy.switches >= SOME_SWITCHES &&
	    page->policy.switch_ns > SLOW_SWITCH_NS)
		__atomic_store_n(&page->bus->slot_is_slow, true, __ATOMIC_RELAXED);
	return 0;
}

static void note_hot(struct bw_page *page)
{
	page->state = PAGE_HOT;
	__atomic_add_fetch(&page->poller->nr_hot, 1, __ATOMIC_RELAXED);
}

int page_heat(struct bw_page *page)
{
	int err = timed(page, page->plan.way->heat);

	if (!err)
		note_hot(page);
	return err;
}

int page_cool(struct bw_page *page)
{
	int err = timed(page, page->plan.way->cool);

	if (err)
		return err;
	page->state = PAGE_COLD;
	__atomic_sub_fetch(&page->poller->nr_hot, 1, __ATOMIC_RELAXED);
	if (page->plan.way->sweeps_cold)
		return page_sweep(page, true) ? -EAGAIN : 0;
	if (page_is_idle(page))
		return 0;
	err = page_heat(page);
	if (!err)
		page_sweep(page, true);
	return err ? err : -EAGAIN;
}

int page_place(struct bw_page *page)
{
	int err = page->plan.way->place(page);

	if (err)
		return err;
	page->state = PAGE_COLD;
	if (page->plan.way->starts_hot)
		note_hot(page);
	return 0;
}

void page_withdraw(struct bw_page *page)
{
	if (page->state == PAGE_AWAY)
		return;
	page->plan.way->withdraw(page);
	if (page->state == PAGE_HOT)
		__atomic_sub_fetch(&page->poller->nr_hot, 1, __ATOMIC_RELAXED);
	page->state = PAGE_AWAY;
	page_sweep(page, false);
}

/* ---- what the bus serves ---- */

void page_serve(const struct bw_page *page, struct bw_access *a)
{
	const uint8_t *from = page->memory + (a->offset - page->offset);
	uint8_t *to = a->data;

	if (a->is_write)
		return;
	for (uint32_t i = 0; i < a->len; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

bool page_forget_values(struct bw_page *page, const struct bw_notifier *n)
{
	bool found = false;

	for (unsigned int i = 0; i < page->nr_slots; i++) {
		struct bw_ioeventfd *ie = page->slots[i].ie;

		if (n && ie->notifier != n)
			continue;
		__atomic_store_n(&ie->has_page_value, false, __ATOMIC_RELAXED);
		found = true;
	}
	return found;
}

int bw_ioeventfd_value(struct bw_ioeventfd *ie, uint64_t *value)
{
	if (!__atomic_load_n(&ie->in_page, __ATOMIC_RELAXED))
		return fail(-EINVAL, "this ioeventfd lies in no doorbell page");
	/* pairs with the release in ring() */
	if (!__atomic_load_n(&ie->has_page_value, __ATOMIC_ACQUIRE))
		return -ENODATA; /* no failure: what came last has no value */
	*value = __atomic_load_n(&ie->page_value, __ATOMIC_RELAXED);
	return 0;
}

/* ---- memory ---- */

/* A forked child has no use for it, and copying it on write would take it away from the guest. */
static uint8_t *map_memory(void)
{
	uint8_t *memory = mmap(NULL, BW_PAGE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, BW_PAGE_SIZE, MADV_DONTFORK);
	memset(memory, 0, BW_PAGE_SIZE);
	return memory;
}

struct bw_page *page_new(struct bw_region *region, const struct bw_page_opts *opts)
{
	struct bw_page *page = calloc(1, sizeof(*page));

	if (!page)
		return NULL;
	page->bus = region->bus;
	page->region = region;
	page->offset = page->link.key = opts->offset;
	page->idle = opts->idle;
	page->fault_fd = -1;
	page->fresh = true;
	page->plan.why_not = "it is not mapped yet";
	policy_init(&page->policy, opts);
	CDS_INIT_LIST_HEAD(&page->in_touched);
	page->memory = map_memory();
	if (page->memory && !page_reserve(page, 1))
		return page;
	page_destroy(page);
	return NULL;
}

void page_destroy(struct bw_page *page)
{
	if (page->fault_fd >= 0)
		close(page->fault_fd);
	if (page->memory && page->bus->pid == getpid())
		munmap(page->memory, BW_PAGE_SIZE);
	free(page->slots);
	free(page);
}
