/* SPDX-License-Identifier: MIT
 *
 * The guest's memory, which the server maps or asks for byte by byte.
 */
#include "endpoint/vfio_user_client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void *memory_at(const struct vfio_user_client *client, const struct vfio_user_dma_access *at)
{
	for (unsigned int i = 0; i < client->nr_memories; i++) {
		const struct vfio_user_memory *memory = &client->memories[i];
		uint64_t offset = at->address - memory->address;

		if (memory->host && at->address >= memory->address && offset <= memory->size &&
		    at->count <= memory->size - offset)
			return (char *)memory->host + offset;
	}
	return NULL;
}

/* Moves the bytes that the server asks for, and makes its command the reply. An errno. */
static uint32_t move_bytes(struct vfio_user_client *client, struct vfio_user_message *message)
{
	uint16_t command = message->header.command;
	uint8_t *data = message->payload + sizeof(message->dma_access);
	size_t count = (size_t)message->dma_access.count;
	void *memory;

	if (command != VFIO_USER_DMA_READ && command != VFIO_USER_DMA_WRITE)
		return ENOTSUP;
	memory = memory_at(client, &message->dma_access);
	if (!memory)
		return EFAULT;
	if (command == VFIO_USER_DMA_READ)
		memcpy(data, memory, count);
	else
		memcpy(memory, data, count);
	message->header.size = (uint32_t)(sizeof(message->header) + sizeof(message->dma_access) +
					  (command == VFIO_USER_DMA_READ ? count : 0));
	return 0;
}

/* Answers the command in message. */
int client_serve(struct vfio_user_client *client, uint64_t deadline)
{
	struct vfio_user_message *message = &client->message;
	const char *why = vfio_user_check_command(message);
	bool no_reply = message->header.flags & VFIO_USER_NO_REPLY;
	int err;

	if (why)
		return client_lie(client, why);
	socket_close_fds(&message->fds);
	message->header.error = move_bytes(client, message);
	message->header.flags = VFIO_USER_REPLY;
	if (message->header.error) {
		message->header.flags |= VFIO_USER_ERROR;
		message->header.size = sizeof(message->header);
	}
	if (no_reply)
		return 0;
	err = vfio_user_send(client->fd, message, NULL, 0, deadline);
	return err ? client_end(client, err) : 0;
}

static int map_memory(struct vfio_user_client *client, const struct vfio_user_memory *memory)
{
	if (client->nr_memories == MAX_MEMORIES)
		return vfio_user_fail(-ENOSPC, "a client maps at most %u memories", MAX_MEMORIES);
	client->message.dma_map = (struct vfio_user_dma_map){
		.argsz = sizeof(struct vfio_user_dma_map),
		.flags = VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITEABLE,
		.offset = memory->fd >= 0 ? memory->offset : 0,
		.address = memory->address,
		.size = memory->size,
	};
	/* Known before the server may ask for its bytes. */
	client->memories[client->nr_memories++] = *memory;
	return client_call(client, VFIO_USER_DMA_MAP, sizeof(struct vfio_user_dma_map), memory->fd);
}

int vfio_user_dma_map(struct vfio_user_client *client, const struct vfio_user_memory *memory)
{
	unsigned int nr;
	int err = client_begin(client);

	if (err)
		return err;
	nr = client->nr_memories;
	err = map_memory(client, memory);
	if (err)
		client->nr_memories = nr;
	return client_finish(client, err);
}

static void forget_memory(struct vfio_user_client *client, uint64_t address, uint64_t size)
{
	for (unsigned int i = 0; i < client->nr_memories; i++) {
		struct vfio_user_memory *memory = &client->memories[i];

		if (memory->address == address && memory->size == size) {
			*memory = client->memories[--client->nr_memories];
			return;
		}
	}
}

int vfio_user_dma_unmap(struct vfio_user_client *client, uint64_t address, uint64_t size)
{
	struct vfio_user_dma_unmap unmap = { .argsz = sizeof(unmap),
					     .address = address,
					     .size = size };
	int err = client_begin(client);

	if (err)
		return err;
	client->message.dma_unmap = unmap;
	err = client_call(client, VFIO_USER_DMA_UNMAP, sizeof(unmap), -1);
	if (!err)
		forget_memory(client, address, size);
	return client_finish(client, err);
}

int vfio_user_fd(const struct vfio_user_client *client)
{
	return client->fd;
}

/* Somebody else's call may have served it meanwhile: nothing there is no failure. */
int vfio_user_serve_server(struct vfio_user_client *client)
{
	struct vfio_user_message *message = &client->message;
	char byte;
	int err = client_begin(client);

	if (err)
		return err;
	if (recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
		return client_finish(client, 0);
	err = vfio_user_recv(client->fd, message, socket_deadline(client->timeout_ms));
	if (err)
		err = client_end(client, err);
	else if (client_is_asked(client))
		err = client_serve(client, socket_deadline(client->timeout_ms));
	else
		err = client_lie(client, "a reply that nobody waits for");
	return client_finish(client, err);
}
