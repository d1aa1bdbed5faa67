/* SPDX-License-Identifier: MIT
 *
 * bellwire endpoint: whoever connects gets a process that counts its rings.
 */
#define _GNU_SOURCE
#include "cli/cli.h"
#include "cli/listen.h"
#include "endpoint/server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

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

static int serve_client(void *opaque, struct socket_listener *listener, int conn, int signals)
{
	pid_t parent = getpid(), child = fork();

	(void)opaque;
	(void)signals;
	if (child == 0)
		serve(listener, conn, parent);
	close(conn);
	return child < 0 ? cli_failed("cannot fork: %s", strerror(errno)) : CLI_OK;
}

static int endpoint_main(int argc, char **argv)
{
	const char *path;
	int status = listen_parse(argc, argv, &path);

	if (status != CLI_OK)
		return status;
	signal(SIGCHLD, SIG_IGN); /* nobody asks how they ended */
	return listen_for_clients(path, serve_client, NULL);
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
