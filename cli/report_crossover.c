/* SPDX-License-Identifier: MIT
 *
 * The crossover: from how many rings a second on a doorbell page had better be hot.
 */
#include "cli/cli.h"
#include "cli/html.h"
#include "cli/report.h"
#include "cli/term.h"

#include <math.h>
#include <string.h>

#define HEIGHT 430u
#define LEAST_RATE 10.0 /* rings a second that are drawn in any case */
#define MOST_RATE 1e6

/* A mechanism on one back end: what follows from its cells. */
struct group {
	const struct adaptive_report *report;
	const struct cell *first; /* of its cells */
	struct crossover crossover;
};

/* Measured points, by policy: told apart by their shapes as well. */
static const char *const points[ADAPTIVE_NR_POLICIES] = {
	[BW_PAGE_ADAPTIVE] = "pt 9 ps 1.1 lc rgb '#2f9457'",
	[BW_PAGE_HOT] = "pt 5 ps 0.8 lc rgb '#d9772b'",
	[BW_PAGE_COLD] = "pt 7 ps 0.8 lc rgb '#2a6fb8'",
};

static bool is_of(const struct group *group, const struct cell *cell)
{
	return cell->be == group->first->be && cell->mechanism == group->first->mechanism;
}

/* The first of each is as good as any. */
static bool begins(const struct adaptive_report *report, unsigned int i)
{
	const struct group group = { .first = &report->cells[i] };

	return i == 0 || !is_of(&group, &report->cells[i - 1]);
}

static const char *name_of(char text[64], const struct group *group)
{
	snprintf(text, 64, "%s, %s", vm_backend_name(group->first->be),
		 group->first->mechanism->name);
	return text;
}

static bool is_drawn(const struct cell *cell)
{
	return cell->rings > 0 && cell->cpu.median > 0 && cell->ring_cpu.median > 0;
}

/* The poller's CPU was taken by the second, and by the ring. */
static double rate(const struct cell *cell)
{
	return 1e9 * cell->cpu.median / cell->ring_cpu.median;
}

static double cost(const struct cell *cell)
{
	return cell->stall.median + cell->ring_cpu.median;
}

/* ---- the chart ---- */

static unsigned int print_points(FILE *out, const struct group *group, enum bw_page_policy policy)
{
	unsigned int nr = 0;

	fprintf(out, "$policy%u << EOD\n", policy);
	for (unsigned int i = 0; i < group->report->nr_cells; i++) {
		const struct cell *cell = &group->report->cells[i];

		if (!is_of(group, cell) || cell->policy != policy || !is_drawn(cell))
			continue;
		fprintf(out, "%.1f %.2f\n", rate(cell), cost(cell));
		nr++;
	}
	fputs("EOD\n", out);
	return nr;
}

/* Whole decades, so that each end has its tic. */
static void set_range(FILE *out, const struct group *group)
{
	double least = LEAST_RATE, most = MOST_RATE;

	for (unsigned int i = 0; i < group->report->nr_cells; i++) {
		const struct cell *cell = &group->report->cells[i];

		if (is_of(group, cell) && is_drawn(cell)) {
			least = fmin(least, rate(cell));
			most = fmax(most, rate(cell));
		}
	}
	if (isfinite(group->crossover.spinning))
		most = fmax(most, group->crossover.spinning);
	if (group->crossover.napping > 1)
		least = fmin(least, group->crossover.napping);
	fprintf(out, "set xrange [%g:%g]\n", pow(10, floor(log10(least))),
		pow(10, ceil(log10(most))));
}

static void print_mark(FILE *out, const char *name, double at, double cost_ns)
{
	fprintf(out, "$%s << EOD\n", name);
	if (isfinite(at))
		fprintf(out, "%.1f %.2f\n", at, cost_ns);
	fputs("EOD\n", out);
}

static void plot_mark(FILE *out, const char *name, double at, int shape, const char *what)
{
	char text[TERM_NUMBER];

	if (isfinite(at))
		fprintf(out,
			", $%s using 1:2 with impulses lw 1.2 dt 3 lc rgb '#303030' notitle, "
			"'' using 1:2 with points pt %d ps 1.4 lw 2 lc rgb '#303030' "
			"title '%s: %s/s'",
			name, shape, what, term_number(text, at));
}

