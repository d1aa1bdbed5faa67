/* SPDX-License-Identifier: MIT
 *
 * The kernel counts; here is only the fd by which it is asked and rung.
 */
#include "endpoint/module.h"
#include "endpoint/thread.h"
#include "module/doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct module_endpoint {
	struct endpoint base;
	int doorbell;
};

static void module_ring(struct endpoint *base)
{
	ioctl(((struct module_endpoint *)base)->doorbell, DOORBELL_RING);
}

static uint64_t module_rings(struct endpoint *base)
{
	uint64_t rings = 0;

	if (read(((struct module_endpoint *)base)->doorbell, &rings, sizeof(rings)) < 0)
		return 0;
	return rings;
}

static uint64_t module_cpu_ns(struct endpoint *base)
{
	(void)base;
	return 0;
}

/* Closed, it lets go of the eventfd. */
static void module_stop(struct endpoint *base)
{
	close(((struct module_endpoint *)base)->doorbell);
}

static void module_free(struct endpoint *base)
{
	free(base);
}

static const struct endpoint_ops module_ops = {
	.ring = module_ring,
	.rings = module_rings,
	.cpu_ns = module_cpu_ns,
	.stop = module_stop,
	.free = module_free,
};

int endpoint_start_module(struct endpoint **out, int eventfd, const struct endpoint_opts *opts)
{
	struct module_endpoint *ep = aligned_alloc(_Alignof(struct module_endpoint), sizeof(*ep));
	int err;

	if (!ep)
		return -ENOMEM;
	ep->base.ops = &module_ops;
	ep->base.opts = *opts;
	ep->doorbell = open(DOORBELL_DEVICE, O_RDONLY | O_CLOEXEC);
	if (ep->doorbell < 0) {
		err = -errno;
		goto free_endpoint;
	}
	if (ioctl(ep->doorbell, DOORBELL_BIND, eventfd) < 0) {
		err = -errno;
		goto close_doorbell;
	}
	*out = &ep->base;
	return 0;

close_doorbell:
	close(ep->doorbell);
free_endpoint:
	free(ep);
	return err;
}
