/* SPDX-License-Identifier: MIT
 *
 * One VM with every path of a run set up in it, each at an address of its own.
 */
#ifndef BELLWIRE_BENCH_SETUP_H
#define BELLWIRE_BENCH_SETUP_H

#include "cli/bench.h"

#include <pthread.h>

struct path {
	const struct path_type *type;
	struct rig *rig;
	struct row *row;
	uint64_t addr;
	bw_handler_fn *bare; /* not NULL: runs without the library, every access goes here */
	/* What follows is released by rig_close(), whatever of it there is. */
	struct endpoint *endpoint; /* NULL: nobody is rung */
	bool counted; /* without an endpoint, but every ring is to be counted all the same */
	struct bw_notifier *notifier;
	struct bw_ioeventfd *ioeventfd;
	struct bw_region *region;
	struct bw_page *page;
	uint64_t heard; /* with a page: deliveries up to the last sample */
	bool in_zone;   /* KVM_REGISTER_COALESCED_MMIO, by hand */
	uint64_t zone_deliveries;
	int eventfd;         /* the raw paths', or -1 */
	bool raw_registered; /* with KVM_IOEVENTFD, by hand */
};

/* KVM has one ring for all of a VM: who empties it holds the lock. */
struct coalesced {
	pthread_mutex_t lock;
	struct kvm_coalesced_mmio_ring *ring;
};

struct rig {
	const struct bench_opts *opts;
	const struct vm_backend *be;
	struct bw_bus *bus;
	struct vm *vm;
	struct vcpu *vcpu;
	struct peer peer;
	struct coalesced coalesced;
	struct path paths[BENCH_MAX_PATHS];
	unsigned int nr_paths; /* only those that can be run */
};

extern const struct path_kind path_null, path_null_kernel, path_raw_userspace, path_raw_ioeventfd,
	path_userspace, path_ioeventfd, path_hypercall, path_elided, path_remote, path_remote_fd,
	path_unheard, path_counted, path_peer, path_exitless, path_coalesced;

/* Creates the VM, fills bench->rows, and sets up the paths that can be run. -errno: has said why.
 * rig_close() in any case. */
int rig_open(struct rig *rig, const struct bench_opts *opts, struct bench *bench);
void rig_close(struct rig *rig);

/* Gives the eventfd to the endpoint that was asked for. -errno: has said why. */
int bench_start_endpoint(struct path *path, int eventfd);

/* Where a run's doorbell of that index is: a port, an address, a connection id. */
uint64_t bench_address(enum bw_space space, unsigned int index);

/* Performs the command in the mailbox. -EINTR: interrupted; else has said why. */
int run_guest(struct path *path);

/* Pins the calling thread. -errno: has said why. */
int pin_thread(int cpu);

/* Rings so many times. Fails as run_guest() does. */
int sample_path(struct path *path, uint64_t rings, struct sample *sample);

/* Until done() says so of the rings, or for as long as an endpoint may take. */
void wait_for_endpoint(const struct path *path, uint64_t rings, bool lost_before,
		       bool (*done)(const struct path *path, uint64_t rings));

/* Sets rings_per_sample. Fails as sample_path() does. */
int calibrate_path(struct path *path);

/* KVM_IOEVENTFD without the library, for the raw paths. -errno. */
int raw_kvm_assign(const struct path *path);
void raw_kvm_deassign(const struct path *path);

/* bench_coalesced.c: the zone's end, and what is left of the ring. */
void coalesced_unregister(const struct path *path);

#endif