static void curves(FILE *out, const struct report_size *size, const void *opaque)
{
	const struct group *group = opaque;
	const struct crossover *c = &group->crossover;
	bool any[ADAPTIVE_NR_POLICIES];

	for (unsigned int p = 0; p < ADAPTIVE_NR_POLICIES; p++)
		any[p] = print_points(out, group, p) > 0;
	print_mark(out, "spinning", c->spinning, c->cold_ns);
	print_mark(out, "napping", c->napping, c->cold_ns);
	report_chart_axes(out);
	set_range(out, group);
	fprintf(out,
		"set border 3 lc rgb '#909090'\nset grid ytics back lc rgb '#e0e0e0' lt 1\n"
		"set logscale xy\nset lmargin %u\nset rmargin 4\nset format '%%.0s%%c'\n"
		"set xlabel 'rings a second, logarithmic'\n"
		"set ylabel 'ns per ring, logarithmic' offset 0.5,0\n"
		"set key outside top center vertical maxrows %u reverse Left samplen 3 "
		"textcolor rgb '#202020'\n",
		size->narrow ? 9 : 10, size->narrow ? 8 : 4);
	fprintf(out,
		"plot %g with lines lw 1.8 dt 1 lc rgb '#2a6fb8' title 'cold', "
		"%g + 1e9 / x with lines lw 1.8 dt 2 lc rgb '#d9772b' title 'hot, spinning', "
		"%g + %g / x with lines lw 1.8 dt 4 lc rgb '#2f9457' title 'hot, napping'",
		c->cold_ns, c->hot_ns, c->hot_ns, 1e9 * c->nap_cpu);
	for (unsigned int p = 0; p < ADAPTIVE_NR_POLICIES; p++)
		if (any[p])
			fprintf(out, ", $policy%u using 1:2 with points %s title '%s, measured'", p,
				points[p], adaptive_policies[p]);
	plot_mark(out, "spinning", c->spinning, 8, "crossover, spinning");
	plot_mark(out, "napping", c->napping, 6, "crossover, napping");
	fputc('\n', out);
}

static void describe(char *text, size_t size, const struct group *group)
{
	const struct crossover *c = &group->crossover;
	char cold[TERM_NUMBER], spinning[TERM_NUMBER], napping[TERM_NUMBER];

	term_number(cold, c->cold_ns);
	if (isfinite(c->spinning))
		snprintf(text, size,
			 "A ring that traps costs guest and poller %s ns, one that does not "
			 "%.2f ns and the poller's looking. Hot is cheaper from %s rings a second "
			 "on, if a poller spins for it, and from %s, if it naps between looks.",
			 cold, c->hot_ns, term_number(spinning, c->spinning),
			 term_number(napping, c->napping));
	else
		snprintf(text, size,
			 "A ring that traps costs guest and poller %s ns, no more than one that "
			 "does not, %.2f ns: there is no crossover.",
			 cold, c->hot_ns);
}

static int write_chart(const struct group *group, FILE *out)
{
	char name[64], id[96], title[160], said[400], desc[600];

	snprintf(id, sizeof(id), "crossover-%s-%s", vm_backend_name(group->first->be),
		 group->first->mechanism->name);
	snprintf(title, sizeof(title), "Cost of a ring by rings a second, hot and cold: %s",
		 name_of(name, group));
	describe(said, sizeof(said), group);
	snprintf(desc, sizeof(desc), "Cold is a level line, hot falls with the rate. %s", said);
	html_printf(out, "h3", "On %s", name_of(name, group));
	html_element(out, "p", said);
	return report_chart(
		out, &(struct report_chart){
			     .id = id,
			     .title = title,
			     .desc = desc,
			     .caption = "Lines: the model, from what was measured at 50,000 a "
					"second. Cold, a ring costs the guest's stall and the "
					"poller's CPU; hot, the poller's looking is shared by "
					"all rings of the second. Points: measured, each with "
					"its stall and the poller's CPU.",
			     .script = curves,
			     .opaque = group,
			     .height = HEIGHT,
		     });
}

