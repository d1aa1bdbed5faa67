/* SPDX-License-Identifier: MIT
 *
 * Unix stream sockets between a guest's process and those that it is served by: made where the user
 * says, for the user alone, and never waited for without bound. Results are >= 0 or -errno.
 */
#ifndef BELLWIRE_ENDPOINT_SOCKET_H
#define BELLWIRE_ENDPOINT_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The kernel's SCM_MAX_FD: no message carries more. */
#define SOCKET_MAX_FDS 253u

#define SOCKET_FOREVER UINT64_MAX

/* So many milliseconds from now, in ns of CLOCK_MONOTONIC: what the calls below wait until. A
 * signal does not end a wait. */
uint64_t socket_deadline(unsigned int ms);

/* Where somebody listens, and what socket_unlisten() may remove. */
struct socket_listener {
	int fd; /* readable when somebody connects */
	char path[108];
	dev_t dev;
	ino_t ino;
};

/*
 * Listens at path, a socket of mode 0600 from the first moment on. What exists is left alone:
 * -EADDRINUSE. -ENAMETOOLONG: more than 107 bytes. -ENOENT: empty, or no such directory.
 */
int socket_listen(struct socket_listener *listener, const char *path);

/* Closes it and removes the socket, if it is still the one that was made. A program that ends by
 * SIGINT or SIGTERM comes here too: it waits for them beside the socket (signalfd). */
void socket_unlisten(struct socket_listener *listener);

/* What a forked child does with its copy: closes it and leaves the path alone. */
void socket_disown(struct socket_listener *listener);

/* A connected socket, the caller's to close. -ETIMEDOUT. */
int socket_accept(const struct socket_listener *listener, uint64_t deadline);

/* The same, from the other side. -ETIMEDOUT: somebody listens and does not accept. */
int socket_connect(const char *path, unsigned int timeout_ms);

/*
 * Sends all of data, fds with its first byte; they stay the caller's. -ETIMEDOUT, -EPIPE or
 * -ECONNRESET: the peer is gone. After a failure part of it may have been sent: the stream is of no
 * more use.
 */
int socket_send(int fd, const void *data, size_t len, const int *fds, unsigned int nr_fds,
		uint64_t deadline);

/* The fds that came with a message, the receiver's to close. */
struct socket_fds {
	unsigned int nr, max; /* max: at most SOCKET_MAX_FDS, set by the receiver */
	int fd[SOCKET_MAX_FDS];
};

/*
 * Receives exactly len bytes, and adds what fds come with them. -ENODATA: the peer has closed its
 * end before the first byte; -ECONNRESET: later. -ETIMEDOUT. -EPROTO: more than fds->max.
 * -EMFILE: more than this process may open. After a failure fds is empty and closed.
 */
int socket_recv(int fd, void *data, size_t len, struct socket_fds *fds, uint64_t deadline);

void socket_close_fds(struct socket_fds *fds);

/* What listen and connect fail with, in words. */
const char *socket_strerror(int err);

#endif
