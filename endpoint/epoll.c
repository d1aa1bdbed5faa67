/* SPDX-License-Identifier: MIT
 *
 * An endpoint that waits as an event loop does: epoll_wait(2), then a read(2).
 */
#include "endpoint/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct epoll_endpoint {
	struct endpoint base;
	int eventfd, epoll;
	atomic_bool stopping;
};

static void epoll_loop(struct endpoint *base)
{
	struct epoll_endpoint *ep = (struct epoll_endpoint *)base;
	struct epoll_event event;
	eventfd_t rings;

	while (!atomic_load_explicit(&ep->stopping, memory_order_relaxed))
		if (epoll_wait(ep->epoll, &event, 1, -1) == 1 &&
		    eventfd_read(ep->eventfd, &rings) == 0)
			endpoint_count(base, rings);
}

static void epoll_ring(struct endpoint *base)
{
	eventfd_write(((struct epoll_endpoint *)base)->eventfd, 1);
}

/* As for the plain eventfd: the write wakes the loop, and no longer counts. */
static void epoll_stop(struct endpoint *base)
{
	struct epoll_endpoint *ep = (struct epoll_endpoint *)base;

	atomic_store_explicit(&ep->stopping, true, memory_order_relaxed);
	eventfd_write(ep->eventfd, 1);
}

static void epoll_free(struct endpoint *base)
{
	close(((struct epoll_endpoint *)base)->epoll);
	free(base);
}

static const struct endpoint_ops epoll_ops = {
	.loop = epoll_loop,
	.ring = epoll_ring,
	.stop = epoll_stop,
	.free = epoll_free,
};

int endpoint_start_epoll(struct endpoint **out, int eventfd, const struct endpoint_opts *opts)
{
	struct epoll_endpoint *ep = aligned_alloc(_Alignof(struct epoll_endpoint), sizeof(*ep));
	struct epoll_event event = { .events = EPOLLIN };
	int err;

	if (!ep)
		return -ENOMEM;
	ep->eventfd = eventfd;
	atomic_init(&ep->stopping, false);
	ep->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (ep->epoll < 0) {
		err = -errno;
		goto free_endpoint;
	}
	err = epoll_ctl(ep->epoll, EPOLL_CTL_ADD, eventfd, &event) ? -errno : 0;
	if (!err)
		err = endpoint_start(&ep->base, &epoll_ops, opts);
	if (err)
		goto close_epoll;
	*out = &ep->base;
	return 0;

close_epoll:
	close(ep->epoll);
free_endpoint:
	free(ep);
	return err;
}
