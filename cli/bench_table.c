/* SPDX-License-Identifier: MIT
 *
 * The report for people: the host, then for each back end the table, the bars and the advice.
 */
#include "cli/bench.h"
#include "cli/term.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* A store may take less than a nanosecond. */
static const char *ns_number(char text[TERM_NUMBER], double ns)
{
	if (ns >= 10)
		return term_number(text, ns);
	snprintf(text, TERM_NUMBER, "%.2f", ns);
	return text;
}

static void cell_ns(const struct row *row, char text[BENCH_CELL])
{
	ns_number(text, row->ns.median);
}

static void cell_interval(const struct row *row, char text[BENCH_CELL])
{
	char low[TERM_NUMBER], high[TERM_NUMBER];

	snprintf(text, BENCH_CELL, "%.14s..%.14s", ns_number(low, row->ns.low),
		 ns_number(high, row->ns.high));
}

static void cell_iops(const struct row *row, char text[BENCH_CELL])
{
	if (!row->type->kind->coalesces) /* stores a second are nothing that gets done */
		term_number(text, 1e9 / row->ns.median);
}

static void cell_coalesced(const struct row *row, char text[BENCH_CELL])
{
	if (row->deliveries > 0)
		term_number(text, (double)row->rings / (double)row->deliveries);
}

static void cell_ratio(const struct row *row, char text[BENCH_CELL])
{
	if (row->has_ratio)
		snprintf(text, BENCH_CELL, "%.3f", row->ratio.median);
}

static void cell_ratio_interval(const struct row *row, char text[BENCH_CELL])
{
	if (row->has_ratio)
		snprintf(text, BENCH_CELL, "%.3f..%.3f", row->ratio.low, row->ratio.high);
}

static void cell_speedup(const struct row *row, char text[BENCH_CELL])
{
	if (row->has_speedup)
		snprintf(text, BENCH_CELL, row->speedup.median < 1000 ? "%.2fx" : "%.0fx",
			 row->speedup.median);
}

static void cell_exits(const struct row *row, char text[BENCH_CELL])
{
	if (!isnan(row->exits.median))
		snprintf(text, BENCH_CELL, "%.2f", row->exits.median);
}

static void cell_vcpu(const struct row *row, char text[BENCH_CELL])
{
	ns_number(text, row->vcpu_cpu_ns.median);
}

static void cell_endpoint(const struct row *row, char text[BENCH_CELL])
{
	if (row->rung && !isnan(row->endpoint_cpu_ns.median))
		ns_number(text, row->endpoint_cpu_ns.median);
}

static void cell_rings(const struct row *row, char text[BENCH_CELL])
{
	term_number(text, (double)row->rings);
}

static void cell_lost(const struct row *row, char text[BENCH_CELL])
{
	if (row->rung)
		snprintf(text, BENCH_CELL, "%" PRId64, bench_lost(row));
}

#define NAME_WIDTH 18

const struct bench_column bench_columns[] = {
	{ "ns/ring", 8, 0, cell_ns, false },
	{ "interval", 16, 5, cell_interval, false },
	{ "rings/s", 11, 1, cell_iops, false },
	{ "to raw", 7, 2, cell_ratio, false },
	{ "interval", 14, 7, cell_ratio_interval, false },
	{ "speedup", 8, 6, cell_speedup, false },
	{ "exits", 6, 3, cell_exits, false },
	{ "vCPU ns", 8, 4, cell_vcpu, false },
	{ "endpoint ns", 11, 4, cell_endpoint, false },
	{ "rings", 12, 8, cell_rings, false },
	{ "coalesced", 9, 3, cell_coalesced, true },
	{ "lost", 5, 0, cell_lost, false },
};

const size_t bench_nr_columns = sizeof(bench_columns) / sizeof(bench_columns[0]);

static bool any_coalesces(const struct bench *bench)
{
	for (unsigned int i = 0; i < bench->nr_rows; i++)
		if (bench->rows[i].deliveries > 0)
			return true;
	return false;
}

