/* SPDX-License-Identifier: MIT
 *
 * bellwire bench rtt: every path of every back end, with each way in which a consumer may wait.
 */
#include "cli/rtt.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/term.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct rtt_report {
	struct host host;
	const struct bench_opts *opts;
	struct rtt_row rows[RTT_MAX_ROWS];
	unsigned int nr_rows;
	bool interrupted;
};

static double trip(const struct rtt_row *row, double p)
{
	return stats_percentile(row->trip_ns, row->trips, p);
}

static const char *answer_name(const struct rtt_consumer *consumer)
{
	return consumer->interrupts ? "interrupt" : "word";
}

static void print_row(const struct rtt_row *row)
{
	char text[TERM_NUMBER];

	printf("%-5s %-18s %-10s %-9s", vm_backend_name(row->be), row->type->name,
	       row->consumer->name, answer_name(row->consumer));
	if (!row->available) {
		printf(" cannot be measured: %s\n", row->why);
		return;
	}
	printf(" %10s", term_number(text, trip(row, 0.5)));
	printf(" %10s", term_number(text, trip(row, 0.99)));
	printf(" %10s", term_number(text, trip(row, 0.999)));
	if (row->related)
		printf(" %12s (+-%.0f)\n",
		       term_number(text, stats_percentile(row->oneway_ns, row->trips, 0.5)),
		       row->error_ns);
	else
		puts("            -");
}

static void print_report(const struct rtt_report *report)
{
	const struct bench_opts *opts = report->opts;

	host_print(&report->host, stdout);
	printf("run   guest at CPL %u, vCPU on CPU %d, endpoint (%s) on CPU %d, %" PRIu64
	       " round trips each\n\n"
	       "%-5s %-18s %-10s %-9s %10s %10s %10s %12s\n",
	       opts->cpl, opts->vcpu_cpu, bench_endpoint_name(opts), opts->endpoint.cpu,
	       opts->rings, "accel", "path", "consumer", "answer", "p50 ns", "p99 ns", "p99.9 ns",
	       "one-way p50");
	for (unsigned int i = 0; i < report->nr_rows; i++)
		if (!report->rows[i].available || report->rows[i].trips > 0)
			print_row(&report->rows[i]);
	puts("\nA round trip: the guest rings, the endpoint answers, the guest, which spins, sees "
	     "it.\n"
	     "word: in the guest's memory. interrupt: by KVM's irqfd, until its handler has "
	     "returned.\n"
	     "One-way: from before the ring until the consumer has it.");
}

static json_t *real_or_null(bool known, const double *sorted, uint64_t n, double p)
{
	return known ? json_real(stats_percentile(sorted, n, p)) : json_null();
}

static json_t *row_json(const struct rtt_report *report, const struct rtt_row *row)
{
	bool known = row->trips > 0, oneway = known && row->related;

	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:s?}",
			 "accel", vm_backend_name(row->be), "path", row->type->name, "consumer",
			 row->consumer->name, "answer", answer_name(row->consumer), "cpl",
			 (int)report->opts->cpl, "trips", (json_int_t)row->trips, "p50_ns",
			 real_or_null(known, row->trip_ns, row->trips, 0.5), "p99_ns",
			 real_or_null(known, row->trip_ns, row->trips, 0.99), "p999_ns",
			 real_or_null(known, row->trip_ns, row->trips, 0.999), "oneway_p50_ns",
			 real_or_null(oneway, row->oneway_ns, row->trips, 0.5), "oneway_error_ns",
			 oneway ? json_real(row->error_ns) : json_null(), "available",
			 row->available, "why", row->available ? NULL : row->why);
}

static int print_json(const struct rtt_report *report)
{
	const struct bench_opts *opts = report->opts;
	json_t *rows = json_array(), *root;
	int status;

	for (unsigned int i = 0; i < report->nr_rows; i++)
		json_array_append_new(rows, row_json(report, &report->rows[i]));
	root = json_pack("{s:s, s:o, s:{s:i, s:I, s:i, s:i, s:s}, s:b, s:o}", "schema",
			 "bellwire.bench/1", "host", host_json(&report->host), "options", "cpl",
			 (int)opts->cpl, "rings", (json_int_t)opts->rings, "vcpu_cpu",
			 opts->vcpu_cpu, "endpoint_cpu", opts->endpoint.cpu, "endpoint",
			 bench_endpoint_name(opts), "interrupted", report->interrupted, "results",
			 rows);
	status = cli_print_json(root);
	json_decref(root);
	return status;
}

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
	}
}

static void measure_path(struct rtt_report *report, const struct vm_backend *be,
			 const struct path_type *type, int *status)
{
	for (unsigned int i = 0; i < RTT_NR_CONSUMERS && !report->interrupted; i++)
		if (rtt_consumer_applies(&rtt_consumers[i], be, type, report->opts))
			measure_row(report, be, type, &rtt_consumers[i], status);
}

static int measure_all(struct rtt_report *report)
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
	int shown = CLI_OK;
	uint64_t trips = 0;

	if (report->opts->json)
		shown = print_json(report);
	else
		print_report(report);
	for (unsigned int i = 0; i < report->nr_rows; i++)
		trips += report->rows[i].trips;
	if (report->interrupted)
		cli_note("interrupted: what is shown are the round trips that were finished");
	else if (trips == 0)
		shown = cli_failed("nothing could be measured");
	return status != CLI_OK ? status : shown;
}

static void free_rows(struct rtt_report *report)
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
	status = show(report, measure_all(report));
	free_rows(report);
	free(report);
	return status;
}
