/* SPDX-License-Identifier: MIT
 *
 * The layout of each message, byte by byte, with the numbers of the specification: commands and
 * offsets are written out here, from its tables, and not taken from our header.
 */
#include "vfio_user_world.h"

#include <jansson.h>
#include <stdio.h>

/* Offsets in a message are from its first byte; the specification's tables start at 16. */
#define PAYLOAD 16

struct bytes {
	uint8_t at[VFIO_USER_MAX_PAYLOAD];
	size_t size;
	int fd; /* that came with it, or -1 */
};

static uint64_t number(const struct bytes *b, size_t offset, size_t size)
{
	uint64_t value = 0;

	assert_true(offset + size <= b->size);
	memcpy(&value, b->at + offset, size);
	return value;
}

static void put(struct bytes *b, size_t offset, size_t size, uint64_t value)
{
	assert_true(offset + size <= sizeof(b->at));
	memcpy(b->at + offset, &value, size);
}

/* A server that knows nothing of our codec. */
struct peer {
	int conn;
	struct vfio_user_client *client;
	pthread_t thread;
	struct bytes heard, answer;
	int answer_fd;
	int result; /* of what the client asked */
	int (*ask)(struct peer *peer);
	uint8_t data[8];
};

static void receive(struct peer *peer)
{
	struct socket_fds fds = { .max = 1 };

	memset(&peer->heard, 0, sizeof(peer->heard));
	assert_int_equal(socket_recv(peer->conn, peer->heard.at, 16, &fds, soon()), 0);
	peer->heard.size = 8;
	peer->heard.size = number(&peer->heard, 4, 4);
	assert_in_range(peer->heard.size, 16, sizeof(peer->heard.at));
	assert_int_equal(
		socket_recv(peer->conn, peer->heard.at + 16, peer->heard.size - 16, &fds, soon()),
		0);
	peer->heard.fd = fds.nr ? fds.fd[0] : -1;
}

/* The header of a reply: the id and the command of what was heard, the size, type 1. */
static void reply(struct peer *peer, size_t size)
{
	struct bytes *b = &peer->answer;

	put(b, 0, 2, number(&peer->heard, 0, 2));
	put(b, 2, 2, number(&peer->heard, 2, 2));
	put(b, 4, 4, size);
	put(b, 8, 4, 1);
	put(b, 12, 4, 0);
	assert_int_equal(socket_send(peer->conn, b->at, size, &peer->answer_fd,
				     peer->answer_fd >= 0, soon()),
			 0);
}

static void *client_main(void *opaque)
{
	struct peer *peer = opaque;

	peer->result = peer->ask(peer);
	return NULL;
}

/* Starts the client's request; join() has its result. */
static void ask(struct peer *peer, int (*fn)(struct peer *peer))
{
	peer->ask = fn;
	assert_int_equal(pthread_create(&peer->thread, NULL, client_main, peer), 0);
	receive(peer);
	assert_int_equal(number(&peer->heard, 8, 4), 0); /* a command that wants a reply */
	assert_int_equal(number(&peer->heard, 12, 4), 0);
}

static void join(struct peer *peer)
{
	pthread_join(peer->thread, NULL);
	assert_int_equal(peer->result, 0);
}

static int clients_end;

static int connect_client(struct peer *peer)
{
	return vfio_user_connected(&peer->client, clients_end, PATIENCE_MS);
}

/* Agrees on a version, with the reply's JSON. */
static int connect_peer(void **state)
{
	static const char json[] = "{\"capabilities\":{\"max_msg_fds\":8,"
				   "\"max_data_xfer_size\":1048576,\"pgsizes\":4096,"
				   "\"migration\":{\"pgsize\":4096},\"write_multiple\":true}}";
	struct peer *peer = calloc(1, sizeof(*peer));
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	clients_end = ends[0];
	peer->conn = ends[1];
	peer->answer_fd = -1;
	ask(peer, connect_client);
	put(&peer->answer, PAYLOAD + 0, 2, 0);
	put(&peer->answer, PAYLOAD + 2, 2, 1);
	memcpy(peer->answer.at + PAYLOAD + 4, json, sizeof(json));
	reply(peer, PAYLOAD + 4 + sizeof(json));
	join(peer);
	memset(&peer->answer, 0, sizeof(peer->answer));
	*state = peer;
	return 0;
}