/* What is shown of the table. */
struct layout {
	unsigned int rank;
	bool coalesced;
};

static bool is_shown(const struct bench_column *column, const struct layout *layout)
{
	return column->rank <= layout->rank && (layout->coalesced || !column->of_coalescing);
}

static unsigned int width_of(const struct layout *layout)
{
	unsigned int width = NAME_WIDTH;

	for (size_t i = 0; i < bench_nr_columns; i++)
		if (is_shown(&bench_columns[i], layout))
			width += (unsigned int)bench_columns[i].width + 1;
	return width;
}

/* The highest rank that still fits. */
static struct layout fitting_layout(const struct bench *bench)
{
	struct layout layout = { .rank = 8, .coalesced = any_coalesces(bench) };
	unsigned int width = term_width();

	while (width && layout.rank > 0 && width_of(&layout) > width)
		layout.rank--;
	return layout;
}

static void print_head(const struct layout *layout)
{
	printf("%-*s", NAME_WIDTH, "path");
	for (size_t i = 0; i < bench_nr_columns; i++)
		if (is_shown(&bench_columns[i], layout))
			printf(" %*s", bench_columns[i].width, bench_columns[i].head);
	putchar('\n');
}

static void print_row(const struct row *row, const struct layout *layout)
{
	printf("%-*s", NAME_WIDTH, row->type->name);
	for (size_t i = 0; i < bench_nr_columns; i++) {
		char text[BENCH_CELL] = "-";

		if (!is_shown(&bench_columns[i], layout))
			continue;
		bench_columns[i].cell(row, text);
		printf(" %*s", bench_columns[i].width, text);
	}
	putchar('\n');
}

static void print_table(const struct bench *bench)
{
	struct layout layout = fitting_layout(bench);

	if (bench->rounds > 0)
		print_head(&layout);
	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		const struct row *row = &bench->rows[i];

		if (!row->available)
			printf("%-*s cannot be measured: %s\n", NAME_WIDTH, row->type->name,
			       row->why);
		else if (bench->rounds > 0)
			print_row(row, &layout);
	}
}

static void print_total(const struct bench *bench)
{
	double coverage = 100 * bench->aa->ratio.coverage;
	char number[TERM_NUMBER];
	uint64_t rings = 0;
	int64_t lost = 0;

	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		rings += bench->rows[i].rung ? bench->rows[i].rings : 0;
		lost += bench_lost(&bench->rows[i]);
	}
	printf("%s rings that are counted, %" PRId64 " lost.", term_number(number, (double)rings),
	       lost);
	if (coverage > 0)
		printf(" Intervals hold the median with %.0f %%.", coverage);
	putchar('\n');
}

static void print_bench(const struct bench *bench, const struct bench_opts *opts)
{
	const char *name = vm_backend_name(bench->be);

	if (bench->why[0]) {
		printf("\n%s cannot be measured: %s\n", name, bench->why);
		return;
	}
	printf("\n%s, %" PRIu64 " rounds\n", name, bench->rounds);
	print_table(bench);
	if (bench->rounds == 0)
		return;
	print_total(bench);
	bench_print_bars(bench);
	putchar('\n');
	bench_print_advice(stdout, bench, opts);
}

void bench_print(const struct bench_report *report)
{
	const struct bench_opts *opts = report->opts;

	host_print(&report->host, stdout);
	printf("run   guest at CPL %u, vCPU on CPU %d, endpoint (%s) on CPU %d, order from --seed "
	       "%" PRIu64 "\n",
	       opts->cpl, opts->vcpu_cpu, bench_endpoint_name(opts), opts->endpoint.cpu,
	       opts->seed);
	if (report->peer[0])
		printf("peer  %s, its vCPU where ours is\n", report->peer);
	for (unsigned int i = 0; i < report->nr_benches; i++)
		print_bench(&report->benches[i], opts);
	puts("\n2009, on that day's KVM and hardware: MMIO through QEMU 9,090 ns, ioeventfd-mmio "
	     "5,000,"
	     " ioeventfd-pio 2,720.");
}
