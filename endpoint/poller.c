/* SPDX-License-Identifier: MIT
 *
 * An endpoint that waits in the library: bw_poller_run() on its own thread. The notifier's fd is
 * never asked for, so rings are elided as long as this thread is awake. With a doorbell page, too.
 */
#include "endpoint/gate.h"
#include "endpoint/thread.h"

#include <errno.h>
#include <stdlib.h>

struct poller_endpoint {
	struct endpoint base;
	struct bw_poller *poller;
	struct bw_notifier *notifier;
	struct gate gate; /* with a page */
	atomic_bool stopping;
};

static void rang(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct poller_endpoint *ep = opaque;

	(void)n;
	endpoint_count(&ep->base, count);
}

static bool is_stopping(struct poller_endpoint *ep)
{
	return atomic_load_explicit(&ep->stopping, memory_order_relaxed);
}

static void poller_loop(struct endpoint *base)
{
	struct poller_endpoint *ep = (struct poller_endpoint *)base;

	if (!base->opts.spin) {
		bw_poller_run(ep->poller);
		return;
	}
	while (!is_stopping(ep))
		bw_poller_poll(ep->poller, 0);
}

static void page_loop(struct endpoint *base)
{
	struct poller_endpoint *ep = (struct poller_endpoint *)base;

	for (gate_pass(&ep->gate); !is_stopping(ep); gate_pass(&ep->gate))
		bw_poller_run(ep->poller);
}

static void page_resume(struct endpoint *base)
{
	gate_open(&((struct poller_endpoint *)base)->gate);
}

/* In this order: who leaves run() finds the gate closed. */
static void page_pause(struct endpoint *base)
{
	struct poller_endpoint *ep = (struct poller_endpoint *)base;

	gate_close(&ep->gate);
	bw_poller_stop(ep->poller);
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

static void page_stop(struct endpoint *base)
{
	poller_stop(base);
	page_resume(base);
}

static void poller_free(struct endpoint *base)
{
	struct poller_endpoint *ep = (struct poller_endpoint *)base;

	bw_poller_free(ep->poller);
	gate_fini(&ep->gate);
	free(ep);
}

static const struct endpoint_ops poller_ops = {
	.loop = poller_loop,
	.ring = poller_ring,
	.stop = poller_stop,
	.free = poller_free,
};

static const struct endpoint_ops page_ops = {
	.loop = page_loop,
	.ring = poller_ring,
	.resume = page_resume,
	.pause = page_pause,
	.stop = page_stop,
	.free = poller_free,
};

static int start(struct endpoint **out, struct bw_notifier *n, struct bw_page *page,
		 const struct endpoint_ops *ops, const struct endpoint_opts *opts)
{
	struct poller_endpoint *ep = aligned_alloc(_Alignof(struct poller_endpoint), sizeof(*ep));
	int err;

	if (!ep)
		return -ENOMEM;
	ep->notifier = n;
	gate_init(&ep->gate);
	atomic_init(&ep->stopping, false);
	err = bw_poller_new(&ep->poller);
	if (err)
		goto free_endpoint;
	err = bw_poller_add(ep->poller, n, rang, ep);
	if (!err && page)
		err = bw_poller_add_page(ep->poller, page);
	if (!err)
		err = endpoint_start(&ep->base, ops, opts);
	if (err)
		goto free_poller;
	*out = &ep->base;
	return 0;

free_poller:
	bw_poller_free(ep->poller);
free_endpoint:
	gate_fini(&ep->gate);
	free(ep);
	return err;
}

int endpoint_start_poller(struct endpoint **ep, struct bw_notifier *n,
			  const struct endpoint_opts *opts)
{
	return start(ep, n, NULL, &poller_ops, opts);
}

int endpoint_start_page(struct endpoint **ep, struct bw_notifier *n, struct bw_page *page,
			const struct endpoint_opts *opts)
{
	return start(ep, n, page, &page_ops, opts);
}