static int disconnect_peer(void **state)
{
	struct peer *peer = *state;

	vfio_user_disconnect(peer->client);
	close(peer->conn);
	free(peer);
	return 0;
}

static void version(void **state)
{
	const struct bytes *b = &((struct peer *)*state)->heard;
	json_t *root, *caps;

	assert_int_equal(number(b, 2, 2), 1);
	assert_int_equal(number(b, PAYLOAD + 0, 2), 0); /* major */
	assert_int_equal(number(b, PAYLOAD + 2, 2), 1); /* minor */
	assert_int_equal(b->at[b->size - 1], 0);        /* including terminating NUL */
	root = json_loads((const char *)b->at + PAYLOAD + 4, 0, NULL);
	caps = json_object_get(root, "capabilities");
	assert_true(json_integer_value(json_object_get(caps, "max_msg_fds")) >= 1);
	assert_true(json_integer_value(json_object_get(caps, "max_data_xfer_size")) >= 8);
	json_decref(root);
}

static int ask_dma_map(struct peer *peer)
{
	const struct vfio_user_memory memory = {
		.address = 0x200000, .size = 0x4000, .fd = peer->conn, .offset = 0x1000
	};

	return vfio_user_dma_map(peer->client, &memory);
}

static void dma_map(void **state)
{
	struct peer *peer = *state;
	const struct bytes *b = &peer->heard;

	ask(peer, ask_dma_map);
	assert_int_equal(number(b, 2, 2), 2);
	assert_int_equal(b->size, 16 + 32);
	assert_int_equal(number(b, PAYLOAD + 0, 4), 32);        /* argsz */
	assert_int_equal(number(b, PAYLOAD + 4, 4), 3);         /* readable, writeable */
	assert_int_equal(number(b, PAYLOAD + 8, 8), 0x1000);    /* offset */
	assert_int_equal(number(b, PAYLOAD + 16, 8), 0x200000); /* address */
	assert_int_equal(number(b, PAYLOAD + 24, 8), 0x4000);   /* size */
	assert_true(b->fd >= 0);
	close(b->fd);
	reply(peer, 16);
	join(peer);
}

static int ask_unmappable(struct peer *peer)
{
	const struct vfio_user_memory memory = {
		.address = 0x200000, .size = 0x4000, .fd = -1, .offset = 0x1000
	};

	return vfio_user_dma_map(peer->client, &memory);
}

static void dma_map_without_an_fd(void **state)
{
	struct peer *peer = *state;

	ask(peer, ask_unmappable);
	assert_int_equal(number(&peer->heard, PAYLOAD + 8, 8), 0); /* offset */
	assert_int_equal(peer->heard.fd, -1);
	reply(peer, 16);
	join(peer);
}

static int ask_dma_unmap(struct peer *peer)
{
	return vfio_user_dma_unmap(peer->client, 0x200000, 0x4000);
}

static void dma_unmap(void **state)
{
	struct peer *peer = *state;
	const struct bytes *b = &peer->heard;

	ask(peer, ask_dma_unmap);
	assert_int_equal(number(b, 2, 2), 3);
	assert_int_equal(b->size, 16 + 24);
	assert_in_range(number(b, PAYLOAD + 0, 4), 24, 4096);  /* argsz */
	assert_int_equal(number(b, PAYLOAD + 4, 4), 0);        /* flags */
	assert_int_equal(number(b, PAYLOAD + 8, 8), 0x200000); /* address */
	assert_int_equal(number(b, PAYLOAD + 16, 8), 0x4000);  /* size */
	memcpy(peer->answer.at + PAYLOAD, b->at + PAYLOAD, 24);
	reply(peer, 16 + 24);
	join(peer);
}

