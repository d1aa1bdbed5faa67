/* SPDX-License-Identifier: MIT
 *
 * The messages of vhost-user that a front end needs (QEMU, docs/interop/vhost-user.rst): what it
 * sends, as bytes, and whether what comes back is the answer. Pure: no socket, no memory.
 */
#ifndef BELLWIRE_VHOST_USER_MSG_H
#define BELLWIRE_VHOST_USER_MSG_H

#include <linux/vhost_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_GET_CONFIG = 24,
};

#define VHOST_USER_VERSION 1u
#define VHOST_USER_VERSION_MASK 3u
#define VHOST_USER_REPLY (1u << 2)
#define VHOST_USER_NEED_REPLY (1u << 3)

#define VHOST_USER_F_PROTOCOL_FEATURES 30 /* beside virtio's own features */

#define VHOST_USER_PROTOCOL_F_REPLY_ACK 3
#define VHOST_USER_PROTOCOL_F_CONFIG 9

struct vhost_user_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of what follows, bytes */
};

struct vhost_user_region {
	uint64_t guest_addr, size, user_addr, mmap_offset;
};

struct vhost_user_memory {
	uint32_t nr_regions, padding;
	struct vhost_user_region region;
};

#define VHOST_USER_MAX_CONFIG 256u

struct vhost_user_config {
	uint32_t offset, size, flags;
	uint8_t bytes[VHOST_USER_MAX_CONFIG];
};

/* What follows the header, by request. */
union vhost_user_payload {
	uint64_t number; /* features, acknowledgements; the queue of an fd */
	struct vhost_vring_state state;
	struct vhost_vring_addr addr;
	struct vhost_user_memory memory;
	struct vhost_user_config config;
};

struct vhost_user_msg {
	struct vhost_user_header header;
	union vhost_user_payload payload;
};

_Static_assert(sizeof(struct vhost_user_header) == 12, "as on the wire");
_Static_assert(sizeof(struct vhost_user_memory) == 40, "as on the wire");
_Static_assert(sizeof(struct vhost_vring_addr) == 40, "as on the wire");
_Static_assert(sizeof(struct vhost_user_config) == 12 + VHOST_USER_MAX_CONFIG, "as on the wire");

#define VHOST_USER_MAX_BYTES (sizeof(struct vhost_user_header) + sizeof(union vhost_user_payload))

/* "GET_FEATURES"; "request 99" is written to text. */
#define VHOST_USER_NAME 24
const char *vhost_user_name(uint32_t request, char text[VHOST_USER_NAME]);

/* As bytes, at most VHOST_USER_MAX_BYTES; how many. header.size is set before. */
size_t vhost_user_encode(uint8_t *bytes, const struct vhost_user_msg *msg);

/* How many bytes the answer's payload has; 0: there is no answer. */
uint32_t vhost_user_answer_size(const struct vhost_user_msg *asked);

/* Is header that of the answer? Then its payload is to be read, header.size bytes. False: why, of
 * so many bytes, is the sentence. */
bool vhost_user_check_header(const struct vhost_user_msg *asked,
			     const struct vhost_user_header *header, char *why, size_t size);

/* Does its payload answer what was asked? */
bool vhost_user_check_answer(const struct vhost_user_msg *asked,
			     const struct vhost_user_msg *answer, char *why, size_t size);

#endif
