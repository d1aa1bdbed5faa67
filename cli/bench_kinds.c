/* SPDX-License-Identifier: MIT
 *
 * How each kind of path is set up.
 */
#include "cli/bench_setup.h"
#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

static int say(const struct path *path, int err, const char *what)
{
	cli_failed("%s: %s: %s", path->type->name, what, strerror(-err));
	return err;
}

static int say_bus(const struct path *path, int err)
{
	cli_failed("%s: %s", path->type->name, bw_last_error());
	return err;
}

static const char *always(const struct rig *rig, const struct path *path)
{
	(void)rig;
	(void)path;
	return NULL;
}

/* As a rule non-blocking, as the library's own are: an endpoint then does the same on either. */
static int own_eventfd(struct path *path)
{
	path->eventfd = eventfd(0, EFD_CLOEXEC | (path->rig->opts->blocking ? 0 : EFD_NONBLOCK));
	if (path->eventfd < 0)
		return say(path, -errno, "eventfd");
	return bench_start_endpoint(path, path->eventfd);
}

static int map_region(struct path *path, bw_handler_fn *handler)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = path->type->name,
		.space = path->type->space,
		.len = path->type->len,
		.handler = handler,
		.opaque = path,
	};
	int err = bw_region_new(path->rig->bus, &path->region, &opts);

	if (!err)
		err = bw_region_map(path->region, path->addr);
	return err ? say_bus(path, err) : 0;
}

static int assign(struct path *path)
{
	struct bw_match match = { .len = path->type->match_len };
	int err = bw_ioeventfd_assign(path->rig->bus, &path->ioeventfd, path->type->space,
				      path->addr, match, path->notifier);

	return err ? say_bus(path, err) : 0;
}

static void swallow(void *opaque, struct bw_access *access)
{
	(void)opaque;
	(void)access;
}

static void ring_endpoint(void *opaque, struct bw_access *access)
{
	struct path *path = opaque;

	(void)access;
	endpoint_ring(path->endpoint);
}

static void ring_eventfd(void *opaque, struct bw_access *access)
{
	struct path *path = opaque;

	(void)access;
	eventfd_write(path->eventfd, 1);
}

static int setup_null(struct path *path)
{
	return map_region(path, swallow);
}

const struct path_kind path_null = { .unavailable = always, .setup = setup_null };

static const char *needs_kvm(const struct rig *rig, const struct path *path)
{
	(void)path;
	return rig->be == &vm_kvm ? NULL : "only a kernel serves ports by itself";
}

/* The edge/level register of the kernel's interrupt controller, a byte that it only stores. */
static int setup_null_kernel(struct path *path)
{
	path->addr = 0x4d0;
	return 0;
}

const struct path_kind path_null_kernel = { .unavailable = needs_kvm, .setup = setup_null_kernel };

static int setup_raw_userspace(struct path *path)
{
	path->bare = ring_eventfd;
	return own_eventfd(path);
}

const struct path_kind path_raw_userspace = { .unavailable = always, .setup = setup_raw_userspace };

/* On KVM nothing may reach userspace: what does is swallowed, and shows as lost. */
static int setup_raw_ioeventfd(struct path *path)
{
	int err = own_eventfd(path);

	path->bare = ring_eventfd;
	if (err || path->rig->be != &vm_kvm)
		return err;
	path->bare = swallow;
	err = raw_kvm_assign(path);
	if (err)
		return say(path, err, "KVM_IOEVENTFD");
	path->raw_registered = true;
	return 0;
}

const struct path_kind path_raw_ioeventfd = { .unavailable = always, .setup = setup_raw_ioeventfd };

static int setup_userspace(struct path *path)
{
	int err = own_eventfd(path);

	return err ? err : map_region(path, ring_endpoint);
}

const struct path_kind path_userspace = { .unavailable = always, .setup = setup_userspace };

static int import_eventfd(struct path *path)
{
	int err = own_eventfd(path);

	if (err)
		return err;
	err = bw_notifier_import(&path->notifier, path->eventfd, path->type->name);
	return err ? say_bus(path, err) : 0;
}

static int new_eventfd(struct path *path)
{
	int fd, err = bw_notifier_new(&path->notifier, path->type->name);

	if (err)
		return say_bus(path, err);
	fd = bw_notifier_fd(path->notifier);
	return fd < 0 ? say_bus(path, fd) : bench_start_endpoint(path, fd);
}

static int setup_ioeventfd(struct path *path)
{
	int err = path->rig->opts->blocking ? import_eventfd(path) : new_eventfd(path);

	return err ? err : assign(path);
}

const struct path_kind path_ioeventfd = { .unavailable = always, .setup = setup_ioeventfd };

static void count(void *opaque, struct bw_access *access)
{
	struct path *path = opaque;

	(void)access;
	bw_notifier_ring(path->notifier);
}

/* As in a test device's model: nobody waits, and there is no system call. */
static int setup_counted(struct path *path)
{
	int err = bw_notifier_new(&path->notifier, path->type->name);

	if (err)
		return say_bus(path, err);
	path->counted = true;
	return map_region(path, count);
}

const struct path_kind path_counted = { .unavailable = always, .setup = setup_counted };

/* As in a test device: the ring by itself, without a wake-up. */
static int setup_unheard(struct path *path)
{
	int fd, err = bw_notifier_new(&path->notifier, path->type->name);

	if (err)
		return say_bus(path, err);
	path->counted = true;
	fd = bw_notifier_fd(path->notifier);
	return fd < 0 ? say_bus(path, fd) : assign(path);
}

const struct path_kind path_unheard = { .unavailable = always, .setup = setup_unheard };

static const char *needs_hypercalls(const struct rig *rig, const struct path *path)
{
	(void)path;
	return vm_hypercall_probe(rig->vm) < 0 ? vm_last_error() : NULL;
}

const struct path_kind path_hypercall = { .unavailable = needs_hypercalls,
					  .setup = setup_ioeventfd };

static const char *needs_no_offload(const struct rig *rig, const struct path *path)
{
	unsigned int cap = path->type->space == BW_PIO ? BW_CAP_PIO : BW_CAP_MMIO;

	if (rig->opts->place != &bench_thread)
		return "the endpoint is not in this process: it needs the eventfd";
	return bw_bus_caps(rig->bus) & cap ? "the kernel signals: no wake-up can be elided" : NULL;
}

static int setup_elided(struct path *path)
{
	int err = bw_notifier_new(&path->notifier, path->type->name);

	if (err)
		return say_bus(path, err);
	err = endpoint_start_poller(&path->endpoint, path->notifier, &path->rig->opts->endpoint);
	return err ? say(path, err, "endpoint") : assign(path);
}

const struct path_kind path_elided = { .unavailable = needs_no_offload, .setup = setup_elided };
