/* SPDX-License-Identifier: MIT
 *
 * --endpoint: where who is rung is, and how an eventfd gets there.
 */
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "endpoint/process.h"
#include "endpoint/socket.h"

#include <string.h>

static int start_thread(struct path *path, int eventfd)
{
	const struct bench_opts *opts = path->rig->opts;

	return opts->start_thread(&path->endpoint, eventfd, &opts->endpoint);
}

/* Who answers is given the guest's memory; who only counts is not. */
static int start_process(struct path *path, int eventfd)
{
	const struct bench_opts *opts = path->rig->opts;
	struct endpoint_reach reach = { .socket = opts->socket, .call = opts->call, .memory = -1 };

	if (opts->endpoint.rang && opts->call < 0) {
		reach.memory = vm_memory_fd(path->rig->vm);
		reach.answer = opts->answer - GUEST_RAM_BASE;
	}
	return endpoint_start_process(&path->endpoint, eventfd, &opts->endpoint, &reach);
}

const struct endpoint_place bench_thread = { "thread", start_thread };
static const struct endpoint_place bench_process = { "process", start_process };

static const struct endpoint_place *const places[] = { &bench_thread, &bench_process };

/* A socket is told from a name by its slash, so that a name with a slip in it is no socket. */
bool bench_parse_endpoint(struct bench_opts *opts, const char *text)
{
	opts->socket = NULL;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		opts->place = places[i];
		if (strcmp(text, places[i]->name) == 0)
			return true;
	}
	opts->place = &bench_process;
	opts->socket = text;
	if (strchr(text, '/'))
		return true;
	cli_usage("'%s' is no endpoint; there are thread, process, and a socket, a path with a '/'",
		  text);
	return false;
}

const char *bench_endpoint_name(const struct bench_opts *opts)
{
	return opts->socket ? opts->socket : opts->place->name;
}

int bench_start_endpoint(struct path *path, int eventfd)
{
	const struct bench_opts *opts = path->rig->opts;
	int err = opts->place->start(path, eventfd);

	if (err)
		cli_failed("%s: endpoint %s: %s", path->type->name, bench_endpoint_name(opts),
			   socket_strerror(err));
	return err;
}
