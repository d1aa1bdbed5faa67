/* SPDX-License-Identifier: MIT
 *
 * What can be known of an fd: whether it is an eventfd, and which one.
 */
#ifndef BELLWIRE_EVENTFD_H
#define BELLWIRE_EVENTFD_H

#include <stdbool.h>
#include <stdint.h>

/* 0, -EBADF (not open) or -EINVAL (something else). No sentence. */
int eventfd_check(int fd);

/* The kernel's number for the eventfd (Linux 5.2 on), the same for every dup; -1: cannot be told.
 */
int64_t eventfd_id(int fd);

/* Whether both fds are one open file: 1, 0, or -1: cannot be told. */
int eventfd_same_file(int a, int b);

/* Non-blocking and close-on-exec, count 0. -errno. */
int eventfd_new(void);

/* Adds count; what would exceed the maximum is dropped. poll_first: the fd may block. */
void eventfd_add(int fd, uint64_t count, bool poll_first);

/* The count, which becomes 0. Never blocks, whatever the fd's flags. */
uint64_t eventfd_take(int fd);

bool eventfd_has_count(int fd);

/* Sleeps until there is a count, or a signal comes. */
void eventfd_wait(int fd);

#endif
