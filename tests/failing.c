/* SPDX-License-Identifier: MIT
 *
 * The wrapped functions. libc's own use of them, as in tsearch(3), is not wrapped.
 */
#include "failing.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
void *__real_reallocarray(void *block, size_t nr, size_t size);
void __real_free(void *block);
void *__real_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
int __real_eventfd(unsigned int count, int flags);
int __real_epoll_create1(int flags);
int __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __real_fcntl64(int fd, int command, ...);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);
void *__wrap_reallocarray(void *block, size_t nr, size_t size);
void __wrap_free(void *block);
void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
int __wrap_eventfd(unsigned int count, int flags);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __wrap_fcntl64(int fd, int command, ...);

static unsigned int fails_at; /* 0: none does */
static bool fails_all, failed;
static long blocks;

void fail_request(unsigned int n, bool all)
{
	fails_at = n;
	fails_all = all;
	failed = false;
}

bool end_failing(void)
{
	fails_at = 0;
	return failed;
}

long live_blocks(void)
{
	return blocks;
}

static bool fails(int err)
{
	if (!fails_at || --fails_at)
		return false;
	fails_at = fails_all;
	failed = true;
	errno = err;
	return true;
}

static void *count(void *block)
{
	blocks += block != NULL;
	return block;
}

void *__wrap_malloc(size_t size)
{
	return fails(ENOMEM) ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t nr, size_t size)
{
	return fails(ENOMEM) ? NULL : count(__real_calloc(nr, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails(ENOMEM) ? NULL : count(__real_aligned_alloc(alignment, size));
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
	int err = fails(ENOMEM) ? ENOMEM : __real_posix_memalign(block, alignment, size);

	if (!err)
		count(*block);
	return err;
}

void *__wrap_reallocarray(void *block, size_t nr, size_t size)
{
	void *bigger;

	if (fails(ENOMEM))
		return NULL;
	bigger = __real_reallocarray(block, nr, size);
	return block ? bigger : count(bigger);
}

void __wrap_free(void *block)
{
	blocks -= block != NULL;
	__real_free(block);
}

void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
	return fails(ENOMEM) ? NULL : __real_tsearch(key, root, compare);
}

int __wrap_eventfd(unsigned int initial, int flags)
{
	return fails(EMFILE) ? -1 : __real_eventfd(initial, flags);
}

int __wrap_epoll_create1(int flags)
{
	return fails(EMFILE) ? -1 : __real_epoll_create1(flags);
}

int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	return op == EPOLL_CTL_ADD && fails(ENOSPC) ? -1 : __real_epoll_ctl(epoll, op, fd, event);
}

/* The commands that are used here take an int, or nothing. */
int __wrap_fcntl64(int fd, int command, ...)
{
	va_list args;
	int arg;

	va_start(args, command);
	arg = va_arg(args, int);
	va_end(args);
	return command == F_DUPFD_CLOEXEC && fails(EMFILE) ? -1 : __real_fcntl64(fd, command, arg);
}
