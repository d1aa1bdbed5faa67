/* SPDX-License-Identifier: MIT
 *
 * The consumer's loop: one thread serves notifiers (poller_entry.c) and doorbell pages
 * (poller_pages.c), and sleeps in one epoll set when there is nothing to look at.
 */
#include "error.h"
#include "eventfd.h"
#include "poller_inside.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <urcu/arch.h>

#define EVENTS 64
#define GATHER_PAUSES 20
#define MANY_RINGS 4
/* About what a wake-up costs: so long does a consumer wait that has just been busy. */
#define SPIN_NS 50000
/* While bw_poller_run() has hot pages, a look at the eventfds, a system call, comes once in so many
 * at the pages. */
#define LOOKS 64
#define CLOCK_LOOKS 16

uint64_t poller_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- looking ---- */

int poller_watch(struct bw_poller *p, int fd, enum watched *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	if (p->pid != getpid())
		return -EIO;
	return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* The ready list has the newest first: oldest first it goes to the end of todo. */
static void take_ready(struct bw_poller *p)
{
	struct poller_entry *e, *next, *oldest = NULL;

	if (!__atomic_load_n(&p->ready, __ATOMIC_RELAXED))
		return;
	for (e = __atomic_exchange_n(&p->ready, NULL, __ATOMIC_SEQ_CST); e; e = next) {
		next = e->next;
		e->next = oldest;
		oldest = e;
	}
	for (e = oldest; e; e = next) {
		next = e->next;
		poller_todo(p, e);
	}
}

static void take_event(struct bw_poller *p, enum watched *what)
{
	struct poller_entry *e;

	switch (*what) {
	case WATCHED_WAKE:
		eventfd_take(p->wake_fd);
		break;
	case WATCHED_TIMER:
		eventfd_take(p->timer_fd);
		break;
	case WATCHED_PAGES:
		poller_let_stores_in(p);
		break;
	case WATCHED_NOTIFIER:
		e = (struct poller_entry *)what;
		e->signalled = true;
		poller_entry_found(e);
	}
}

/* What epoll knows of. Sleeps up to timeout ms, -1: until something comes. Returns whether there
 * may be more, or -errno. */
static int take_watched(struct bw_poller *p, int timeout)
{
	struct epoll_event events[EVENTS];
	int got = epoll_wait(p->epoll_fd, events, EVENTS, timeout);

	if (got < 0)
		return errno == EINTR ? 0 : fail(-errno, "cannot wait: %s", strerror(errno));
	for (int i = 0; i < got; i++)
		take_event(p, events[i].data.ptr);
	return got == EVENTS;
}

static bool is_worth_a_system_call(struct bw_poller *p)
{
	if (p->armed)
		return true;
	if (p->runs && __atomic_load_n(&p->nr_hot, __ATOMIC_RELAXED) && ++p->looks % LOOKS)
		return false;
	return __atomic_load_n(&p->watched, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&p->nr_faults, __ATOMIC_RELAXED);
}

/* Everything that is ready goes to todo; each eventfd once, however full it gets meanwhile. */
static int take_all(struct bw_poller *p)
{
	int more = is_worth_a_system_call(p);
	unsigned int rounds = __atomic_load_n(&p->watched, __ATOMIC_RELAXED) / EVENTS + 1;

	if (p->armed)
		__atomic_store_n(&p->sleeping, false, __ATOMIC_RELAXED);
	p->armed = false;
	for (; more > 0 && rounds; rounds--)
		more = take_watched(p, 0);
	if (__atomic_load_n(&p->nr_pages, __ATOMIC_RELAXED))
		poller_sweep(p);
	take_ready(p);
	return more < 0 ? more : 0;
}

static bool is_frozen(struct bw_poller *p)
{
	return __atomic_load_n(&p->frozen, __ATOMIC_ACQUIRE);
}

int bw_poller_poll(struct bw_poller *p, unsigned int budget)
{
	unsigned int delivered;
	int err;

	if (is_frozen(p)) {
		eventfd_take(
			p->wake_fd); /* a ringer's: thaw and stop signal it after their flags */
		return 0;
	}
	err = take_all(p);
	delivered = poller_deliver(p, budget);
	poller_free_dead(p);
	return err ? err : (int)delivered;
}

int bw_poller_arm(struct bw_poller *p)
{
	int err = 0;

	/* pairs with the look at sleeping after a push */
	__atomic_store_n(&p->sleeping, true, __ATOMIC_SEQ_CST);
	p->armed = true;
	if (is_frozen(p))
		return p->wake_fd;
	/* pairs with the addition in enter(), before its look at sleeping */
	if (__atomic_load_n(&p->nr_pages, __ATOMIC_SEQ_CST))
		err = poller_rest_pages(p);
	if (!err && !p->todo && !__atomic_load_n(&p->ready, __ATOMIC_SEQ_CST))
		return p->epoll_fd;
	__atomic_store_n(&p->sleeping, false, __ATOMIC_RELAXED);
	p->armed = false;
	return err && err != -EAGAIN ? err : -EAGAIN;
}

/* ---- the loop ---- */

void bw_poller_stop(struct bw_poller *p)
{
	__atomic_store_n(&p->stopped, true, __ATOMIC_RELEASE);
	poller_wake(p);
}

static bool is_stopped(struct bw_poller *p)
{
	return __atomic_load_n(&p->stopped, __ATOMIC_ACQUIRE);
}

/* A stop whose wake-up an earlier look at the eventfds took is found here: it was stored before. */
static int sleep_until_ready(struct bw_poller *p)
{
	int fd = bw_poller_arm(p), err = fd;

	if (fd == p->epoll_fd)
		err = is_stopped(p) ? 0 : take_watched(p, -1);
	return err == -EAGAIN || err > 0 ? 0 : err;
}

/* A consumer that looks again at once takes the ringer's line of cache away from it at every ring,
 * and costs the guest three times as much: some half a microsecond lets rings gather, and four
 * times that where several did. One that waits for an answer does not ring again before the next
 * look, and is not kept waiting. */
static void let_rings_gather(struct bw_poller *p)
{
	unsigned int pauses = p->most < MANY_RINGS ? GATHER_PAUSES : 4 * GATHER_PAUSES;

	if (++p->streak < 2)
		return;
	while (pauses--)
		caa_cpu_relax();
}

static void sleep_until_thaw(struct bw_poller *p)
{
	if (is_frozen(p) && !is_stopped(p))
		eventfd_wait(p->wake_fd); /* thaw and stop both signal it */
}

/* Spins for a while after the last delivery. The clock costs as much as a look: it is asked seldom.
 */
static bool is_still_busy(struct bw_poller *p)
{
	uint64_t now;

	if (++p->idle_looks % CLOCK_LOOKS)
		return true;
	now = poller_now_ns();
	if (p->idle_looks == CLOCK_LOOKS)
		p->idle_since = now;
	return now - p->idle_since < SPIN_NS;
}

int bw_poller_run(struct bw_poller *p)
{
	int got = 0;

	p->runs = true;
	while (got >= 0 && !is_stopped(p)) {
		p->most = 0;
		got = bw_poller_poll(p, 0);
		if (got > 0) {
			let_rings_gather(p);
			p->idle_looks = 0;
			continue;
		}
		p->streak = 0;
		if (is_frozen(p))
			sleep_until_thaw(p);
		else if (got == 0 && !is_still_busy(p))
			got = sleep_until_ready(p);
	}
	p->runs = false;
	__atomic_store_n(&p->stopped, false, __ATOMIC_RELAXED);
	return got < 0 ? got : 0;
}
