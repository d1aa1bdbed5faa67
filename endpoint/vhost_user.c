/* SPDX-License-Identifier: MIT
 *
 * The front end: one request after another, each with its answer where there is one.
 */
#include "endpoint/vhost_user.h"
#include "endpoint/socket.h"
#include "endpoint/vhost_user_msg.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIT(n) (UINT64_C(1) << (n))
#define QUEUE 0u

__attribute__((format(printf, 3, 4))) static int fail(struct vhost_user *vu, int err,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(vu->why, sizeof(vu->why), format, args);
	va_end(args);
	return err;
}

/* What went wrong while a request was sent or its answer received. */
static int fail_by(struct vhost_user *vu, int err, const struct vhost_user_msg *asked)
{
	char text[VHOST_USER_NAME];
	const char *name = vhost_user_name(asked->header.request, text);

	switch (err) {
	case -ETIMEDOUT:
		return fail(vu, err, "it does not answer %s within %u ms", name, vu->timeout_ms);
	case -ENODATA:
	case -ECONNRESET:
	case -EPIPE:
		return fail(vu, -ECONNRESET, "it closed the connection at %s", name);
	case -EPROTO:
		return fail(vu, err, "its answer to %s comes with an fd, where none belongs", name);
	default:
		return fail(vu, err, "%s: %s", name, strerror(-err));
	}
}

static int send_request(struct vhost_user *vu, const struct vhost_user_msg *asked, int fd,
			uint64_t deadline)
{
	uint8_t bytes[VHOST_USER_MAX_BYTES];
	size_t len = vhost_user_encode(bytes, asked);
	int err = socket_send(vu->fd, bytes, len, &fd, fd >= 0, deadline);

	return err ? fail_by(vu, err, asked) : 0;
}

static int recv_answer(struct vhost_user *vu, const struct vhost_user_msg *asked,
		       struct vhost_user_msg *answer, uint64_t deadline)
{
	struct socket_fds none = { .max = 0 };
	int err = socket_recv(vu->fd, &answer->header, sizeof(answer->header), &none, deadline);

	if (err)
		return fail_by(vu, err, asked);
	if (!vhost_user_check_header(asked, &answer->header, vu->why, sizeof(vu->why)))
		return -EPROTO;
	err = socket_recv(vu->fd, &answer->payload, answer->header.size, &none, deadline);
	if (err)
		return fail_by(vu, err, asked);
	return vhost_user_check_answer(asked, answer, vu->why, sizeof(vu->why)) ? 0 : -EPROTO;
}

/* One request, with fd unless it is -1, and its answer, if it has one. */
static int exchange(struct vhost_user *vu, struct vhost_user_msg *asked, int fd,
		    struct vhost_user_msg *answer)
{
	uint64_t deadline = socket_deadline(vu->timeout_ms);
	int err;

	asked->header.flags = VHOST_USER_VERSION | (vu->acks ? VHOST_USER_NEED_REPLY : 0);
	err = send_request(vu, asked, fd, deadline);
	if (err || vhost_user_answer_size(asked) == 0)
		return err;
	return recv_answer(vu, asked, answer, deadline);
}

static int get_number(struct vhost_user *vu, enum vhost_user_request request, uint64_t *number)
{
	struct vhost_user_msg asked = { .header.request = request }, answer;
	int err = exchange(vu, &asked, -1, &answer);

	if (!err)
		*number = answer.payload.number;
	return err;
}

static int set_number(struct vhost_user *vu, enum vhost_user_request request, uint64_t number,
		      int fd)
{
	struct vhost_user_msg answer, asked = {
		.header = { .request = request, .size = sizeof(number) },
		.payload.number = number,
	};

	return exchange(vu, &asked, fd, &answer);
}

static int set_state(struct vhost_user *vu, enum vhost_user_request request, uint32_t num)
{
	struct vhost_user_msg answer, asked = {
		.header = { .request = request, .size = sizeof(asked.payload.state) },
		.payload.state = { .index = QUEUE, .num = num },
	};

	return exchange(vu, &asked, -1, &answer);
}

static int negotiate_protocol(struct vhost_user *vu)
{
	const uint64_t config = BIT(VHOST_USER_PROTOCOL_F_CONFIG);
	const uint64_t ack = BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);
	uint64_t offered;
	int err = get_number(vu, VHOST_USER_GET_PROTOCOL_FEATURES, &offered);

	if (err)
		return err;
	if (!(offered & config))
		return fail(vu, -EPROTO,
			    "it does not tell its configuration (it has no "
			    "VHOST_USER_PROTOCOL_F_CONFIG)");
	err = set_number(vu, VHOST_USER_SET_PROTOCOL_FEATURES, offered & (config | ack), -1);
	vu->acks = !err && offered & ack;
	return err;
}

static int set_owner(struct vhost_user *vu)
{
	struct vhost_user_msg answer, asked = { .header.request = VHOST_USER_SET_OWNER };

	return exchange(vu, &asked, -1, &answer);
}

