/* SPDX-License-Identifier: MIT
 *
 * The report: a table for people, or one document of schema bellwire.bench-vhost/1.
 */
#include "cli/cli.h"
#include "cli/term.h"
#include "cli/vhost.h"

#include <inttypes.h>

static double trip(const struct vhost_row *row, double p)
{
	return stats_percentile(row->trip_ns, row->nr_trips, p);
}

static uint64_t bytes_read(const struct vhost_bench *bench)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < bench->nr_rows; i++)
		bytes += bench->rows[i].bytes;
	return bytes;
}

/* Blocks are read one after another, by whatever path. */
static uint64_t bytes_seen(const struct vhost_bench *bench)
{
	uint64_t bytes = bytes_read(bench);

	return bytes < bench->capacity ? bytes : bench->capacity;
}

/* ---- for people ---- */

static void print_number(int width, double number)
{
	char text[TERM_NUMBER];

	printf(" %*s", width, term_number(text, number));
}

static void print_interval(int width, const struct stats *stats)
{
	char low[TERM_NUMBER], high[TERM_NUMBER], text[2 * TERM_NUMBER + 2];

	snprintf(text, sizeof(text), "%s..%s", term_number(low, stats->low),
		 term_number(high, stats->high));
	printf(" %*s", width, text);
}

static void print_row(const struct vhost_row *row)
{
	printf("%-18s", row->type->name);
	print_number(9, trip(row, 0.5));
	print_number(9, trip(row, 0.99));
	print_number(9, trip(row, 0.999));
	print_number(9, row->iops_stats.median);
	print_interval(17, &row->iops_stats);
	if (row->has_speedup)
		printf(" %6.3fx", row->speedup.median);
	else
		printf(" %7s", "-");
	printf(" %9" PRIu64 " %6" PRIu64 "\n", row->requests, row->wrong_bytes);
}

static void print_bench(const struct vhost_bench *bench)
{
	char seen[TERM_NUMBER], capacity[TERM_NUMBER], read[TERM_NUMBER], calls[TERM_NUMBER];

	printf("\n%s, %" PRIu64 " rounds\n", vm_backend_name(bench->be), bench->rounds);
	if (bench->why[0])
		printf("cannot be measured: %s\n", bench->why);
	if (bench->rounds == 0)
		return;
	printf("%-18s %9s %9s %9s %9s %17s %7s %9s %6s\n", "path", "trip p50", "p99 ns", "p99.9 ns",
	       "IOPS", "interval", "speedup", "requests", "wrong");
	for (unsigned int i = 0; i < bench->nr_rows; i++)
		print_row(&bench->rows[i]);
	printf("%s of the device's %s bytes were read, %s in all; %s calls\n",
	       term_number(seen, (double)bytes_seen(bench)),
	       term_number(capacity, (double)bench->capacity),
	       term_number(read, (double)bytes_read(bench)),
	       term_number(calls, (double)bench->calls));
}

static void print(const struct vhost_report *report)
{
	const struct bench_opts *opts = report->opts;

	host_print(&report->host, stdout);
	printf("run   guest at CPL %u, vCPU on CPU %d, device at %s, requests of %u bytes\n",
	       opts->cpl, opts->vcpu_cpu, opts->vhost_user, VHOST_BLOCK);
	for (unsigned int i = 0; i < report->nr_benches; i++)
		print_bench(&report->benches[i]);
	printf("\ntrip: one request at a time, from before the kick until the guest, which spins, "
	       "has the data.\nIOPS: %u requests in flight; speedup: of IOPS, to the path through "
	       "userspace.\nwrong: bytes that were read and are not as they must be.\n",
	       VHOST_IN_FLIGHT);
}

/* ---- for programs ---- */

static json_t *real_or_null(bool known, double value)
{
	return known ? json_real(value) : json_null();
}

static json_t *trip_or_null(const struct vhost_row *row, bool known, double p)
{
	return known ? json_real(trip(row, p)) : json_null();
}

static json_t *row_json(const struct vhost_bench *bench, const struct vhost_row *row)
{
	bool known = bench->rounds > 0, ratio = known && row->has_speedup;

	return json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:I, s:I, s:I, s:b, s:s?}",
		"accel", vm_backend_name(bench->be), "path", row->type->name, "p50_ns",
		trip_or_null(row, known, 0.5), "p50_low", real_or_null(known, row->p50.low),
		"p50_high", real_or_null(known, row->p50.high), "ci_coverage",
		real_or_null(known, row->p50.coverage), "p99_ns", trip_or_null(row, known, 0.99),
		"p999_ns", trip_or_null(row, known, 0.999), "iops",
		real_or_null(known, row->iops_stats.median), "iops_low",
		real_or_null(known, row->iops_stats.low), "iops_high",
		real_or_null(known, row->iops_stats.high), "speedup",
		real_or_null(ratio, row->speedup.median), "speedup_low",
		real_or_null(ratio, row->speedup.low), "speedup_high",
		real_or_null(ratio, row->speedup.high), "requests", (json_int_t)row->requests,
		"bytes", (json_int_t)row->bytes, "wrong_bytes", (json_int_t)row->wrong_bytes,
		"available", !bench->why[0], "why", bench->why[0] ? bench->why : NULL);
}

static json_t *device_json(const struct vhost_bench *bench)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I}", "accel", vm_backend_name(bench->be), "rounds",
			 (json_int_t)bench->rounds, "device_bytes", (json_int_t)bench->capacity,
			 "device_bytes_read", (json_int_t)bytes_seen(bench), "calls",
			 (json_int_t)bench->calls);
}

static int print_json(const struct vhost_report *report)
{
	const struct bench_opts *opts = report->opts;
	json_t *rows = json_array(), *devices = json_array(), *root;
	int status;

	for (unsigned int i = 0; i < report->nr_benches; i++) {
		const struct vhost_bench *bench = &report->benches[i];

		json_array_append_new(devices, device_json(bench));
		for (unsigned int r = 0; r < bench->nr_rows; r++)
			json_array_append_new(rows, row_json(bench, &bench->rows[r]));
	}
	root = json_pack("{s:s, s:s, s:o, s:{s:s, s:i, s:I, s:I, s:i, s:i, s:i}, s:b, s:o, s:o}",
			 "schema", "bellwire.bench-vhost/1", "unit", "ns", "host",
			 host_json(&report->host), "options", "socket", opts->vhost_user, "cpl",
			 (int)opts->cpl, "rings", (json_int_t)opts->rings, "rounds",
			 (json_int_t)opts->rounds, "vcpu_cpu", opts->vcpu_cpu, "request_bytes",
			 (int)VHOST_BLOCK, "in_flight", (int)VHOST_IN_FLIGHT, "interrupted",
			 report->interrupted, "devices", devices, "results", rows);
	status = cli_print_json(root);
	json_decref(root);
	return status;
}

int vhost_show(const struct vhost_report *report)
{
	if (report->opts->json)
		return print_json(report);
	print(report);
	return CLI_OK;
}
