/* SPDX-License-Identifier: MIT
 *
 * Command by command: checked, done, answered. What is wrong with one command is told the client;
 * what is wrong with the connection ends it.
 */
#include "endpoint/vfio_user_server.h"
#include "endpoint/vfio_user_transport.h"

#include <errno.h>
#include <string.h>

/* What a command comes to: a payload in server->out, and fds of the device's. */
struct answer {
	size_t size;
	unsigned int nr_fds;
	int fds[VFIO_USER_MAX_FDS];
};

/* The client takes another version or none: it is for the server to hang up. */
static int version(struct vfio_user_server *server, struct answer *answer)
{
	uint16_t minor = server->in.version.minor;

	if (vfio_user_check_version(&server->in, &server->caps))
		return -EINVAL;
	server->agreed = true;
	answer->size = vfio_user_put_version(&server->out,
					     minor < VFIO_USER_MINOR ? minor : VFIO_USER_MINOR);
	return 0;
}

static int device_info(struct vfio_user_server *server, struct answer *answer)
{
	server->out.device_info = (struct vfio_user_device_info){
		.argsz = sizeof(server->out.device_info),
		.flags = server->model->flags,
		.num_regions = server->model->nr_regions,
	};
	answer->size = sizeof(server->out.device_info);
	return 0;
}

static int region_info(struct vfio_user_server *server, struct answer *answer)
{
	struct vfio_user_region_info *info = &server->out.region_info;

	if (server->in.region_info.index >= server->model->nr_regions)
		return -EINVAL;
	*info = (struct vfio_user_region_info){ .argsz = sizeof(*info),
						.index = server->in.region_info.index };
	server->model->region_info(server->model->device, info);
	answer->size = sizeof(*info);
	return 0;
}

static uint64_t region_size(const struct vfio_user_server *server, uint32_t index)
{
	struct vfio_user_region_info info = { .index = index };

	if (index < server->model->nr_regions)
		server->model->region_info(server->model->device, &info);
	return info.size;
}

static int access_region(struct vfio_user_server *server, struct answer *answer)
{
	const struct vfio_user_access *access = &server->in.access;
	uint64_t size = region_size(server, access->region);
	uint8_t *out = server->out.payload + sizeof(*access);

	if (access->offset > size || access->count > size - access->offset)
		return -EINVAL;
	server->out.access = *access;
	answer->size = sizeof(*access);
	if (server->in.header.command == VFIO_USER_REGION_WRITE)
		return server->model->write(server->model->device, access,
					    server->in.payload + sizeof(*access));
	answer->size += access->count;
	return server->model->read(server->model->device, access, out);
}

/* Without room for all there is, only how much is needed. */
static int io_fds(struct vfio_user_server *server, struct answer *answer)
{
	const struct vfio_user_model *model = server->model;
	const struct vfio_user_io_fds *asked = &server->in.io_fds;
	struct vfio_user_io_fds *head = &server->out.io_fds;
	void *subs = server->out.payload + sizeof(*head);
	int count;

	if (asked->argsz < sizeof(*head) || asked->flags || asked->index >= model->nr_regions)
		return -EINVAL;
	count = model->io_fds(model->device, asked->index, subs, answer->fds, &answer->nr_fds);
	if (count < 0)
		return count;
	*head = (struct vfio_user_io_fds){ .index = asked->index, .count = (uint32_t)count };
	head->argsz =
		(uint32_t)(sizeof(*head) + (size_t)count * sizeof(struct vfio_user_sub_region));
	if (answer->nr_fds > server->caps.max_msg_fds)
		return -ENOSPC;
	if (head->argsz > asked->argsz)
		answer->nr_fds = 0;
	answer->size = head->argsz > asked->argsz ? sizeof(*head) : head->argsz;
	return 0;
}

static int dma_map(struct vfio_user_server *server)
{
	const struct vfio_user_message *in = &server->in;

	return server->model->dma_map(server->model->device, &in->dma_map,
				      in->fds.nr ? in->fds.fd[0] : -1);
}

static int dma_unmap(struct vfio_user_server *server, struct answer *answer)
{
	server->out.dma_unmap = server->in.dma_unmap;
	answer->size = sizeof(server->out.dma_unmap);
	return server->model->dma_unmap(server->model->device, &server->in.dma_unmap);
}

static int reset(struct vfio_user_server *server)
{
	server->model->reset(server->model->device);
	return 0;
}

static int perform(struct vfio_user_server *server, struct answer *answer)
{
	switch (server->in.header.command) {
	case VFIO_USER_VERSION:
		return version(server, answer);
	case VFIO_USER_DMA_MAP:
		return dma_map(server);
	case VFIO_USER_DMA_UNMAP:
		return dma_unmap(server, answer);
	case VFIO_USER_DEVICE_GET_INFO:
		return device_info(server, answer);
	case VFIO_USER_DEVICE_GET_REGION_INFO:
		return region_info(server, answer);
	case VFIO_USER_DEVICE_GET_REGION_IO_FDS:
		return io_fds(server, answer);
	case VFIO_USER_REGION_READ:
	case VFIO_USER_REGION_WRITE:
		return access_region(server, answer);
	case VFIO_USER_DEVICE_RESET:
		return reset(server);
	default:
		return -ENOTSUP;
	}
}

static int reply(struct vfio_user_server *server, const struct answer *answer, int err)
{
	struct vfio_user_header *header = &server->out.header;

	*header = (struct vfio_user_header){
		.id = server->in.header.id,
		.command = server->in.header.command,
		.size = (uint32_t)(sizeof(*header) + (err ? 0 : answer->size)),
		.flags = VFIO_USER_REPLY | (err ? VFIO_USER_ERROR : 0),
		.error = (uint32_t)-err,
	};
	return vfio_user_send(server->fd, &server->out, answer->fds, err ? 0 : answer->nr_fds,
			      socket_deadline(server->timeout_ms));
}

/* The version comes first, and once. */
static const char *check(const struct vfio_user_server *server)
{
	const char *why = vfio_user_check_command(&server->in);
	bool is_version = server->in.header.command == VFIO_USER_VERSION;

	if (!why && is_version == server->agreed)
		why = is_version ? "a version again" : "a command before the version";
	return why;
}

int vfio_user_serve(struct vfio_user_server *server)
{
	struct answer answer = {};
	const char *why;
	int result, err;

	err = vfio_user_recv(server->fd, &server->in, socket_deadline(server->timeout_ms));
	if (err)
		return err;
	why = check(server);
	result = why ? 0 : perform(server, &answer);
	socket_close_fds(&server->in.fds);
	if (why)
		return vfio_user_fail(-EPROTO, "the client sent %s", why);
	if (!(server->in.header.flags & VFIO_USER_NO_REPLY))
		err = reply(server, &answer, result);
	if (!err && !server->agreed)
		return vfio_user_fail(-EPROTO, "the client speaks another version");
	return err;
}
