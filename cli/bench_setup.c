/* SPDX-License-Identifier: MIT
 *
 * Builds a back end's VM with all the paths in it, and takes it down.
 */
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "cli/term.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Wide apart, so that no two ranges touch and none shares a page or a cache line. */
#define PIO_BASE 0xc000u
#define PIO_STRIDE 0x40u
#define MMIO_BASE 0xd0000000u
#define MMIO_STRIDE 0x1000u

uint64_t bench_address(enum bw_space space, unsigned int index)
{
	if (space == BW_PIO)
		return PIO_BASE + index * PIO_STRIDE;
	return space == BW_MMIO ? MMIO_BASE + index * MMIO_STRIDE : index + 1;
}

/* A path that cannot be run leaves a row that says why, and no path. */
static int add_path(struct rig *rig, struct bench *bench, unsigned int index)
{
	struct path *path = &rig->paths[rig->nr_paths];
	struct row *row = &bench->rows[bench->nr_rows++];
	const char *why;
	int err;

	*path = (struct path){
		.type = &bench_paths[index],
		.rig = rig,
		.row = row,
		.addr = bench_address(bench_paths[index].space, index),
		.eventfd = -1,
	};
	row->type = path->type;
	why = bench->why[0] ? bench->why : path->type->kind->unavailable(rig, path);
	row->available = !why;
	if (why) {
		snprintf(row->why, sizeof(row->why), "%s", why);
		return 0;
	}
	rig->nr_paths++;
	err = path->type->kind->setup(path);
	row->rung = path->endpoint || path->counted;
	return err;
}

static int add_paths(struct rig *rig, struct bench *bench)
{
	int err = 0;

	for (unsigned int i = 0; i < bench_nr_paths && !err; i++)
		if (rig->opts->selected[i])
			err = add_path(rig, bench, i);
	return err;
}

/* A back end that does not work here is no error: its rows say so. */
static int make_vm(struct rig *rig, struct bench *bench)
{
	struct vm_opts opts = { .bus = rig->bus, .nr_vcpus = 1, .cpl = rig->opts->cpl };
	int err = vm_backend_probe(rig->be);

	if (err) {
		snprintf(bench->why, sizeof(bench->why), "%s", vm_last_error());
		return 0;
	}
	err = vm_new(&rig->vm, rig->be, &opts);
	if (err) {
		cli_failed("%s: %s", vm_backend_name(rig->be), vm_last_error());
		return err;
	}
	rig->vcpu = vm_vcpu(rig->vm, 0);
	return 0;
}

/* Nor is a peer that does not work. */
static int open_peer(struct rig *rig, const struct bench *bench)
{
	const struct peer_opts opts = {
		.accel = rig->be == &vm_kvm ? "kvm" : "tcg",
		.cpl = rig->opts->cpl,
		.vcpu_cpu = rig->opts->vcpu_cpu,
		.other_cpu = rig->opts->endpoint.cpu,
	};
	int err;

	if (!rig->opts->peer || bench->why[0])
		return 0;
	term_progress("%s: starting QEMU", vm_backend_name(rig->be));
	err = peer_open(&rig->peer, &opts);
	term_progress(NULL);
	return err == -EINTR ? err : 0;
}

int rig_open(struct rig *rig, const struct bench_opts *opts, struct bench *bench)
{
	int err;

	*rig = (struct rig){ .opts = opts, .be = bench->be, .peer = PEER_NONE };
	pthread_mutex_init(&rig->coalesced.lock, NULL);
	err = bw_bus_new(&rig->bus, NULL);
	if (err) {
		cli_failed("%s: %s", vm_backend_name(rig->be), bw_last_error());
		return err;
	}
	err = make_vm(rig, bench);
	if (!err)
		err = open_peer(rig, bench);
	return err ? err : add_paths(rig, bench);
}

/* First what rings, then who is rung. */
static void close_path(struct path *path)
{
	bw_ioeventfd_deassign(path->ioeventfd);
	if (path->raw_registered)
		raw_kvm_deassign(path);
	bw_region_free(path->region);
	coalesced_unregister(path);
	endpoint_stop(path->endpoint);
	bw_notifier_free(path->notifier);
	if (path->eventfd >= 0)
		close(path->eventfd);
}

void rig_close(struct rig *rig)
{
	while (rig->nr_paths > 0)
		close_path(&rig->paths[--rig->nr_paths]);
	bw_bus_free(rig->bus); /* first: the offload borrows the VM's fd */
	vm_free(rig->vm);
	peer_close(&rig->peer);
	pthread_mutex_destroy(&rig->coalesced.lock);
}
