/* SPDX-License-Identifier: MIT
 *
 * An endpoint that waits as an event loop does: epoll_wait(2), then a read(2).
 */
#include "endpoint/eventfd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct epoll_endpoint {
	struct eventfd_endpoint plain;
	int epoll;
};

static void epoll_loop(struct endpoint *base)
{
	struct epoll_endpoint *ep = (struct epoll_endpoint *)base;
	struct epoll_event event;
	eventfd_t rings;

	while (eventfd_endpoint_runs(&ep->plain))
		if (epoll_wait(ep->epoll, &event, 1, -1) == 1 &&
		    eventfd_read(ep->plain.eventfd, &rings) == 0)
			endpoint_count(base, rings);
}

static void epoll_free(struct endpoint *base)
{
	close(((struct epoll_endpoint *)base)->epoll);
	free(base);
}

static const struct endpoint_ops epoll_ops = {
	.loop = epoll_loop,
	.ring = eventfd_endpoint_ring,
	.stop = eventfd_endpoint_stop,
	.free = epoll_free,
};

int endpoint_start_epoll(struct endpoint **out, int eventfd, const struct endpoint_opts *opts)
{
	struct epoll_endpoint *ep = aligned_alloc(_Alignof(struct epoll_endpoint), sizeof(*ep));
	struct epoll_event event = { .events = EPOLLIN };
	int err;

	if (!ep)
		return -ENOMEM;
	eventfd_endpoint_init(&ep->plain, eventfd);
	ep->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (ep->epoll < 0) {
		err = -errno;
		goto free_endpoint;
	}
	err = epoll_ctl(ep->epoll, EPOLL_CTL_ADD, eventfd, &event) ? -errno : 0;
	if (!err)
		err = endpoint_start(&ep->plain.base, &epoll_ops, opts);
	if (err)
		goto close_epoll;
	*out = &ep->plain.base;
	return 0;

close_epoll:
	close(ep->epoll);
free_endpoint:
	free(ep);
	return err;
}
