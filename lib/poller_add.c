/* SPDX-License-Identifier: MIT
 *
 * Which notifiers are in a poller: one comes in with what is pending already, and leaves while
 * ringers and the consumer may be busy with it.
 *
 * An entry that is deleted is marked dead, and then running is looked at; a callback is marked
 * running, and then dead is looked at: at least one sees the other, so that it is either not called
 * or waited for. It may still be on the ready list. It goes to the graveyard once no ringer can
 * push it (a grace period after the notifier forgot it). There the consumer frees what is not
 * queued, or bw_poller_free() all.
 */
#include "error.h"
#include "notifier.h"
#include "poller_inside.h"
#include "rcu.h"

#include <errno.h>
#include <stdlib.h>

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
