/* SPDX-License-Identifier: MIT
 *
 * The consumer's loop. It serves two kinds of notifiers at once: those without an eventfd put their
 * entry on a lock-free list of ready ones, those with one are watched by epoll.
 *
 * No ring is left behind asleep. A ringer adds to pending, and, unless the entry is queued already,
 * queues it, pushes it on the ready list and then looks whether the consumer sleeps. The consumer
 * clears queued before it takes pending: a ringer that still found the entry queued added its ring
 * before the take. Before it sleeps the consumer sets sleeping and then looks at the ready list: of
 * the push and the look at least one sees the other's store. All of these are sequentially
 * consistent for that reason. A ringer that is preempted between queueing and pushing delays the
 * rings that found it queued, until it runs again; it loses none.
 *
 * An entry that is deleted is marked dead at once, and is called no more, but may still be on the
 * list. It goes to the graveyard once no ringer can push it (a grace period after the notifier
 * forgot it). There the consumer frees what is not queued, or bw_poller_free() all.
 */
#include "poller.h"
#include "error.h"
#include "eventfd.h"
#include "notifier.h"
#include "rcu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <urcu/arch.h>
#include <urcu/list.h>

#define EVENTS 64
#define GATHER_PAUSES 20
/* About what a wake-up costs: so long does a consumer wait that has just been busy. */
#define SPIN_NS 50000

struct poller_entry {
	struct bw_poller *poller;
	struct bw_notifier *notifier; /* a reference, until dead */
	bw_ring_fn *fn;
	void *opaque;
	bool queued;               /* on the ready list, or about to be, or in todo */
	bool dead;                 /* under the poller's lock */
	struct poller_entry *next; /* on the ready list or in todo; belongs to who set queued */
	struct cds_list_head node; /* in entries or in graveyard, under the poller's lock */
};

struct bw_poller {
	_Alignas(64) struct poller_entry *ready;
	bool sleeping;
	bool stopped;
	unsigned int watched; /* eventfds in the epoll set */

	/* the consumer's alone */
	_Alignas(64) struct poller_entry *todo, **todo_end;
	bool armed;

	int epoll_fd;
	int wake_fd;
	pid_t pid; /* a forked child shares the epoll set: it must leave it alone */
	pthread_mutex_t lock;
	pthread_cond_t not_running;
	struct poller_entry *running;
	uint64_t ended; /* callbacks so far, running or not */
	pthread_t runner;
	struct cds_list_head entries;
	struct cds_list_head graveyard;
};

static _Thread_local unsigned int callbacks;

bool poller_in_callback(void)
{
	return callbacks > 0;
}

static void wake(struct bw_poller *p)
{
	eventfd_add(p->wake_fd, 1, false);
}

static void wake_sleeper(struct bw_poller *p)
{
	if (__atomic_load_n(&p->sleeping, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&p->sleeping, false, __ATOMIC_SEQ_CST))
		wake(p);
}

void poller_entry_ready(struct poller_entry *e)
{
	struct bw_poller *p = e->poller;

	if (__atomic_load_n(&e->queued, __ATOMIC_SEQ_CST) ||
	    __atomic_exchange_n(&e->queued, true, __ATOMIC_SEQ_CST))
		return;
	e->next = __atomic_load_n(&p->ready, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&p->ready, &e->next, e, true, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
	wake_sleeper(p);
}

int poller_entry_watch(struct poller_entry *e, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = e };

	if (epoll_ctl(e->poller->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return fail(-errno, "cannot watch notifier %s: %s", notifier_name(e->notifier),
			    strerror(errno));
	__atomic_add_fetch(&e->poller->watched, 1, __ATOMIC_RELAXED);
	/* a consumer that is asleep is so in epoll, which notices by itself */
	return 0;
}

void poller_entry_unwatch(struct poller_entry *e, int fd)
{
	epoll_ctl(e->poller->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	__atomic_sub_fetch(&e->poller->watched, 1, __ATOMIC_RELAXED);
}

int bw_poller_new(struct bw_poller **out)
{
	struct bw_poller *p = aligned_alloc(_Alignof(struct bw_poller), sizeof(*p));
	struct epoll_event event = { .events = EPOLLIN };
	int err;

	*out = NULL;
	if (!p)
		return fail(-ENOMEM, "no memory for a poller");
	memset(p, 0, sizeof(*p));
	p->todo_end = &p->todo;
	p->pid = getpid();
	err = p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (err < 0) {
		err = fail(-errno, "cannot make an epoll fd: %s", strerror(errno));
		goto free_poller;
	}
	err = p->wake_fd = eventfd_new();
	if (err < 0) {
		fail(err, "cannot make an eventfd: %s", strerror(-err));
		goto close_epoll;
	}
	if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->wake_fd, &event)) {
		err = fail(-errno, "cannot watch an eventfd: %s", strerror(errno));
		goto close_wake;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->not_running, NULL);
	CDS_INIT_LIST_HEAD(&p->entries);
	CDS_INIT_LIST_HEAD(&p->graveyard);
	*out = p;
	return 0;

close_wake:
	close(p->wake_fd);
close_epoll:
	close(p->epoll_fd);
free_poller:
	free(p);
	return err;
}

static void free_entries(struct cds_list_head *list)
{
	struct poller_entry *e, *next;

	cds_list_for_each_entry_safe (e, next, list, node)
		free(e);
	CDS_INIT_LIST_HEAD(list);
}

/* Nobody is inside, and in a forked child nobody else is there. */
static void abandon(struct bw_poller *p)
{
	struct poller_entry *e;

	cds_list_for_each_entry (e, &p->entries, node) {
		e->notifier->entry = NULL;
		notifier_put(e->notifier);
	}
	free_entries(&p->entries);
}

void bw_poller_free(struct bw_poller *p)
{
	if (!p)
		return;
	if (p->pid != getpid())
		abandon(p);
	while (!cds_list_empty(&p->entries))
		bw_poller_del(
			p, cds_list_first_entry(&p->entries, struct poller_entry, node)->notifier);
	free_entries(&p->graveyard);
	if (p->pid == getpid()) { /* a thread of a child's parent may wait there, for ever */
		pthread_cond_destroy(&p->not_running);
		pthread_mutex_destroy(&p->lock);
	}
	close(p->wake_fd);
	close(p->epoll_fd);
	free(p);
}

static int attach(struct poller_entry *e)
{
	struct bw_notifier *n = e->notifier;
	int err;

	if (n->entry)
		return fail(-EBUSY, "notifier %s is in a poller already", notifier_name(n));
	err = n->fd >= 0 ? poller_entry_watch(e, n->fd) : 0;
	if (err)
		return err;
	/* pairs with the ringer's look at entry after it added to pending: see notifier_ring() */
	__atomic_store_n(&n->entry, e, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&n->pending, __ATOMIC_SEQ_CST))
		poller_entry_ready(e);
	return 0;
}

