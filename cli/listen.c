/* SPDX-License-Identifier: MIT
 *
 * Signals are waited for beside the socket, so that it is removed at the end.
 */
#define _GNU_SOURCE
#include "cli/listen.h"
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_MS 1000u

int listen_parse(int argc, char **argv, const char **path)
{
	const struct cli_option options[] = { { "listen", .text = path }, {} };

	*path = NULL;
	if (cli_parse(argc, argv, options) != CLI_OK)
		return CLI_USAGE;
	return *path ? CLI_OK : cli_usage("%s: --listen SOCKET is missing", argv[0]);
}

/* Whether who listens has ended, and only a child of it has the socket open, for a moment more. */
static bool is_orphan(int conn)
{
	struct ucred listener;
	socklen_t len = sizeof(listener);

	return getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &listener, &len) == 0 &&
	       listener.pid > 0 && kill(listener.pid, 0) < 0 && errno == ESRCH;
}

static bool is_answered(const char *path)
{
	int conn = socket_connect(path, PROBE_MS);
	bool orphan;

	if (conn < 0)
		return conn != -ECONNREFUSED;
	orphan = is_orphan(conn);
	close(conn);
	return !orphan;
}

/* One that was killed has left its socket behind: nobody answers there any more. connect(2) says
 * the same of a file that is no socket. */
static int listen_again(struct socket_listener *listener, const char *path)
{
	struct stat st;

	if (lstat(path, &st) || !S_ISSOCK(st.st_mode) || is_answered(path))
		return -EADDRINUSE;
	if (unlink(path))
		return -errno;
	return socket_listen(listener, path);
}

static int listen_at(struct socket_listener *listener, const char *path)
{
	int err = socket_listen(listener, path);

	if (err == -EADDRINUSE)
		err = listen_again(listener, path);
	if (err)
		cli_failed("%s: %s", path, socket_strerror(err));
	return err;
}

static int open_signals(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (fd < 0)
		cli_failed("signalfd: %s", strerror(errno));
	return fd;
}

static int accept_next(struct socket_listener *listener, int signals, client_fn *fn, void *opaque)
{
	int conn = socket_accept(listener, socket_deadline(0));

	if (conn == -ETIMEDOUT) /* it has gone again */
		return CLI_OK;
	if (conn < 0)
		return cli_failed("%s: %s", listener->path, strerror(-conn));
	return fn(opaque, listener, conn, signals);
}

static int run(struct socket_listener *listener, int signals, client_fn *fn, void *opaque)
{
	struct pollfd pfd[] = { { .fd = listener->fd, .events = POLLIN },
				{ .fd = signals, .events = POLLIN } };
	int status = CLI_OK;

	while (status == CLI_OK && !pfd[1].revents) {
		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			return cli_failed("poll: %s", strerror(errno));
		if (pfd[0].revents)
			status = accept_next(listener, signals, fn, opaque);
	}
	return status;
}

/* Signals are held before there is a socket: one that comes at once must not leave it behind. */
int listen_for_clients(const char *path, client_fn *fn, void *opaque)
{
	struct socket_listener listener;
	int status = CLI_FAILED, signals = open_signals();

	if (signals < 0)
		return CLI_FAILED;
	if (listen_at(&listener, path))
		goto close_signals;
	status = run(&listener, signals, fn, opaque);
	socket_unlisten(&listener);
close_signals:
	close(signals);
	return status;
}
