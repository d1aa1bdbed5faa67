/* SPDX-License-Identifier: MIT
 *
 * The notifiers of a poller, from the ring to the callback. Those without an eventfd put their
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
 * An entry that is deleted is marked dead, and then running is looked at; a callback is marked
 * running, and then dead is looked at: again at least one sees the other, so that it is either not
 * called or waited for. It may still be on the list. It goes to the graveyard once no ringer can
 * push it (a grace period after the notifier forgot it). There the consumer frees what is not
 * queued, or bw_poller_free() all.
 */
#include "error.h"
#include "eventfd.h"
#include "notifier.h"
#include "poller_inside.h"
#include "rcu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static _Thread_local const struct bw_poller *calling; /* whose callback this thread is in */

bool poller_in_callback(void)
{
	return calling;
}

bool poller_is_calling(const struct bw_poller *p)
{
	return calling == p;
}

const struct bw_poller *poller_of(const struct poller_entry *e)
{
	return e->poller;
}

void poller_wake(struct bw_poller *p)
{
	eventfd_add(p->wake_fd, 1, false);
}

bool poller_wake_sleeper(struct bw_poller *p)
{
	if (!__atomic_load_n(&p->sleeping, __ATOMIC_SEQ_CST) ||
	    !__atomic_exchange_n(&p->sleeping, false, __ATOMIC_SEQ_CST))
		return false;
	poller_wake(p);
	return true;
}

bool poller_entry_ready(struct poller_entry *e)
{
	struct bw_poller *p = e->poller;

	if (__atomic_load_n(&e->queued, __ATOMIC_SEQ_CST) ||
	    __atomic_exchange_n(&e->queued, true, __ATOMIC_SEQ_CST))
		return false;
	e->next = __atomic_load_n(&p->ready, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&p->ready, &e->next, e, true, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
	return poller_wake_sleeper(p);
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

/* ---- adding and deleting ---- */

static int attach(struct poller_entry *e)
{
	struct bw_notifier *n = e->notifier;
	int err;

	if (n->entry)
		return fail(-EBUSY, "notifier %s is in a poller already", notifier_name(n));
	err = n->fd >= 0 ? poller_entry_watch(e, n->fd) : 0;
	if (err)
		return err;
	/* pairs with the ringer's look at entry after it added to pending or swept: see
	 * notifier_ring() */
	__atomic_store_n(&n->entry, e, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&n->pending, __ATOMIC_SEQ_CST) ||
	    __atomic_load_n(&n->swept, __ATOMIC_SEQ_CST))
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
		/* pairs with the look at it in deliver(), before is_running() here */
		__atomic_store_n(&e->dead, true, __ATOMIC_SEQ_CST);
	} else {
		e = NULL;
	}
	pthread_mutex_unlock(&n->lock);
	return e;
}

static bool is_running(struct bw_poller *p, const struct bw_notifier *n)
{
	const struct bw_notifier *running = __atomic_load_n(&p->running, __ATOMIC_SEQ_CST);

	return n ? running == n : running != NULL;
}

/* By notifier, as the entry that runs may have been deleted, and another added, by its callback. */
void poller_wait_for_callback(struct bw_poller *p, const struct bw_notifier *n)
{
	uint64_t ended;

	if (poller_is_calling(p))
		return;
	pthread_mutex_lock(&p->lock);
	/* pairs with the look at it in end_callback() */
	__atomic_add_fetch(&p->waiters, 1, __ATOMIC_SEQ_CST);
	ended = __atomic_load_n(&p->ended, __ATOMIC_RELAXED);
	while (is_running(p, n) && __atomic_load_n(&p->ended, __ATOMIC_RELAXED) == ended)
		pthread_cond_wait(&p->callback_ended, &p->lock);
	__atomic_sub_fetch(&p->waiters, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&p->lock);
}

static void bury(struct bw_poller *p, struct poller_entry *e)
{
	rcu_wait(); /* no ringer is left that could push it */
	pthread_mutex_lock(&p->lock);
	cds_list_move(&e->node, &p->graveyard);
	__atomic_add_fetch(&p->nr_dead, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&p->lock);
	poller_wake_sleeper(p); /* to free it */
}