static int ask_device_info(struct peer *peer)
{
	struct vfio_user_device_info info;
	int err = vfio_user_device_info(peer->client, &info);

	return err || info.flags != 2 || info.num_regions != 9 || info.num_irqs != 5;
}

static void device_get_info(void **state)
{
	struct peer *peer = *state;
	const struct bytes *b = &peer->heard;

	ask(peer, ask_device_info);
	assert_int_equal(number(b, 2, 2), 4);
	assert_int_equal(b->size, 16 + 16);
	assert_int_equal(number(b, PAYLOAD + 0, 4), 16); /* argsz */
	assert_int_equal(number(b, PAYLOAD + 4, 8), 0);  /* all other fields must be zero */
	assert_int_equal(number(b, PAYLOAD + 12, 4), 0);
	put(&peer->answer, PAYLOAD + 0, 4, 16);
	put(&peer->answer, PAYLOAD + 4, 4, 2); /* a PCI device */
	put(&peer->answer, PAYLOAD + 8, 4, 9);
	put(&peer->answer, PAYLOAD + 12, 4, 5);
	reply(peer, 16 + 16);
	join(peer);
}

static int ask_region_info(struct peer *peer)
{
	struct vfio_user_region_info info;
	int err = vfio_user_region_info(peer->client, 2, &info);

	return err || info.flags != 0xf || info.index != 2 || info.size != 0x2000;
}

/* Mappable, and with capabilities that need more room: both are left alone, and the fd is closed.
 */
static void device_get_region_info(void **state)
{
	struct peer *peer = *state;
	const struct bytes *b = &peer->heard;
	unsigned int before = count_fds();

	ask(peer, ask_region_info);
	assert_int_equal(number(b, 2, 2), 5);
	assert_int_equal(b->size, 16 + 32);
	assert_int_equal(number(b, PAYLOAD + 0, 4), 32); /* argsz */
	assert_int_equal(number(b, PAYLOAD + 4, 4), 0);
	assert_int_equal(number(b, PAYLOAD + 8, 4), 2); /* index */
	assert_int_equal(number(b, PAYLOAD + 12, 4), 0);
	assert_int_equal(number(b, PAYLOAD + 16, 8), 0);
	assert_int_equal(number(b, PAYLOAD + 24, 8), 0);
	put(&peer->answer, PAYLOAD + 0, 4, 64);
	put(&peer->answer, PAYLOAD + 4, 4, 0xf);
	put(&peer->answer, PAYLOAD + 8, 4, 2);
	put(&peer->answer, PAYLOAD + 12, 4, 32);
	put(&peer->answer, PAYLOAD + 16, 8, 0x2000);
	put(&peer->answer, PAYLOAD + 24, 8, 0x7000);
	peer->answer_fd = peer->conn;
	reply(peer, 16 + 32);
	join(peer);
	assert_int_equal(count_fds(), before);
}

static int ask_io_fds(struct peer *peer)
{
	const struct vfio_user_io_place place = { .index = 2, .len = 0x2000, .pio = true };
	struct vfio_user_message *message = malloc(sizeof(*message));
	int err = vfio_user_region_io_fds(peer->client, &place, message);
	struct vfio_user_sub_region sub = { 0 };

	if (!err && message->io_fds.count == 2)
		sub = vfio_user_sub_region(message, 1);
	if (!err)
		socket_close_fds(&message->fds);
	free(message);
	return err || sub.offset != 0x1004 || sub.size != 2 || sub.fd_index != 0 || sub.type != 0 ||
	       sub.flags != 3 || sub.datamatch != 0xab;
}