static int negotiate(struct vhost_user *vu, uint64_t wanted)
{
	const uint64_t protocol = BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	uint64_t offered;
	int err = get_number(vu, VHOST_USER_GET_FEATURES, &offered);

	if (err)
		return err;
	if (!(offered & BIT(VIRTIO_F_VERSION_1)))
		return fail(vu, -EPROTO, "its device is not of virtio 1 (features 0x%jx)",
			    (uintmax_t)offered);
	if (!(offered & protocol))
		return fail(vu, -EPROTO, "it has no VHOST_USER_F_PROTOCOL_FEATURES");
	err = negotiate_protocol(vu);
	if (!err)
		err = set_owner(vu);
	vu->features = offered & (wanted | BIT(VIRTIO_F_VERSION_1) | protocol);
	return err ? err : set_number(vu, VHOST_USER_SET_FEATURES, vu->features, -1);
}

int vhost_user_adopt(struct vhost_user *vu, int fd, unsigned int timeout_ms, uint64_t features)
{
	int err;

	*vu = (struct vhost_user){ .fd = fd, .timeout_ms = timeout_ms };
	err = negotiate(vu, features);
	if (err)
		close(fd);
	return err;
}

int vhost_user_connect(struct vhost_user *vu, const char *path, unsigned int timeout_ms,
		       uint64_t features)
{
	int fd = socket_connect(path, timeout_ms);

	if (fd < 0)
		return fail(vu, fd, "%s", socket_strerror(fd));
	return vhost_user_adopt(vu, fd, timeout_ms, features);
}

int vhost_user_get_config(struct vhost_user *vu, void *config, uint32_t size)
{
	struct vhost_user_msg answer, asked = {
		.header.request = VHOST_USER_GET_CONFIG,
		.header.size = (uint32_t)offsetof(struct vhost_user_config, bytes) + size,
		.payload.config.size = size,
	};
	int err;

	if (size < 1 || size > VHOST_USER_MAX_CONFIG)
		return fail(vu, -EINVAL, "a configuration has 1 to %u bytes, not %u",
			    VHOST_USER_MAX_CONFIG, size);
	err = exchange(vu, &asked, -1, &answer);
	if (!err)
		memcpy(config, answer.payload.config.bytes, size);
	return err;
}

int vhost_user_set_memory(struct vhost_user *vu, const struct vhost_user_ram *ram)
{
	struct vhost_user_msg answer, asked = {
		.header.request = VHOST_USER_SET_MEM_TABLE,
		.header.size = sizeof(asked.payload.memory),
		.payload.memory = {
			.nr_regions = 1,
			.region = {
				.guest_addr = ram->guest_addr,
				.size = ram->size,
				.user_addr = (uintptr_t)ram->address,
			},
		},
	};

	return exchange(vu, &asked, ram->fd, &answer);
}

static int set_addresses(struct vhost_user *vu, const struct vhost_user_queue *queue)
{
	struct vhost_user_msg answer, asked = {
		.header.request = VHOST_USER_SET_VRING_ADDR,
		.header.size = sizeof(asked.payload.addr),
		.payload.addr = {
			.index = QUEUE,
			.desc_user_addr = (uintptr_t)queue->desc,
			.avail_user_addr = (uintptr_t)queue->avail,
			.used_user_addr = (uintptr_t)queue->used,
		},
	};

	return exchange(vu, &asked, -1, &answer);
}

/* The kick comes after all that the queue needs: with it, it starts. */
int vhost_user_start(struct vhost_user *vu, const struct vhost_user_queue *queue)
{
	int err = set_state(vu, VHOST_USER_SET_VRING_NUM, queue->size);

	if (!err)
		err = set_state(vu, VHOST_USER_SET_VRING_BASE, 0);
	if (!err)
		err = set_addresses(vu, queue);
	if (!err)
		err = set_number(vu, VHOST_USER_SET_VRING_CALL, QUEUE, queue->call);
	if (!err)
		err = set_number(vu, VHOST_USER_SET_VRING_KICK, QUEUE, queue->kick);
	return err ? err : set_state(vu, VHOST_USER_SET_VRING_ENABLE, 1);
}

int vhost_user_stop(struct vhost_user *vu, uint16_t *taken)
{
	struct vhost_user_msg answer, asked = {
		.header.request = VHOST_USER_GET_VRING_BASE,
		.header.size = sizeof(asked.payload.state),
		.payload.state.index = QUEUE,
	};
	int err = exchange(vu, &asked, -1, &answer);

	if (!err)
		*taken = (uint16_t)answer.payload.state.num;
	return err;
}

int vhost_user_check(struct vhost_user *vu)
{
	uint8_t byte;
	ssize_t n = recv(vu->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0)
		return fail(vu, -EPROTO, "it sends what nobody asked for");
	return fail(vu, -ECONNRESET, "it closed the connection");
}

const char *vhost_user_why(const struct vhost_user *vu)
{
	return vu->why;
}

void vhost_user_close(struct vhost_user *vu)
{
	close(vu->fd);
}
