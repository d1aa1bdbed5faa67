/* SPDX-License-Identifier: MIT
 *
 * What a ring costs: for each back end the chart, the table, and what follows.
 */
#include "cli/cli.h"
#include "cli/html.h"
#include "cli/report.h"
#include "cli/term.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROW_HEIGHT 26u
#define REST_HEIGHT 64u /* of a chart besides its rows */

static size_t longest(const struct bench *bench)
{
	size_t most = 0;

	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		size_t len = strlen(bench->rows[i].type->name);

		if (bench->rows[i].available && len > most)
			most = len;
	}
	return most;
}

static const struct row *extreme(const struct bench *bench, bool most)
{
	const struct row *found = NULL;

	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		const struct row *row = &bench->rows[i];

		if (row->available && (!found || (row->ns.median > found->ns.median) == most))
			found = row;
	}
	return found;
}

static void bars(FILE *out, const struct report_size *size, const void *opaque)
{
	const struct bench *bench = opaque;

	report_chart_axes(out);
	report_chart_margin(out, longest(bench));
	fprintf(out,
		"set rmargin %u\nset tmargin 0.6\nset bmargin 3.2\nset ytics scale 0\n"
		"set xlabel '%s' offset 0,0.4\n",
		size->narrow ? 7 : 9,
		size->narrow ? "ns per ring, logarithmic"
			     : "ns per ring, logarithmic: median of the rounds, and its interval");
	bench_plot_bars(out, bench, 0);
}

static int write_chart(const struct bench *bench, FILE *out)
{
	const struct row *most = extreme(bench, true), *least = extreme(bench, false);
	const char *name = vm_backend_name(bench->be);
	char low[TERM_NUMBER], high[TERM_NUMBER], id[32], title[96], desc[256];

	snprintf(id, sizeof(id), "stall-%s", name);
	snprintf(title, sizeof(title), "Guest stall per ring on %s, by path", name);
	snprintf(
		desc, sizeof(desc),
		"A bar for each of %u paths, from %s ns (%s) to %s ns (%s). The table that follows "
		"has every figure.",
		bench_nr_bars(bench), term_number(low, least->ns.median), least->type->name,
		term_number(high, most->ns.median), most->type->name);
	return report_chart(
		out,
		&(struct report_chart){
			.id = id,
			.title = title,
			.desc = desc,
			.caption = "Nanoseconds that the guest is stalled by one ring. The "
				   "line across the end of a bar is the interval of its median.",
			.script = bars,
			.opaque = bench,
			.height = REST_HEIGHT + ROW_HEIGHT * bench_nr_bars(bench),
		});
}

/* ---- the table ---- */

static void write_cells(const struct row *row, FILE *out)
{
	for (size_t i = 0; i < bench_nr_columns; i++) {
		char text[BENCH_CELL] = "-";

		bench_columns[i].cell(row, text);
		html_element(out, "td", text);
	}
}

static void write_row(const struct row *row, FILE *out)
{
	char whole_row[48];

	html_row(out, row->type->name);
	if (row->available) {
		write_cells(row, out);
	} else {
		snprintf(whole_row, sizeof(whole_row), "td class=\"why\" colspan=\"%zu\"",
			 bench_nr_columns);
		html_printf(out, whole_row, "cannot be measured: %s", row->why);
	}
	html_row_end(out);
}

static void write_table(const struct bench *bench, FILE *out)
{
	const char **head = calloc(bench_nr_columns + 1, sizeof(*head));
	char id[32], caption[96];

	if (!head)
		return;
	head[0] = "path";
	for (size_t i = 0; i < bench_nr_columns; i++)
		head[i + 1] = bench_columns[i].head;
	snprintf(id, sizeof(id), "stalls-%s", vm_backend_name(bench->be));
	snprintf(caption, sizeof(caption), "%s: medians of %" PRIu64 " rounds",
		 vm_backend_name(bench->be), bench->rounds);
	html_table(out, id, caption, head, bench_nr_columns + 1);
	for (unsigned int i = 0; i < bench->nr_rows; i++)
		write_row(&bench->rows[i], out);
	html_table_end(out);
	free(head);
}

/* ---- what follows ---- */

/* Each line is a sentence with "- " before it. */
static void write_sentences(char *lines, FILE *out)
{
	char *line;

	fputs("<ul>\n", out);
	while ((line = strsep(&lines, "\n")))
		if (strncmp(line, "- ", 2) == 0)
			html_element(out, "li", line + 2);
	fputs("</ul>\n", out);
}

static void write_advice(const struct report *report, const struct bench *bench, FILE *out)
{
	char *lines = NULL;
	size_t size;
	FILE *advice = open_memstream(&lines, &size);

	if (!advice)
		return;
	bench_print_advice(advice, bench, report->bench->opts);
	if (fclose(advice) == 0)
		write_sentences(lines, out);
	free(lines);
}

static int write_bench(const struct report *report, const struct bench *bench, FILE *out)
{
	const char *name = vm_backend_name(bench->be);
	int status = CLI_OK;

	html_printf(out, "h3", "On %s", name);
	if (bench->why[0])
		html_printf(out, "p", "It cannot be measured: %s", bench->why);
	if (bench->rounds == 0)
		return CLI_OK;
	if (bench_nr_bars(bench) > 1)
		status = write_chart(bench, out);
	else
		html_element(out, "p",
			     "There is nothing to compare one path with: bellwire bench --report "
			     "FILE without --path, or with more in it, draws a chart.");
	write_table(bench, out);
	write_advice(report, bench, out);
	return status;
}

static bool is_measured(const struct bench_family *family, const struct bench_opts *opts)
{
	for (unsigned int i = 0; i < bench_nr_paths; i++)
		if (opts->selected[i] && bench_is_of(family, bench_paths[i].name))
			return true;
	return false;
}

static void write_families(const struct bench_opts *opts, FILE *out)
{
	fputs("<ul>\n", out);
	for (size_t i = 0; i < bench_nr_families; i++) {
		if (!is_measured(&bench_families[i], opts))
			continue;
		fputs("<li>", out);
		html_printf(out, "code", "%s-", bench_families[i].name);
		fputc(' ', out);
		html_text(out, bench_families[i].what);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static int write(const struct report *report, FILE *out)
{
	const struct bench_report *bench = report->bench;
	int status = CLI_OK;

	html_element(out, "p",
		     "A ring is one write of the guest to a doorbell. Each path is another way in "
		     "which it reaches whoever is rung:");
	write_families(bench->opts, out);
	html_element(out, "p",
		     "kvm is this host's /dev/kvm; soft is Unicorn, a CPU in software, as in any "
		     "emulator.");
	if (bench->peer[0])
		html_printf(out, "p",
			    "The qemu- paths are %s beside it, in the same rounds: with -accel kvm "
			    "beside kvm, and with -accel tcg beside soft.",
			    bench->peer);
	for (unsigned int i = 0; i < bench->nr_benches && status == CLI_OK; i++)
		status = write_bench(report, &bench->benches[i], out);
	return status;
}

const struct report_section report_stall = {
	.id = "stall",
	.title = "What a ring costs",
	.write = write,
};
