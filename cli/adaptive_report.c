/* SPDX-License-Identifier: MIT
 *
 * The report: a table for people, or one document of schema bellwire.bench-adaptive/1.
 */
#include "cli/adaptive.h"
#include "cli/cli.h"
#include "cli/term.h"

#include <inttypes.h>

static double latency(const struct cell *cell, double p)
{
	return stats_percentile(cell->latency_ns, cell->latencies, p);
}

/* ---- for people ---- */

static void print_latency(const struct cell *cell, double p)
{
	char text[TERM_NUMBER];

	printf(" %11s", cell->latencies ? term_number(text, latency(cell, p)) : "-");
}

static void print_rings(const struct cell *cell)
{
	char text[TERM_NUMBER];

	if (cell->rings == 0) {
		printf(" %11s %11s %11s", "-", "-", "-");
		return;
	}
	if (cell->stall.median < 100)
		printf(" %11.2f", cell->stall.median);
	else
		printf(" %11s", term_number(text, cell->stall.median));
	print_latency(cell, 0.5);
	print_latency(cell, 0.99);
}

static void print_cell(const struct cell *cell)
{
	printf("%-5s %-12s %-10s %-13s", vm_backend_name(cell->be), cell->pattern->name,
	       adaptive_policies[cell->policy], cell->mechanism->name);
	if (cell->why[0]) {
		printf(" cannot be measured: %s\n", cell->why);
		return;
	}
	if (cell->rounds == 0) {
		puts(" was not reached");
		return;
	}
	print_rings(cell);
	printf(" %8.2f %% %8" PRIu64 " %5" PRIu64 "\n", 100 * cell->cpu.median, cell->switches,
	       cell->lost);
}

static void print(const struct adaptive_report *report)
{
	const struct bench_opts *opts = &report->opts->bench;

	host_print(&report->host, stdout);
	printf("run   guest at CPL %u with %u MiB in use, vCPU on CPU %d, poller on CPU %d, "
	       "%" PRIu64 " rounds\n\n",
	       opts->cpl, ADAPTIVE_TOUCHED >> 20, opts->vcpu_cpu, opts->endpoint.cpu, opts->rounds);
	printf("%-5s %-12s %-10s %-13s %11s %11s %11s %10s %8s %5s\n", "accel", "pattern", "policy",
	       "mechanism", "stall ns", "p50 ns", "p99 ns", "poller CPU", "switches", "lost");
	for (unsigned int i = 0; i < report->nr_cells; i++)
		print_cell(&report->cells[i]);
	puts("\nstall: of the guest, per ring: a burst, less the same burst into memory where "
	     "nobody looks,\n"
	     "and what it takes to fault memory in again. p50, p99: from a burst's begin until the "
	     "poller\n"
	     "delivers something of it. Not counted are a warm-up, in which the adaptive policy "
	     "learns,\n"
	     "and bursts in which a thread lost its CPU (more than 2 ms).");
	adaptive_print_advice(report);
}

/* ---- for programs ---- */

static json_t *real_or_null(bool known, double value)
{
	return known ? json_real(value) : json_null();
}

static json_t *integer_or_null(bool known, uint64_t value)
{
	return known ? json_integer((json_int_t)value) : json_null();
}

static json_t *latency_json(const struct cell *cell, double p)
{
	return cell->latencies ? json_real(latency(cell, p)) : json_null();
}

static json_t *cell_json(const struct cell *cell)
{
	bool known = cell->rounds > 0, rang = cell->rings > 0;
	bool all_p99s = cell->p99s > 0 && cell->p99s == cell->rounds;

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:b, s:s?}",
		"accel", vm_backend_name(cell->be), "pattern", cell->pattern->name, "policy",
		adaptive_policies[cell->policy], "mechanism", cell->mechanism->name,
		"stall_ns_per_ring", real_or_null(rang, cell->stall.median), "ci_low",
		real_or_null(rang, cell->stall.low), "ci_high",
		real_or_null(rang, cell->stall.high), "ci_coverage",
		real_or_null(rang, cell->stall.coverage), "p50_latency_ns", latency_json(cell, 0.5),
		"p99_latency_ns", latency_json(cell, 0.99), "p99_low",
		real_or_null(all_p99s, cell->p99.low), "p99_high",
		real_or_null(all_p99s, cell->p99.high), "poller_cpu",
		real_or_null(known, cell->cpu.median), "switches",
		integer_or_null(known, cell->switches), "switch_ns",
		integer_or_null(cell->switch_ns, cell->switch_ns), "rings",
		integer_or_null(known, cell->rings), "lost", integer_or_null(known, cell->lost),
		"available", !cell->why[0], "why", cell->why[0] ? cell->why : NULL);
}

static json_t *costs_json(const struct adaptive_report *report)
{
	json_t *costs = json_object();

	for (unsigned int i = 0; i < report->opts->bench.nr_accels; i++)
		if (report->exit_ns[i] > 0)
			json_object_set_new(costs, vm_backend_name(report->opts->bench.accels[i]),
					    json_pack("{s:f, s:f}", "trap_ns", report->exit_ns[i],
						      "clock_ns", report->clock_ns[i]));
	return costs;
}

static int print_json(const struct adaptive_report *report)
{
	const struct bench_opts *opts = &report->opts->bench;
	json_t *cells = json_array(), *root;
	int status;

	for (unsigned int i = 0; i < report->nr_cells; i++)
		json_array_append_new(cells, cell_json(&report->cells[i]));
	root = json_pack("{s:s, s:o, s:{s:i, s:I, s:I, s:i, s:i, s:I}, s:o, s:b, s:o}", "schema",
			 "bellwire.bench-adaptive/1", "host", host_json(&report->host), "options",
			 "cpl", (int)opts->cpl, "rounds", (json_int_t)opts->rounds, "seconds",
			 (json_int_t)report->opts->seconds, "vcpu_cpu", opts->vcpu_cpu,
			 "endpoint_cpu", opts->endpoint.cpu, "touched_bytes",
			 (json_int_t)ADAPTIVE_TOUCHED, "costs", costs_json(report), "interrupted",
			 report->interrupted, "results", cells);
	status = cli_print_json(root);
	json_decref(root);
	return status;
}

int adaptive_show(const struct adaptive_report *report)
{
	if (report->opts->bench.json)
		return print_json(report);
	print(report);
	return CLI_OK;
}