/* ---- the table ---- */

static void write_rings(const struct cell *cell, FILE *out)
{
	char text[TERM_NUMBER];

	if (cell->rings > 0)
		html_printf(out, "td", "%.2f", cell->stall.median);
	else
		html_element(out, "td", "-");
	if (cell->latencies > 0)
		html_element(out, "td",
			     term_number(text, stats_percentile(cell->latency_ns, cell->latencies,
								0.99)));
	else
		html_element(out, "td", "-");
}

static void write_row(const struct cell *cell, FILE *out)
{
	html_row(out, cell->pattern->name);
	html_element(out, "td", adaptive_policies[cell->policy]);
	html_element(out, "td", vm_backend_name(cell->be));
	html_element(out, "td", cell->mechanism->name);
	write_rings(cell, out);
	html_printf(out, "td", "%.2f %%", 100 * cell->cpu.median);
	html_row_end(out);
}

static void write_table(const struct adaptive_report *report, FILE *out)
{
	static const char *const head[] = { "pattern",     "policy", "accel",     "mechanism",
					    "ns per ring", "p99 ns", "poller CPU" };

	html_table(out, "pages", "Doorbell pages", head, sizeof(head) / sizeof(head[0]));
	for (unsigned int i = 0; i < report->nr_cells; i++)
		if (report->cells[i].rounds > 0)
			write_row(&report->cells[i], out);
	html_table_end(out);
}

/* ---- the section ---- */

static void write_why(const struct adaptive_report *report, FILE *out)
{
	for (unsigned int i = 0; i < report->nr_cells; i++) {
		const struct cell *cell = &report->cells[i];

		if (begins(report, i) && cell->why[0])
			html_printf(out, "p", "No page can be hot on %s by %s: %s.",
				    vm_backend_name(cell->be), cell->mechanism->name, cell->why);
	}
}

static int write_charts(const struct adaptive_report *report, FILE *out)
{
	int status = CLI_OK;
	char name[64];

	for (unsigned int i = 0; i < report->nr_cells && status == CLI_OK; i++) {
		struct group group = { .report = report, .first = &report->cells[i] };

		if (!begins(report, i) || group.first->why[0])
			continue;
		if (adaptive_crossover(report, group.first, &group.crossover))
			status = write_chart(&group, out);
		else
			html_printf(out, "p",
				    "The measurement ended too early for a chart of %s: bellwire "
				    "bench adaptive --accel %s has what is in it.",
				    name_of(name, &group), vm_backend_name(group.first->be));
	}
	return status;
}

static int write(const struct report *report, FILE *out)
{
	int status;

	html_element(
		out, "p",
		"A doorbell page that is hot is memory: a store does not exit, and a poller looks "
		"at it. One that is cold traps, and the poller sleeps. Which is cheaper depends on "
		"how often it is rung. A hot page is for a poller that spins anyway, or for rings "
		"that are many.");
	write_why(report->adaptive, out);
	status = write_charts(report->adaptive, out);
	if (!adaptive_has_rounds(report->adaptive))
		return status;
	write_table(report->adaptive, out);
	html_element(out, "p",
		     "ns per ring: the guest's stall. p99: from a burst's begin until the poller "
		     "delivers something of it, where the guest's clock is the host's. Each is one "
		     "short sample, after a warm-up; bellwire bench adaptive takes more.");
	return status;
}

static const char *absent(const struct report *report)
{
	for (unsigned int i = 0; report->adaptive && i < report->adaptive->nr_cells; i++)
		if (report->adaptive->cells[i].rounds > 0 || report->adaptive->cells[i].why[0])
			return NULL;
	if (report->adaptive || report->interrupted)
		return "The measurement ended before there was anything: bellwire bench adaptive "
		       "measures it alone.";
	return "It takes two CPUs, as a hot page's poller takes one: bellwire bench adaptive "
	       "--cpus vcpu=0,endpoint=1 measures it where there are two.";
}

const struct report_section report_crossover = {
	.id = "crossover",
	.title = "When a doorbell page is worth being hot",
	.absent = absent,
	.write = write,
};
