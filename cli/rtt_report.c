/* SPDX-License-Identifier: MIT
 *
 * The report: a table for people, or one document of schema bellwire.bench/1 and kind "rtt".
 */
#include "cli/cli.h"
#include "cli/rtt.h"
#include "cli/term.h"

#include <inttypes.h>
#include <string.h>

static double trip(const struct rtt_row *row, double p)
{
	return stats_percentile(row->trip_ns, row->trips, p);
}

static void print_row(const struct rtt_row *row)
{
	char text[TERM_NUMBER];

	printf("%-5s %-18s %-10s %-9s", vm_backend_name(row->be), row->type->name,
	       row->consumer->name, rtt_answer(row->consumer));
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

static const struct rtt_row *find_row(const struct rtt_report *report, const struct vm_backend *be,
				      const char *path, const char *consumer)
{
	for (unsigned int i = 0; i < report->nr_rows; i++) {
		const struct rtt_row *row = &report->rows[i];

		if (row->be == be && strcmp(row->type->name, path) == 0 && row->trips > 0 &&
		    strcmp(row->consumer->name, consumer) == 0 && !row->consumer->interrupts)
			return row;
	}
	return NULL;
}

/* To an eventfd's consumers, by the same instruction of the guest. */
static void print_exitless(const struct rtt_report *report, const struct vm_backend *be)
{
	static const char *const consumers[] = { "spin", "block" };
	const struct rtt_row *exitless = find_row(report, be, "exitless-mmio", "exitless");

	/* an exchange's error is half of what the fastest took */
	if (exitless)
		printf("%s: a bare word there and back takes %.0f ns between these CPUs, exitless "
		       "%.0f.\n",
		       vm_backend_name(be), 2 * exitless->error_ns, trip(exitless, 0.5));
	for (size_t i = 0; exitless && i < sizeof(consumers) / sizeof(consumers[0]); i++) {
		const struct rtt_row *row = find_row(report, be, "ioeventfd-mmio", consumers[i]);

		if (row)
			printf("%s: exitless takes 1/%.1f of ioeventfd-mmio with a consumer that "
			       "%ss.\n",
			       vm_backend_name(be), trip(row, 0.5) / trip(exitless, 0.5),
			       consumers[i]);
	}
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
	     "exitless: a poller that looks at a hot doorbell page.\n"
	     "One-way: from before the ring until the consumer has it.");
	for (unsigned int i = 0; i < opts->nr_accels; i++)
		print_exitless(report, opts->accels[i]);
}

static json_t *real_or_null(bool known, double value)
{
	return known ? json_real(value) : json_null();
}

static void set_percentile(json_t *object, const char *key, const double *sorted, uint64_t n,
			   double p, bool known)
{
	json_object_set_new(object, key,
			    real_or_null(known, known ? stats_percentile(sorted, n, p) : 0));
}

static void set_interval(json_t *object, const char *low, const char *high,
			 const struct stats *stats, bool known)
{
	json_object_set_new(object, low, real_or_null(known, stats->low));
	json_object_set_new(object, high, real_or_null(known, stats->high));
}

static json_t *row_json(const struct rtt_report *report, const struct rtt_row *row)
{
	bool known = row->trips > 0, oneway = known && row->related;
	json_t *object =
		json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:b, s:s?, s:o, s:o}", "accel",
			  vm_backend_name(row->be), "path", row->type->name, "consumer",
			  row->consumer->name, "answer", rtt_answer(row->consumer), "cpl",
			  (int)report->opts->cpl, "trips", (json_int_t)row->trips, "available",
			  row->available, "why", row->available ? NULL : row->why, "ci_coverage",
			  real_or_null(known, row->p50.coverage), "oneway_error_ns",
			  real_or_null(oneway, row->error_ns));

	set_percentile(object, "p50_ns", row->trip_ns, row->trips, 0.5, known);
	set_percentile(object, "p99_ns", row->trip_ns, row->trips, 0.99, known);
	set_percentile(object, "p999_ns", row->trip_ns, row->trips, 0.999, known);
	set_percentile(object, "oneway_p50_ns", row->oneway_ns, row->trips, 0.5, oneway);
	set_interval(object, "p50_low", "p50_high", &row->p50, known);
	set_interval(object, "p99_low", "p99_high", &row->p99, known);
	return object;
}

static int print_json(const struct rtt_report *report)
{
	const struct bench_opts *opts = report->opts;
	json_t *rows = json_array(), *root;
	int status;

	for (unsigned int i = 0; i < report->nr_rows; i++)
		json_array_append_new(rows, row_json(report, &report->rows[i]));
	root = json_pack("{s:s, s:s, s:s, s:o, s:{s:i, s:I, s:i, s:i, s:s}, s:b, s:o}", "schema",
			 "bellwire.bench/1", "kind", "rtt", "unit", "ns", "host",
			 host_json(&report->host), "options", "cpl", (int)opts->cpl, "rings",
			 (json_int_t)opts->rings, "vcpu_cpu", opts->vcpu_cpu, "endpoint_cpu",
			 opts->endpoint.cpu, "endpoint", bench_endpoint_name(opts), "interrupted",
			 report->interrupted, "results", rows);
	status = cli_print_json(root);
	json_decref(root);
	return status;
}

int rtt_show(const struct rtt_report *report)
{
	if (report->opts->json)
		return print_json(report);
	print_report(report);
	return CLI_OK;
}
