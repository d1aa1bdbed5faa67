/* SPDX-License-Identifier: MIT
 *
 * A client of the endpoint's socket that sends anything: how many fds and of what kinds, then the
 * message. Whatever it was, no fd stays open; and what was accepted is counted to the last ring.
 */
#define _GNU_SOURCE
#include "endpoint/message.h"
#include "endpoint/record.h"
#include "endpoint/server.h"
#include "endpoint/socket.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS 6u
#define MEMORY 0x3000

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

enum kind { EVENTFD, RECORD, OTHER_EVENTFD, MEMORY_FILE, BLOCKING, SMALL, PIPE, NR_KINDS };

static int kinds[NR_KINDS];
static struct endpoint_record *record;
static cpu_set_t cpus;

static void die(const char *why)
{
	fprintf(stderr, "%s\n", why);
	abort();
}

static int memory_of(off_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (ftruncate(fd, size))
		die("ftruncate");
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int ends[2];

	(void)argc;
	(void)argv;
	if (record_new(&record, &kinds[RECORD]) || pipe2(ends, O_NONBLOCK | O_CLOEXEC))
		die("no record, or no pipe");
	kinds[EVENTFD] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	kinds[OTHER_EVENTFD] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	kinds[MEMORY_FILE] = memory_of(MEMORY);
	kinds[BLOCKING] = eventfd(0, EFD_CLOEXEC);
	kinds[SMALL] = memory_of(8);
	kinds[PIPE] = ends[0];
	return sched_getaffinity(0, sizeof(cpus), &cpus);
}

/* The lowest number that is free: one more is in use if an fd was left open. */
static int lowest_free(void)
{
	int fd = dup(kinds[PIPE]);

	close(fd);
	return fd;
}

static int send_and_serve(const uint8_t *message, size_t size, const int *fds, unsigned int nr)
{
	int pair[2], result;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		die("socketpair");
	if (size)
		socket_send(pair[0], message, size, fds, nr, socket_deadline(1000));
	shutdown(pair[0], SHUT_WR);
	result = endpoint_serve(pair[1]);
	close(pair[0]);
	close(pair[1]);
	return result;
}

/* A client that has its own record written over, or that is called where it rings, spoils only its
 * own count. */
static bool is_honest(const int *fds, unsigned int nr)
{
	for (unsigned int i = 2; i < nr; i++)
		if (fds[i] == kinds[RECORD] || fds[i] == kinds[EVENTFD])
			return false;
	return nr >= 2 && fds[0] == kinds[EVENTFD] && fds[1] == kinds[RECORD];
}

/* Accepted: all rings are in the record. */
static void check_count(uint64_t before, uint64_t rings)
{
	eventfd_t left;

	if (record_rings(record) != before + rings)
		die("the count is wrong");
	if (eventfd_read(kinds[EVENTFD], &left) == 0)
		die("a ring is left");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	uint64_t before = record_rings(record), rings;
	unsigned int nr = size ? input[0] % (MAX_FDS + 1) : 0;
	int fds[MAX_FDS], lowest = lowest_free(), result;
	eventfd_t left;

	if (size < nr + 2u)
		return 0;
	for (unsigned int i = 0; i < nr; i++)
		fds[i] = kinds[input[1 + i] % NR_KINDS];
	rings = input[1 + nr];
	eventfd_write(kinds[EVENTFD], rings);
	result = send_and_serve(input + nr + 2, size - nr - 2, fds, nr);
	if (lowest_free() != lowest)
		die("an fd is left open");
	if (!is_honest(fds, nr))
		memset(record, 0, sizeof(*record)); /* the next one has no part in it */
	else if (result == 0)
		check_count(before, rings);
	(void)eventfd_read(kinds[EVENTFD], &left);
	(void)eventfd_read(kinds[OTHER_EVENTFD], &left);
	return sched_setaffinity(0, sizeof(cpus), &cpus);
}