/* Entries of 48 bytes: that they are 40 is "not to be relied on". */
static void device_get_region_io_fds(void **state)
{
	struct peer *peer = *state;
	const struct bytes *b = &peer->heard;
	int event = eventfd(0, EFD_CLOEXEC);

	ask(peer, ask_io_fds);
	assert_int_equal(number(b, 2, 2), 6);
	assert_int_equal(b->size, 16 + 16);
	assert_true(number(b, PAYLOAD + 0, 4) >= 16 + 2 * 48); /* argsz: room for the reply */
	assert_int_equal(number(b, PAYLOAD + 4, 4), 0);        /* flags */
	assert_int_equal(number(b, PAYLOAD + 8, 4), 2);        /* index */
	assert_int_equal(number(b, PAYLOAD + 12, 4), 0);       /* count */
	put(&peer->answer, PAYLOAD + 0, 4, 16 + 2 * 48);
	put(&peer->answer, PAYLOAD + 8, 4, 2);
	put(&peer->answer, PAYLOAD + 12, 4, 2);
	put(&peer->answer, PAYLOAD + 16 + 48 + 0, 8, 0x1004);
	put(&peer->answer, PAYLOAD + 16 + 48 + 8, 8, 2);
	put(&peer->answer, PAYLOAD + 16 + 48 + 16, 4, 0); /* fd_index */
	put(&peer->answer, PAYLOAD + 16 + 48 + 20, 4, 0); /* an ioeventfd */
	put(&peer->answer, PAYLOAD + 16 + 48 + 24, 4, 3); /* KVM_IOEVENTFD's datamatch, PIO */
	put(&peer->answer, PAYLOAD + 16 + 48 + 32, 8, 0xab);
	peer->answer_fd = event;
	reply(peer, 16 + 16 + 2 * 48);
	join(peer);
	close(event);
}

static int ask_read(struct peer *peer)
{
	return vfio_user_region_read(peer->client, 3, 0x18, peer->data, 4);
}

static void region_read(void **state)
{
	struct peer *peer = *state;
	const struct bytes *b = &peer->heard;

	ask(peer, ask_read);
	assert_int_equal(number(b, 2, 2), 9);
	assert_int_equal(b->size, 16 + 16);
	assert_int_equal(number(b, PAYLOAD + 0, 8), 0x18); /* offset */
	assert_int_equal(number(b, PAYLOAD + 8, 4), 3);    /* region */
	assert_int_equal(number(b, PAYLOAD + 12, 4), 4);   /* count */
	memcpy(peer->answer.at + PAYLOAD, b->at + PAYLOAD, 16);
	put(&peer->answer, PAYLOAD + 16, 4, 0xcafef00d);
	reply(peer, 16 + 16 + 4);
	join(peer);
	assert_memory_equal(peer->data, "\x0d\xf0\xfe\xca", 4);
}

static int ask_write(struct peer *peer)
{
	return vfio_user_region_write(peer->client, 3, 0x18, "kick", 4);
}

static void region_write(void **state)
{
	struct peer *peer = *state;
	const struct bytes *b = &peer->heard;

	ask(peer, ask_write);
	assert_int_equal(number(b, 2, 2), 10);
	assert_int_equal(b->size, 16 + 16 + 4);
	assert_int_equal(number(b, PAYLOAD + 0, 8), 0x18);
	assert_int_equal(number(b, PAYLOAD + 8, 4), 3);
	assert_int_equal(number(b, PAYLOAD + 12, 4), 4);
	assert_memory_equal(b->at + PAYLOAD + 16, "kick", 4);
	memcpy(peer->answer.at + PAYLOAD, b->at + PAYLOAD, 16);
	reply(peer, 16 + 16);
	join(peer);
}

static int ask_reset(struct peer *peer)
{
	return vfio_user_reset(peer->client);
}

static void device_reset(void **state)
{
	struct peer *peer = *state;

	ask(peer, ask_reset);
	assert_int_equal(number(&peer->heard, 2, 2), 13);
	assert_int_equal(peer->heard.size, 16);
	reply(peer, 16);
	join(peer);
}

/* ---- the server's own commands, which may come before a reply ---- */

static char guest[0x4000];

static int ask_shared(struct peer *peer)
{
	const struct vfio_user_memory memory = {
		.address = 0x200000, .size = sizeof(guest), .fd = -1, .host = guest
	};

	return vfio_user_dma_map(peer->client, &memory);
}

static void share_memory(struct peer *peer)
{
	ask(peer, ask_shared);
	reply(peer, 16);
	join(peer);
}

