/* SPDX-License-Identifier: MIT
 *
 * What the page has besides bench: a small run of each of the others.
 */
#include "cli/report.h"
#include "cli/cli.h"
#include "cli/interrupt.h"

#include <errno.h>
#include <stdlib.h>

/* Six batches of round trips: an interval needs so many. */
#define TRIPS 6000u

/* A sample of each pattern, of each back end: warm-ups take as long again. */
#define ADAPTIVE_SECONDS 4u

/* What more ioeventfds take is to build the bus, not to measure it. */
#define ROUNDS 11u
#define ACCESSES 20000u
#define ENTRIES 10000u

struct rtt_part {
	struct rtt_report report;
	struct bench_opts opts;
};

struct adaptive_part {
	struct adaptive_report report;
	struct adaptive_opts opts;
};

struct dispatch_part {
	struct dispatch_report report;
	struct dispatch_opts opts;
};

static int measure_rtt(struct report *report)
{
	const struct bench_opts *opts = report->bench->opts;
	struct rtt_part *part;
	int status;

	/* The guest spins on its own CPU while it waits. */
	if (opts->vcpu_cpu == opts->endpoint.cpu)
		return CLI_OK;
	part = calloc(1, sizeof(*part));
	if (!part)
		return cli_failed("no memory");
	rtt_opts_like(&part->opts, opts, TRIPS);
	part->report.opts = &part->opts;
	report->rtt = &part->report;
	status = rtt_measure_all(report->rtt);
	report->interrupted = report->rtt->interrupted;
	return status;
}

static int measure_adaptive(struct report *report)
{
	const struct bench_opts *opts = report->bench->opts;
	struct adaptive_part *part;
	int err;

	/* A hot page's poller takes a CPU. */
	if (opts->vcpu_cpu == opts->endpoint.cpu)
		return CLI_OK;
	part = calloc(1, sizeof(*part));
	if (!part)
		return cli_failed("no memory");
	part->opts = (struct adaptive_opts){
		.bench = *opts,
		.policies = { true, true, true },
		.seconds = ADAPTIVE_SECONDS * opts->nr_accels,
	};
	part->opts.bench.rounds = 1;
	part->report.opts = &part->opts;
	report->adaptive = &part->report;
	err = adaptive_measure(report->adaptive);
	report->interrupted = err == -EINTR;
	if (report->interrupted)
		return CLI_OK;
	return err ? CLI_FAILED : adaptive_check_lost(report->adaptive);
}

static int measure_dispatch(struct report *report)
{
	const struct bench_opts *opts = report->bench->opts;
	bool one_cpu = opts->vcpu_cpu == opts->endpoint.cpu;
	struct dispatch_part *part = calloc(1, sizeof(*part));
	int err;

	if (!part)
		return cli_failed("no memory");
	part->opts = (struct dispatch_opts){
		.rounds = ROUNDS,
		.accesses = ACCESSES,
		.max = ENTRIES,
		.cpus = { opts->vcpu_cpu, one_cpu ? -1 : opts->endpoint.cpu },
	};
	part->report.opts = &part->opts;
	report->dispatch = &part->report;
	err = dispatch_measure(report->dispatch);
	report->interrupted = err == -EINTR;
	if (report->dispatch->lost > 0)
		return cli_failed("%ju accesses were lost", (uintmax_t)report->dispatch->lost);
	return err ? CLI_FAILED : CLI_OK;
}

static int measure(struct report *report)
{
	static int (*const parts[])(struct report *) = { measure_rtt, measure_adaptive,
							 measure_dispatch };
	int status = CLI_OK;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !report->interrupted; i++) {
		int part = parts[i](report);

		if (part != CLI_OK)
			status = part;
	}
	return report->interrupted ? CLI_INTERRUPTED : status;
}

static void report_free(struct report *report)
{
	if (report->rtt)
		rtt_free_rows(report->rtt);
	if (report->adaptive)
		adaptive_free(report->adaptive);
	free(report->rtt); /* the first member of its part */
	free(report->adaptive);
	free(report->dispatch);
}

int report_write(const struct bench_report *bench, struct report_file *file)
{
	struct report report = { .bench = bench, .interrupted = bench->interrupted };
	int status = measure(&report);

	if (report_page(&report, file->out) != CLI_OK || report_file_commit(file) != CLI_OK)
		status = CLI_FAILED;
	report_free(&report);
	return status;
}
