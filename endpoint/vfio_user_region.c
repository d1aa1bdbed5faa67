/* SPDX-License-Identifier: MIT
 *
 * A region of the server's device as a region of a bus: a handler that sends messages, and
 * doorbells that go where the server's eventfds go.
 */
#include "endpoint/vfio_user.h"
#include "endpoint/vfio_user_transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct vfio_user_region {
	struct vfio_user_client *client;
	struct vfio_user_region_opts opts;
	struct bw_region *region;
	unsigned int nr_doorbells;
};

/* One import for each fd, however many doorbells share it. */
struct imports {
	const struct vfio_user_message *reply;
	const char *name;
	struct bw_notifier *notifiers[SOCKET_MAX_FDS];
};

static int fail_of_bus(int err)
{
	return vfio_user_fail(err, "%s", bw_last_error());
}

static int import(struct imports *imports, uint32_t index, struct bw_notifier **n)
{
	struct bw_notifier **imported = &imports->notifiers[index];
	int err = 0;

	if (!*imported)
		err = bw_notifier_import(imported, imports->reply->fds.fd[index], imports->name);
	*n = *imported;
	if (err == -EINVAL)
		return vfio_user_fail(-EPROTO, "the server sent an fd that is no eventfd");
	return err ? fail_of_bus(err) : 0;
}

static int assign(struct vfio_user_region *region, struct imports *imports,
		  const struct vfio_user_sub_region *sub)
{
	struct bw_match match = { .len = (uint32_t)sub->size,
				  .has_value = sub->flags & VFIO_USER_DATAMATCH,
				  .value = sub->datamatch };
	struct bw_ioeventfd *doorbell;
	struct bw_notifier *n;
	int err = import(imports, sub->fd_index, &n);

	if (err)
		return err;
	err = bw_region_doorbell(region->region, &doorbell, sub->offset, match, n);
	if (err == -EEXIST)
		return vfio_user_fail(-EPROTO, "the server sent sub-regions that collide: %s",
				      bw_last_error());
	region->nr_doorbells += !err;
	return err ? fail_of_bus(err) : 0;
}

static int assign_all(struct vfio_user_region *region, const struct vfio_user_message *reply)
{
	struct imports imports = { .reply = reply, .name = region->opts.name };
	int err = 0;

	for (uint32_t i = 0; i < reply->io_fds.count && !err; i++) {
		struct vfio_user_sub_region sub = vfio_user_sub_region(reply, i);

		if (sub.type == VFIO_USER_IOEVENTFD)
			err = assign(region, &imports, &sub);
	}
	/* The doorbells hold their own. */
	for (unsigned int i = 0; i < reply->fds.nr; i++)
		bw_notifier_free(imports.notifiers[i]);
	return err;
}

/* A server that has no ioeventfds refuses, which is no failure: everything is a message then. */
static int add_doorbells(struct vfio_user_region *region, uint64_t len)
{
	const struct vfio_user_io_place place = {
		.index = region->opts.index,
		.len = len,
		.pio = region->opts.space == BW_PIO,
	};
	struct vfio_user_message *reply = malloc(sizeof(*reply));
	int err;

	if (!reply)
		return vfio_user_fail(-ENOMEM, "no memory for a message");
	err = vfio_user_region_io_fds(region->client, &place, reply);
	if (!err) {
		err = assign_all(region, reply);
		socket_close_fds(&reply->fds);
	}
	free(reply);
	return err == -EREMOTEIO ? 0 : err;
}

static void handle(void *opaque, struct bw_access *access)
{
	struct vfio_user_region *region = opaque;
	uint32_t index = region->opts.index;
	int err;

	if (access->is_write)
		err = vfio_user_region_write(region->client, index, access->offset, access->data,
					     access->len);
	else
		err = vfio_user_region_read(region->client, index, access->offset, access->data,
					    access->len);
	if (!err)
		return;
	if (!access->is_write)
		memset(access->data, 0xff, access->len);
	if (region->opts.failed)
		region->opts.failed(region->opts.opaque, err, vfio_user_last_error());
}

static int new_bw_region(struct vfio_user_region *region, struct bw_bus *bus, uint64_t len)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = region->opts.name,
		.space = region->opts.space,
		.len = len,
		.priority = region->opts.priority,
		.handler = handle,
		.opaque = region,
		.unused = free,
	};
	int err = bw_region_new(bus, &region->region, &opts);

	return err ? fail_of_bus(err) : 0;
}

int vfio_user_region_new(struct vfio_user_region **out, struct bw_bus *bus,
			 struct vfio_user_client *client, const struct vfio_user_region_opts *opts)
{
	struct vfio_user_region_info info;
	struct vfio_user_region *region;
	int err = vfio_user_region_info(client, opts->index, &info);

	if (err)
		return err;
	if (info.size == 0)
		return vfio_user_fail(-EOPNOTSUPP, "the server's region %u is empty", opts->index);
	region = calloc(1, sizeof(*region));
	if (!region)
		return vfio_user_fail(-ENOMEM, "no memory for a region");
	region->client = client;
	region->opts = *opts;
	err = new_bw_region(region, bus, info.size);
	if (err) {
		free(region);
		return err;
	}
	err = opts->no_ioeventfds ? 0 : add_doorbells(region, info.size);
	if (err) {
		bw_region_free(region->region);
		return err;
	}
	*out = region;
	return 0;
}

void vfio_user_region_free(struct vfio_user_region *region)
{
	if (region)
		bw_region_free(region->region);
}

struct bw_region *vfio_user_region_bw(const struct vfio_user_region *region)
{
	return region->region;
}

unsigned int vfio_user_region_doorbells(const struct vfio_user_region *region)
{
	return region->nr_doorbells;
}
