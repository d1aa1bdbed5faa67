/* SPDX-License-Identifier: MIT
 *
 * The doorbell device in a forked process, and its count in the guest's memory.
 */
#define _GNU_SOURCE
#include "endpoint/remote.h"
#include "endpoint/doorbell_device.h"
#include "endpoint/thread.h"
#include "endpoint/vfio_user_transport.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* It is ours, and slow only where the machine is. */
#define PATIENCE_MS 20000u

struct remote_endpoint {
	struct endpoint base;
	struct vfio_user_client *client;
	pid_t pid;
	const uint64_t *word;
};

static int pin(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)cpu, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* The child keeps nothing of its parent but the connection, and does not outlive it. */
__attribute__((noreturn)) static void child(int conn, const struct endpoint_opts *opts,
					    pid_t parent)
{
	struct doorbell_device *device;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || dup2(conn, STDERR_FILENO + 1) < 0)
		_exit(1);
	close_range(STDERR_FILENO + 2, ~0u, 0);
	if (pin(opts->cpu) || doorbell_device_new(&device))
		_exit(1);
	_exit(doorbell_device_serve(device, STDERR_FILENO + 1, -1, opts->spin) ? 1 : 0);
}

/* The client's end of the connection. */
static int fork_device(struct remote_endpoint *ep)
{
	pid_t parent = getpid();
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return vfio_user_fail(-errno, "socketpair: %s", strerror(errno));
	ep->pid = fork();
	if (ep->pid == 0)
		child(pair[1], &ep->base.opts, parent);
	close(pair[1]);
	if (ep->pid > 0)
		return pair[0];
	err = vfio_user_fail(-errno, "fork: %s", strerror(errno));
	close(pair[0]);
	return err;
}

static void end_device(const struct remote_endpoint *ep)
{
	kill(ep->pid, SIGKILL);
	waitpid(ep->pid, NULL, 0);
}

static int connect_device(struct remote_endpoint *ep, const struct vfio_user_memory *memory,
			  uint64_t word)
{
	int err, fd = fork_device(ep);

	if (fd < 0)
		return fd;
	err = vfio_user_connected(&ep->client, fd, PATIENCE_MS);
	if (err)
		goto end_device;
	err = vfio_user_dma_map(ep->client, memory);
	if (!err)
		err = vfio_user_region_write(ep->client, DOORBELL_DEVICE_MMIO,
					     DOORBELL_DEVICE_COMPLETION, &word, sizeof(word));
	if (!err)
		return 0;
	vfio_user_disconnect(ep->client);
end_device:
	end_device(ep);
	return err;
}

/* Acquire: pairs with the device's store. */
static uint64_t remote_rings(struct endpoint *base)
{
	return __atomic_load_n(((struct remote_endpoint *)base)->word, __ATOMIC_ACQUIRE);
}

static uint64_t remote_cpu_ns(struct endpoint *base)
{
	struct timespec t = {};
	clockid_t clock;

	if (clock_getcpuclockid(((struct remote_endpoint *)base)->pid, &clock) == 0)
		clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void remote_ring(struct endpoint *base)
{
	const uint32_t value = 0;

	vfio_user_region_write(((struct remote_endpoint *)base)->client, DOORBELL_DEVICE_MMIO,
			       DOORBELL_DEVICE_BELL(0), &value, sizeof(value));
}

static void remote_stop(struct endpoint *base)
{
	struct remote_endpoint *ep = (struct remote_endpoint *)base;

	vfio_user_disconnect(ep->client);
	end_device(ep);
}

static void remote_free(struct endpoint *base)
{
	free(base);
}

static const struct endpoint_ops remote_ops = {
	.ring = remote_ring,
	.rings = remote_rings,
	.cpu_ns = remote_cpu_ns,
	.stop = remote_stop,
	.free = remote_free,
};

int endpoint_start_remote(struct endpoint **out, const struct endpoint_opts *opts,
			  const struct vfio_user_memory *memory, uint64_t word)
{
	struct remote_endpoint *ep = aligned_alloc(_Alignof(struct remote_endpoint), sizeof(*ep));
	int err;

	if (!ep)
		return vfio_user_fail(-ENOMEM, "no memory for an endpoint");
	*ep = (struct remote_endpoint){ .base = { .ops = &remote_ops, .opts = *opts } };
	ep->word = (const void *)((const char *)memory->host + (word - memory->address));
	err = connect_device(ep, memory, word);
	if (err) {
		free(ep);
		return err;
	}
	*out = &ep->base;
	return 0;
}

struct vfio_user_client *endpoint_remote_client(const struct endpoint *ep)
{
	return ((const struct remote_endpoint *)ep)->client;
}

pid_t endpoint_remote_pid(const struct endpoint *ep)
{
	return ((const struct remote_endpoint *)ep)->pid;
}
