/* SPDX-License-Identifier: MIT
 *
 * A vhost-user back end that says anything: the input is what it has written before the front end
 * asks for the first time, with fds here and there. The front end must end at the input's end, keep
 * no fd, and be content only with a conversation that a plain reader of the protocol finds right.
 */
#define _GNU_SOURCE
#include "endpoint/socket.h"
#include "endpoint/vhost_user.h"
#include "endpoint/vhost_user_msg.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONFIG_SIZE 24u
#define RAM_SIZE 0x10000u
#define TIMEOUT_MS 1000u

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static struct vhost_user_ram ram;
static struct vhost_user_queue queue;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	ram = (struct vhost_user_ram){ .fd = memfd_create("ram", MFD_CLOEXEC), .size = RAM_SIZE };
	if (ram.fd < 0 || ftruncate(ram.fd, RAM_SIZE))
		return 1;
	ram.address = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ram.fd, 0);
	queue = (struct vhost_user_queue){ .size = 128,
					   .desc = ram.address,
					   .avail = (uint8_t *)ram.address + 0x1000,
					   .used = (uint8_t *)ram.address + 0x2000,
					   .kick = eventfd(0, EFD_CLOEXEC),
					   .call = eventfd(0, EFD_CLOEXEC) };
	return ram.address == MAP_FAILED || queue.kick < 0 || queue.call < 0;
}

/* ---- what may be answered, read once more and plainly ---- */

struct reader {
	const uint8_t *next, *end;
	bool acks;
};

static uint32_t word(struct reader *r)
{
	uint32_t value = 0;

	CHECK(r->end - r->next >= 4);
	memcpy(&value, r->next, 4);
	r->next += 4;
	return value;
}

static uint64_t number(struct reader *r)
{
	uint64_t low = word(r);

	return low | (uint64_t)word(r) << 32;
}

static void header(struct reader *r, uint32_t request, uint32_t size)
{
	CHECK(word(r) == request);
	CHECK((word(r) & 7) == 5); /* version 1, a reply */
	CHECK(word(r) == size);
}

static void acknowledged(struct reader *r, uint32_t request)
{
	if (!r->acks)
		return;
	header(r, request, 8);
	CHECK(number(r) == 0);
}

static void read_negotiation(struct reader *r)
{
	uint64_t offered;

	header(r, 1, 8);
	offered = number(r);
	CHECK(offered >> 32 & 1 && offered >> 30 & 1);
	header(r, 15, 8);
	offered = number(r);
	CHECK(offered >> 9 & 1);
	r->acks = offered >> 3 & 1;
	acknowledged(r, 3);
	acknowledged(r, 2);
}

static void read_config(struct reader *r, const uint8_t *config)
{
	header(r, 24, 12 + CONFIG_SIZE);
	CHECK(word(r) == 0);
	CHECK(word(r) == CONFIG_SIZE);
	word(r);
	CHECK(r->end - r->next >= CONFIG_SIZE && memcmp(r->next, config, CONFIG_SIZE) == 0);
	r->next += CONFIG_SIZE;
}

static void read_queue(struct reader *r, uint16_t taken)
{
	static const uint32_t requests[] = { 5, 8, 10, 9, 13, 12, 18 };

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		acknowledged(r, requests[i]);
	header(r, 11, 8);
	CHECK(word(r) == 0);
	CHECK(word(r) == taken);
}

/* ---- an input ---- */

static size_t piece_size(size_t size)
{
	return size / 64 + 1;
}

/* Its first 8 bytes say in which of 64 pieces an fd is. The rest is written in pieces, so that fds
 * come in the midst of messages too. */
static void write_all(int fd, const uint8_t *bytes, size_t size, uint64_t with_fd)
{
	size_t piece = piece_size(size);

	for (unsigned int i = 0; size > 0; i++) {
		size_t len = size < piece ? size : piece;

		CHECK(socket_send(fd, bytes, len, &fd, with_fd >> i & 1, SOCKET_FOREVER) == 0);
		bytes += len;
		size -= len;
	}
	shutdown(fd, SHUT_WR);
}

/* None of the pieces that were read had one. */
static void check_no_fd(size_t read, size_t size, uint64_t with_fd)
{
	for (size_t i = 0; i * piece_size(size) < read; i++)
		CHECK(!(with_fd >> i & 1));
}

static int converse(struct vhost_user *vu, int fd, uint8_t *config, uint16_t *taken)
{
	int err = vhost_user_adopt(vu, fd, TIMEOUT_MS, 0);

	if (err)
		return err;
	err = vhost_user_get_config(vu, config, CONFIG_SIZE);
	if (!err)
		err = vhost_user_set_memory(vu, &ram);
	if (!err)
		err = vhost_user_start(vu, &queue);
	if (!err)
		err = vhost_user_stop(vu, taken);
	vhost_user_close(vu);
	return err;
}

static int lowest_free_fd(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	int pair[2], err, before = lowest_free_fd();
	uint8_t config[CONFIG_SIZE];
	struct vhost_user vu;
	uint64_t with_fd = 0;
	uint16_t taken;

	if (size < sizeof(with_fd))
		return 0;
	memcpy(&with_fd, input, sizeof(with_fd));
	input += sizeof(with_fd);
	size -= sizeof(with_fd);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	write_all(pair[1], input, size, with_fd);
	err = converse(&vu, pair[0], config, &taken);
	close(pair[1]);
	if (err == 0) {
		struct reader r = { .next = input, .end = input + size };

		read_negotiation(&r);
		read_config(&r, config);
		read_queue(&r, taken);
		check_no_fd((size_t)(r.next - input), size, with_fd);
	} else {
		CHECK(err < 0 && vu.why[0]);
	}
	CHECK(lowest_free_fd() == before);
	return 0;
}