int bw_poller_add(struct bw_poller *p, struct bw_notifier *n, bw_ring_fn *fn, void *opaque)
{
	struct poller_entry *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return fail(-ENOMEM, "no memory for a poller's entry");
	*e = (struct poller_entry){ .poller = p, .notifier = n, .fn = fn, .opaque = opaque };
	pthread_mutex_lock(&n->lock);
	err = attach(e);
	if (!err) {
		notifier_get(n);
		pthread_mutex_lock(&p->lock);
		cds_list_add_tail(&e->node, &p->entries);
		pthread_mutex_unlock(&p->lock);
	}
	pthread_mutex_unlock(&n->lock);
	if (err)
		free(e);
	return err;
}

static struct poller_entry *detach(struct bw_poller *p, struct bw_notifier *n)
{
	struct poller_entry *e;

	pthread_mutex_lock(&n->lock);
	e = n->entry;
	if (e && e->poller == p) {
		__atomic_store_n(&n->entry, NULL, __ATOMIC_RELAXED);
		if (n->fd >= 0)
			poller_entry_unwatch(e, n->fd);
		pthread_mutex_lock(&p->lock);
		e->dead = true;
		pthread_mutex_unlock(&p->lock);
	} else {
		e = NULL;
	}
	pthread_mutex_unlock(&n->lock);
	return e;
}

