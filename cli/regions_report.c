/* SPDX-License-Identifier: MIT
 *
 * The report: a table for people, or one document of schema bellwire.bench-regions/1.
 */
#include "cli/cli.h"
#include "cli/regions.h"
#include "cli/term.h"

#include <inttypes.h>
#include <math.h>

static const char *const operations[NR_REGION_OPERATIONS] = { "map", "move", "unmap" };

/* What the kernel takes of the library's time: the rest is what it takes without an offload. */
static double kernel_ns(const struct regions_row *row)
{
	return row->ns[WAY_BELLWIRE].median - row->ns[WAY_ALONE].median;
}

/* ---- for people ---- */

static void print_ns(int width, double ns)
{
	char text[TERM_NUMBER];

	printf(" %*s", width, term_number(text, ns));
}

static void print_row(const struct regions_report *report, const struct regions_row *row)
{
	char interval[32];

	printf("%-9s %9" PRIu64 " %5u", operations[row->operation], report->opts->doorbells,
	       row->vcpus);
	if (report->why[0])
		printf(" cannot be measured: %s", report->why);
	if (row->rounds == 0) {
		putchar('\n');
		return;
	}
	snprintf(interval, sizeof(interval), "%.3f..%.3f", row->ratio.low, row->ratio.high);
	print_ns(12, row->ns[WAY_BY_HAND].median);
	print_ns(12, row->ns[WAY_BELLWIRE].median);
	printf(" %6.3f %14s %6.3f", row->ratio.median, interval, row->aa.median);
	print_ns(11, row->ns[WAY_ALONE].median);
	print_ns(12, kernel_ns(row));
	putchar('\n');
}

static void print(const struct regions_report *report)
{
	host_print(&report->host, stdout);
	printf("run   %" PRIu64 " rounds; the vCPU exists, but does not run\n\n",
	       report->opts->rounds);
	printf("%-9s %9s %5s %12s %12s %6s %14s %6s %11s %12s\n", "operation", "doorbells", "vCPUs",
	       "by hand ns", "bellwire ns", "ratio", "interval", "A/A", "library ns", "kernel ns");
	for (unsigned int i = 0; i < NR_REGIONS_ROWS; i++)
		print_row(report, &report->rows[i]);
	puts("\nby hand: KVM_IOEVENTFD, new before old. A/A: the same in another VM, to by hand.\n"
	     "library: the same transaction without an offload. kernel: what it takes beyond "
	     "that.");
}

/* ---- for programs ---- */

static json_t *real_or_null(bool known, double value)
{
	return known ? json_real(value) : json_null();
}

static void set_stats(json_t *object, const char *median, const char *low, const char *high,
		      const struct stats *stats, bool known)
{
	json_object_set_new(object, median, real_or_null(known, stats->median));
	json_object_set_new(object, low, real_or_null(known, stats->low));
	json_object_set_new(object, high, real_or_null(known, stats->high));
}

static json_t *row_json(const struct regions_report *report, const struct regions_row *row)
{
	bool known = row->rounds > 0;
	json_t *object =
		json_pack("{s:s, s:I, s:i, s:b, s:s?, s:o, s:o, s:o}", "operation",
			  operations[row->operation], "doorbells",
			  (json_int_t)report->opts->doorbells, "vcpus", (int)row->vcpus,
			  "available", !report->why[0], "why", report->why[0] ? report->why : NULL,
			  "ci_coverage", real_or_null(known, row->ratio.coverage), "library_ns",
			  real_or_null(known, row->ns[WAY_ALONE].median), "kernel_ns",
			  real_or_null(known, kernel_ns(row)));

	set_stats(object, "by_hand_ns", "by_hand_low", "by_hand_high", &row->ns[WAY_BY_HAND],
		  known);
	set_stats(object, "bellwire_ns", "ci_low", "ci_high", &row->ns[WAY_BELLWIRE], known);
	set_stats(object, "ratio", "ratio_low", "ratio_high", &row->ratio, known);
	set_stats(object, "aa_ratio", "aa_low", "aa_high", &row->aa, known);
	return object;
}

static int print_json(const struct regions_report *report)
{
	json_t *rows = json_array(), *root;
	int status;

	for (unsigned int i = 0; i < NR_REGIONS_ROWS; i++)
		json_array_append_new(rows, row_json(report, &report->rows[i]));
	root = json_pack("{s:s, s:s, s:o, s:{s:I, s:I}, s:b, s:o}", "schema",
			 "bellwire.bench-regions/1", "unit", "ns", "host", host_json(&report->host),
			 "options", "doorbells", (json_int_t)report->opts->doorbells, "rounds",
			 (json_int_t)report->opts->rounds, "interrupted", report->interrupted,
			 "results", rows);
	status = cli_print_json(root);
	json_decref(root);
	return status;
}

int regions_show(const struct regions_report *report)
{
	if (report->opts->json)
		return print_json(report);
	print(report);
	return CLI_OK;
}
