/* SPDX-License-Identifier: MIT
 *
 * Round trips: how they are distributed, for each path and consumer.
 */
#include "cli/cli.h"
#include "cli/html.h"
#include "cli/report.h"
#include "cli/term.h"

#include <string.h>

#define ROW_HEIGHT 24u
#define REST_HEIGHT 64u /* of a chart besides its rows */

/* The rows of one back end. */
struct group {
	const struct rtt_report *report;
	const struct vm_backend *be;
};

static const struct rtt_row *next_row(const struct group *group, unsigned int *i)
{
	while (*i < group->report->nr_rows) {
		const struct rtt_row *row = &group->report->rows[(*i)++];

		if (row->be == group->be && row->trips > 0)
			return row;
	}
	return NULL;
}

static unsigned int nr_rows(const struct group *group)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; next_row(group, &i);)
		nr++;
	return nr;
}

#define LABEL 64u

static const char *label(char text[LABEL], const struct rtt_row *row)
{
	snprintf(text, LABEL, "%s, %s%s", row->type->name, row->consumer->name,
		 row->consumer->interrupts ? ", irq" : "");
	return text;
}

static double percentile(const struct rtt_row *row, double p)
{
	return stats_percentile(row->trip_ns, row->trips, p);
}

/* ---- the chart ---- */

/* Place, name, 1, 25, 50, 75, 99 and 99.9 %, colour. */
static void print_data(FILE *out, const struct group *group)
{
	static const double shares[] = { 0.01, 0.25, 0.5, 0.75, 0.99, 0.999 };
	const struct rtt_row *row;
	char text[LABEL];
	unsigned int y = 0;

	fputs("$trips << EOD\n", out);
	for (unsigned int i = 0; (row = next_row(group, &i)); y++) {
		fprintf(out, "%u \"%s\"", y, label(text, row));
		for (size_t s = 0; s < sizeof(shares) / sizeof(shares[0]); s++)
			fprintf(out, " %.1f", percentile(row, shares[s]));
		fprintf(out, " 0x%06x\n", bench_colour(row->type->name));
	}
	fputs("EOD\n", out);
}

static size_t longest(const struct group *group)
{
	const struct rtt_row *row;
	char text[LABEL];
	size_t most = 0;

	for (unsigned int i = 0; (row = next_row(group, &i));) {
		size_t len = strlen(label(text, row));

		most = len > most ? len : most;
	}
	return most;
}

static void boxes(FILE *out, const struct report_size *size, const void *opaque)
{
	const struct group *group = opaque;

	print_data(out, group);
	report_chart_axes(out);
	report_chart_margin(out, longest(group));
	fprintf(out,
		"unset key\nset rmargin 5\nset tmargin 0.6\nset bmargin 3.4\n"
		"set ytics scale 0\nset logscale x\nset format x '%%.0s%%c'\n%s"
		"set xlabel '%s' offset 0,0.4\nset yrange [%u.6:-0.6]\n",
		size->narrow ? "set xtics rotate by -35\n" : "",
		size->narrow ? "ns, logarithmic" : "ns for a round trip, logarithmic",
		nr_rows(group) - 1);
	fputs("plot $trips using 5:1:3:7:(int(column(9))):ytic(2) with xerrorbars pt -1 lw 1.4 "
	      "lc rgb variable notitle, "
	      "'' using 5:1:4:6:($1-0.28):($1+0.28):(int(column(9))) with boxxyerror fs solid "
	      "noborder lc rgb variable notitle, "
	      "'' using 5:($1-0.28):(0):(0.56) with vectors nohead lw 2 lc rgb '#303030' "
	      "notitle, "
	      "'' using 8:1:(int(column(9))) with points pt 7 ps 0.5 lc rgb variable notitle\n",
	      out);
}

static const struct rtt_row *extreme(const struct group *group, bool most)
{
	const struct rtt_row *found = NULL, *row;

	for (unsigned int i = 0; (row = next_row(group, &i));)
		if (!found || (percentile(row, 0.5) > percentile(found, 0.5)) == most)
			found = row;
	return found;
}

