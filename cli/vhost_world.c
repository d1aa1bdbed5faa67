/* SPDX-License-Identifier: MIT
 *
 * A VM whose memory and whose virtqueue the back end has. However the guest kicks, it is the same
 * eventfd that the back end waits for.
 */
#include "cli/vhost.h"
#include "cli/cli.h"

#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TIMEOUT_MS 5000u

bool vhost_can(const struct path_type *type)
{
	return type->kind == &path_userspace || type->kind == &path_ioeventfd;
}

static int say_bus(const struct vhost_world *world, int err)
{
	cli_failed("%s: %s", vm_backend_name(world->bench->be), bw_last_error());
	return err;
}

int vhost_lost(struct vhost_world *world, int err)
{
	cli_failed("%s: %s", world->bench->opts->vhost_user, vhost_user_why(&world->vu));
	return err;
}

/* A back end of the VMM that does not work here is no error: the report says so. */
static int make_vm(struct vhost_world *world)
{
	struct vhost_bench *bench = world->bench;
	struct vm_opts opts = {
		.bus = world->bus, .nr_vcpus = 1, .cpl = bench->opts->cpl, .ram_size = VHOST_RAM
	};
	int err = vm_backend_probe(bench->be);

	if (err) {
		snprintf(bench->why, sizeof(bench->why), "%s", vm_last_error());
		return 0;
	}
	err = vm_new(&world->vm, bench->be, &opts);
	if (err) {
		cli_failed("%s: %s", vm_backend_name(bench->be), vm_last_error());
		return err;
	}
	world->vcpu = vm_vcpu(world->vm, 0);
	world->memory = vm_memory(world->vm, VHOST_GPA, sizeof(*world->memory));
	return 0;
}

static void lay_out_queue(struct vhost_memory *memory)
{
	memory->virtqueue = (struct guest_virtqueue){
		.desc = VHOST_GPA + offsetof(struct vhost_memory, desc),
		.avail = VHOST_GPA + offsetof(struct vhost_memory, avail),
		.used = VHOST_GPA + offsetof(struct vhost_memory, used),
		.size = VHOST_QUEUE_SIZE,
	};
}

static int read_capacity(struct vhost_world *world)
{
	uint64_t sectors; /* little-endian, at the beginning of struct virtio_blk_config */
	int err = vhost_user_get_config(&world->vu, &sectors, sizeof(sectors));

	if (err)
		return vhost_lost(world, err);
	sectors = le64toh(sectors);
	if (sectors == 0 || sectors > INT64_MAX / VHOST_SECTOR) {
		cli_failed("%s: the device has %ju sectors", world->bench->opts->vhost_user,
			   (uintmax_t)sectors);
		return -EPROTO;
	}
	world->bench->capacity = sectors * VHOST_SECTOR;
	return 0;
}

static int hand_over(struct vhost_world *world)
{
	struct vhost_memory *memory = world->memory;
	struct vhost_user_ram ram = { .fd = vm_memory_fd(world->vm),
				      .guest_addr = GUEST_RAM_BASE,
				      .size = vm_ram_size(world->vm),
				      .address = vm_memory(world->vm, GUEST_RAM_BASE, 0) };
	struct vhost_user_queue queue = { .size = VHOST_QUEUE_SIZE,
					  .desc = memory->desc,
					  .avail = memory->avail,
					  .used = memory->used,
					  .kick = bw_notifier_fd(world->kick),
					  .call = world->call };
	eventfd_t calls;
	int err = vhost_user_set_memory(&world->vu, &ram);

	if (!err)
		err = vhost_user_start(&world->vu, &queue);
	if (err)
		return vhost_lost(world, err);
	/* Some call once to begin with, in case that they died and came back. */
	eventfd_read(world->call, &calls);
	return 0;
}

static int connect_device(struct vhost_world *world)
{
	int err = vhost_user_connect(&world->vu, world->bench->opts->vhost_user, TIMEOUT_MS, 0);

	if (err)
		return vhost_lost(world, err);
	world->connected = true;
	err = read_capacity(world);
	if (!err)
		err = hand_over(world);
	if (!err)
		err = vhost_watch_start(&world->watch, world->vu.fd, world->vcpu);
	if (err) {
		vhost_user_close(&world->vu);
		world->connected = false;
	}
	return err;
}

