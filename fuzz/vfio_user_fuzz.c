/* SPDX-License-Identifier: MIT
 *
 * vfio-user, either side against bytes of anything: a client whose server says them, a server whose
 * client does, and the checks of one reply, whose memory ends where the reply does.
 *
 * An input is a byte that says which, and chunks: a byte of how many eventfds come with it, two of
 * its length, and its bytes.
 */
#include "endpoint/doorbell_device.h"
#include "endpoint/vfio_user.h"
#include "endpoint/vfio_user_transport.h"

#include <bellwire.h>

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 200u
#define MEMORY 0x200000u
#define MEMORY_LEN 64u /* few: the answers to a whole input must fit the socket */
#define LEN 4096u      /* of the region that doorbells are looked for in */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static int event;

static void expect(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static int lowest_free_fd(void)
{
	int fd = dup(event);

	close(fd);
	return fd;
}

/* Says the chunks, and nothing more. */
static void say_chunks(int fd, const uint8_t *input, size_t size)
{
	int fds[SOCKET_MAX_FDS];

	for (unsigned int i = 0; i < SOCKET_MAX_FDS; i++)
		fds[i] = event;
	while (size > 3) {
		size_t len = input[1] | (size_t)input[2] << 8;
		unsigned int nr_fds = input[0] < SOCKET_MAX_FDS ? input[0] : SOCKET_MAX_FDS;

		input += 3;
		size -= 3;
		len = len < size ? len : size;
		if (socket_send(fd, input, len, fds, nr_fds, socket_deadline(0)))
			break;
		input += len;
		size -= len;
	}
	shutdown(fd, SHUT_WR);
}

static void new_pair(int ends[2], const uint8_t *input, size_t size)
{
	expect(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "a pair of sockets");
	say_chunks(ends[0], input, size);
}

/* ---- a client ---- */

static void try_region(struct vfio_user_client *client, enum bw_space space)
{
	const struct vfio_user_region_opts opts = { .space = space, .index = 2 };
	struct vfio_user_region *region = NULL;
	uint64_t value = 0;
	struct bw_access read = { .space = space, .len = 4, .addr = 0x1000, .data = &value };
	struct bw_bus *bus;

	expect(!bw_bus_new(&bus, NULL), "a bus");
	if (!vfio_user_region_new(&region, bus, client, &opts) &&
	    !bw_region_map(vfio_user_region_bw(region), 0x1000))
		bw_bus_access(bus, &read);
	vfio_user_region_free(region);
	bw_bus_free(bus);
}

/* Of each call a few, in the order of a client's life: the message ids are 0, 1, 2, ... */
static void run_client(const uint8_t *input, size_t size)
{
	static uint8_t memory[MEMORY_LEN];
	const struct vfio_user_memory shared = {
		.address = MEMORY, .size = sizeof(memory), .fd = -1, .host = memory
	};
	struct vfio_user_device_info info;
	struct vfio_user_client *client;
	uint8_t data[8];
	int ends[2];

	new_pair(ends, input, size);
	if (!vfio_user_connected(&client, ends[1], TIMEOUT_MS)) {
		vfio_user_device_info(client, &info);
		vfio_user_dma_map(client, &shared);
		vfio_user_region_write(client, 0, 0x10, data, 4);
		vfio_user_region_read(client, 0, 0x10, data, 8);
		try_region(client, BW_MMIO);
		try_region(client, BW_PIO);
		vfio_user_dma_unmap(client, MEMORY, sizeof(memory));
		vfio_user_reset(client);
		vfio_user_serve_server(client);
		vfio_user_disconnect(client);
	}
	close(ends[0]);
}

/* ---- a server ---- */

/* What the server answers is not looked at: its end of the socket takes it all. */
static void run_server(const uint8_t *input, size_t size)
{
	struct doorbell_device *device;
	int ends[2];

	new_pair(ends, input, size);
	expect(!doorbell_device_new(&device), "a device");
	doorbell_device_serve(device, ends[1], -1, false);
	doorbell_device_free(device);
	close(ends[0]);
	close(ends[1]);
}

/* ---- a reply ---- */

static void check_subs(const struct vfio_user_message *reply)
{
	for (uint32_t i = 0; i < reply->io_fds.count; i++) {
		struct vfio_user_sub_region sub = vfio_user_sub_region(reply, i);

		if (sub.type != VFIO_USER_IOEVENTFD)
			continue;
		expect(sub.fd_index < reply->fds.nr, "its fd came");
		expect(sub.size <= 8 && sub.offset < LEN && sub.offset + sub.size <= LEN,
		       "it lies in the region");
	}
}

static void check_version(const struct vfio_user_message *reply)
{
	struct vfio_user_caps caps;

	if (!vfio_user_check_version(reply, &caps))
		expect(caps.max_msg_fds && caps.max_data_xfer_size, "capabilities are positive");
}

static void check_all(struct vfio_user_message *reply)
{
	const struct vfio_user_io_place place = { .index = 2, .len = LEN };
	const struct vfio_user_access access = { .offset = 0x10, .count = 8 };

	check_version(reply);
	vfio_user_check_command(reply);
	vfio_user_check_device_info(reply);
	vfio_user_check_region_info(reply, 2);
	vfio_user_check_access(reply, &access, false);
	vfio_user_check_access(reply, &access, true);
	if (!vfio_user_check_io_fds(reply, &place))
		check_subs(reply);
}

/* What is behind the payload may not be touched: the address sanitizer sees who does. */
static void check_reply(const uint8_t *input, size_t size)
{
	static struct vfio_user_message reply;
	size_t used;

	if (size < 2 + sizeof(reply.header) || size > sizeof(reply.header) + sizeof(reply.payload))
		return;
	reply.fds.nr = input[0] % VFIO_USER_MAX_FDS;
	memcpy(&reply.header, input + 1, sizeof(reply.header));
	used = size - 1 - sizeof(reply.header);
	memcpy(reply.payload, input + 1 + sizeof(reply.header), used);
	vfio_user_check_header(&reply.header);
	reply.header.size = (uint32_t)(sizeof(reply.header) + used);
	used = (used + 7) & ~(size_t)7; /* what can be told apart */
	ASAN_POISON_MEMORY_REGION(reply.payload + used, sizeof(reply.payload) - used);
	check_all(&reply);
	ASAN_UNPOISON_MEMORY_REGION(reply.payload, sizeof(reply.payload));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct bw_bus *bus;

	(void)argc;
	(void)argv;
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* What liburcu opens once stays open. */
	expect(!bw_bus_new(&bus, NULL), "a bus");
	bw_bus_free(bus);
	return event < 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static void (*const sides[])(const uint8_t *input, size_t size) = { run_client, run_server,
									    check_reply };
	int before = lowest_free_fd();

	if (size == 0)
		return 0;
	sides[input[0] % 3](input + 1, size - 1);
	expect(lowest_free_fd() == before, "every fd is closed");
	return 0;
}
