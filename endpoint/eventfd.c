/* SPDX-License-Identifier: MIT
 *
 * An endpoint behind an eventfd: read(2) until it is empty, then poll(2). The same loop for a plain
 * eventfd and for a notifier's, so that what differs between two paths is the path.
 */
#include "endpoint/eventfd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

void eventfd_endpoint_init(struct eventfd_endpoint *ep, int eventfd)
{
	ep->eventfd = eventfd;
	atomic_init(&ep->stopping, false);
}

bool eventfd_endpoint_runs(struct eventfd_endpoint *ep)
{
	return !atomic_load_explicit(&ep->stopping, memory_order_relaxed);
}

static void eventfd_loop(struct endpoint *base)
{
	struct eventfd_endpoint *ep = (struct eventfd_endpoint *)base;
	struct pollfd pfd = { .fd = ep->eventfd, .events = POLLIN };
	eventfd_t rings;

	while (eventfd_endpoint_runs(ep)) {
		if (eventfd_read(ep->eventfd, &rings) == 0)
			endpoint_count(base, rings);
		else if (!base->opts.spin)
			poll(&pfd, 1, -1);
	}
}

void eventfd_endpoint_ring(struct endpoint *base)
{
	eventfd_write(((struct eventfd_endpoint *)base)->eventfd, 1);
}

/* The write wakes the loop; that it counts as a ring no longer matters to anybody. */
void eventfd_endpoint_stop(struct endpoint *base)
{
	struct eventfd_endpoint *ep = (struct eventfd_endpoint *)base;

	atomic_store_explicit(&ep->stopping, true, memory_order_relaxed);
	eventfd_write(ep->eventfd, 1);
}

static void eventfd_free(struct endpoint *base)
{
	free(base);
}

static const struct endpoint_ops eventfd_ops = {
	.loop = eventfd_loop,
	.ring = eventfd_endpoint_ring,
	.stop = eventfd_endpoint_stop,
	.free = eventfd_free,
};

int endpoint_start_eventfd(struct endpoint **out, int eventfd, const struct endpoint_opts *opts)
{
	struct eventfd_endpoint *ep = aligned_alloc(_Alignof(struct eventfd_endpoint), sizeof(*ep));
	int err;

	if (!ep)
		return -ENOMEM;
	eventfd_endpoint_init(ep, eventfd);
	err = endpoint_start(&ep->base, &eventfd_ops, opts);
	if (err) {
		free(ep);
		return err;
	}
	*out = &ep->base;
	return 0;
}
