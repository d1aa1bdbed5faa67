/* SPDX-License-Identifier: MIT
 *
 * bellwire endpoint: whoever connects gets a process that counts its rings.
 */
#define _GNU_SOURCE
#include "cli/cli.h"
#include "endpoint/server.h"
#include "endpoint/socket.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_MS 1000u

static const struct option options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{},
};

/* One that was killed has left its socket behind: nobody answers there any more. connect(2) says
 * the same of a file that is no socket. */
static int listen_again(struct socket_listener *listener, const char *path)
{
	struct stat st;
	int conn;

	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	conn = socket_connect(path, PROBE_MS);
	if (conn >= 0)
		close(conn);
	if (conn != -ECONNREFUSED)
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

/* Who kills the one that listens kills those that count: they must not outlive it. */
__attribute__((noreturn)) static void serve(struct socket_listener *listener, int conn,
					    pid_t parent)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(CLI_FAILED);
	socket_disown(listener);
	err = endpoint_serve(conn);
	if (err)
		cli_failed("a client is turned away: %s", strerror(-err));
	_exit(err ? CLI_FAILED : CLI_OK);
}

static int serve_next(struct socket_listener *listener)
{
	pid_t parent = getpid(), child;
	int conn = socket_accept(listener, socket_deadline(0));

	if (conn == -ETIMEDOUT) /* it has gone again */
		return CLI_OK;
	if (conn < 0)
		return cli_failed("%s: %s", listener->path, strerror(-conn));
	child = fork();
	if (child == 0)
		serve(listener, conn, parent);
	close(conn);
	return child < 0 ? cli_failed("cannot fork: %s", strerror(errno)) : CLI_OK;
}

static int run(struct socket_listener *listener, int signals)
{
	struct pollfd pfd[] = { { .fd = listener->fd, .events = POLLIN },
				{ .fd = signals, .events = POLLIN } };
	int status = CLI_OK;

	while (status == CLI_OK && !pfd[1].revents) {
		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			return cli_failed("poll: %s", strerror(errno));
		if (pfd[0].revents)
			status = serve_next(listener);
	}
	return status;
}

/* Waited for beside the socket, so that it is removed at the end. */
static int open_signals(void)
{
	sigset_t signals;
	int fd;

	signal(SIGCHLD, SIG_IGN); /* nobody asks how they ended */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (fd < 0)
		cli_failed("signalfd: %s", strerror(errno));
	return fd;
}

static int listen_and_run(const char *path)
{
	struct socket_listener listener;
	int signals, status = CLI_FAILED;

	if (listen_at(&listener, path))
		return CLI_FAILED;
	signals = open_signals();
	if (signals >= 0) {
		status = run(&listener, signals);
		close(signals);
	}
	socket_unlisten(&listener);
	return status;
}

static int endpoint_main(int argc, char **argv)
{
	const char *path = NULL;
	int option;

	while ((option = cli_option(argc, argv, options)) != -1) {
		if (option != 'l')
			return CLI_USAGE;
		path = optarg;
	}
	if (!path)
		return cli_usage("endpoint: --listen SOCKET is missing");
	return listen_and_run(path);
}

const struct command command_endpoint = {
	.name = "endpoint",
	.main = endpoint_main,
	.help = "counts the rings of 'bench --endpoint SOCKET', in processes of its own",
	.usage =
		"usage: bellwire endpoint --listen SOCKET\n"
		"\n"
		"Listens on a Unix socket of mode 0600. Who connects hands over an eventfd, and a\n"
		"process counts its rings until the connection ends, and answers by a word in the\n"
		"guest's memory or by a call, another eventfd. Killed at any moment and started\n"
		"again it loses no ring. SIGINT or SIGTERM ends it, and removes the socket.\n",
};
