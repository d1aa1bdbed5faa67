/* SPDX-License-Identifier: MIT
 *
 * Notifiers: a counter that becomes an eventfd only when somebody needs the fd.
 *
 * Nobody may miss a ring while the fd comes into being. A ringer adds to pending and then looks
 * whether there is an fd; a publisher stores the fd and then takes pending. All four are
 * sequentially consistent, so at least one of the two sees the other: the ringer finds the fd, and
 * moves what is pending into it, or the publisher finds the ring. Both may: the exchange gives it
 * to one of them. The adding is a release and the taking an acquire, which carries the promise of
 * order: whoever takes a count sees what its ringers stored before.
 */
#include "notifier.h"
#include "error.h"
#include "eventfd.h"
#include "poller.h"
#include "rcu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bw_notifier *make(int fd, const char *name)
{
	struct bw_notifier *n = aligned_alloc(_Alignof(struct bw_notifier), sizeof(*n));

	if (!n)
		return NULL;
	memset(n, 0, sizeof(*n));
	n->fd = fd;
	n->references = 1;
	pthread_mutex_init(&n->lock, NULL);
	snprintf(n->name, sizeof(n->name), "%s", name ? name : "");
	return n;
}

int bw_notifier_new(struct bw_notifier **n, const char *name)
{
	*n = make(-1, name);
	return *n ? 0 : fail(-ENOMEM, "no memory for a notifier");
}

int notifier_check_fd(int fd)
{
	int err = eventfd_check(fd);

	return err ? fail(err, "fd %d is not %s", fd, err == -EBADF ? "open" : "an eventfd") : 0;
}

