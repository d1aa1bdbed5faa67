/* SPDX-License-Identifier: MIT
 *
 * coalesced-*: KVM puts the stores of a zone into a ring that it shares with us, and lets the guest
 * go on (KVM_REGISTER_COALESCED_MMIO, by hand). Nobody is told: who is rung looks now and then, and
 * so does the vCPU's thread whenever it is in userspace, at the latest when the ring is full. The
 * ring is the VM's, not the vCPU's, and has one reader: whoever holds the lock.
 */
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "endpoint/gate.h"
#include "endpoint/thread.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NAP_NS 50000 /* the ring takes about ten times as long to fill */

struct coalesced_endpoint {
	struct endpoint base;
	struct rig *rig;
	struct gate gate;
	atomic_bool stopping;
};

static struct path *path_at(struct rig *rig, const struct kvm_coalesced_mmio *entry)
{
	for (unsigned int i = 0; i < rig->nr_paths; i++) {
		struct path *path = &rig->paths[i];

		if (path->in_zone && path->addr == entry->phys_addr &&
		    (path->type->space == BW_PIO) == (entry->pio != 0))
			return path;
	}
	return NULL;
}

static void note(struct path *path, uint64_t rings)
{
	if (rings == 0)
		return;
	path->zone_deliveries++;
	endpoint_count(path->endpoint, rings);
}

/* Acquire and release: an entry is the kernel's until it has moved last, and again once first has.
 */
static void drain_locked(struct rig *rig)
{
	struct kvm_coalesced_mmio_ring *ring = rig->coalesced.ring;
	uint32_t entries = (uint32_t)(((size_t)sysconf(_SC_PAGESIZE) - sizeof(*ring)) /
				      sizeof(ring->coalesced_mmio[0]));
	uint32_t first = ring->first;
	struct path *path = NULL;
	uint64_t rings = 0;

	while (first != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
		struct path *rung = path_at(rig, &ring->coalesced_mmio[first]);

		if (rung != path && path)
			note(path, rings);
		rings = rung == path ? rings + 1 : 1;
		path = rung;
		first = (first + 1) % entries;
		__atomic_store_n(&ring->first, first, __ATOMIC_RELEASE);
	}
	if (path)
		note(path, rings);
}

static void drain(struct rig *rig)
{
	pthread_mutex_lock(&rig->coalesced.lock);
	drain_locked(rig);
	pthread_mutex_unlock(&rig->coalesced.lock);
}

/* The ring was full: what is in it came before. */
static void take_exit(void *opaque, struct bw_access *access)
{
	struct path *path = opaque;

	(void)access;
	pthread_mutex_lock(&path->rig->coalesced.lock);
	drain_locked(path->rig);
	note(path, 1);
	pthread_mutex_unlock(&path->rig->coalesced.lock);
}

/* ---- the endpoint ---- */

static void coalesced_loop(struct endpoint *base)
{
	struct coalesced_endpoint *ep = (struct coalesced_endpoint *)base;
	const struct timespec nap = { .tv_nsec = NAP_NS };

	for (gate_pass(&ep->gate); !atomic_load(&ep->stopping); gate_pass(&ep->gate)) {
		drain(ep->rig);
		if (!base->opts.spin)
			nanosleep(&nap, NULL);
	}
}

static void coalesced_resume(struct endpoint *base)
{
	gate_open(&((struct coalesced_endpoint *)base)->gate);
}

static void coalesced_pause(struct endpoint *base)
{
	gate_close(&((struct coalesced_endpoint *)base)->gate);
}

static void coalesced_stop(struct endpoint *base)
{
	atomic_store(&((struct coalesced_endpoint *)base)->stopping, true);
	coalesced_resume(base);
}

static void coalesced_free(struct endpoint *base)
{
	gate_fini(&((struct coalesced_endpoint *)base)->gate);
	free(base);
}

static const struct endpoint_ops coalesced_ops = {
	.loop = coalesced_loop,
	.resume = coalesced_resume,
	.pause = coalesced_pause,
	.stop = coalesced_stop,
	.free = coalesced_free,
};

static int start_endpoint(struct path *path)
{
	struct coalesced_endpoint *ep =
		aligned_alloc(_Alignof(struct coalesced_endpoint), sizeof(*ep));
	int err;

	if (!ep)
		return -ENOMEM;
	ep->rig = path->rig;
	gate_init(&ep->gate);
	atomic_init(&ep->stopping, false);
	err = endpoint_start(&ep->base, &coalesced_ops, &path->rig->opts->endpoint);
	if (err)
		coalesced_free(&ep->base);
	else
		path->endpoint = &ep->base;
	return err;
}

/* ---- the zone ---- */

static int zone(const struct path *path, unsigned long request)
{
	struct kvm_coalesced_mmio_zone zone = {
		.addr = path->addr,
		.size = path->type->len,
		.pio = path->type->space == BW_PIO,
	};

	return ioctl(vm_kvm_fd(path->rig->vm), request, &zone) < 0 ? -errno : 0;
}

static const char *needs_zones(const struct rig *rig, const struct path *path)
{
	int cap = path->type->space == BW_PIO ? KVM_CAP_COALESCED_PIO : KVM_CAP_COALESCED_MMIO;

	if (rig->be != &vm_kvm)
		return "only KVM has a ring of coalesced stores";
	if (rig->opts->place != &bench_thread)
		return "the endpoint is not in this process: the ring is the VMM's";
	if (ioctl(vm_kvm_fd(rig->vm), KVM_CHECK_EXTENSION, cap) <= 0)
		return "this KVM coalesces no stores here";
	return NULL;
}

static int find_ring(struct rig *rig)
{
	int page = ioctl(vm_kvm_fd(rig->vm), KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);

	rig->coalesced.ring = page > 0 ? vcpu_kvm_page(rig->vcpu, (unsigned int)page) : NULL;
	return rig->coalesced.ring ? 0 : -ENODEV;
}

static int map_exits(struct path *path)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = path->type->name,
		.space = path->type->space,
		.len = path->type->len,
		.handler = take_exit,
		.opaque = path,
	};
	int err = bw_region_new(path->rig->bus, &path->region, &opts);

	return err ? err : bw_region_map(path->region, path->addr);
}

static int setup_coalesced(struct path *path)
{
	int err = find_ring(path->rig);

	if (!err)
		err = map_exits(path);
	if (!err)
		err = start_endpoint(path);
	if (!err)
		err = zone(path, KVM_REGISTER_COALESCED_MMIO);
	if (err)
		cli_failed("%s: %s", path->type->name, strerror(-err));
	path->in_zone = !err;
	return err;
}

void coalesced_unregister(const struct path *path)
{
	if (path->in_zone)
		zone(path, KVM_UNREGISTER_COALESCED_MMIO);
}

/* The guest has come to its end: what is in the ring is all there is. */
static uint64_t account(struct path *path, uint64_t rings)
{
	struct row *row = path->row;
	uint64_t counted;

	(void)rings;
	drain(path->rig);
	counted = endpoint_rings(path->endpoint) - row->signals;
	pthread_mutex_lock(&path->rig->coalesced.lock);
	row->deliveries = path->zone_deliveries;
	pthread_mutex_unlock(&path->rig->coalesced.lock);
	return counted;
}

const struct path_kind path_coalesced = {
	.unavailable = needs_zones,
	.setup = setup_coalesced,
	.account = account,
	.coalesces = true,
	.own_thread = true,
};
