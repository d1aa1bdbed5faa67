/* SPDX-License-Identifier: MIT
 *
 * A notifier in a poller, from the ring to the callback. One without an eventfd puts its entry on a
 * lock-free list of ready ones, one with an eventfd is watched by epoll.
 *
 * No ring is left behind asleep. A ringer adds to pending, and, unless the entry is queued already,
 * queues it, pushes it on the ready list and then looks whether the consumer sleeps. The consumer
 * clears queued before it takes pending: a ringer that still found the entry queued added its ring
 * before the take. Before it sleeps the consumer sets sleeping and then looks at the ready list: of
 * the push and the look at least one sees the other's store. All of these are sequentially
 * consistent for that reason. A ringer that is preempted between queueing and pushing delays the
 * rings that found it queued, until it runs again; it loses none.
 */
#include "error.h"
#include "eventfd.h"
#include "notifier.h"
#include "poller_inside.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

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
	int err = poller_watch(e->poller, fd, &e->kind);

	if (err)
		return fail(err, "cannot watch notifier %s: %s", notifier_name(e->notifier),
			    strerror(-err));
	__atomic_add_fetch(&e->poller->watched, 1, __ATOMIC_RELAXED);
	/* a consumer that is asleep is so in epoll, which notices by itself */
	return 0;
}

void poller_entry_unwatch(struct poller_entry *e, int fd)
{
	if (e->poller->pid == getpid())
		epoll_ctl(e->poller->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	__atomic_sub_fetch(&e->poller->watched, 1, __ATOMIC_RELAXED);
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
