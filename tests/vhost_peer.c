/* SPDX-License-Identifier: MIT
 *
 * Answers as a back end does, but for the one fault that it was told.
 */
#include "vhost_peer.h"

#include <endpoint/socket.h>

#include <string.h>
#include <sys/socket.h>

#define PATIENCE_MS 10000u

static void keep(struct vhost_peer *peer, const struct vhost_user_msg *msg,
		 const struct socket_fds *fds)
{
	int fd = fds->nr ? fds->fd[0] : -1;

	switch (msg->header.request) {
	case VHOST_USER_SET_FEATURES:
		peer->accepted = msg->payload.number;
		break;
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		peer->protocol_accepted = msg->payload.number;
		break;
	case VHOST_USER_SET_MEM_TABLE:
		peer->table = msg->payload.memory;
		peer->memory = fd;
		break;
	case VHOST_USER_SET_VRING_ADDR:
		peer->addr = msg->payload.addr;
		break;
	case VHOST_USER_SET_VRING_NUM:
		peer->num = msg->payload.state.num;
		break;
	case VHOST_USER_SET_VRING_BASE:
		peer->base = msg->payload.state.num;
		break;
	case VHOST_USER_SET_VRING_ENABLE:
		peer->enabled = msg->payload.state.num;
		break;
	case VHOST_USER_SET_VRING_KICK:
		peer->kick = fd;
		break;
	case VHOST_USER_SET_VRING_CALL:
		peer->call = fd;
		break;
	}
}

static void fill_answer(const struct vhost_peer *peer, const struct vhost_user_msg *asked,
			struct vhost_user_msg *answer)
{
	*answer = (struct vhost_user_msg){
		.header = { .request = asked->header.request,
			    .flags = VHOST_USER_VERSION | VHOST_USER_REPLY,
			    .size = vhost_user_answer_size(asked) },
	};
	switch (asked->header.request) {
	case VHOST_USER_GET_FEATURES:
		answer->payload.number = peer->features;
		break;
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		answer->payload.number = peer->protocol;
		break;
	case VHOST_USER_GET_VRING_BASE:
		answer->payload.state.num = PEER_TAKEN;
		break;
	case VHOST_USER_GET_CONFIG:
		answer->payload.config.size = asked->payload.config.size;
		for (uint8_t i = 0; i < PEER_CONFIG; i++)
			answer->payload.config.bytes[i] = i;
		break;
	}
}

static void spoil(enum fault fault, struct vhost_user_msg *answer)
{
	switch (fault) {
	case OTHER_REQUEST:
		answer->header.request = 99;
		break;
	case OTHER_VERSION:
		answer->header.flags ^= 3;
		break;
	case NOT_A_REPLY:
		answer->header.flags &= ~VHOST_USER_REPLY;
		break;
	case NO_PAYLOAD:
		answer->header.size = 0;
		break;
	case ONE_BYTE_LESS:
		answer->header.size--;
		break;
	case ENDLESS:
		answer->header.size = UINT32_MAX;
		break;
	case REFUSES:
		answer->payload.number = 1;
		break;
	case OTHER_QUEUE:
		answer->payload.state.index = 1;
		break;
	case BASE_TOO_HIGH:
		answer->payload.state.num = 0x10000;
		break;
	case OTHER_OFFSET:
		answer->payload.config.offset = 8;
		break;
	case OTHER_SIZE:
		answer->payload.config.size--;
		break;
	default:
		break;
	}
}

/* False: it hangs up. */
static bool send_answer(const struct vhost_peer *peer, enum fault fault,
			struct vhost_user_msg *answer)
{
	uint8_t bytes[VHOST_USER_MAX_BYTES];
	const size_t head = sizeof(answer->header);
	uint64_t deadline = socket_deadline(PATIENCE_MS);
	int fds[SOCKET_MAX_FDS];
	size_t len = vhost_user_encode(bytes, answer), part = len;
	unsigned int nr_fds = fault == AN_FD ? 1 : fault == MANY_FDS ? SOCKET_MAX_FDS : 0;

	spoil(fault, answer);
	memcpy(bytes, answer, head);
	memcpy(bytes + head, &answer->payload, len - head);
	for (unsigned int i = 0; i < SOCKET_MAX_FDS; i++)
		fds[i] = peer->fd;
	if (fault == CLOSES_MIDWAY)
		part = 5;
	else if (fault == CLOSES_BEFORE_PAYLOAD || fault == AN_FD_WITH_THE_PAYLOAD)
		part = head;
	if (socket_send(peer->fd, bytes, part, fds, nr_fds, deadline))
		return false;
	if (fault == AN_FD_WITH_THE_PAYLOAD)
		socket_send(peer->fd, bytes + part, len - part, fds, 1, deadline);
	return fault != CLOSES_MIDWAY && fault != CLOSES_BEFORE_PAYLOAD;
}

static bool serve(struct vhost_peer *peer, const struct vhost_user_msg *asked)
{
	enum fault fault = asked->header.request == peer->at ? peer->fault : NO_FAULT;
	struct vhost_user_msg answer;

	if (peer->nr_seen < sizeof(peer->seen) / sizeof(peer->seen[0]))
		peer->seen[peer->nr_seen++] = asked->header.request;
	if (fault == CLOSES)
		return false;
	if (fault == SILENT || vhost_user_answer_size(asked) == 0)
		return true;
	fill_answer(peer, asked, &answer);
	return send_answer(peer, fault, &answer);
}

void *vhost_peer_main(void *opaque)
{
	struct vhost_peer *peer = opaque;
	struct vhost_user_msg asked;
	uint64_t deadline = socket_deadline(PATIENCE_MS);
	bool good = true;

	while (good) {
		struct socket_fds fds = { .max = 1 };

		if (socket_recv(peer->fd, &asked.header, sizeof(asked.header), &fds, deadline) ||
		    asked.header.size > sizeof(asked.payload) ||
		    socket_recv(peer->fd, &asked.payload, asked.header.size, &fds, deadline))
			break;
		keep(peer, &asked, &fds);
		good = serve(peer, &asked);
	}
	shutdown(peer->fd, SHUT_RDWR);
	return NULL;
}
