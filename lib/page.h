/* SPDX-License-Identifier: MIT
 *
 * A doorbell page: its memory, its slots, and whether the guest stores into it. The protocol is
 * argued in page.c. What is wanted of it changes under the bus's control lock; where it is, under
 * its poller's pages_lock too.
 */
#ifndef BELLWIRE_PAGE_H
#define BELLWIRE_PAGE_H

#include "bus.h"
#include "chains.h"
#include "page_policy.h"

#define PAGE_LINE 64u
#define PAGE_LINES (BW_PAGE_SIZE / PAGE_LINE)
#define PAGE_WORDS (BW_PAGE_SIZE / sizeof(uint64_t))

struct page_way;

enum page_state {
	PAGE_AWAY, /* not in the guest's memory */
	PAGE_COLD, /* a store traps, and the poller hears of it */
	PAGE_HOT,  /* a store lands in memory */
};

struct page_slot {
	struct bw_ioeventfd *ie;
	uint16_t offset;
	uint16_t len;
};

/* Where a page may be placed and how, if why_not is NULL. */
struct page_plan {
	uint64_t gpa;
	const struct page_way *way;
	const char *why_not;
};

struct bw_page {
	struct chain_link link; /* in region->pages */
	bool live;              /* readers see it */
	struct bw_bus *bus;
	struct bw_region *region;
	uint64_t offset; /* in the region */
	uint64_t idle;
	struct bw_poller *poller;

	/* what the sweep reads */
	uint8_t *memory;
	uint64_t lines;                 /* a bit for each line with a slot */
	struct page_slot *slots;        /* by offset */
	uint16_t first[PAGE_LINES + 1]; /* slot of each line, and past the last */
	unsigned int nr_slots, capacity;
	uint64_t idle_words[PAGE_WORDS]; /* memory without a ring */
	uint64_t slot_words[PAGE_WORDS]; /* the bits of it that are slots' */

	enum page_state state;
	struct page_plan plan;
	unsigned int place; /* the offload's number for it, while it is in the guest's memory */
	int fault_fd;       /* userfaultfd, or -1 */
	bool watched;       /* fault_fd is in the poller's epoll set */
	const char *failed; /* why it could not be placed where the plan has it, or NULL */
	struct page_policy policy;
	uint64_t deliveries;

	bool fresh, gone; /* in this transaction */
	/* Kept away by this commit, also from a thaw: its plan is the old one, or it ends. Changes
	 * under the control lock and pages_lock: either is enough to look. */
	bool suspended;
	struct page_plan next_plan;
	struct cds_list_head in_bus, in_poller, in_touched;
};

/* How a page gets in and out of the guest's reach. Called with the poller's pages_lock held. */
struct page_way {
	const char *name;
	bool starts_hot;                    /* place() makes it so */
	bool sweeps_cold;                   /* the memory may be written while the page is cold */
	int (*place)(struct bw_page *page); /* from away to cold. -errno: stays away */
	int (*heat)(struct bw_page *page);  /* from cold to hot. -errno: stays cold */
	int (*cool)(struct bw_page *page);  /* from hot to cold. -errno: stays hot */
	void (*withdraw)(struct bw_page *page); /* to away */
};

extern const struct page_way page_way_slot, page_way_write_protect; /* page_way.c */

/* Whether a store waits for the page to become hot; it is told once. */
bool page_has_fault(const struct bw_page *page);

/* Stops write-protecting, until it is placed anew. */
void page_close_faults(struct bw_page *page);

/* Lets it go on. Also where the page has become hot meanwhile: on its way to wait it may look only
 * when the page is cold again, and nobody would be told of it any more. -errno. */
int page_let_store_in(struct bw_page *page);

/* The next commit in MMIO is to weigh all pages of the bus, whatever it touches. Called after what
 * is to be seen then was stored. */
static inline void pages_unsettle(struct bw_bus *bus)
{
	/* pairs with the exchange in pages_suspend() */
	__atomic_store_n(&bus->unsettled, true, __ATOMIC_RELEASE);
}

/* With the control lock held, before and after memslots change: see page_way.c. */
void pages_hold_open(struct bw_bus *bus);
void pages_let_close(struct bw_bus *bus);

/* Memory and slots. NULL: no memory. */
struct bw_page *page_new(struct bw_region *region, const struct bw_page_opts *opts);
void page_destroy(struct bw_page *page);

/* Room for at least so many slots. -ENOMEM. */
int page_reserve(struct bw_page *page, unsigned int slots);

/* Takes the slots from the region's doorbells: the page is away. */
void page_collect_slots(struct bw_page *page);

/* What the guest reads, and an access that is no ring. Inside an RCU section. */
void page_serve(const struct bw_page *page, struct bw_access *access);

/* Rings each slot that is not idle, and makes it so; how many. is_consumer: the poller's thread. */
unsigned int page_sweep(struct bw_page *page, bool is_consumer);

/* -EAGAIN: it found rings, which it has rung, and is hot again. */
int page_cool(struct bw_page *page);
int page_heat(struct bw_page *page);
int page_place(struct bw_page *page);
void page_withdraw(struct bw_page *page);

/* With the bus's control lock held: out of its poller, if it is in one. */
void page_leave_poller(struct bw_page *page);

/* A new userfaultfd that can stop writers of ours and of the kernel, or -errno. */
int page_fault_fd(void);

/* The values that slots of n delivered, NULL: all, are not the newest any more. Whether there are
 * such slots. */
bool page_forget_values(struct bw_page *page, const struct bw_notifier *n);

#endif
