/* SPDX-License-Identifier: MIT
 *
 * What a client asks of the device: what it is, its regions, and accesses to them.
 */
#include "endpoint/vfio_user_client.h"

#include <errno.h>
#include <string.h>

int vfio_user_device_info(struct vfio_user_client *client, struct vfio_user_device_info *info)
{
	struct vfio_user_message *message = &client->message;
	const char *why;
	int err = client_begin(client);

	if (err)
		return err;
	message->device_info = (struct vfio_user_device_info){ .argsz = sizeof(*info) };
	err = client_call(client, VFIO_USER_DEVICE_GET_INFO, sizeof(*info), -1);
	if (!err) {
		why = vfio_user_check_device_info(message);
		*info = message->device_info;
		err = why ? client_lie(client, why) : 0;
	}
	return client_finish(client, err);
}

int vfio_user_region_info(struct vfio_user_client *client, uint32_t index,
			  struct vfio_user_region_info *info)
{
	struct vfio_user_message *message = &client->message;
	const char *why;
	int err = client_begin(client);

	if (err)
		return err;
	message->region_info =
		(struct vfio_user_region_info){ .argsz = sizeof(*info), .index = index };
	err = client_call(client, VFIO_USER_DEVICE_GET_REGION_INFO, sizeof(*info), -1);
	if (!err) {
		why = vfio_user_check_region_info(message, index);
		*info = message->region_info;
		err = why ? client_lie(client, why) : 0;
	}
	return client_finish(client, err);
}

int vfio_user_reset(struct vfio_user_client *client)
{
	int err = client_begin(client);

	if (err)
		return err;
	return client_finish(client, client_call(client, VFIO_USER_DEVICE_RESET, 0, -1));
}

static int access_region(struct vfio_user_client *client, const struct vfio_user_access *access,
			 void *in, const void *out)
{
	struct vfio_user_message *message = &client->message;
	uint8_t *data = message->payload + sizeof(*access);
	const char *why;
	int err;

	if (access->count > client->caps.max_data_xfer_size)
		return vfio_user_fail(-EINVAL, "the server moves at most %u bytes at once",
				      client->caps.max_data_xfer_size);
	message->access = *access;
	if (out)
		memcpy(data, out, access->count);
	err = client_call(client, out ? VFIO_USER_REGION_WRITE : VFIO_USER_REGION_READ,
			  sizeof(*access) + (out ? access->count : 0), -1);
	if (err)
		return err;
	why = vfio_user_check_access(message, access, out);
	if (why)
		return client_lie(client, why);
	if (in)
		memcpy(in, data, access->count);
	return 0;
}

static int locked_access(struct vfio_user_client *client, const struct vfio_user_access *access,
			 void *in, const void *out)
{
	int err;

	if (access->count < 1 || access->count > VFIO_USER_MAX_TRANSFER)
		return vfio_user_fail(-EINVAL, "an access is 1 to %u bytes, not %u",
				      VFIO_USER_MAX_TRANSFER, access->count);
	err = client_begin(client);
	return err ? err : client_finish(client, access_region(client, access, in, out));
}

int vfio_user_region_read(struct vfio_user_client *client, uint32_t index, uint64_t offset,
			  void *data, uint32_t len)
{
	const struct vfio_user_access access = { .offset = offset, .region = index, .count = len };

	return locked_access(client, &access, data, NULL);
}

int vfio_user_region_write(struct vfio_user_client *client, uint32_t index, uint64_t offset,
			   const void *data, uint32_t len)
{
	const struct vfio_user_access access = { .offset = offset, .region = index, .count = len };

	return locked_access(client, &access, NULL, data);
}

int vfio_user_region_io_fds(struct vfio_user_client *client, const struct vfio_user_io_place *place,
			    struct vfio_user_message *reply)
{
	struct vfio_user_message *message = &client->message;
	const char *why;
	int err = client_begin(client);

	if (err)
		return err;
	/* As much room as we have, so that nobody needs to be asked twice. */
	message->io_fds =
		(struct vfio_user_io_fds){ .argsz = VFIO_USER_MAX_PAYLOAD, .index = place->index };
	err = client_call_fds(client, VFIO_USER_DEVICE_GET_REGION_IO_FDS, sizeof(message->io_fds),
			      -1);
	if (err)
		return client_finish(client, err);
	why = vfio_user_check_io_fds(message, place);
	if (why)
		return client_finish(client, client_lie(client, why));
	memcpy(reply, message, message->header.size);
	reply->fds = message->fds;
	return client_finish(client, 0);
}
