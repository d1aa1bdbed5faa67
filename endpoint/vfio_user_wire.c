/* SPDX-License-Identifier: MIT
 *
 * What may be believed of a message. Whoever sent it may be mistaken or hostile.
 */
#include "endpoint/vfio_user_wire.h"

#include <string.h>

/* The specification's tables: sizes and offsets, from the end of the header. */
_Static_assert(sizeof(struct vfio_user_header) == 16, "Header");
_Static_assert(offsetof(struct vfio_user_header, error) == 12, "Header");
_Static_assert(sizeof(struct vfio_user_version) == 4, "VERSION");
_Static_assert(sizeof(struct vfio_user_dma_map) == 32, "DMA_MAP");
_Static_assert(offsetof(struct vfio_user_dma_map, address) == 16, "DMA_MAP");
_Static_assert(sizeof(struct vfio_user_dma_unmap) == 24, "DMA_UNMAP");
_Static_assert(sizeof(struct vfio_user_device_info) == 16, "DEVICE_GET_INFO");
_Static_assert(sizeof(struct vfio_user_region_info) == 32, "DEVICE_GET_REGION_INFO");
_Static_assert(offsetof(struct vfio_user_region_info, size) == 16, "DEVICE_GET_REGION_INFO");
_Static_assert(sizeof(struct vfio_user_io_fds) == 16, "DEVICE_GET_REGION_IO_FDS");
_Static_assert(sizeof(struct vfio_user_sub_region) == 40, "Sub-Region IO FD info");
_Static_assert(offsetof(struct vfio_user_sub_region, datamatch) == 32, "Sub-Region IO FD info");
_Static_assert(sizeof(struct vfio_user_access) == 16, "REGION_READ");
_Static_assert(sizeof(struct vfio_user_dma_access) == 16, "DMA_READ");
_Static_assert(offsetof(struct vfio_user_message, payload) == sizeof(struct vfio_user_header),
	       "header and payload are sent as one");

const char *vfio_user_check_header(const struct vfio_user_header *header)
{
	if (header->size < sizeof(*header))
		return "a message shorter than its header";
	if (header->size > sizeof(*header) + VFIO_USER_MAX_PAYLOAD)
		return "a message of absurd size";
	if ((header->flags & VFIO_USER_TYPE) > VFIO_USER_REPLY)
		return "a message that is neither command nor reply";
	return NULL;
}

const char *vfio_user_check_reply(const struct vfio_user_header *header, uint16_t id,
				  uint16_t command)
{
	if ((header->flags & VFIO_USER_TYPE) != VFIO_USER_REPLY)
		return "no reply but a command";
	if (header->id != id)
		return "a reply with another message id";
	if (header->command != command)
		return "a reply to another command";
	return NULL;
}

const char *vfio_user_check_device_info(const struct vfio_user_message *reply)
{
	if (vfio_user_payload_size(reply) < sizeof(reply->device_info))
		return "device info that is too short";
	return NULL;
}

const char *vfio_user_check_region_info(const struct vfio_user_message *reply, uint32_t index)
{
	if (vfio_user_payload_size(reply) < sizeof(reply->region_info))
		return "region info that is too short";
	if (reply->region_info.index != index)
		return "region info of another region";
	return NULL;
}

const char *vfio_user_check_access(const struct vfio_user_message *reply,
				   const struct vfio_user_access *command, bool is_write)
{
	size_t data = is_write ? 0 : command->count;

	if (vfio_user_payload_size(reply) != sizeof(*command) + data)
		return "an access with data of another length";
	if (memcmp(&reply->access, command, sizeof(*command)) != 0)
		return "an access of another place or length";
	return NULL;
}

static uint32_t stride(const struct vfio_user_io_fds *io_fds)
{
	return (io_fds->argsz - (uint32_t)sizeof(*io_fds)) / io_fds->count;
}

struct vfio_user_sub_region vfio_user_sub_region(const struct vfio_user_message *reply,
						 uint32_t index)
{
	struct vfio_user_sub_region sub;

	memcpy(&sub, reply->payload + sizeof(reply->io_fds) + index * stride(&reply->io_fds),
	       sizeof(sub));
	return sub;
}

static bool is_access_size(uint64_t size)
{
	return size <= 8 && (size & (size - 1)) == 0;
}

