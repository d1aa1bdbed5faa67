/* SPDX-License-Identifier: MIT
 *
 * What comes back was written by another process: everything in it is compared with what can be.
 */
#include "endpoint/vhost_user_msg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_HEAD offsetof(struct vhost_user_config, bytes)

const char *vhost_user_name(uint32_t request, char text[VHOST_USER_NAME])
{
	static const char *const names[] = {
		[VHOST_USER_GET_FEATURES] = "GET_FEATURES",
		[VHOST_USER_SET_FEATURES] = "SET_FEATURES",
		[VHOST_USER_SET_OWNER] = "SET_OWNER",
		[VHOST_USER_SET_MEM_TABLE] = "SET_MEM_TABLE",
		[VHOST_USER_SET_VRING_NUM] = "SET_VRING_NUM",
		[VHOST_USER_SET_VRING_ADDR] = "SET_VRING_ADDR",
		[VHOST_USER_SET_VRING_BASE] = "SET_VRING_BASE",
		[VHOST_USER_GET_VRING_BASE] = "GET_VRING_BASE",
		[VHOST_USER_SET_VRING_KICK] = "SET_VRING_KICK",
		[VHOST_USER_SET_VRING_CALL] = "SET_VRING_CALL",
		[VHOST_USER_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
		[VHOST_USER_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
		[VHOST_USER_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
		[VHOST_USER_GET_CONFIG] = "GET_CONFIG",
	};

	if (request < sizeof(names) / sizeof(names[0]) && names[request])
		return names[request];
	snprintf(text, VHOST_USER_NAME, "request %u", request);
	return text;
}

size_t vhost_user_encode(uint8_t *bytes, const struct vhost_user_msg *msg)
{
	memcpy(bytes, &msg->header, sizeof(msg->header));
	memcpy(bytes + sizeof(msg->header), &msg->payload, msg->header.size);
	return sizeof(msg->header) + msg->header.size;
}

uint32_t vhost_user_answer_size(const struct vhost_user_msg *asked)
{
	switch (asked->header.request) {
	case VHOST_USER_GET_FEATURES:
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		return sizeof(uint64_t);
	case VHOST_USER_GET_VRING_BASE:
		return sizeof(struct vhost_vring_state);
	case VHOST_USER_GET_CONFIG:
		return asked->header.size;
	default:
		return asked->header.flags & VHOST_USER_NEED_REPLY ? sizeof(uint64_t) : 0;
	}
}

__attribute__((format(printf, 3, 4))) static bool refuse(char *why, size_t size, const char *format,
							 ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return false;
}

bool vhost_user_check_header(const struct vhost_user_msg *asked,
			     const struct vhost_user_header *header, char *why, size_t size)
{
	char asked_text[VHOST_USER_NAME], text[VHOST_USER_NAME];
	const char *name = vhost_user_name(asked->header.request, asked_text);
	uint32_t expected = vhost_user_answer_size(asked);

	if (header->request != asked->header.request)
		return refuse(why, size, "to %s it answers with %s", name,
			      vhost_user_name(header->request, text));
	if ((header->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION)
		return refuse(why, size, "its answer to %s is of version %u, not %u", name,
			      header->flags & VHOST_USER_VERSION_MASK, VHOST_USER_VERSION);
	if (!(header->flags & VHOST_USER_REPLY))
		return refuse(why, size, "its answer to %s is not marked as one (flags 0x%x)", name,
			      header->flags);
	if (asked->header.request == VHOST_USER_GET_CONFIG && header->size == 0)
		return refuse(why, size, "it refuses to give its configuration");
	if (header->size != expected)
		return refuse(why, size, "its answer to %s has %u bytes, not %u", name,
			      header->size, expected);
	return true;
}

static bool check_base(const struct vhost_vring_state *asked,
		       const struct vhost_vring_state *answer, char *why, size_t size)
{
	if (answer->index != asked->index)
		return refuse(why, size, "asked where queue %u stands, it tells of queue %u",
			      asked->index, answer->index);
	if (answer->num > UINT16_MAX)
		return refuse(why, size, "queue %u stands at %u, where no split queue can",
			      answer->index, answer->num);
	return true;
}

static bool check_config(const struct vhost_user_config *asked,
			 const struct vhost_user_config *answer, char *why, size_t size)
{
	if (answer->offset == asked->offset && answer->size == asked->size)
		return true;
	return refuse(why, size, "asked for %u bytes of its configuration at %u, it gives %u at %u",
		      asked->size, asked->offset, answer->size, answer->offset);
}

bool vhost_user_check_answer(const struct vhost_user_msg *asked,
			     const struct vhost_user_msg *answer, char *why, size_t size)
{
	char text[VHOST_USER_NAME];

	switch (asked->header.request) {
	case VHOST_USER_GET_FEATURES:
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		return true;
	case VHOST_USER_GET_VRING_BASE:
		return check_base(&asked->payload.state, &answer->payload.state, why, size);
	case VHOST_USER_GET_CONFIG:
		return check_config(&asked->payload.config, &answer->payload.config, why, size);
	default:
		if (answer->payload.number == 0)
			return true;
		return refuse(why, size, "it refuses %s",
			      vhost_user_name(asked->header.request, text));
	}
}
