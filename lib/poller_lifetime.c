/* SPDX-License-Identifier: MIT
 *
 * The making and end of a poller.
 */
#include "error.h"
#include "eventfd.h"
#include "notifier.h"
#include "poller_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static int open_wake(struct bw_poller *p)
{
	int err;

	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll_fd < 0)
		return fail(-errno, "cannot make an epoll fd: %s", strerror(errno));
	err = p->wake_fd = eventfd_new();
	if (err < 0) {
		fail(err, "cannot make an eventfd: %s", strerror(-err));
		goto close_epoll;
	}
	err = poller_watch(p, p->wake_fd, &p->wake);
	if (!err)
		return 0;
	fail(err, "cannot watch an eventfd: %s", strerror(-err));
	close(p->wake_fd);
close_epoll:
	close(p->epoll_fd);
	return err;
}

static void init(struct bw_poller *p)
{
	memset(p, 0, sizeof(*p));
	p->wake = WATCHED_WAKE;
	p->todo_end = &p->todo;
	p->pid = getpid();
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->callback_ended, NULL);
	CDS_INIT_LIST_HEAD(&p->entries);
	CDS_INIT_LIST_HEAD(&p->graveyard);
	poller_pages_init(p);
}

int bw_poller_new(struct bw_poller **out)
{
	struct bw_poller *p = aligned_alloc(_Alignof(struct bw_poller), sizeof(*p));
	int err;

	*out = NULL;
	if (!p)
		return fail(-ENOMEM, "no memory for a poller");
	init(p);
	err = open_wake(p);
	if (err) {
		free(p);
		return err;
	}
	*out = p;
	return 0;
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

static void end_locks(struct bw_poller *p)
{
	pthread_cond_destroy(&p->callback_ended);
	pthread_mutex_destroy(&p->lock);
}

void bw_poller_free(struct bw_poller *p)
{
	if (!p)
		return;
	poller_pages_fini(p);
	if (p->pid != getpid())
		abandon(p);
	while (!cds_list_empty(&p->entries))
		bw_poller_del(
			p, cds_list_first_entry(&p->entries, struct poller_entry, node)->notifier);
	free_entries(&p->graveyard);
	if (p->pid == getpid()) /* a thread of a child's parent may wait there, for ever */
		end_locks(p);
	close(p->wake_fd);
	close(p->epoll_fd);
	free(p);
}