void bw_poller_del(struct bw_poller *p, struct bw_notifier *n)
{
	struct poller_entry *e = detach(p, n);

	if (e)
		bury(p, e);
	poller_wait_for_callback(p, n);
	if (e)
		notifier_put(n);
}

/* Nobody can queue what is in the graveyard: what is not queued is on no list. */
void poller_free_dead(struct bw_poller *p)
{
	struct poller_entry *e, *next;

	if (!__atomic_load_n(&p->nr_dead, __ATOMIC_RELAXED))
		return;
	pthread_mutex_lock(&p->lock);
	cds_list_for_each_entry_safe (e, next, &p->graveyard, node)
		if (!__atomic_load_n(&e->queued, __ATOMIC_RELAXED)) {
			cds_list_del(&e->node);
			__atomic_sub_fetch(&p->nr_dead, 1, __ATOMIC_RELAXED);
			free(e);
		}
	pthread_mutex_unlock(&p->lock);
}

/* ---- the callback ---- */

void poller_todo(struct bw_poller *p, struct poller_entry *e)
{
	e->next = NULL;
	*p->todo_end = e;
	p->todo_end = &e->next;
}

static void start_callback(struct bw_poller *p, const struct poller_entry *e)
{
	/* pairs with the looks at it in is_running(), after dead or frozen was set */
	__atomic_store_n(&p->running, e->notifier, __ATOMIC_SEQ_CST);
	calling = p;
}

static void end_callback(struct bw_poller *p)
{
	calling = NULL;
	__atomic_store_n(&p->ended, p->ended + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&p->running, NULL, __ATOMIC_SEQ_CST);
	/* pairs with the addition in poller_wait_for_callback() */
	if (!__atomic_load_n(&p->waiters, __ATOMIC_SEQ_CST))
		return;
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->callback_ended);
	pthread_mutex_unlock(&p->lock);
}

/* The eventfd is read only where epoll says that it is worth a system call: what came out of a page
 * does not lie there. */
static uint64_t take(struct bw_poller *p, struct poller_entry *e)
{
	uint64_t swept = notifier_take_swept(e->notifier), trapped = 0, sum;

	if (e->signalled || !notifier_has_fd(e->notifier))
		trapped = notifier_take_trapped(e->notifier);
	e->signalled = false;
	if (trapped && __atomic_load_n(&e->notifier->slots, __ATOMIC_RELAXED))
		poller_note_traps(p, e->notifier, trapped);
	return __builtin_add_overflow(swept, trapped, &sum) ? UINT64_MAX : sum;
}

/* The consumer is awake, and looks at todo next. */
void poller_entry_found(struct poller_entry *e)
{
	if (!__atomic_exchange_n(&e->queued, true, __ATOMIC_SEQ_CST))
		poller_todo(e->poller, e);
}

static bool deliver(struct bw_poller *p, struct poller_entry *e)
{
	uint64_t count = 0;

	start_callback(p, e);
	if (__atomic_load_n(&e->dead, __ATOMIC_SEQ_CST))
		goto end;
	if (__atomic_load_n(&p->frozen, __ATOMIC_SEQ_CST)) {
		if (!__atomic_exchange_n(&e->queued, true, __ATOMIC_SEQ_CST))
			poller_todo(p, e); /* for after the thaw */
		goto end;
	}
	count = take(p, e);
	if (count > p->most)
		p->most = count;
	if (count)
		e->fn(e->opaque, e->notifier, count);
end:
	end_callback(p);
	return count;
}

unsigned int poller_deliver(struct bw_poller *p, unsigned int budget)
{
	unsigned int delivered = 0;

	while (p->todo && (!budget || delivered < budget)) {
		struct poller_entry *e = p->todo;

		if (__atomic_load_n(&p->frozen, __ATOMIC_RELAXED))
			break;
		p->todo = e->next;
		if (!p->todo)
			p->todo_end = &p->todo;
		/* before the take: who finds it queued from now on has queued it anew */
		__atomic_store_n(&e->queued, false, __ATOMIC_SEQ_CST);
		delivered += deliver(p, e);
	}
	return delivered;
}