/* A command of the server with message id 0x55, and its reply in heard. */
static void command(struct peer *peer, uint16_t number_of_it, uint64_t address, uint64_t count,
		    size_t data)
{
	struct bytes b = { 0 };

	put(&b, 0, 2, 0x55);
	put(&b, 2, 2, number_of_it);
	put(&b, 4, 4, 16 + 16 + data);
	put(&b, PAYLOAD + 0, 8, address);
	put(&b, PAYLOAD + 8, 8, count);
	memset(b.at + PAYLOAD + 16, 'w', data);
	assert_int_equal(socket_send(peer->conn, b.at, 16 + 16 + data, NULL, 0, soon()), 0);
}

static void hear_reply(struct peer *peer, uint16_t number_of_it, uint32_t flags)
{
	receive(peer);
	assert_int_equal(number(&peer->heard, 0, 2), 0x55);
	assert_int_equal(number(&peer->heard, 2, 2), number_of_it);
	assert_int_equal(number(&peer->heard, 8, 4), flags);
}

static void dma_read_while_a_call_waits(void **state)
{
	struct peer *peer = *state;
	struct bytes asked;

	memset(guest, 'r', sizeof(guest));
	share_memory(peer);
	ask(peer, ask_read);
	asked = peer->heard;
	command(peer, 11, 0x200010, 5, 0);
	hear_reply(peer, 11, 1);
	assert_int_equal(peer->heard.size, 16 + 16 + 5);
	assert_int_equal(number(&peer->heard, PAYLOAD + 0, 8), 0x200010);
	assert_int_equal(number(&peer->heard, PAYLOAD + 8, 8), 5);
	assert_memory_equal(peer->heard.at + PAYLOAD + 16, "rrrrr", 5);

	peer->heard = asked;
	memcpy(peer->answer.at + PAYLOAD, asked.at + PAYLOAD, 16);
	reply(peer, 16 + 16 + 4);
	join(peer);
}

static void wait_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
}

static void dma_write_while_nobody_waits(void **state)
{
	struct peer *peer = *state;

	memset(guest, 0, sizeof(guest));
	share_memory(peer);
	assert_int_equal(vfio_user_serve_server(peer->client), 0); /* nothing has come */
	command(peer, 12, 0x200000 + sizeof(guest) - 4, 4, 4);
	wait_readable(vfio_user_fd(peer->client));
	assert_int_equal(vfio_user_serve_server(peer->client), 0);
	hear_reply(peer, 12, 1);
	assert_memory_equal(guest + sizeof(guest) - 5, "\0wwww", 5);
}

static void memory_that_is_not_there_is_refused(void **state)
{
	struct peer *peer = *state;
	static const uint64_t ranges[][2] = {
		{ 0x1fffff, 2 },
		{ 0x203fff, 2 },
		{ 0x204000, 1 },
		{ 0xfffffffffffffff8, 16 },
	};

	share_memory(peer);
	for (size_t i = 0; i < COUNT_OF(ranges); i++) {
		command(peer, 11, ranges[i][0], ranges[i][1], 0);
		wait_readable(vfio_user_fd(peer->client));
		assert_int_equal(vfio_user_serve_server(peer->client), 0);
		hear_reply(peer, 11, 1 | 0x20);
		assert_int_equal(peer->heard.size, 16); /* only the header */
		assert_int_equal(number(&peer->heard, 12, 4), EFAULT);
	}
}

#define layout_test(f) cmocka_unit_test_setup_teardown(f, connect_peer, disconnect_peer)

int main(void)
{
	const struct CMUnitTest tests[] = {
		layout_test(version),
		layout_test(dma_map),
		layout_test(dma_map_without_an_fd),
		layout_test(dma_unmap),
		layout_test(device_get_info),
		layout_test(device_get_region_info),
		layout_test(device_get_region_io_fds),
		layout_test(region_read),
		layout_test(region_write),
		layout_test(device_reset),
		layout_test(dma_read_while_a_call_waits),
		layout_test(dma_write_while_nobody_waits),
		layout_test(memory_that_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