/* By notifier, as the entry that runs may have been deleted, and another added, by its callback. */
static void wait_for_callback(struct bw_poller *p, const struct bw_notifier *n)
{
	uint64_t ended;

	pthread_mutex_lock(&p->lock);
	ended = p->ended;
	while (p->running && p->running->notifier == n && p->ended == ended &&
	       !pthread_equal(p->runner, pthread_self()))
		pthread_cond_wait(&p->not_running, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static void bury(struct bw_poller *p, struct poller_entry *e)
{
	rcu_wait(); /* no ringer is left that could push it */
	pthread_mutex_lock(&p->lock);
	cds_list_move(&e->node, &p->graveyard);
	pthread_mutex_unlock(&p->lock);
	wake_sleeper(p); /* to free it */
}

void bw_poller_del(struct bw_poller *p, struct bw_notifier *n)
{
	struct poller_entry *e = detach(p, n);

	if (e)
		bury(p, e);
	wait_for_callback(p, n);
	if (e)
		notifier_put(n);
}

static void todo_push(struct bw_poller *p, struct poller_entry *e)
{
	e->next = NULL;
	*p->todo_end = e;
	p->todo_end = &e->next;
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
		todo_push(p, e);
	}
}

/* What epoll knows of goes to todo. Sleeps up to timeout ms, -1: until something comes. Returns
 * whether there may be more, or -errno. */
static int take_watched(struct bw_poller *p, int timeout)
{
	struct epoll_event events[EVENTS];
	int got = epoll_wait(p->epoll_fd, events, EVENTS, timeout);

	if (got < 0)
		return errno == EINTR ? 0 : fail(-errno, "cannot wait: %s", strerror(errno));
	for (int i = 0; i < got; i++) {
		struct poller_entry *e = events[i].data.ptr;

		if (!e)
			eventfd_take(p->wake_fd);
		else if (!__atomic_exchange_n(&e->queued, true, __ATOMIC_SEQ_CST))
			todo_push(p, e);
	}
	return got == EVENTS;
}

static bool start_callback(struct bw_poller *p, struct poller_entry *e)
{
	pthread_mutex_lock(&p->lock);
	if (!e->dead) {
		p->running = e;
		p->runner = pthread_self();
	}
	pthread_mutex_unlock(&p->lock);
	return p->running;
}

static void end_callback(struct bw_poller *p)
{
	pthread_mutex_lock(&p->lock);
	p->running = NULL;
	p->ended++;
	pthread_cond_broadcast(&p->not_running);
	pthread_mutex_unlock(&p->lock);
}

static unsigned int deliver(struct bw_poller *p, struct poller_entry *e)
{
	uint64_t count;

	if (!start_callback(p, e))
		return 0;
	count = bw_notifier_take(e->notifier);
	if (count) {
		callbacks++;
		e->fn(e->opaque, e->notifier, count);
		callbacks--;
	}
	end_callback(p);
	return count > 0;
}

static unsigned int deliver_todo(struct bw_poller *p, unsigned int budget)
{
	unsigned int delivered = 0;

	while (p->todo && (!budget || delivered < budget)) {
		struct poller_entry *e = p->todo;

		p->todo = e->next;
		if (!p->todo)
			p->todo_end = &p->todo;
		/* before the take: who finds it queued from now on has queued it anew */
		__atomic_store_n(&e->queued, false, __ATOMIC_SEQ_CST);
		delivered += deliver(p, e);
	}
	return delivered;
}

/* Nobody can queue what is in the graveyard: what is not queued is on no list. */
static void free_dead(struct bw_poller *p)
{
	struct poller_entry *e, *next;

	pthread_mutex_lock(&p->lock);
	cds_list_for_each_entry_safe (e, next, &p->graveyard, node)
		if (!__atomic_load_n(&e->queued, __ATOMIC_RELAXED)) {
			cds_list_del(&e->node);
			free(e);
		}
	pthread_mutex_unlock(&p->lock);
}

/* Everything that is ready goes to todo; each eventfd once, however full it gets meanwhile. */
static int take_all(struct bw_poller *p)
{
	int more = p->armed || __atomic_load_n(&p->watched, __ATOMIC_RELAXED);
	unsigned int rounds = __atomic_load_n(&p->watched, __ATOMIC_RELAXED) / EVENTS + 1;

	if (p->armed)
		__atomic_store_n(&p->sleeping, false, __ATOMIC_RELAXED);
	p->armed = false;
	for (; more > 0 && rounds; rounds--)
		more = take_watched(p, 0);
	take_ready(p);
	return more < 0 ? more : 0;
}

int bw_poller_poll(struct bw_poller *p, unsigned int budget)
{
	int err = take_all(p);
	unsigned int delivered = deliver_todo(p, budget);

	free_dead(p);
	return err ? err : (int)delivered;
}

int bw_poller_arm(struct bw_poller *p)
{
	/* pairs with the look at sleeping after a push */
	__atomic_store_n(&p->sleeping, true, __ATOMIC_SEQ_CST);
	p->armed = true;
	if (!p->todo && !__atomic_load_n(&p->ready, __ATOMIC_SEQ_CST))
		return p->epoll_fd;
	__atomic_store_n(&p->sleeping, false, __ATOMIC_RELAXED);
	return -EAGAIN;
}

void bw_poller_stop(struct bw_poller *p)
{
	__atomic_store_n(&p->stopped, true, __ATOMIC_RELEASE);
	wake(p);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool is_stopped(struct bw_poller *p)
{
	return __atomic_load_n(&p->stopped, __ATOMIC_ACQUIRE);
}

/* A stop whose wake-up an earlier look at the eventfds took is found here: it was stored before. */
static int sleep_until_ready(struct bw_poller *p)
{
	int err = bw_poller_arm(p);

	if (err >= 0)
		err = is_stopped(p) ? 0 : take_watched(p, -1);
	return err == -EAGAIN || err > 0 ? 0 : err;
}

/* A consumer that looks again at once takes the line of pending away from the ringer at every ring,
 * and costs the guest three times as much: some half a microsecond lets rings gather. */
static void let_rings_gather(void)
{
	for (unsigned int i = 0; i < GATHER_PAUSES; i++)
		caa_cpu_relax();
}

int bw_poller_run(struct bw_poller *p)
{
	uint64_t busy_until = 0;
	int got = 0;

	while (got >= 0 && !is_stopped(p)) {
		got = bw_poller_poll(p, 0);
		if (got > 0) {
			let_rings_gather();
			busy_until = now_ns() + SPIN_NS;
		} else if (got == 0 && now_ns() >= busy_until) {
			got = sleep_until_ready(p);
		}
	}
	__atomic_store_n(&p->stopped, false, __ATOMIC_RELAXED);
	return got < 0 ? got : 0;
}