/* Only ioeventfds: what has another type (ioregionfd) is for the caller to leave to messages. */
static const char *check_sub_region(const struct vfio_user_sub_region *sub, unsigned int nr_fds,
				    const struct vfio_user_io_place *place)
{
	if (sub->type != VFIO_USER_IOEVENTFD)
		return NULL;
	if (sub->fd_index >= nr_fds)
		return "a sub-region whose fd did not come";
	if (!is_access_size(sub->size))
		return "a sub-region of no access's size";
	if (sub->offset >= place->len || sub->size > place->len - sub->offset)
		return "a sub-region outside of the region";
	if (sub->flags & ~(VFIO_USER_DATAMATCH | VFIO_USER_PIO))
		return "a sub-region with flags that are unknown";
	if (sub->flags & VFIO_USER_PIO && !place->pio)
		return "a sub-region of ports in a region that has none";
	if (sub->flags & VFIO_USER_DATAMATCH && sub->size == 0)
		return "a sub-region that matches a value of any length";
	return NULL;
}

static const char *check_io_fds_array(const struct vfio_user_message *reply)
{
	const struct vfio_user_io_fds *io_fds = &reply->io_fds;

	if (io_fds->argsz != vfio_user_payload_size(reply))
		return "sub-regions of another size than it says";
	if (io_fds->count > VFIO_USER_MAX_SUB_REGIONS)
		return "an absurd number of sub-regions";
	if (io_fds->count == 0)
		return reply->fds.nr ? "fds without their sub-regions" : NULL;
	if (stride(io_fds) < sizeof(struct vfio_user_sub_region))
		return "more sub-regions than it has room for";
	return NULL;
}

/* A list that needs more room than any message of ours has comes without its array. */
const char *vfio_user_check_io_fds(const struct vfio_user_message *reply,
				   const struct vfio_user_io_place *place)
{
	const struct vfio_user_io_fds *io_fds = &reply->io_fds;
	const char *why;

	if (vfio_user_payload_size(reply) < sizeof(*io_fds))
		return "a list of sub-regions that is too short";
	if (io_fds->index != place->index || io_fds->flags)
		return "the sub-regions of another region";
	if (io_fds->argsz > VFIO_USER_MAX_PAYLOAD)
		return "an absurd number of sub-regions";
	why = check_io_fds_array(reply);
	for (uint32_t i = 0; !why && i < io_fds->count; i++) {
		struct vfio_user_sub_region sub = vfio_user_sub_region(reply, i);

		why = check_sub_region(&sub, reply->fds.nr, place);
	}
	return why;
}

static size_t least_payload(uint16_t command)
{
	switch (command) {
	case VFIO_USER_VERSION:
		return sizeof(struct vfio_user_version);
	case VFIO_USER_DMA_MAP:
		return sizeof(struct vfio_user_dma_map);
	case VFIO_USER_DMA_UNMAP:
		return sizeof(struct vfio_user_dma_unmap);
	case VFIO_USER_DEVICE_GET_INFO:
		return sizeof(struct vfio_user_device_info);
	case VFIO_USER_DEVICE_GET_REGION_INFO:
		return sizeof(struct vfio_user_region_info);
	case VFIO_USER_DEVICE_GET_REGION_IO_FDS:
		return sizeof(struct vfio_user_io_fds);
	case VFIO_USER_REGION_READ:
	case VFIO_USER_REGION_WRITE:
		return sizeof(struct vfio_user_access);
	case VFIO_USER_DMA_READ:
	case VFIO_USER_DMA_WRITE:
		return sizeof(struct vfio_user_dma_access);
	default:
		return 0;
	}
}

/* How many bytes the command has written or wants: at most what may be moved at once. */
static uint64_t transfer(const struct vfio_user_message *command)
{
	switch (command->header.command) {
	case VFIO_USER_REGION_READ:
	case VFIO_USER_REGION_WRITE:
		return command->access.count;
	case VFIO_USER_DMA_READ:
	case VFIO_USER_DMA_WRITE:
		return command->dma_access.count;
	default:
		return 0;
	}
}

const char *vfio_user_check_command(const struct vfio_user_message *command)
{
	uint16_t number = command->header.command;
	size_t size = vfio_user_payload_size(command), least = least_payload(number);
	bool is_write = number == VFIO_USER_REGION_WRITE || number == VFIO_USER_DMA_WRITE;

	if ((command->header.flags & VFIO_USER_TYPE) != 0)
		return "no command but a reply";
	if (size < least)
		return "a command that is too short";
	if (transfer(command) > VFIO_USER_MAX_TRANSFER)
		return "more data than may be moved at once";
	if (is_write && size != least + transfer(command))
		return "a write with data of another length";
	return NULL;
}
