/* SPDX-License-Identifier: MIT
 *
 * Which eventfd is meant, and how it counts.
 */
#define _GNU_SOURCE
#include "trial.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTFD_MAX (UINT64_MAX - 1) /* what write(2) can fill it to */

static void dups(struct trial *t)
{
	int fd = new_eventfd(t), copy = dup(fd);

	assign(t, port(PORT, 1), fd);
	assign_gives(t, port(PORT, 1), copy, EEXIST);
	assign(t, port(PORT + 1, 1), copy);
	close(copy);
	rings(t, out(PORT, 1, 0), fd);
	rings(t, out(PORT + 1, 1, 0), fd);
	deassign(t, port(PORT + 1, 1), fd);
}

static void closed(struct trial *t)
{
	int fd = new_eventfd(t), assigned = dup(fd);

	assign(t, port(PORT, 1), assigned);
	close(assigned);
	rings(t, out(PORT, 1, 0), fd);
	deassign_gives(t, port(PORT, 1), assigned, EBADF);
	deassign(t, port(PORT, 1), fd);
}

static void stuck(struct trial *t)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), other = new_eventfd(t);

	assign(t, port(PORT, 1), fd);
	close(fd);
	assign_gives(t, port(PORT, 1), other, EEXIST);
	does(t, out(PORT, 1, 0), -1, 0, NULL, 0);
	deassign_gives(t, port(PORT, 1), other, ENOENT);
}

static void number_used_again(struct trial *t)
{
	int first = new_eventfd(t), second = new_eventfd(t), number = dup(first);

	assign(t, port(PORT, 1), number);
	check(t, dup2(second, number) == number, "no dup2: %s", strerror(errno));
	deassign_gives(t, port(PORT, 1), number, ENOENT);
	assign(t, port(PORT + 1, 1), number);
	rings(t, out(PORT, 1, 0), first);
	rings(t, out(PORT + 1, 1, 0), second);
	close(number);
}

static void many_on_one(struct trial *t)
{
	enum { NR = 256 };
	struct guest_access accesses[NR];
	int fd = new_eventfd(t);

	for (unsigned int i = 0; i < NR; i++) {
		assign(t, i % 2 ? port(PORT + i, 1) : mmio(BAR + 4 * i, 4), fd);
		accesses[i] = i % 2 ? out(PORT + i, 1, i) : store(BAR + 4 * i, 4, i);
	}
	play(t, accesses, NR);
	counted(t, fd, NR);
	exited(t, NULL, 0);
}

static void adds(struct trial *t)
{
	struct guest_access accesses[] = { out(PORT, 1, 0), out(PORT, 1, 0), out(PORT, 1, 0) };
	int fd = new_eventfd_with(t, 5, EFD_NONBLOCK);

	assign(t, port(PORT, 1), fd);
	play(t, accesses, COUNT_OF(accesses));
	counted(t, fd, 8);
}

static void semaphores(struct trial *t)
{
	struct guest_access accesses[] = { out(PORT, 1, 0), out(PORT, 1, 0) };
	int fd = new_eventfd_with(t, 0, EFD_NONBLOCK | EFD_SEMAPHORE);
	uint64_t got = 0;

	assign(t, port(PORT, 1), fd);
	play(t, accesses, COUNT_OF(accesses));
	check(t, read(fd, &got, sizeof(got)) == sizeof(got) && got == 1, "a read gave %llu",
	      (unsigned long long)got);
	counted(t, fd, 1);
	counted(t, fd, 0);
}

static void blocking(struct trial *t)
{
	int fd = new_eventfd_with(t, 0, 0);

	assign(t, port(PORT, 1), fd);
	assign(t, mmio(BAR, 0), fd);
	rings(t, out(PORT, 1, 0), fd);
	rings(t, store(BAR, 4, 0), fd);
	check(t, !(fcntl(fd, F_GETFL) & O_NONBLOCK), "the eventfd's flags were changed");
}

/* Saturation is at 2^64-1 for the kernel's own signal, at 2^64-2 for write(2). */
static void fill_and_ring(struct trial *t, int fd)
{
	struct guest_access accesses[] = { out(PORT, 1, 0), out(PORT, 1, 1), out(PORT, 1, 2) };
	uint64_t full = EVENTFD_MAX - 1, got;

	if (is_over(t))
		return;
	check(t, write(fd, &full, sizeof(full)) == sizeof(full), "the eventfd cannot be filled");
	play(t, accesses, COUNT_OF(accesses));
	exited(t, NULL, 0);
	if (is_over(t))
		return;
	check(t, read(fd, &got, sizeof(got)) == sizeof(got), "the eventfd cannot be read");
	check(t, got >= EVENTFD_MAX, "the count is 2^64-%llu", (unsigned long long)(0 - got));
	rings(t, out(PORT, 1, 3), fd);
}

