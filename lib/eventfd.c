/* SPDX-License-Identifier: MIT
 *
 * What can be known of an fd that the caller says is an eventfd, and the system calls on one.
 */
#define _GNU_SOURCE
#include "eventfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Without /proc (a chroot): an eventfd is an anonymous inode that refuses a write of 0 bytes, and
 * of 8 bytes looks first whether they can be read. */
static bool looks_like_eventfd(int fd)
{
	struct stat st;

	if (fstat(fd, &st) || (st.st_mode & S_IFMT) != 0)
		return false;
	return write(fd, "", 0) < 0 && errno == EINVAL &&
	       syscall(SYS_write, fd, NULL, sizeof(uint64_t)) < 0 && errno == EFAULT;
}

int eventfd_check(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	char path[32], target[32];
	ssize_t len;

	if (flags < 0 || flags & O_PATH)
		return -EBADF;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return looks_like_eventfd(fd) ? 0 : -EINVAL;
	target[len] = '\0';
	return strcmp(target, "anon_inode:[eventfd]") ? -EINVAL : 0;
}

int64_t eventfd_id(int fd)
{
	static const char tag[] = "\neventfd-id:";
	char path[32], text[512];
	const char *found;
	long long id;
	ssize_t len;
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -1;
	len = read(info, text, sizeof(text) - 1);
	close(info);
	text[len > 0 ? len : 0] = '\0';
	found = strstr(text, tag);
	return found && sscanf(found + strlen(tag), "%lld", &id) == 1 ? id : -1;
}

int eventfd_same_file(int a, int b)
{
	long order = syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b);

	return order < 0 ? -1 : order == 0;
}

int eventfd_new(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void eventfd_add(int fd, uint64_t count, bool poll_first)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	int saved = errno;

	/* EAGAIN: the count is at its maximum, and whoever reads it is told that there is something
	 */
	if (!poll_first || (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT)))
		while (write(fd, &count, sizeof(count)) < 0 && errno == EINTR)
			;
	errno = saved;
}

bool eventfd_has_count(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	return poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN);
}

uint64_t eventfd_take(int fd)
{
	uint64_t count = 0;
	struct iovec to = { &count, sizeof(count) };
	int saved = errno;
	ssize_t got = preadv2(fd, &to, 1, -1, RWF_NOWAIT);

	/* kernels before 5.8 cannot read an eventfd with RWF_NOWAIT */
	if (got < 0 && (errno == EOPNOTSUPP || errno == ENOSYS) && eventfd_has_count(fd))
		got = read(fd, &count, sizeof(count));
	errno = saved;
	return got == sizeof(count) ? count : 0;
}

void eventfd_wait(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	poll(&ready, 1, -1);
}
