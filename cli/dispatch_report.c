/* SPDX-License-Identifier: MIT
 *
 * The report: a table for people, or one document of schema bellwire.bench-dispatch/1. What is not
 * known is "-" and null.
 */
#include "cli/cli.h"
#include "cli/dispatch.h"
#include "cli/term.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define THP "/sys/kernel/mm/transparent_hugepage/enabled"

struct dispatch_row *dispatch_row(struct dispatch_report *report, const char *name,
				  uint64_t entries, unsigned int threads)
{
	static const struct stats unknown = { NAN, NAN, NAN, 0 };
	struct dispatch_row *row = &report->rows[report->nr_rows++];

	*row = (struct dispatch_row){
		.name = name,
		.entries = entries,
		.threads = threads,
		.ns = unknown,
		.ratio = unknown,
		.of = unknown,
		.limit_ns = NAN,
		.per_second = NAN,
		.bytes_each = NAN,
	};
	return row;
}

void dispatch_no_row(struct dispatch_report *report, const char *name, uint64_t entries,
		     unsigned int threads, const char *why)
{
	struct dispatch_row *row = dispatch_row(report, name, entries, threads);

	snprintf(row->why, sizeof(row->why), "%s", why);
}

/* ---- for people ---- */

static void print_number(int width, int decimals, double number)
{
	char text[TERM_NUMBER] = "-";

	if (decimals == 0 && isfinite(number))
		term_number(text, number);
	else if (isfinite(number))
		snprintf(text, sizeof(text), "%.*f", decimals, number);
	printf(" %*s", width, text);
}

static void print_row(const struct dispatch_row *row)
{
	char interval[48] = "-";

	printf("%-14s", row->name);
	print_number(9, 0, (double)row->entries);
	printf(" %7u", row->threads);
	if (row->why[0]) {
		printf(" cannot be measured: %s\n", row->why);
		return;
	}
	if (isfinite(row->ns.low))
		snprintf(interval, sizeof(interval), "%.1f..%.1f", row->ns.low, row->ns.high);
	print_number(9, 1, row->ns.median);
	printf(" %14s", interval);
	print_number(8, 1, row->limit_ns);
	print_number(6, 2, row->ratio.median);
	print_number(5, 2, row->of.median);
	print_number(11, 0, row->per_second);
	print_number(9, 0, row->bytes_each);
	putchar('\n');
}

static void print_notes(const struct dispatch_report *report, const char *huge_pages)
{
	printf("\n%" PRIu64 " accesses were lost.\n"
	       "hit: half of the ioeventfds share a notifier, hit-own: each has its own.\n",
	       report->lost);
	printf("limit: a random read, which depends on the one before, of as much memory (hit-own: "
	       "two).\nratio, of: two threads' throughput to one's, and without the library, in "
	       "the same "
	       "rounds.\nHuge pages: %s; the library's table and the limit's memory ask for "
	       "them.\n",
	       huge_pages);
}

static void print(const struct dispatch_report *report, const char *huge_pages)
{
	const struct dispatch_opts *opts = report->opts;

	host_print(&report->host, stdout);
	printf("run   no guest, no offload: bw_bus_access() up to the count or the handler, "
	       "%" PRIu64 " in a sample, %" PRIu64 " rounds\n\n",
	       opts->accesses, opts->rounds);
	printf("%-14s %9s %7s %9s %14s %8s %6s %5s %11s %9s\n", "case", "entries", "threads",
	       "ns/access", "interval", "limit ns", "ratio", "of", "per second", "bytes");
	for (unsigned int i = 0; i < report->nr_rows; i++)
		print_row(&report->rows[i]);
	print_notes(report, huge_pages);
}

/* ---- for programs ---- */

static json_t *real_or_null(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *row_json(const struct dispatch_row *row)
{
	bool last = strcmp(row->name, "value-last") == 0;

	return json_pack(
		"{s:s, s:I, s:i, s:o, s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:s?}",
		"case", row->name, "entries", (json_int_t)row->entries, "threads",
		(int)row->threads, "ns_per_access", real_or_null(row->ns.median), "ci_low",
		real_or_null(row->ns.low), "ci_high", real_or_null(row->ns.high), "ci_coverage",
		row->ns.coverage, "limit_ns", real_or_null(row->limit_ns), "to_one_thread",
		real_or_null(last ? NAN : row->ratio.median), "to_one_thread_limit",
		real_or_null(row->of.median), "to_first_value",
		real_or_null(last ? row->ratio.median : NAN), "per_second",
		real_or_null(row->per_second), "bytes_each", real_or_null(row->bytes_each),
		"available", !row->why[0], "why", row->why[0] ? row->why : NULL);
}

static json_t *options_json(const struct dispatch_opts *opts)
{
	return json_pack("{s:I, s:I, s:I, s:[i, i]}", "rounds", (json_int_t)opts->rounds,
			 "accesses", (json_int_t)opts->accesses, "max", (json_int_t)opts->max,
			 "cpus", opts->cpus[0], opts->cpus[1]);
}

static int print_json(const struct dispatch_report *report, const char *huge_pages)
{
	json_t *rows = json_array(), *root;
	int status;

	for (unsigned int i = 0; i < report->nr_rows; i++)
		json_array_append_new(rows, row_json(&report->rows[i]));
	root = json_pack("{s:s, s:s, s:o, s:o, s:s, s:b, s:b, s:b, s:I, s:o}", "schema",
			 "bellwire.bench-dispatch/1", "unit", "ns", "host",
			 host_json(&report->host), "options", options_json(report->opts),
			 "huge_pages", huge_pages, "guest", false, "offload", false, "interrupted",
			 report->interrupted, "lost", (json_int_t)report->lost, "results", rows);
	status = cli_print_json(root);
	json_decref(root);
	return status;
}

/* What the kernel does for madvise(MADV_HUGEPAGE): the word in brackets. */
static const char *huge_pages_setting(char line[128])
{
	char *word;

	host_read_line(line, 128, THP);
	word = strchr(line, '[');
	if (!word)
		return "unknown";
	word[strcspn(word, "]")] = '\0';
	return word + 1;
}

int dispatch_show(const struct dispatch_report *report)
{
	char line[128];
	const char *huge_pages = huge_pages_setting(line);

	if (report->opts->json)
		return print_json(report, huge_pages);
	print(report, huge_pages);
	return CLI_OK;
}