static int write_chart(const struct group *group, FILE *out)
{
	const struct rtt_row *most = extreme(group, true), *least = extreme(group, false);
	const char *name = vm_backend_name(group->be);
	char low[TERM_NUMBER], high[TERM_NUMBER], at_low[LABEL], at_high[LABEL];
	char id[32], title[96], desc[320];

	snprintf(id, sizeof(id), "trips-%s", name);
	snprintf(title, sizeof(title), "Distribution of round trips on %s, by path and consumer",
		 name);
	snprintf(desc, sizeof(desc),
		 "A box for each of %u paths and consumers. Medians go from %s ns (%s) to %s ns "
		 "(%s). The table that follows has the figures.",
		 nr_rows(group), term_number(low, percentile(least, 0.5)), label(at_low, least),
		 term_number(high, percentile(most, 0.5)), label(at_high, most));
	return report_chart(
		out,
		&(struct report_chart){
			.id = id,
			.title = title,
			.desc = desc,
			.caption = "Box: the middle half of the round trips. Stroke in it: the "
				   "median. Line: 1 % to 99 %. Dot: 99.9 %. irq: the answer is "
				   "an interrupt.",
			.script = boxes,
			.opaque = group,
			.height = REST_HEIGHT + ROW_HEIGHT * nr_rows(group),
		});
}

/* ---- the table ---- */

static void write_figures(const struct rtt_row *row, FILE *out)
{
	static const double shares[] = { 0.5, 0.99, 0.999 };
	char text[TERM_NUMBER];

	html_element(out, "td", row->consumer->name);
	html_element(out, "td", rtt_answer(row->consumer));
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		html_element(out, "td", term_number(text, percentile(row, shares[i])));
	if (row->related)
		html_printf(out, "td", "%s (\u00b1%.0f)",
			    term_number(text, stats_percentile(row->oneway_ns, row->trips, 0.5)),
			    row->error_ns);
	else
		html_element(out, "td", "-");
}

static void write_table(const struct group *group, FILE *out)
{
	static const char *const head[] = { "path",   "consumer", "answer",        "p50 ns",
					    "p99 ns", "p99.9 ns", "one-way p50 ns" };
	const struct rtt_row *row;
	char id[48], caption[96];

	snprintf(id, sizeof(id), "round-trips-%s", vm_backend_name(group->be));
	snprintf(caption, sizeof(caption), "%s: round trips", vm_backend_name(group->be));
	html_table(out, id, caption, head, sizeof(head) / sizeof(head[0]));
	for (unsigned int i = 0; (row = next_row(group, &i));) {
		html_row(out, row->type->name);
		write_figures(row, out);
		html_row_end(out);
	}
	html_table_end(out);
}

static int write(const struct report *report, FILE *out)
{
	const struct bench_opts *opts = report->bench->opts;
	int status = CLI_OK;

	html_element(
		out, "p",
		"The guest rings, the endpoint answers, and the guest, which spins, sees it. The "
		"consumer blocks in read(2) until it is rung, waits in epoll_wait(2) or in an "
		"io_uring, or spins. It answers by a word in the guest's memory, or by an "
		"interrupt through KVM's irqfd, and that is until the guest's handler has "
		"returned. All of these are tried on " RTT_WHOLE_PATH
		". One-way is from before the ring until the consumer has it, where the "
		"guest's clock can be related to the host's.");
	for (unsigned int a = 0; a < opts->nr_accels && status == CLI_OK; a++) {
		struct group group = { report->rtt, opts->accels[a] };

		if (nr_rows(&group) == 0)
			continue;
		html_printf(out, "h3", "On %s", vm_backend_name(group.be));
		status = write_chart(&group, out);
		write_table(&group, out);
	}
	return status;
}

static const char *absent(const struct report *report)
{
	for (unsigned int i = 0; report->rtt && i < report->rtt->nr_rows; i++)
		if (report->rtt->rows[i].trips > 0)
			return NULL;
	if (report->interrupted)
		return "The measurement ended before there were any: bellwire bench rtt takes them "
		       "alone.";
	if (!report->rtt)
		return "They take two CPUs, as the guest spins on its own while it waits: bellwire "
		       "bench rtt --cpus vcpu=0,endpoint=1 takes them where there are two.";
	return "None were taken on these paths: bellwire bench rtt takes them on all that have "
	       "somebody who answers.";
}

const struct report_section report_rtt = {
	.id = "round-trips",
	.title = "Round trips",
	.absent = absent,
	.write = write,
};