int bw_notifier_import(struct bw_notifier **n, int eventfd, const char *name)
{
	int err = notifier_check_fd(eventfd), fd;

	*n = NULL;
	if (err)
		return err;
	fd = fcntl(eventfd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return fail(-errno, "cannot duplicate fd %d: %s", eventfd, strerror(errno));
	*n = make(fd, name);
	if (!*n) {
		close(fd);
		return fail(-ENOMEM, "no memory for a notifier");
	}
	(*n)->may_block = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
	(*n)->handed_out = true;
	return 0;
}

struct bw_notifier *notifier_get(struct bw_notifier *n)
{
	__atomic_add_fetch(&n->references, 1, __ATOMIC_RELAXED);
	return n;
}

void notifier_put(struct bw_notifier *n)
{
	/* the last one out must see what the others did: each releases, and acquires in case it is
	 * it */
	if (__atomic_sub_fetch(&n->references, 1, __ATOMIC_ACQ_REL))
		return;
	if (n->fd >= 0)
		close(n->fd);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

void bw_notifier_free(struct bw_notifier *n)
{
	if (n)
		notifier_put(n);
}

const char *notifier_name(const struct bw_notifier *n)
{
	return n->name[0] ? n->name : "(unnamed)";
}

static bool move_pending(struct bw_notifier *n, int fd)
{
	uint64_t count = __atomic_exchange_n(&n->pending, 0, __ATOMIC_SEQ_CST);

	count += notifier_take_swept(n);
	if (count)
		eventfd_add(fd, count, n->may_block);
	return count > 0;
}

bool notifier_ring(struct bw_notifier *n)
{
	/* pairs with the store in notifier_publish(): whoever sees the fd may use it */
	int fd = __atomic_load_n(&n->fd, __ATOMIC_ACQUIRE);
	struct poller_entry *entry;

	if (fd >= 0) {
		eventfd_add(fd, 1, n->may_block);
		return true;
	}
	__atomic_add_fetch(&n->pending, 1, __ATOMIC_SEQ_CST);
	fd = __atomic_load_n(&n->fd, __ATOMIC_SEQ_CST);
	if (fd >= 0)
		return move_pending(n, fd);
	/* seq_cst: bw_poller_add() sets the entry and then looks at pending, see poller_add.c */
	entry = __atomic_load_n(&n->entry, __ATOMIC_SEQ_CST);
	return entry && poller_entry_ready(entry);
}

bool notifier_is_in(struct bw_notifier *n, const struct bw_poller *p)
{
	struct poller_entry *entry = __atomic_load_n(&n->entry, __ATOMIC_SEQ_CST);

	return entry && poller_of(entry) == p && !__atomic_load_n(&n->handed_out, __ATOMIC_RELAXED);
}

void notifier_ring_swept(struct bw_notifier *n, const struct bw_poller *finder, bool is_consumer)
{
	struct poller_entry *entry;

	/* bw_notifier_fd() sets handed_out, waits for our section to end, and moves what we added
	 */
	if (!notifier_is_in(n, finder)) {
		notifier_ring(n);
		return;
	}
	/* seq_cst, and the entry anew, for bw_poller_add() again: it may be another by now, or
	 * none */
	__atomic_add_fetch(&n->swept, 1, __ATOMIC_SEQ_CST);
	entry = __atomic_load_n(&n->entry, __ATOMIC_SEQ_CST);
	if (!entry)
		return;
	if (is_consumer && poller_of(entry) == finder)
		poller_entry_found(entry);
	else
		poller_entry_ready(entry);
}

int bw_notifier_ring(struct bw_notifier *n)
{
	rcu_enter();
	notifier_ring(n);
	rcu_leave();
	return 0;
}

static int publish_locked(struct bw_notifier *n)
{
	int fd = eventfd_new(), err;

	if (fd < 0)
		return fail(fd, "cannot make an eventfd for notifier %s: %s", notifier_name(n),
			    strerror(-fd));
	err = n->entry ? poller_entry_watch(n->entry, fd) : 0;
	if (err) {
		close(fd);
		return err;
	}
	__atomic_store_n(&n->fd, fd, __ATOMIC_SEQ_CST);
	move_pending(n, fd);
	return 0;
}

int notifier_publish(struct bw_notifier *n, const struct bw_bus *bus, bool *made)
{
	int err = 0;

	pthread_mutex_lock(&n->lock);
	*made = n->fd < 0;
	if (*made) {
		err = publish_locked(n);
		n->publisher = bus;
	} else if (n->publisher != bus) {
		n->shared = true; /* this bus relies on it, whatever becomes of the other's */
	}
	if (err)
		*made = false;
	pthread_mutex_unlock(&n->lock);
	return err;
}

void notifier_unpublish(struct bw_notifier *n)
{
	int fd;

	pthread_mutex_lock(&n->lock);
	fd = n->fd;
	if (fd < 0 || n->handed_out || n->shared)
		goto unlock;
	__atomic_store_n(&n->fd, -1, __ATOMIC_SEQ_CST);
	rcu_wait(); /* nobody is left who found the fd and has yet to write it */
	__atomic_add_fetch(&n->pending, eventfd_take(fd), __ATOMIC_SEQ_CST);
	if (n->entry) {
		poller_entry_unwatch(n->entry, fd);
		poller_entry_ready(n->entry);
	}
	close(fd);
unlock:
	pthread_mutex_unlock(&n->lock);
}

int bw_notifier_fd(struct bw_notifier *n)
{
	int result = 0;

	pthread_mutex_lock(&n->lock);
	if (n->fd < 0)
		result = publish_locked(n);
	if (result)
		goto unlock;
	if (!n->handed_out) {
		__atomic_store_n(&n->handed_out, true, __ATOMIC_RELAXED);
		rcu_wait(); /* who took what was pending has written it, who swept has added it */
		move_pending(n, n->fd);
	}
	result = n->fd;
unlock:
	pthread_mutex_unlock(&n->lock);
	return result;
}

uint64_t notifier_take_swept(struct bw_notifier *n)
{
	/* seq_cst, as the consumer's taking of pending: after it cleared queued */
	if (!__atomic_load_n(&n->swept, __ATOMIC_SEQ_CST))
		return 0;
	return __atomic_exchange_n(&n->swept, 0, __ATOMIC_ACQUIRE);
}

uint64_t notifier_take_trapped(struct bw_notifier *n)
{
	uint64_t count, signalled = 0, sum;
	int fd;

	rcu_enter(); /* the fd stays open while it is read */
	count = __atomic_exchange_n(&n->pending, 0, __ATOMIC_SEQ_CST);
	fd = __atomic_load_n(&n->fd, __ATOMIC_SEQ_CST);
	if (fd >= 0)
		signalled = eventfd_take(fd);
	rcu_leave();
	return __builtin_add_overflow(count, signalled, &sum) ? UINT64_MAX : sum;
}

uint64_t bw_notifier_take(struct bw_notifier *n)
{
	uint64_t swept = notifier_take_swept(n), sum;

	return __builtin_add_overflow(swept, notifier_take_trapped(n), &sum) ? UINT64_MAX : sum;
}

bool notifier_is_pending(struct bw_notifier *n)
{
	bool pending = __atomic_load_n(&n->pending, __ATOMIC_ACQUIRE) ||
		       __atomic_load_n(&n->swept, __ATOMIC_ACQUIRE);
	int fd;

	rcu_enter(); /* the fd stays open while it is asked */
	fd = __atomic_load_n(&n->fd, __ATOMIC_ACQUIRE);
	pending |= fd >= 0 && eventfd_has_count(fd);
	rcu_leave();
	return pending;
}
