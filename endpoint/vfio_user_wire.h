/* SPDX-License-Identifier: MIT
 *
 * The messages of vfio-user 0.1 (QEMU's docs/interop/vfio-user.rst, libvfio-user's docs), in the
 * byte order of the one host that both ends run on, and the checks of what came. No I/O here.
 */
#ifndef BELLWIRE_ENDPOINT_VFIO_USER_WIRE_H
#define BELLWIRE_ENDPOINT_VFIO_USER_WIRE_H

#include "endpoint/socket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFIO_USER_MAJOR 0u
#define VFIO_USER_MINOR 1u

enum vfio_user_command {
	VFIO_USER_VERSION = 1,
	VFIO_USER_DMA_MAP = 2,
	VFIO_USER_DMA_UNMAP = 3,
	VFIO_USER_DEVICE_GET_INFO = 4,
	VFIO_USER_DEVICE_GET_REGION_INFO = 5,
	VFIO_USER_DEVICE_GET_REGION_IO_FDS = 6,
	VFIO_USER_DEVICE_GET_IRQ_INFO = 7,
	VFIO_USER_DEVICE_SET_IRQS = 8,
	VFIO_USER_REGION_READ = 9,
	VFIO_USER_REGION_WRITE = 10,
	VFIO_USER_DMA_READ = 11,  /* from the server */
	VFIO_USER_DMA_WRITE = 12, /* from the server */
	VFIO_USER_DEVICE_RESET = 13,
};

/* Flags of the header. */
#define VFIO_USER_TYPE 0xfu /* 0: a command */
#define VFIO_USER_REPLY 0x1u
#define VFIO_USER_NO_REPLY 0x10u
#define VFIO_USER_ERROR 0x20u

struct vfio_user_header {
	uint16_t id; /* the sender's; the reply's is that of its command */
	uint16_t command;
	uint32_t size; /* of the whole message */
	uint32_t flags;
	uint32_t error; /* an errno, may be 0 even with VFIO_USER_ERROR */
};

/* JSON follows, ended by a NUL, or nothing. */
struct vfio_user_version {
	uint16_t major;
	uint16_t minor;
};

#define VFIO_USER_DMA_READABLE 1u
#define VFIO_USER_DMA_WRITEABLE 2u

/* An fd comes with it, unless the server is to ask for the bytes. */
struct vfio_user_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset; /* in the fd */
	uint64_t address;
	uint64_t size;
};

struct vfio_user_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};

#define VFIO_USER_DEVICE_RESETS 1u
#define VFIO_USER_DEVICE_PCI 2u

struct vfio_user_device_info {
	uint32_t argsz; /* in each command: room for the reply's payload; in each reply: what it
			   needs */
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};

#define VFIO_USER_REGION_READABLE 1u
#define VFIO_USER_REGION_WRITEABLE 2u
#define VFIO_USER_REGION_MMAP 4u
#define VFIO_USER_REGION_CAPS 8u

struct vfio_user_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset; /* for mmap() */
};

/* In a reply struct vfio_user_sub_region[count] follows, (argsz - 16) / count bytes apart. */
struct vfio_user_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

#define VFIO_USER_IOEVENTFD 0u /* type */
#define VFIO_USER_DATAMATCH 1u /* flags are KVM_IOEVENTFD's */
#define VFIO_USER_PIO 2u

struct vfio_user_sub_region {
	uint64_t offset;
	uint64_t size; /* 0: of any length */
	uint32_t fd_index;
	uint32_t type;
	uint32_t flags;
	uint32_t padding;
	uint64_t datamatch;
};

/* Of count bytes, which follow in a write and in the reply to a read. */
struct vfio_user_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

struct vfio_user_dma_access {
	uint64_t address;
	uint64_t count;
};

#define VFIO_USER_MAX_PAYLOAD 65536u
#define VFIO_USER_MAX_SUB_REGIONS 1024u
#define VFIO_USER_MAX_FDS 64u         /* that we take with one message */
#define VFIO_USER_MAX_TRANSFER 32768u /* bytes that we let a peer move with one message */

struct vfio_user_message {
	struct vfio_user_header header;
	union {
		uint8_t payload[VFIO_USER_MAX_PAYLOAD];
		struct vfio_user_version version;
		struct vfio_user_dma_map dma_map;
		struct vfio_user_dma_unmap dma_unmap;
		struct vfio_user_device_info device_info;
		struct vfio_user_region_info region_info;
		struct vfio_user_io_fds io_fds;
		struct vfio_user_access access;
		struct vfio_user_dma_access dma_access;
	};
	struct socket_fds fds; /* those that came with it */
};

static inline size_t vfio_user_payload_size(const struct vfio_user_message *message)
{
	return message->header.size - sizeof(message->header);
}

/* What the sender of a VERSION can take. */
struct vfio_user_caps {
	uint32_t max_msg_fds;
	uint32_t max_data_xfer_size;
};

/* Writes version and JSON to the payload, and returns its size. */
size_t vfio_user_put_version(struct vfio_user_message *message, uint16_t minor);

/* The checks: NULL if the message is sound, else what is wrong with it in words. */

/* Before anything of the payload is received. */
const char *vfio_user_check_header(const struct vfio_user_header *header);

/* That it is the reply to the command. */
const char *vfio_user_check_reply(const struct vfio_user_header *header, uint16_t id,
				  uint16_t command);

/* A VERSION of either side. */
const char *vfio_user_check_version(const struct vfio_user_message *message,
				    struct vfio_user_caps *caps);

const char *vfio_user_check_device_info(const struct vfio_user_message *reply);
const char *vfio_user_check_region_info(const struct vfio_user_message *reply, uint32_t index);

/* The reply to a read or write of command. */
const char *vfio_user_check_access(const struct vfio_user_message *reply,
				   const struct vfio_user_access *command, bool is_write);

/* Where ioeventfds are wanted: a region's index, length and space. */
struct vfio_user_io_place {
	uint32_t index;
	uint64_t len;
	bool pio;
};

/* The reply to a command that gave room for VFIO_USER_MAX_PAYLOAD. */
const char *vfio_user_check_io_fds(const struct vfio_user_message *reply,
				   const struct vfio_user_io_place *place);

/* One of a reply that was found sound. */
struct vfio_user_sub_region vfio_user_sub_region(const struct vfio_user_message *reply,
						 uint32_t index);

/* A command to a server: that its payload is as long as it has to be. */
const char *vfio_user_check_command(const struct vfio_user_message *command);

#endif
