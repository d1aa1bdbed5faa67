/* SPDX-License-Identifier: MIT
 *
 * The doorbell pages of a poller as its consumer sees them. It looks at the hot ones, decides which
 * are to be hot, and sleeps only after it has made cold, or set a timer for, each that is hot. It
 * holds pages_lock, so that no control call takes a page away meanwhile (poller_place.c).
 */
#include "page.h"
#include "poller_inside.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

void poller_pages_init(struct bw_poller *p)
{
	p->timer = WATCHED_TIMER;
	p->page_faults = WATCHED_PAGES;
	p->timer_fd = -1;
	pthread_mutex_init(&p->pages_lock, NULL);
	CDS_INIT_LIST_HEAD(&p->pages);
}

void poller_pages_fini(struct bw_poller *p)
{
	struct bw_page *page, *next;

	cds_list_for_each_entry_safe (page, next, &p->pages, in_poller)
		if (p->pid == getpid())
			bw_poller_del_page(p, page);
		else
			page_leave_poller(page);
	if (p->pid == getpid())
		pthread_mutex_destroy(&p->pages_lock);
	if (p->timer_fd >= 0)
		close(p->timer_fd);
}

/* Where others have all the memslots it may be worth another try later. */
static void heat(struct bw_page *page)
{
	int err = page_heat(page);

	if (err == -ENOSPC && page->policy.kind == BW_PAGE_ADAPTIVE)
		policy_refused(&page->policy);
	else if (err)
		poller_page_failed(page, err);
}

static void look(struct bw_page *page)
{
	if (page->state == PAGE_COLD && policy_wants_heat(&page->policy))
		heat(page);
	/* a clock is dear, and fixed policies do not learn */
	if (page->state == PAGE_HOT && page_sweep(page, true) &&
	    page->policy.kind == BW_PAGE_ADAPTIVE)
		policy_found(&page->policy, poller_now_ns());
}

void poller_sweep(struct bw_poller *p)
{
	struct bw_page *page;

	pthread_mutex_lock(&p->pages_lock);
	cds_list_for_each_entry (page, &p->pages, in_poller)
		look(page);
	pthread_mutex_unlock(&p->pages_lock);
}

void poller_let_stores_in(struct bw_poller *p)
{
	struct bw_page *page;

	pthread_mutex_lock(&p->pages_lock);
	cds_list_for_each_entry (page, &p->pages, in_poller)
		if (page_has_fault(page)) {
			int err = page_let_store_in(page);

			if (err)
				poller_page_failed(page, err);
		}
	pthread_mutex_unlock(&p->pages_lock);
}

void poller_note_traps(struct bw_poller *p, struct bw_notifier *n, uint64_t count)
{
	uint64_t now = poller_now_ns();
	struct bw_page *page;

	pthread_mutex_lock(&p->pages_lock);
	cds_list_for_each_entry (page, &p->pages, in_poller)
		if (page_forget_values(page, n))
			policy_trapped(&page->policy, now, count);
	pthread_mutex_unlock(&p->pages_lock);
}

/* 0: it may be left alone so long, or for ever if it is cold. */
static int rest(struct bw_page *page, uint64_t now, uint64_t *nap)
{
	uint64_t wanted;
	int err;

	if (page->state == PAGE_COLD)
		return policy_wants_heat(&page->policy) ? -EAGAIN : 0;
	if (page->state == PAGE_AWAY)
		return 0;
	switch (policy_rest(&page->policy, now)) {
	case REST_SPIN:
		return -EAGAIN;
	case REST_NAP:
		wanted = policy_nap(&page->policy, now);
		if (wanted < *nap)
			*nap = wanted;
		return 0;
	default:
		err = page_cool(page);
		if (err && err != -EAGAIN)
			poller_page_failed(page, err);
		return err ? -EAGAIN : 0;
	}
}

static void open_timer(struct bw_poller *p)
{
	p->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (p->timer_fd >= 0 && poller_watch(p, p->timer_fd, &p->timer)) {
		close(p->timer_fd);
		p->timer_fd = -1;
	}
}

/* -EAGAIN: there is none to be had, and nobody may sleep. */
static int set_timer(struct bw_poller *p, uint64_t nap)
{
	struct itimerspec time = { .it_value.tv_nsec = (long)nap };

	if (p->timer_fd < 0)
		open_timer(p);
	return p->timer_fd < 0 || timerfd_settime(p->timer_fd, 0, &time, NULL) ? -EAGAIN : 0;
}

int poller_rest_pages(struct bw_poller *p)
{
	uint64_t nap = UINT64_MAX, now = poller_now_ns();
	struct bw_page *page;
	int err = 0;

	pthread_mutex_lock(&p->pages_lock);
	cds_list_for_each_entry (page, &p->pages, in_poller) {
		err = rest(page, now, &nap);
		if (err)
			break;
	}
	pthread_mutex_unlock(&p->pages_lock);
	return err || nap == UINT64_MAX ? err : set_timer(p, nap);
}
