/* SPDX-License-Identifier: MIT
 *
 * The client's side of an endpoint in another process. The eventfd and the record stay here, so
 * that whoever comes after a killed one finds both: the rings since then, and the count until then.
 */
#define _GNU_SOURCE
#include "endpoint/process.h"
#include "endpoint/message.h"
#include "endpoint/server.h"
#include "endpoint/socket.h"
#include "endpoint/thread.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 5000u
#define CONNECT_MS 1000u

struct process_endpoint {
	struct endpoint base;
	struct endpoint_reach reach;
	int eventfd, memfd;
	struct endpoint_record *record;
	int conn; /* -1: nobody counts */
	pid_t pid;
	uint64_t cpu_before_ns; /* of those that are gone, as it was last asked for */
	uint64_t cpu_ns;
};

/* The child keeps nothing of its parent but the connection: an end of another endpoint's that
 * stayed open in here would keep that one from seeing its client go. */
__attribute__((noreturn)) static void child(int conn)
{
	if (dup2(conn, STDERR_FILENO + 1) < 0)
		_exit(1);
	close_range(STDERR_FILENO + 2, ~0u, 0);
	_exit(endpoint_serve(STDERR_FILENO + 1) ? 1 : 0);
}

static int fork_one(struct process_endpoint *ep)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ep->pid = fork();
	if (ep->pid == 0)
		child(pair[1]);
	close(pair[1]);
	if (ep->pid < 0) {
		int err = -errno;

		close(pair[0]);
		return err;
	}
	return pair[0];
}

static int send_attach(const struct process_endpoint *ep)
{
	const struct endpoint_opts *opts = &ep->base.opts;
	int fds[ENDPOINT_MAX_FDS] = { ep->eventfd, ep->memfd };
	unsigned int nr = 2;
	struct endpoint_attach attach = {
		.magic = ENDPOINT_MAGIC,
		.version = ENDPOINT_VERSION,
		.flags = opts->spin ? ENDPOINT_SPIN : 0,
		.cpu = (uint32_t)opts->cpu,
	};

	if (ep->reach.call >= 0) {
		attach.flags |= ENDPOINT_CALL;
		fds[nr++] = ep->reach.call;
	}
	if (ep->reach.memory >= 0) {
		attach.flags |= ENDPOINT_MEMORY;
		attach.answer = ep->reach.answer;
		fds[nr++] = ep->reach.memory;
	}
	return socket_send(ep->conn, &attach, sizeof(attach), fds, nr,
			   socket_deadline(PATIENCE_MS));
}

static int receive_reply(struct process_endpoint *ep)
{
	struct endpoint_reply reply;
	struct socket_fds fds = { .max = 0 };
	int err = socket_recv(ep->conn, &reply, sizeof(reply), &fds, socket_deadline(PATIENCE_MS));

	if (!err)
		err = endpoint_reply_check(&reply);
	if (err)
		return err;
	if (ep->reach.socket)
		ep->pid = reply.pid;
	return -reply.error;
}

/* A process that was forked here is nobody else's to wait for. It may be killed at any moment. */
static void disconnect(struct process_endpoint *ep)
{
	if (ep->conn < 0)
		return;
	close(ep->conn);
	ep->conn = -1;
	if (!ep->reach.socket) {
		kill(ep->pid, SIGKILL);
		waitpid(ep->pid, NULL, 0);
	}
	ep->cpu_before_ns += ep->cpu_ns;
	ep->cpu_ns = 0;
}

static int attach(struct process_endpoint *ep)
{
	int err;

	ep->conn = ep->reach.socket ? socket_connect(ep->reach.socket, CONNECT_MS) : fork_one(ep);
	if (ep->conn < 0)
		return ep->conn;
	err = send_attach(ep);
	if (!err)
		err = receive_reply(ep);
	if (err)
		disconnect(ep);
	return err;
}

/* It sends nothing: whatever can be read is the end of it. */
static bool is_gone(const struct process_endpoint *ep)
{
	struct pollfd pfd = { .fd = ep->conn, .events = POLLIN };

	return ep->conn < 0 || poll(&pfd, 1, 0) > 0;
}

static uint64_t process_rings(struct endpoint *base)
{
	struct process_endpoint *ep = (struct process_endpoint *)base;

	if (is_gone(ep)) {
		disconnect(ep);
		attach(ep); /* if it fails, the next one who asks tries again */
	}
	return record_rings(ep->record);
}

static uint64_t process_cpu_ns(struct endpoint *base)
{
	struct process_endpoint *ep = (struct process_endpoint *)base;
	struct timespec t;
	clockid_t clock;

	if (ep->conn >= 0 && clock_getcpuclockid(ep->pid, &clock) == 0 &&
	    clock_gettime(clock, &t) == 0)
		ep->cpu_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	return ep->cpu_before_ns + ep->cpu_ns;
}

static void process_ring(struct endpoint *base)
{
	eventfd_write(((struct process_endpoint *)base)->eventfd, 1);
}

static void process_stop(struct endpoint *base)
{
	disconnect((struct process_endpoint *)base);
}

static void process_free(struct endpoint *base)
{
	struct process_endpoint *ep = (struct process_endpoint *)base;

	record_unmap(ep->record);
	close(ep->memfd);
	free(ep);
}

static const struct endpoint_ops process_ops = {
	.ring = process_ring,
	.rings = process_rings,
	.cpu_ns = process_cpu_ns,
	.stop = process_stop,
	.free = process_free,
};

int endpoint_start_process(struct endpoint **out, int eventfd, const struct endpoint_opts *opts,
			   const struct endpoint_reach *reach)
{
	struct process_endpoint *ep = aligned_alloc(_Alignof(struct process_endpoint), sizeof(*ep));
	int err;

	if (!ep)
		return -ENOMEM;
	*ep = (struct process_endpoint){
		.base = { .ops = &process_ops, .opts = *opts },
		.reach = *reach,
		.eventfd = eventfd,
		.conn = -1,
	};
	err = record_new(&ep->record, &ep->memfd);
	if (err)
		goto free_endpoint;
	err = attach(ep);
	if (err)
		goto free_record;
	*out = &ep->base;
	return 0;

free_record:
	record_unmap(ep->record);
	close(ep->memfd);
free_endpoint:
	free(ep);
	return err;
}

struct answers *endpoint_process_answers(struct endpoint *ep)
{
	return &((struct process_endpoint *)ep)->record->answers;
}

pid_t endpoint_process_pid(const struct endpoint *ep)
{
	return ((const struct process_endpoint *)ep)->pid;
}
