/* SPDX-License-Identifier: MIT
 *
 * Every socket is non-blocking, and poll(2) waits for what is left until the deadline.
 */
#define _GNU_SOURCE
#include "endpoint/socket.h"
#include "endpoint/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u
#define NS_PER_MS 1000000u

_Static_assert(sizeof(((struct socket_listener *)0)->path) ==
		       sizeof(((struct sockaddr_un *)0)->sun_path),
	       "what the kernel takes");

uint64_t socket_deadline(unsigned int ms)
{
	return clock_ns(CLOCK_MONOTONIC) + (uint64_t)ms * NS_PER_MS;
}

static int wait_for(int fd, short events, uint64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	struct timespec left, *timeout = deadline == SOCKET_FOREVER ? NULL : &left;
	uint64_t ns, t;
	int n;

	do {
		t = clock_ns(CLOCK_MONOTONIC);
		ns = deadline > t ? deadline - t : 0;
		left = (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S),
					  .tv_nsec = (long)(ns % NS_PER_S) };
		n = ppoll(&pfd, 1, timeout, NULL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

/* An empty name would be one of the kernel's choice, in no directory. */
static int address(struct sockaddr_un *addr, const char *path)
{
	size_t len = strlen(path);

	if (len == 0)
		return -ENOENT;
	if (len >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(addr->sun_path, path, len);
	return 0;
}

/* bind() gives the name the mode of the socket itself: nobody else can connect in between. */
static int bind_and_listen(struct socket_listener *listener, const struct sockaddr_un *addr)
{
	struct stat st;

	if (fchmod(listener->fd, 0600) ||
	    bind(listener->fd, (const struct sockaddr *)addr, sizeof(*addr)))
		return -errno;
	memcpy(listener->path, addr->sun_path, sizeof(listener->path));
	if (lstat(listener->path, &st) || listen(listener->fd, 16)) {
		int err = -errno;

		unlink(listener->path);
		return err;
	}
	listener->dev = st.st_dev;
	listener->ino = st.st_ino;
	return 0;
}

int socket_listen(struct socket_listener *listener, const char *path)
{
	struct sockaddr_un addr;
	int err = address(&addr, path);

	if (err)
		return err;
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return -errno;
	err = bind_and_listen(listener, &addr);
	if (err)
		close(listener->fd);
	return err;
}

void socket_unlisten(struct socket_listener *listener)
{
	struct stat st;

	if (lstat(listener->path, &st) == 0 && st.st_dev == listener->dev &&
	    st.st_ino == listener->ino)
		unlink(listener->path);
	close(listener->fd);
}

void socket_disown(struct socket_listener *listener)
{
	close(listener->fd);
}

int socket_accept(const struct socket_listener *listener, uint64_t deadline)
{
	int fd, err;

	for (;;) {
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			return -errno;
		err = wait_for(listener->fd, POLLIN, deadline);
		if (err)
			return err;
	}
}

/* A listener whose queue is full cannot be polled for room: the kernel waits, for SO_SNDTIMEO, and
 * says EAGAIN. */
static int connect_within(int fd, const struct sockaddr_un *addr, unsigned int timeout_ms)
{
	struct timeval timeout = { .tv_sec = timeout_ms / 1000,
				   .tv_usec = timeout_ms % 1000 * 1000 };
	int err = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
		return -errno;
	do
		err = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? -errno : 0;
	while (err == -EINTR);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

int socket_connect(const char *path, unsigned int timeout_ms)
{
	struct sockaddr_un addr;
	int fd, err = address(&addr, path);

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = connect_within(fd, &addr, timeout_ms);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Room for the fds of one message, aligned for its header. */
union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(SOCKET_MAX_FDS * sizeof(int))];
};

static void attach(struct msghdr *msg, union control *control, const int *fds, unsigned int nr_fds)
{
	size_t bytes = nr_fds * sizeof(*fds);
	struct cmsghdr *header;

	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(bytes);
	header = CMSG_FIRSTHDR(msg);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(header), fds, bytes);
}

static ssize_t send_some(int fd, const void *data, size_t len, const int *fds, unsigned int nr_fds)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = {};
	ssize_t n;

	if (nr_fds)
		attach(&msg, &control, fds, nr_fds);
	n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

int socket_send(int fd, const void *data, size_t len, const int *fds, unsigned int nr_fds,
		uint64_t deadline)
{
	const char *next = data;
	int err = 0;

	if (nr_fds > SOCKET_MAX_FDS)
		return -EINVAL;
	while (len && !err) {
		ssize_t n = send_some(fd, next, len, fds, nr_fds);

		if (n == -EAGAIN) {
			err = wait_for(fd, POLLOUT, deadline);
		} else if (n < 0 && n != -EINTR) {
			err = (int)n;
		} else if (n > 0) {
			next += n;
			len -= (size_t)n;
			nr_fds = 0;
		}
	}
	return err;
}

/* Takes the fds of one message, those that are too many only to close them. */
static int detach(struct msghdr *msg, struct socket_fds *fds)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(msg);
	int err = msg->msg_flags & MSG_CTRUNC ? -EMFILE : 0;

	for (; header; header = CMSG_NXTHDR(msg, header)) {
		const unsigned char *data = CMSG_DATA(header);
		size_t bytes = header->cmsg_len - CMSG_LEN(0);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (; bytes >= sizeof(int); bytes -= sizeof(int), data += sizeof(int)) {
			int fd;

			memcpy(&fd, data, sizeof(fd));
			if (fds->nr < fds->max) {
				fds->fd[fds->nr++] = fd;
				continue;
			}
			close(fd);
			err = -EPROTO;
		}
	}
	return err;
}

static ssize_t recv_some(int fd, void *data, size_t len, struct socket_fds *fds)
{
	struct iovec iov = { .iov_base = data, .iov_len = len };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int err;

	if (n < 0)
		return -errno;
	err = detach(&msg, fds);
	return err ? err : n;
}

int socket_recv(int fd, void *data, size_t len, struct socket_fds *fds, uint64_t deadline)
{
	size_t got = 0;
	int err = 0;

	while (got < len && !err) {
		ssize_t n = recv_some(fd, (char *)data + got, len - got, fds);

		if (n == -EAGAIN)
			err = wait_for(fd, POLLIN, deadline);
		else if (n == 0)
			err = got ? -ECONNRESET : -ENODATA;
		else if (n < 0 && n != -EINTR)
			err = (int)n;
		else if (n > 0)
			got += (size_t)n;
	}
	if (err)
		socket_close_fds(fds);
	return err;
}

void socket_close_fds(struct socket_fds *fds)
{
	while (fds->nr)
		close(fds->fd[--fds->nr]);
}

const char *socket_strerror(int err)
{
	switch (-err) {
	case EADDRINUSE:
		return "it exists; remove it if nobody listens there";
	case ENAMETOOLONG:
		return "a socket's path has at most 107 bytes";
	case ECONNREFUSED:
		return "nobody listens there";
	case ENOTSOCK:
		return "it is no socket";
	case ETIMEDOUT:
		return "who listens there does not answer";
	default:
		return strerror(-err);
	}
}
