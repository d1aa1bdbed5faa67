/* SPDX-License-Identifier: MIT
 *
 * Paths to a device model in another process: each access is a message to it, or with its own
 * ioeventfds, none is.
 */
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "endpoint/doorbell_device.h"
#include "endpoint/remote.h"

#include <string.h>

/* Where each device stores what it has counted: a cache line for each path, at the end of what is
 * the host's. */
#define WORDS (GUEST_SCRATCH + 0xff000u)
#define WORD_STRIDE 64u

_Static_assert(BENCH_MAX_PATHS *WORD_STRIDE <= 0x1000, "a word for each path");

static int say(const struct path *path, int err)
{
	cli_failed("%s: %s", path->type->name, vfio_user_last_error());
	return err;
}

static const char *needs_no_answer(const struct rig *rig, const struct path *path)
{
	(void)path;
	return rig->opts->endpoint.rang ? "the device model counts, and answers nobody" : NULL;
}

static int start_device(struct path *path)
{
	struct vm *vm = path->rig->vm;
	uint64_t index = (uint64_t)(path - path->rig->paths);
	const struct vfio_user_memory memory = {
		.address = GUEST_RAM_BASE,
		.size = vm_ram_size(vm),
		.fd = vm_memory_fd(vm),
		.host = vm_memory(vm, GUEST_RAM_BASE, vm_ram_size(vm)),
	};

	return endpoint_start_remote(&path->endpoint, &path->rig->opts->endpoint, &memory,
				     WORDS + index * WORD_STRIDE);
}

/* A ring that did not arrive shows as lost; why is said as it happens. */
static void say_failure(void *opaque, int err, const char *why)
{
	(void)err;
	cli_note("%s: %s", ((const struct path *)opaque)->type->name, why);
}

/* With its first doorbell where the guest rings. */
static int map_device(struct path *path, bool no_ioeventfds)
{
	const struct vfio_user_region_opts opts = {
		.name = path->type->name,
		.space = path->type->space,
		.index = path->type->space == BW_PIO ? DOORBELL_DEVICE_PIO : DOORBELL_DEVICE_MMIO,
		.no_ioeventfds = no_ioeventfds,
		.failed = say_failure,
		.opaque = path,
	};
	struct vfio_user_region *region;
	int err = vfio_user_region_new(&region, path->rig->bus,
				       endpoint_remote_client(path->endpoint), &opts);

	if (err)
		return say(path, err);
	path->region = vfio_user_region_bw(region);
	err = bw_region_map(path->region, path->addr - DOORBELL_DEVICE_BELL(0));
	if (err)
		cli_failed("%s: %s", path->type->name, bw_last_error());
	return err;
}

static int setup(struct path *path, bool no_ioeventfds)
{
	int err = start_device(path);

	return err ? say(path, err) : map_device(path, no_ioeventfds);
}

static int setup_messages(struct path *path)
{
	return setup(path, true);
}

static int setup_ioeventfds(struct path *path)
{
	return setup(path, false);
}

const struct path_kind path_remote = { .unavailable = needs_no_answer, .setup = setup_messages };
const struct path_kind path_remote_fd = { .unavailable = needs_no_answer,
					  .setup = setup_ioeventfds };
