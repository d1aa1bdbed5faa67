/* SPDX-License-Identifier: MIT
 *
 * Which doorbell pages are in a poller, and of those which are in the guest's memory. Control calls
 * put a page there and take it away: a commit that changes it, add and del, freeze and thaw. They
 * hold pages_lock, as the consumer does while it looks (poller_pages.c); callbacks run outside, so
 * who takes it never waits for one.
 */
#include "error.h"
#include "notifier.h"
#include "page.h"
#include "poller_inside.h"
#include "txn.h"

#include <errno.h>
#include <unistd.h>

static int place(struct bw_page *page)
{
	int err = page_place(page);

	if (err || page->watched || page->fault_fd < 0)
		return err;
	err = poller_watch(page->poller, page->fault_fd, &page->poller->page_faults);
	page->watched = !err;
	__atomic_add_fetch(&page->poller->nr_faults, page->watched, __ATOMIC_RELAXED);
	if (err)
		page_withdraw(page);
	return err;
}

/* A protection that cannot be lifted goes with its fd: our own last look would wait there, too. */
void poller_page_failed(struct bw_page *page, int err)
{
	page_close_faults(page);
	page_withdraw(page);
	__atomic_store_n(&page->failed,
			 err == -ENOSPC ? "no memslot was left for it"
					: "the hypervisor or the kernel failed to place it",
			 __ATOMIC_RELAXED);
	pages_unsettle(page->bus);
}

static const char *why_not(const struct bw_page *page)
{
	if (page->plan.why_not || page->failed)
		return page->plan.why_not ? page->plan.why_not : page->failed;
	if (!page->poller)
		return "it is in no poller";
	if (page->policy.kind == BW_PAGE_COLD)
		return "its policy is to stay cold";
	return __atomic_load_n(&page->poller->frozen, __ATOMIC_RELAXED) ? "its poller is frozen"
									: NULL;
}

static void try_to_place(struct bw_page *page)
{
	int err;

	if (page->suspended || page->state != PAGE_AWAY || why_not(page))
		return;
	err = place(page);
	if (err)
		poller_page_failed(page, err);
}

/* One that is in no poller changes under the control lock alone. */
static void lock_place(struct bw_page *page)
{
	if (page->poller)
		pthread_mutex_lock(&page->poller->pages_lock);
}

static void unlock_place(struct bw_page *page)
{
	if (page->poller)
		pthread_mutex_unlock(&page->poller->pages_lock);
}

void poller_suspend_page(struct bw_page *page)
{
	lock_place(page);
	page_withdraw(page);
	page->suspended = true;
	unlock_place(page);
}

void poller_resume_page(struct bw_page *page, const struct page_plan *plan)
{
	lock_place(page);
	page->plan = *plan;
	page->suspended = false;
	__atomic_store_n(&page->failed, NULL, __ATOMIC_RELAXED);
	page_collect_slots(page);
	try_to_place(page);
	unlock_place(page);
	if (page->poller)
		poller_wake_sleeper(page->poller); /* it may want to heat it */
}

static void fill_stats(const struct bw_page *page, struct bw_page_stats *stats)
{
	stats->hot = page->state == PAGE_HOT;
	stats->deliveries = page->deliveries;
	stats->switches = page->policy.switches;
	stats->switch_ns = page->policy.switch_ns;
	stats->way = page->plan.way ? page->plan.way->name : NULL;
	stats->why_not = why_not(page);
}

void poller_page_stats(struct bw_page *page, struct bw_page_stats *stats)
{
	lock_place(page);
	fill_stats(page, stats);
	unlock_place(page);
}

/* ---- control calls ---- */

static int enter(struct bw_poller *p, struct bw_page *page)
{
	if (page->poller)
		return fail(-EBUSY, "the doorbell page is in a poller already");
	pages_hold_open(page->bus);
	page->poller = p;
	pthread_mutex_lock(&p->pages_lock);
	cds_list_add_tail(&page->in_poller, &p->pages);
	/* pairs with the look at it in bw_poller_arm(), after sleeping was set */
	__atomic_add_fetch(&p->nr_pages, 1, __ATOMIC_SEQ_CST);
	try_to_place(page);
	pthread_mutex_unlock(&p->pages_lock);
	pages_let_close(page->bus);
	poller_wake_sleeper(p);
	return 0;
}

int bw_poller_add_page(struct bw_poller *p, struct bw_page *page)
{
	struct bw_bus *bus = page->bus;
	int err = txn_begin(bus), ended;

	if (err)
		return err;
	err = enter(p, page);
	ended = txn_end(bus);
	return err ? err : ended;
}

void page_leave_poller(struct bw_page *page)
{
	struct bw_poller *p = page->poller;

	if (!p)
		return;
	if (p->pid != getpid()) { /* the page is its parent's, as is whoever holds the lock */
		cds_list_del(&page->in_poller);
		page->poller = NULL;
		return;
	}
	pages_hold_open(page->bus);
	pthread_mutex_lock(&p->pages_lock);
	page_withdraw(page);
	page_forget_values(page, NULL); /* from now on nobody notes what traps */
	cds_list_del(&page->in_poller);
	__atomic_sub_fetch(&p->nr_pages, 1, __ATOMIC_RELAXED);
	page_close_faults(page);
	pthread_mutex_unlock(&p->pages_lock);
	pages_let_close(page->bus);
	page->poller = NULL;
}

void bw_poller_del_page(struct bw_poller *p, struct bw_page *page)
{
	struct bw_bus *bus = page->bus;

	if (txn_begin(bus))
		return;
	if (page->poller == p)
		page_leave_poller(page);
	txn_end(bus);
}

/* ---- freeze ---- */

static int count_pending(struct bw_poller *p)
{
	struct poller_entry *e;
	int pending = 0;

	pthread_mutex_lock(&p->lock);
	cds_list_for_each_entry (e, &p->entries, node)
		pending += notifier_is_pending(e->notifier);
	pthread_mutex_unlock(&p->lock);
	return pending;
}

static void withdraw_all(struct bw_poller *p)
{
	struct bw_page *page;

	pthread_mutex_lock(&p->pages_lock);
	cds_list_for_each_entry (page, &p->pages, in_poller)
		page_withdraw(page);
	pthread_mutex_unlock(&p->pages_lock);
}

int bw_poller_freeze(struct bw_poller *p)
{
	if (poller_is_calling(p))
		return fail(-EDEADLK, "a callback of this poller would wait for itself");
	/* pairs with the look at it in deliver(), before poller_wait_for_callback() here */
	__atomic_store_n(&p->frozen, true, __ATOMIC_SEQ_CST);
	withdraw_all(p);
	poller_wait_for_callback(p, NULL);
	return count_pending(p);
}

void bw_poller_thaw(struct bw_poller *p)
{
	struct bw_page *page;

	pthread_mutex_lock(&p->pages_lock);
	__atomic_store_n(&p->frozen, false, __ATOMIC_SEQ_CST);
	cds_list_for_each_entry (page, &p->pages, in_poller)
		try_to_place(page);
	pthread_mutex_unlock(&p->pages_lock);
	poller_wake(p);
}