static int make_eventfds(struct vhost_world *world)
{
	int err = bw_notifier_new(&world->kick, "kick");

	if (err)
		return say_bus(world, err);
	world->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (world->call < 0 || bw_notifier_fd(world->kick) < 0) {
		err = world->call < 0 ? -errno : bw_notifier_fd(world->kick);
		cli_failed("eventfd: %s", strerror(-err));
	}
	return err;
}

/* As a device model does that has the exit and serves nothing itself: a write(2) to the eventfd. */
static void kick(void *opaque, struct bw_access *access)
{
	struct vhost_world *world = opaque;

	(void)access;
	bw_notifier_ring(world->kick);
}

static int map_kick(struct vhost_world *world, struct vhost_row *row)
{
	struct bw_region_opts opts = { .size = sizeof(opts),
				       .name = row->type->name,
				       .space = row->type->space,
				       .len = row->type->len,
				       .handler = kick,
				       .opaque = world };
	struct bw_region *region;
	int err = bw_region_new(world->bus, &region, &opts);

	return err ? err : bw_region_map(region, row->addr);
}

static int assign_kick(struct vhost_world *world, struct vhost_row *row)
{
	struct bw_match match = { .len = row->type->match_len };
	struct bw_ioeventfd *ioeventfd;

	return bw_ioeventfd_assign(world->bus, &ioeventfd, row->type->space, row->addr, match,
				   world->kick);
}

/* What is made here stays until the bus is freed. */
static int add_rows(struct vhost_world *world)
{
	struct vhost_bench *bench = world->bench;
	int err = 0;

	for (unsigned int i = 0; i < bench->nr_rows && !err; i++) {
		struct vhost_row *row = &bench->rows[i];

		row->addr = bench_address(row->type->space, i);
		err = row->type->kind == &path_userspace ? map_kick(world, row)
							 : assign_kick(world, row);
	}
	return err ? say_bus(world, err) : 0;
}

int vhost_open(struct vhost_world *world, struct vhost_bench *bench)
{
	int err;

	*world = (struct vhost_world){ .bench = bench, .call = -1 };
	err = vhost_expect_open(&world->expect, bench->opts->image);
	if (err)
		return err;
	err = bw_bus_new(&world->bus, NULL);
	if (err)
		return say_bus(world, err);
	err = make_vm(world);
	if (err || !world->vm)
		return err;
	lay_out_queue(world->memory);
	err = make_eventfds(world);
	if (!err)
		err = add_rows(world);
	return err ? err : connect_device(world);
}

/* The back end must have taken just what the guest made available, and have used both eventfds: the
 * guest spins on the used index and needs no call, but another would. */
int vhost_stop(struct vhost_world *world)
{
	uint16_t taken, made = world->memory->virtqueue.avail_idx;
	const char *endpoint = world->bench->opts->vhost_user;
	int err;

	vhost_watch_stop(&world->watch);
	world->connected = false;
	err = vhost_user_stop(&world->vu, &taken);
	vhost_user_close(&world->vu);
	if (err)
		return vhost_lost(world, err);
	if (taken != made) {
		cli_failed("%s: it has taken requests up to %u, the guest made them up to %u",
			   endpoint, taken, made);
		return -EPROTO;
	}
	if (eventfd_read(world->call, &world->bench->calls) < 0) {
		cli_failed("%s: it has never written its call eventfd", endpoint);
		return -EPROTO;
	}
	return 0;
}

void vhost_close(struct vhost_world *world)
{
	if (world->connected) {
		vhost_watch_stop(&world->watch);
		vhost_user_close(&world->vu);
	}
	bw_bus_free(world->bus); /* with the rows' doorbells in it */
	bw_notifier_free(world->kick);
	if (world->call >= 0)
		close(world->call);
	vm_free(world->vm);
	vhost_expect_close(&world->expect);
}
