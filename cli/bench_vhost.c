/* SPDX-License-Identifier: MIT
 *
 * bellwire bench --endpoint vhost-user:SOCKET: the command.
 */
#include "cli/cli.h"
#include "cli/vhost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_REQUESTS 128u

bool vhost_parse_endpoint(struct bench_opts *opts, const char *text)
{
	static const char prefix[] = "vhost-user:";

	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return false;
	opts->vhost_user = text + sizeof(prefix) - 1;
	return true;
}

int vhost_check_opts(struct bench_opts *opts, bool rtt)
{
	unsigned int paths = 0;

	if (opts->vhost_user && rtt)
		return cli_usage("rtt takes no vhost-user endpoint: bench itself measures its "
				 "round trips");
	if (!opts->vhost_user)
		return opts->image ? cli_usage("--image needs --endpoint vhost-user:SOCKET")
				   : CLI_OK;
	if (!opts->vhost_user[0])
		return cli_usage("--endpoint vhost-user: names no socket");
	if (opts->svg)
		return cli_usage("--svg: there is no chart of a vhost-user endpoint");
	if (opts->report)
		return cli_usage("--report: there is no page of a vhost-user endpoint");
	if (opts->rings > VHOST_MAX_BATCH)
		return cli_usage("--rings takes a number from 1 to %u with a vhost-user endpoint",
				 VHOST_MAX_BATCH);
	if (opts->rings == 0)
		opts->rings = DEFAULT_REQUESTS;
	for (unsigned int i = 0; i < bench_nr_paths; i++) {
		opts->selected[i] &= vhost_can(&bench_paths[i]);
		paths += opts->selected[i];
	}
	if (paths == 0)
		return cli_usage("a vhost-user endpoint has only an eventfd: of the paths, "
				 "userspace-* and ioeventfd-* lead there, and not -hc");
	return CLI_OK;
}

static void add_rows(struct vhost_bench *bench)
{
	for (unsigned int i = 0; i < bench_nr_paths; i++)
		if (bench->opts->selected[i])
			bench->rows[bench->nr_rows++].type = &bench_paths[i];
}

static void free_rows(struct vhost_bench *bench)
{
	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		free(bench->rows[i].trip_ns);
		free(bench->rows[i].iops);
	}
}

/* A back end of the VMM that fails does not keep the next one from being measured. */
static int measure(struct vhost_report *report)
{
	const struct bench_opts *opts = report->opts;
	int status = CLI_OK;

	for (unsigned int i = 0; i < opts->nr_accels && !report->interrupted; i++) {
		struct vhost_bench *bench = &report->benches[report->nr_benches++];
		int err;

		*bench = (struct vhost_bench){ .be = opts->accels[i], .opts = opts };
		add_rows(bench);
		err = vhost_measure(bench);
		report->interrupted = err == -EINTR;
		if (err)
			status = report->interrupted ? CLI_INTERRUPTED : CLI_FAILED;
	}
	return status;
}

/* Each wrong byte was told of when it was read. */
static int check(const struct vhost_report *report)
{
	uint64_t rounds = 0, wrong = 0;

	for (unsigned int i = 0; i < report->nr_benches; i++) {
		const struct vhost_bench *bench = &report->benches[i];

		rounds += bench->rounds;
		for (unsigned int r = 0; r < bench->nr_rows; r++)
			wrong += bench->rows[r].wrong_bytes;
	}
	if (report->interrupted)
		cli_note("interrupted: what is shown are the rounds that were finished");
	else if (rounds == 0)
		return cli_failed("nothing could be measured");
	return wrong > 0 ? CLI_FAILED : CLI_OK;
}

static int run(struct vhost_report *report)
{
	int status, shown, checked;

	host_read(&report->host);
	status = measure(report);
	shown = vhost_show(report);
	checked = check(report);
	for (unsigned int i = 0; i < report->nr_benches; i++)
		free_rows(&report->benches[i]);
	if (status != CLI_OK)
		return status;
	return shown != CLI_OK ? shown : checked;
}

int bench_vhost(const struct bench_opts *opts)
{
	static struct vhost_report report;

	report.opts = opts;
	return run(&report);
}