static void saturates(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 1), fd);
	fill_and_ring(t, fd);
}

static void saturates_blocking(struct trial *t)
{
	int fd = new_eventfd_with(t, 0, 0);

	assign(t, port(PORT, 1), fd);
	fill_and_ring(t, fd);
}

static void *read_once(void *arg)
{
	uint64_t count = 0;

	if (read(*(int *)arg, &count, sizeof(count)) != sizeof(count))
		count = 0;
	return (void *)(uintptr_t)count;
}

static void wakes_a_reader(struct trial *t)
{
	struct guest_access access = out(PORT, 1, 0);
	int fd = new_eventfd_with(t, 0, 0);
	void *count = NULL;
	pthread_t reader;

	assign(t, port(PORT, 1), fd);
	if (is_over(t))
		return;
	if (pthread_create(&reader, NULL, read_once, &fd)) {
		fails(t, "no thread");
		return;
	}
	for (unsigned int i = 0; i < 20; i++)
		wait_a_little();
	play(t, &access, 1);
	if (is_over(t)) /* or it would never return */
		eventfd_write(fd, 1);
	pthread_join(reader, &count);
	check(t, (uintptr_t)count == 1, "the reader got %zu", (size_t)(uintptr_t)count);
}

static void wakes_a_poller(struct trial *t)
{
	struct guest_access access = out(PORT, 1, 0);
	int fd = new_eventfd(t);
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	assign(t, port(PORT, 1), fd);
	check(t, poll(&ready, 1, 0) == 0, "it was readable before");
	play(t, &access, 1);
	check(t, poll(&ready, 1, 0) == 1 && ready.revents == POLLIN, "poll gave 0x%x",
	      (unsigned int)ready.revents);
	counted(t, fd, 1);
}

/* Sends fd through a socket to the process itself: as it arrives in another one. */
static int pass_on(int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int ends[2], passed = -1;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends))
		return -1;
	*header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
				    .cmsg_level = SOL_SOCKET,
				    .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(ends[0], &message, 0) == 1 && recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC) == 1)
		memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(passed));
	close(ends[0]);
	close(ends[1]);
	return passed;
}

static void passed_on(struct trial *t)
{
	int fd = new_eventfd(t), passed = is_over(t) ? -1 : pass_on(fd);

	check(t, passed >= 0, "the eventfd could not be passed on");
	assign(t, port(PORT, 1), passed);
	close(passed);
	rings(t, out(PORT, 1, 0), fd);
	deassign(t, port(PORT, 1), fd);
}

static const struct conform_case cases[] = {
	{ .name = "a_dup_is_the_same_eventfd",
	  .says = "It collides like it, and rings it.",
	  .run = dups },
	{ .name = "closing_the_fd_does_not_deassign",
	  .says = "The eventfd rings on, and its duplicate deassigns.",
	  .run = closed },
	{ .name = "an_entry_whose_eventfd_is_lost_stays",
	  .says = "Nobody can deassign it; it takes its writes and is in the way.",
	  .run = stuck },
	{ .name = "a_number_used_again_is_another_eventfd",
	  .says = "It neither deassigns the first one's entry nor rings it.",
	  .run = number_used_again },
	{ .name = "many_doorbells_ring_one_eventfd",
	  .says = "256 in both spaces: the count is their sum.",
	  .run = many_on_one },
	{ .name = "rings_add_to_what_is_there",
	  .says = "5 before and 3 rings are 8.",
	  .run = adds },
	{ .name = "a_semaphore_counts_rings",
	  .says = "A read takes one of them.",
	  .run = semaphores },
	{ .name = "a_blocking_eventfd_rings",
	  .says = "Its flags stay as they are.",
	  .run = blocking },
	{ .name = "a_full_eventfd_stays_full",
	  .says = "At 2^64-2 at least, and the guest goes on.",
	  .run = saturates },
	{ .name = "a_full_blocking_eventfd_does_not_block_the_guest",
	  .says = "The write is taken and not counted.",
	  .run = saturates_blocking },
	{ .name = "a_ring_wakes_a_reader",
	  .says = "A thread that is blocked in read(2).",
	  .run = wakes_a_reader },
	{ .name = "a_ring_makes_the_eventfd_readable",
	  .says = "For poll(2): POLLIN and nothing else.",
	  .run = wakes_a_poller },
	{ .name = "an_eventfd_passed_over_a_socket_is_the_same",
	  .says = "What arrives assigns and the original deassigns.",
	  .run = passed_on },
};

const struct conform_group group_eventfd = CONFORM_GROUP("eventfd", cases);
