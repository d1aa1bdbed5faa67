/* SPDX-License-Identifier: MIT
 *
 * A pinned thread that counts; and what can be asked of any endpoint.
 */
#include "endpoint/thread.h"
#include "endpoint/clock.h"
#include "endpoint/pinned.h"

static void *thread_main(void *opaque)
{
	struct endpoint *ep = opaque;

	ep->ops->loop(ep);
	return NULL;
}

int endpoint_start(struct endpoint *ep, const struct endpoint_ops *ops,
		   const struct endpoint_opts *opts)
{
	int err;

	ep->ops = ops;
	ep->opts = *opts;
	atomic_init(&ep->rings, 0);
	err = pinned_thread(&ep->thread, opts->cpu, thread_main, ep);
	/* Cannot fail for a thread that was not joined. */
	if (!err)
		pthread_getcpuclockid(ep->thread, &ep->cpu_clock);
	return err;
}

void endpoint_stop(struct endpoint *ep)
{
	if (!ep)
		return;
	ep->ops->stop(ep);
	if (ep->ops->loop)
		pthread_join(ep->thread, NULL);
	ep->ops->free(ep);
}

void endpoint_resume(struct endpoint *ep)
{
	if (ep->ops->resume)
		ep->ops->resume(ep);
}

void endpoint_pause(struct endpoint *ep)
{
	if (ep->ops->pause)
		ep->ops->pause(ep);
}

void endpoint_ring(struct endpoint *ep)
{
	ep->ops->ring(ep);
}

/* One writer, so no locked instruction. Release: pairs with endpoint_rings(), whoever sees the
 * count sees what the rings came after. */
void endpoint_count(struct endpoint *ep, uint64_t rings)
{
	uint64_t counted = atomic_load_explicit(&ep->rings, memory_order_relaxed) + rings;

	atomic_store_explicit(&ep->rings, counted, memory_order_release);
	if (ep->opts.rang)
		ep->opts.rang(ep->opts.opaque, counted);
}

/* Acquire: pairs with endpoint_count(). */
uint64_t endpoint_rings(struct endpoint *ep)
{
	if (ep->ops->rings)
		return ep->ops->rings(ep);
	return atomic_load_explicit(&ep->rings, memory_order_acquire);
}

uint64_t endpoint_cpu_ns(struct endpoint *ep)
{
	return ep->ops->cpu_ns ? ep->ops->cpu_ns(ep) : clock_ns(ep->cpu_clock);
}
