/* SPDX-License-Identifier: MIT
 *
 * A kick handed to another process, as vhost-user does:
 *
 *   cc other-process.c $(pkg-config --cflags --libs bellwire) && ./a.out
 *
 * The device's process is started first: a child may not use its parent's bus, and needs nothing of
 * it. It gets the notifier's eventfd over a socket, and from then on every ring is a write(2) to
 * that eventfd, or under KVM the kernel's own signal: the VMM is not asked again.
 */
#include <bellwire.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RINGS 1000u
#define DOORBELL 0x510u

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void must(const char *what, int r)
{
	if (r < 0)
		die(what, bw_last_error());
}

/* With a byte, because a message has to have one. */
static void send_fd(int socket, int fd)
{
	union control control = { .header = { .cmsg_len = CMSG_LEN(sizeof(fd)),
					      .cmsg_level = SOL_SOCKET,
					      .cmsg_type = SCM_RIGHTS } };
	struct iovec byte = { .iov_base = &(char){ 0 }, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, 0) != 1)
		die("sendmsg", strerror(errno));
}

static int receive_fd(int socket)
{
	union control control;
	struct iovec byte = { .iov_base = &(char){ 0 }, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 ||
	    message.msg_controllen < sizeof(control))
		die("recvmsg", "no fd came");
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* The device: counts kicks until it has all. */
static int be_device(int socket)
{
	struct pollfd kick = { .fd = receive_fd(socket), .events = POLLIN };
	uint64_t heard = 0, count;

	while (heard < RINGS) {
		if (poll(&kick, 1, 10000) != 1)
			die("the device", "no kick for ten seconds");
		if (read(kick.fd, &count, sizeof(count)) == sizeof(count))
			heard += count;
	}
	printf("the device, process %d, has heard %ju kicks\n", getpid(), (uintmax_t)heard);
	return heard == RINGS ? 0 : 1;
}

/* The VMM: hands the eventfd out, and then its guest rings. */
static void be_vmm(int socket)
{
	uint16_t queue = 0;
	struct bw_access access = {
		.space = BW_PIO,
		.is_write = true,
		.len = sizeof(queue),
		.addr = DOORBELL,
		.data = &queue,
	};
	struct bw_ioeventfd *doorbell;
	struct bw_notifier *kick;
	struct bw_bus *bus;

	must("bus", bw_bus_new(&bus, NULL));
	must("notifier", bw_notifier_new(&kick, "kick"));
	must("doorbell", bw_ioeventfd_assign(bus, &doorbell, BW_PIO, DOORBELL,
					     (struct bw_match){ .len = 2 }, kick));
	must("fd", bw_notifier_fd(kick));
	send_fd(socket, bw_notifier_fd(kick));
	for (unsigned int i = 0; i < RINGS; i++)
		must("ring", bw_bus_access(bus, &access));
	printf("the VMM, process %d, has rung %u times\n", getpid(), RINGS);
	bw_bus_free(bus);
	bw_notifier_free(kick); /* the device has a copy of the fd: what is in there is heard */
}

int main(void)
{
	int sockets[2], status;
	pid_t device;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		die("socketpair", strerror(errno));
	device = fork();
	if (device < 0)
		die("fork", strerror(errno));
	if (device == 0)
		return be_device(sockets[1]);
	close(sockets[1]);
	be_vmm(sockets[0]);
	if (waitpid(device, &status, 0) != device)
		die("waitpid", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
