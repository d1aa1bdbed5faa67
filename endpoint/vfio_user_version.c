/* SPDX-License-Identifier: MIT
 *
 * VERSION: two numbers, and what each side can take as JSON.
 */
#include "endpoint/vfio_user_wire.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* What the specification gives those who say nothing. */
#define DEFAULT_FDS 1u
#define DEFAULT_TRANSFER 1048576u

size_t vfio_user_put_version(struct vfio_user_message *message, uint16_t minor)
{
	char *json = (char *)message->payload + sizeof(message->version);
	size_t room = sizeof(message->payload) - sizeof(message->version);
	int len;

	message->version = (struct vfio_user_version){ VFIO_USER_MAJOR, minor };
	len = snprintf(json, room,
		       "{\"capabilities\":{\"max_msg_fds\":%u,\"max_data_xfer_size\":%u}}",
		       VFIO_USER_MAX_FDS, VFIO_USER_MAX_TRANSFER);
	return sizeof(message->version) + (size_t)len + 1;
}

/* A number that is there must be one, and positive; one that is larger than we can count is as
 * good as the largest. */
static bool read_number(const json_t *object, const char *name, uint32_t *number)
{
	const json_t *value = json_object_get(object, name);
	json_int_t n = json_integer_value(value);

	if (!value)
		return true;
	if (!json_is_integer(value) || n <= 0)
		return false;
	*number = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
	return true;
}

static const char *read_caps(const json_t *root, struct vfio_user_caps *caps)
{
	const json_t *object = json_object_get(root, "capabilities");

	if (!json_is_object(root) || (object && !json_is_object(object)))
		return "capabilities that are no JSON object";
	if (!read_number(object, "max_msg_fds", &caps->max_msg_fds) ||
	    !read_number(object, "max_data_xfer_size", &caps->max_data_xfer_size))
		return "a capability that is no positive number";
	return NULL;
}

const char *vfio_user_check_version(const struct vfio_user_message *message,
				    struct vfio_user_caps *caps)
{
	const char *json = (const char *)message->payload + sizeof(message->version), *why;
	size_t size = vfio_user_payload_size(message);
	json_t *root;

	*caps = (struct vfio_user_caps){ DEFAULT_FDS, DEFAULT_TRANSFER };
	if (size < sizeof(message->version))
		return "a version that is too short";
	if (message->version.major != VFIO_USER_MAJOR)
		return "another major version";
	size = strnlen(json, size - sizeof(message->version));
	if (size == 0)
		return NULL;
	root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
	if (!root)
		return "capabilities that are no JSON";
	why = read_caps(root, caps);
	json_decref(root);
	return why;
}
