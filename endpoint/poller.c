/* SPDX-License-Identifier: MIT
 *
 * An endpoint that waits in the library: bw_poller_run() on its own thread. The notifier's fd is
 * never asked for, so rings are elided as long as this thread is awake.
 */
#include "endpoint/thread.h"

#include <errno.h>
#include <stdlib.h>

struct poller_endpoint {
	struct endpoint base;
	struct bw_poller *poller;
	struct bw_notifier *notifier;
	atomic_bool stopping;
};

static void rang(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct poller_endpoint *ep = opaque;

	(void)n;
	endpoint_count(&ep->base, count);
}

static void poller_loop(struct endpoint *base)
{
	struct poller_endpoint *ep = (struct poller_endpoint *)base;

	if (!base->opts.spin) {
		bw_poller_run(ep->poller);
		return;
	}
	while (!atomic_load_explicit(&ep->stopping, memory_order_relaxed))
		bw_poller_poll(ep->poller, 0);
}

static void poller_ring(struct endpoint *base)
{
	bw_notifier_ring(((struct poller_endpoint *)base)->notifier);
}

static void poller_stop(struct endpoint *base)
{
	struct poller_endpoint *ep = (struct poller_endpoint *)base;

	atomic_store_explicit(&ep->stopping, true, memory_order_relaxed);
	bw_poller_stop(ep->poller);
}

static void poller_free(struct endpoint *base)
{
	bw_poller_free(((struct poller_endpoint *)base)->poller);
	free(base);
}

static const struct endpoint_ops poller_ops = {
	.loop = poller_loop,
	.ring = poller_ring,
	.stop = poller_stop,
	.free = poller_free,
};

int endpoint_start_poller(struct endpoint **out, struct bw_notifier *n,
			  const struct endpoint_opts *opts)
{
	struct poller_endpoint *ep = aligned_alloc(_Alignof(struct poller_endpoint), sizeof(*ep));
	int err;

	if (!ep)
		return -ENOMEM;
	ep->notifier = n;
	atomic_init(&ep->stopping, false);
	err = bw_poller_new(&ep->poller);
	if (err)
		goto free_endpoint;
	err = bw_poller_add(ep->poller, n, rang, ep);
	if (err)
		goto free_poller;
	err = endpoint_start(&ep->base, &poller_ops, opts);
	if (err)
		goto free_poller;
	*out = &ep->base;
	return 0;

free_poller:
	bw_poller_free(ep->poller);
free_endpoint:
	free(ep);
	return err;
}
