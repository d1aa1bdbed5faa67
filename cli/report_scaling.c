/* SPDX-License-Identifier: MIT
 *
 * How the bus itself scales with the number of ioeventfds, without a guest.
 */
#include "cli/cli.h"
#include "cli/html.h"
#include "cli/report.h"
#include "cli/term.h"

#include <math.h>
#include <string.h>

#define HEIGHT 340u

/* What is drawn: cases with one thread, told apart by their points and strokes as well. */
static const struct line {
	const char *name, *title, *style;
	bool limit; /* what the case cannot do without, instead of it */
} lines[] = {
	{ "hit", "notifiers shared", "pt 7 dt 1 lc rgb '#2a6fb8'", false },
	{ "hit-own", "a notifier each", "pt 5 dt 2 lc rgb '#d9772b'", false },
	{ "region", "regions with a handler", "pt 9 dt 4 lc rgb '#2f9457'", false },
	{ "hit", "limit: a random read", "pt 6 dt 3 lc rgb '#8a94a1'", true },
};

#define NR_LINES (sizeof(lines) / sizeof(lines[0]))

static double value(const struct dispatch_row *row, bool limit)
{
	return limit ? row->limit_ns : row->ns.median;
}

static bool is_of(const struct dispatch_row *row, const struct line *line)
{
	return strcmp(row->name, line->name) == 0 && row->threads == 1 && !row->why[0] &&
	       isfinite(value(row, line->limit));
}

static unsigned int print_data(FILE *out, const struct dispatch_report *report, size_t i)
{
	unsigned int points = 0;

	fprintf(out, "$line%zu << EOD\n", i);
	for (unsigned int r = 0; r < report->nr_rows; r++) {
		const struct dispatch_row *row = &report->rows[r];

		if (!is_of(row, &lines[i]))
			continue;
		fprintf(out, "%ju %.2f\n", (uintmax_t)row->entries, value(row, lines[i].limit));
		points++;
	}
	fputs("EOD\n", out);
	return points;
}

static void curves(FILE *out, const struct report_size *size, const void *report)
{
	bool drawn[NR_LINES];
	const char *comma = "plot ";

	for (size_t i = 0; i < NR_LINES; i++)
		drawn[i] = print_data(out, report, i) > 0;
	report_chart_axes(out);
	fprintf(out,
		"set border 3 lc rgb '#909090'\nset grid ytics back lc rgb '#e0e0e0' lt 1\n"
		"set logscale xy\nset xrange [0.8:*]\nset lmargin %u\nset rmargin 4\n"
		"set format '%%.0s%%c'\n"
		"set xlabel 'entries, logarithmic'\nset ylabel 'ns, logarithmic' offset 0.5,0\n"
		"set key top left reverse Left samplen 3 textcolor rgb '#202020'\n",
		size->narrow ? 9 : 10);
	for (size_t i = 0; i < NR_LINES; i++) {
		if (!drawn[i])
			continue;
		fprintf(out, "%s$line%zu using 1:2 with linespoints lw 1.8 ps 0.8 %s title '%s'",
			comma, i, lines[i].style, lines[i].title);
		comma = ", ";
	}
	fputc('\n', out);
}

/* Of more than one size: the first line is measured first. */
static bool is_curve(const struct dispatch_report *report)
{
	unsigned int points = 0;

	for (unsigned int r = 0; r < report->nr_rows; r++)
		points += is_of(&report->rows[r], &lines[0]);
	return points > 1;
}

static int write_chart(const struct dispatch_report *report, FILE *out)
{
	return report_chart(
		out,
		&(struct report_chart){
			.id = "scaling-dispatch",
			.title = "What an access costs by the number of ioeventfds",
			.desc = "A line for ioeventfds that share two notifiers, one for "
				"ioeventfds with a notifier each, one for regions with a "
				"handler, and one for what a random read of as much memory "
				"takes. The table that follows has the figures.",
			.caption = "Nanoseconds for one access up to the count or the handler, "
				   "at random entries. The limit is a read of as much memory, "
				   "which depends on the one before.",
			.script = curves,
			.opaque = report,
			.height = HEIGHT,
		});
}

/* ---- the table ---- */

static void write_number(FILE *out, double number, int decimals)
{
	char text[TERM_NUMBER];

	if (!isfinite(number))
		html_element(out, "td", "-");
	else if (decimals > 0)
		html_printf(out, "td", "%.*f", decimals, number);
	else
		html_element(out, "td", term_number(text, number));
}

static void write_row(const struct dispatch_row *row, FILE *out)
{
	html_row(out, row->name);
	write_number(out, (double)row->entries, 0);
	write_number(out, row->threads, 0);
	if (row->why[0]) {
		html_printf(out, "td class=\"why\" colspan=\"5\"", "cannot be measured: %s",
			    row->why);
	} else {
		write_number(out, row->ns.median, 1);
		write_number(out, row->limit_ns, 1);
		write_number(out, row->ratio.median, 2);
		write_number(out, row->of.median, 2);
		write_number(out, row->per_second, 0);
	}
	html_row_end(out);
}

static void write_table(const struct dispatch_report *report, FILE *out)
{
	static const char *const head[] = { "case",     "entries", "threads", "ns each",
					    "limit ns", "ratio",   "of",      "per second" };

	html_table(out, "dispatch", "The bus alone", head, sizeof(head) / sizeof(head[0]));
	for (unsigned int i = 0; i < report->nr_rows; i++)
		write_row(&report->rows[i], out);
	html_table_end(out);
}

static int write(const struct report *report, FILE *out)
{
	int status = CLI_OK;

	html_element(
		out, "p",
		"No guest and no hypervisor here: this is what the library takes to find the "
		"ioeventfd that a write is for, and what it takes to assign one. It is the part "
		"of a ring that remains where there is no kernel to do it.");
	if (is_curve(report->dispatch))
		status = write_chart(report->dispatch, out);
	else
		html_element(out, "p",
			     "The measurement ended too early for a chart: bellwire bench dispatch "
			     "has what is in it.");
	write_table(report->dispatch, out);
	html_element(out, "p",
		     "With two threads, each on its own half of the entries, the ratio is the "
		     "throughput of both to that of one, and of is what that comes to for reads "
		     "and atomic additions without the library; for value-last, of 1,000 values "
		     "at one address, the ratio is the cost of the last value to that of the "
		     "first.");
	return status;
}

static const char *absent(const struct report *report)
{
	for (unsigned int i = 0; report->dispatch && i < report->dispatch->nr_rows; i++)
		if (is_of(&report->dispatch->rows[i], &lines[0]))
			return NULL;
	return "The measurement ended before there was anything: bellwire bench dispatch measures "
	       "it alone.";
}

const struct report_section report_scaling = {
	.id = "scaling",
	.title = "How the bus scales",
	.absent = absent,
	.write = write,
};
