/* SPDX-License-Identifier: MIT
 *
 * bellwire bench rtt: every path of every back end, with each way in which a consumer may wait.
 */
#include "cli/rtt.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/term.h"

#include <errno.h>
#include <stdlib.h>

static void measure_row(struct rtt_report *report, const struct vm_backend *be,
			const struct path_type *type, const struct rtt_consumer *consumer,
			int *status)
{
	struct rtt_row *row = &report->rows[report->nr_rows++];
	int err;

	*row = (struct rtt_row){ .be = be, .type = type, .consumer = consumer };
	term_progress("%s: %s, consumer: %s", vm_backend_name(be), type->name, consumer->name);
	err = rtt_measure(row, report->opts);
	term_progress(NULL);
	report->interrupted = err == -EINTR;
	if (err)
		*status = report->interrupted ? CLI_INTERRUPTED : CLI_FAILED;
	if (row->trips > 0) {
		stats_sort(row->trip_ns, row->trips);
		stats_sort(row->oneway_ns, row->trips);
		row->p50 = stats_of(row->batch_p50, row->batches);
		row->p99 = stats_of(row->batch_p99, row->batches);
	}
}

static void measure_path(struct rtt_report *report, const struct vm_backend *be,
			 const struct path_type *type, int *status)
{
	for (unsigned int i = 0; i < RTT_NR_CONSUMERS && !report->interrupted; i++)
		if (rtt_consumer_applies(&rtt_consumers[i], be, type, report->opts))
			measure_row(report, be, type, &rtt_consumers[i], status);
}

int rtt_measure_all(struct rtt_report *report)
{
	const struct bench_opts *opts = report->opts;
	int status = CLI_OK;

	for (unsigned int a = 0; a < opts->nr_accels; a++)
		for (unsigned int i = 0; i < bench_nr_paths; i++)
			if (opts->selected[i])
				measure_path(report, opts->accels[a], &bench_paths[i], &status);
	return status;
}

static int show(const struct rtt_report *report, int status)
{
	int shown = rtt_show(report);
	uint64_t trips = 0;

	for (unsigned int i = 0; i < report->nr_rows; i++)
		trips += report->rows[i].trips;
	if (report->interrupted)
		cli_note("interrupted: what is shown are the round trips that were finished");
	else if (trips == 0)
		shown = cli_failed("nothing could be measured");
	return status != CLI_OK ? status : shown;
}

void rtt_free_rows(struct rtt_report *report)
{
	for (unsigned int i = 0; i < report->nr_rows; i++) {
		free(report->rows[i].trip_ns);
		free(report->rows[i].oneway_ns);
	}
}

int rtt_run(const struct bench_opts *opts)
{
	struct rtt_report *report;
	int status;

	if (opts->vcpu_cpu == opts->endpoint.cpu)
		return cli_failed("rtt needs two CPUs: the guest spins on its own while it waits");
	report = calloc(1, sizeof(*report));
	if (!report)
		return cli_failed("no memory");
	report->opts = opts;
	host_read(&report->host);
	status = show(report, rtt_measure_all(report));
	rtt_free_rows(report);
	free(report);
	return status;
}
