/* SPDX-License-Identifier: MIT
 *
 * --endpoint: where who is rung is, and how an eventfd gets there.
 */
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "cli/vhost.h"
#include "endpoint/module.h"
#include "endpoint/process.h"
#include "endpoint/socket.h"

#include <errno.h>
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

static int start_module(struct path *path, int eventfd)
{
	return endpoint_start_module(&path->endpoint, eventfd, &path->rig->opts->endpoint);
}

const struct endpoint_place bench_thread = { "thread", start_thread, true, NULL };
static const struct endpoint_place bench_process = { "process", start_process, true, NULL };
static const struct endpoint_place bench_module = {
	"module", start_module, false, "there is no /dev/doorbell: module/doorbell.ko is not loaded"
};

static const struct endpoint_place *const places[] = { &bench_thread, &bench_process,
						       &bench_module };

/* A socket is told from a name by its slash, so that a name with a slip in it is no socket. */
bool bench_parse_endpoint(struct bench_opts *opts, const char *text)
{
	if (vhost_parse_endpoint(opts, text))
		return true;
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
	cli_usage("'%s' is no endpoint; there are thread, process, module, a socket, a path with a "
		  "'/', and vhost-user:SOCKET",
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
	const char *absent = opts->place->absent;
	int err = opts->place->start(path, eventfd);

	if (err)
		cli_failed("%s: endpoint %s: %s", path->type->name, bench_endpoint_name(opts),
			   err == -ENOENT && absent ? absent : socket_strerror(err));
	return err;
}
