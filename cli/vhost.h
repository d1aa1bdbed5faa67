/* SPDX-License-Identifier: MIT
 *
 * bellwire bench --endpoint vhost-user:SOCKET: the guest reads a block device that a vhost-user
 * back end serves. This is what its parts share.
 *
 * bench_vhost.c   the command           vhost_batch.c   requests, and what came of them
 * vhost_world.c   a VM with the device  vhost_expect.c  what the device must hold
 * vhost_run.c     rounds                vhost_watch.c   is the back end still there?
 * vhost_report.c  table and JSON
 */
#ifndef BELLWIRE_VHOST_H
#define BELLWIRE_VHOST_H

#include "cli/bench_setup.h"
#include "endpoint/vhost_user.h"

#include <linux/virtio_ring.h>
#include <pthread.h>

#define VHOST_SECTOR 512u
#define VHOST_BLOCK 4096u    /* bytes that a request reads, fewer only at the device's end */
#define VHOST_MAX_BATCH 256u /* requests in one command of the guest */
#define VHOST_IN_FLIGHT 32u  /* at once, where throughput is measured */
#define VHOST_QUEUE_SIZE 128u

/* The guest's memory from VHOST_GPA on: all that the back end has to do with. */
struct vhost_memory {
	_Alignas(4096) struct vring_desc desc[VHOST_QUEUE_SIZE];
	_Alignas(4096) uint8_t avail[sizeof(struct vring_avail) + (VHOST_QUEUE_SIZE + 1) * 2];
	_Alignas(4096) uint8_t used[sizeof(struct vring_used) + VHOST_QUEUE_SIZE * 8 + 2];
	_Alignas(4096) struct guest_virtqueue virtqueue;
	_Alignas(4096) struct guest_request requests[VHOST_MAX_BATCH];
	_Alignas(4096) uint8_t data[VHOST_MAX_BATCH][VHOST_BLOCK];
};

#define VHOST_GPA (GUEST_RAM_BASE + GUEST_RAM_MIN)
#define VHOST_RAM (2u * GUEST_RAM_MIN)

_Static_assert(sizeof(struct vhost_memory) <= VHOST_RAM - GUEST_RAM_MIN, "must fit");
_Static_assert(3u * VHOST_IN_FLIGHT <= VHOST_QUEUE_SIZE, "a request is a chain of 3");
_Static_assert(VHOST_IN_FLIGHT <= GUEST_MAX_IN_FLIGHT, "as the guest has slots");

/* What the device must hold: --image, or lines that number themselves. */
struct vhost_expect {
	const char *path; /* NULL: the lines */
	int fd;
};

/* One way of the kick on one back end of the VMM. */
struct vhost_row {
	const struct path_type *type;
	uint64_t addr;

	uint64_t nr_trips;
	double *trip_ns;                       /* ticks until the end; then sorted */
	double *iops;                          /* one a round; requests per tick until the end */
	struct stats p50, iops_stats, speedup; /* p50: of the rounds' medians */
	bool has_speedup;                      /* of iops, to the path through a handler */
	uint64_t requests, bytes, wrong_bytes;
};

struct vhost_bench {
	const struct vm_backend *be;
	const struct bench_opts *opts;
	char why[256]; /* not "": the back end of the VMM does not work here */
	struct vhost_row rows[BENCH_MAX_PATHS];
	unsigned int nr_rows;
	uint64_t rounds;   /* finished */
	uint64_t capacity; /* of the device, bytes */
	uint64_t calls;    /* times that the back end was heard by its call eventfd */
};

struct vhost_report {
	struct host host;
	const struct bench_opts *opts;
	struct vhost_bench benches[BENCH_MAX_ACCELS];
	unsigned int nr_benches;
	bool interrupted;
};

struct vhost_watch {
	pthread_t thread;
	struct vcpu *vcpu;
	int socket, end;
};

/* What a request reads. The host's own word for it: the back end can write all of the guest's
 * memory, the requests too. */
struct vhost_read {
	uint64_t offset; /* in the device, bytes */
	uint32_t len;
};

/* A VM that has the device. */
struct vhost_world {
	struct vhost_bench *bench;
	struct bw_bus *bus;
	struct vm *vm;
	struct vcpu *vcpu;
	struct vhost_memory *memory;
	struct bw_notifier *kick;
	int call;
	bool connected;
	struct vhost_user vu;
	struct vhost_watch watch;
	struct vhost_expect expect;
	uint64_t next; /* byte to read: all after one another, and again */
	struct vhost_read reads[VHOST_MAX_BATCH];
	/* The guest's clock and the host's at the beginning and at the end of it all. */
	uint64_t ticks[2], ns[2];
};

/* False: it is another kind of endpoint. */
bool vhost_parse_endpoint(struct bench_opts *opts, const char *text);

/* CLI_OK also if the options are of another endpoint; else they are completed, or CLI_USAGE. */
int vhost_check_opts(struct bench_opts *opts, bool rtt);

/* Measures and reports; an enum cli_exit. */
int bench_vhost(const struct bench_opts *opts);

/* What follows returns 0; -EINTR: interrupted, what is finished stands; or -errno, and has said
 * why. */

/* Can the path lead to a back end that has only an eventfd? */
bool vhost_can(const struct path_type *type);

/* Fills bench->why if there can be no VM, and then world->vm is NULL. vhost_close() in any case. */
int vhost_open(struct vhost_world *world, struct vhost_bench *bench);
int vhost_stop(struct vhost_world *world); /* the device, when all went well */
void vhost_close(struct vhost_world *world);

int vhost_measure(struct vhost_bench *bench);

/* Reads so many blocks, and checks every byte; where the time went is in the requests. */
int vhost_batch(struct vhost_world *world, struct vhost_row *row, uint32_t count,
		uint32_t in_flight);

/* Says how the back end failed. */
int vhost_lost(struct vhost_world *world, int err);

int vhost_expect_open(struct vhost_expect *expect, const char *path);
int vhost_expect_read(const struct vhost_expect *expect, uint8_t *bytes, size_t len,
		      uint64_t offset);
void vhost_expect_close(struct vhost_expect *expect);

/* Stops the vCPU, which may spin for an answer, as soon as the socket is readable. */
int vhost_watch_start(struct vhost_watch *watch, int socket, struct vcpu *vcpu);
void vhost_watch_stop(struct vhost_watch *watch);

int vhost_show(const struct vhost_report *report); /* an enum cli_exit */

#endif
