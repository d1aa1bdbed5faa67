/* SPDX-License-Identifier: MIT
 *
 * An endpoint that waits in an io_uring. One multishot request stands for all rings to come: of
 * read, whose completions bring the counts (Linux 6.7), or of poll, each followed by a read(2).
 */
#include "endpoint/uring.h"
#include "endpoint/eventfd.h"

#include <errno.h>

#ifdef BELLWIRE_URING
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the kernel's interface, for the headers of liburing 2.3. */
#define OP_READ_MULTISHOT 49

#define NR_BUFFERS 8u /* a power of two */
#define GROUP 0
#define PAGE 4096u

struct uring_endpoint {
	struct eventfd_endpoint plain;
	bool read; /* multishot read, not poll */
	struct io_uring ring;
	struct io_uring_buf_ring *free_buffers; /* where the kernel finds those it may fill */
	uint64_t buffers[NR_BUFFERS];
};

/* Disabled until the thread that is to use it says so. With one thread the kernel need not lock,
 * and with deferred work it does not interrupt it (Linux 6.1). */
static int init_ring(struct io_uring *ring)
{
	int err = io_uring_queue_init(4, ring,
				      IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
					      IORING_SETUP_DEFER_TASKRUN);

	return err == -EINVAL ? io_uring_queue_init(4, ring, IORING_SETUP_R_DISABLED) : err;
}

/* liburing 2.3 declares io_uring_enable_rings(), and does not export it. */
static void enable(const struct io_uring *ring)
{
	syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static bool supports(struct io_uring *ring, int op)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	bool yes = probe && io_uring_opcode_supported(probe, op);

	io_uring_free_probe(probe);
	return yes;
}

static const char *unavailable(bool read)
{
	struct io_uring ring;
	int err = init_ring(&ring);
	bool yes;

	if (err == -ENOSYS)
		return "this kernel has no io_uring";
	if (err == -EPERM || err == -EACCES)
		return "io_uring is forbidden here: kernel.io_uring_disabled, or a seccomp filter";
	if (err)
		return strerror(-err);
	yes = !read || supports(&ring, OP_READ_MULTISHOT);
	io_uring_queue_exit(&ring);
	return yes ? NULL : "this kernel has no multishot read (Linux 6.7 has)";
}

static void give_buffer(struct uring_endpoint *ep, unsigned int id)
{
	io_uring_buf_ring_add(ep->free_buffers, &ep->buffers[id], sizeof(ep->buffers[id]),
			      (uint16_t)id, io_uring_buf_ring_mask(NR_BUFFERS), 0);
	io_uring_buf_ring_advance(ep->free_buffers, 1);
}

static int register_buffers(struct uring_endpoint *ep)
{
	struct io_uring_buf_reg reg = { .ring_entries = NR_BUFFERS, .bgid = GROUP };
	int err;

	ep->free_buffers = aligned_alloc(PAGE, PAGE);
	if (!ep->free_buffers)
		return -ENOMEM;
	io_uring_buf_ring_init(ep->free_buffers);
	reg.ring_addr = (uintptr_t)ep->free_buffers;
	err = io_uring_register_buf_ring(&ep->ring, &reg, 0);
	for (unsigned int i = 0; i < NR_BUFFERS && !err; i++)
		give_buffer(ep, i);
	return err;
}

static void arm(struct uring_endpoint *ep)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ep->ring);

	if (ep->read) {
		io_uring_prep_rw(OP_READ_MULTISHOT, sqe, ep->plain.eventfd, NULL, 0, 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = GROUP;
	} else {
		io_uring_prep_poll_multishot(sqe, ep->plain.eventfd, POLLIN);
	}
}

/* The rings that a completion tells of. Most brought none: the request ended, for whatever reason,
 * or a read(2) has taken them before. */
static uint64_t rings_of(struct uring_endpoint *ep, const struct io_uring_cqe *cqe)
{
	uint64_t rings = 0;
	unsigned int id;

	if (!ep->read)
		return eventfd_read(ep->plain.eventfd, &rings) ? 0 : rings;
	if (!(cqe->flags & IORING_CQE_F_BUFFER))
		return 0;
	id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	if (id >= NR_BUFFERS)
		return 0;
	if (cqe->res == sizeof(rings))
		rings = ep->buffers[id];
	give_buffer(ep, id);
	return rings;
}

static void uring_loop(struct endpoint *base)
{
	struct uring_endpoint *ep = (struct uring_endpoint *)base;
	bool armed = false;

	enable(&ep->ring);
	while (eventfd_endpoint_runs(&ep->plain)) {
		struct io_uring_cqe *cqe;
		uint64_t rings;

		if (!armed)
			arm(ep);
		armed = true;
		if (io_uring_submit_and_wait(&ep->ring, 1) < 0 ||
		    io_uring_peek_cqe(&ep->ring, &cqe))
			continue;
		armed = cqe->flags & IORING_CQE_F_MORE;
		rings = rings_of(ep, cqe);
		io_uring_cqe_seen(&ep->ring, cqe);
		if (rings)
			endpoint_count(base, rings);
	}
}

static void uring_free(struct endpoint *base)
{
	struct uring_endpoint *ep = (struct uring_endpoint *)base;

	io_uring_queue_exit(&ep->ring);
	free(ep->free_buffers);
	free(ep);
}

static const struct endpoint_ops uring_ops = {
	.loop = uring_loop,
	.ring = eventfd_endpoint_ring,
	.stop = eventfd_endpoint_stop,
	.free = uring_free,
};

static int start(struct endpoint **out, int eventfd, const struct endpoint_opts *opts, bool read)
{
	struct uring_endpoint *ep = aligned_alloc(_Alignof(struct uring_endpoint), sizeof(*ep));
	int err;

	if (!ep)
		return -ENOMEM;
	memset(ep, 0, sizeof(*ep));
	eventfd_endpoint_init(&ep->plain, eventfd);
	ep->read = read;
	err = init_ring(&ep->ring);
	if (err)
		goto free_endpoint;
	err = read ? register_buffers(ep) : 0;
	if (!err)
		err = endpoint_start(&ep->plain.base, &uring_ops, opts);
	if (err)
		goto exit_ring;
	*out = &ep->plain.base;
	return 0;

exit_ring:
	io_uring_queue_exit(&ep->ring);
	free(ep->free_buffers);
free_endpoint:
	free(ep);
	return err;
}
#else
static const char *unavailable(bool read)
{
	(void)read;
	return "this program is built without liburing";
}

static int start(struct endpoint **out, int eventfd, const struct endpoint_opts *opts, bool read)
{
	(void)out;
	(void)eventfd;
	(void)opts;
	(void)read;
	return -EOPNOTSUPP;
}
#endif

const char *endpoint_uring_read_unavailable(void)
{
	return unavailable(true);
}

const char *endpoint_uring_poll_unavailable(void)
{
	return unavailable(false);
}

int endpoint_start_uring_read(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts)
{
	return start(ep, eventfd, opts, true);
}

int endpoint_start_uring_poll(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts)
{
	return start(ep, eventfd, opts, false);
}
