/* SPDX-License-Identifier: MIT
 *
 * The report for people: the host, then for each back end the table, the bars and the advice.
 */
#include "cli/bench.h"
#include "cli/term.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void cell_ns(const struct row *row, char text[BENCH_CELL])
{
	term_number(text, row->ns.median);
}

static void cell_interval(const struct row *row, char text[BENCH_CELL])
{
	char low[TERM_NUMBER], high[TERM_NUMBER];

	snprintf(text, BENCH_CELL, "%.14s..%.14s", term_number(low, row->ns.low),
		 term_number(high, row->ns.high));
}

static void cell_iops(const struct row *row, char text[BENCH_CELL])
{
	term_number(text, 1e9 / row->ns.median);
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
		snprintf(text, BENCH_CELL, "%.2fx", row->speedup.median);
}

static void cell_exits(const struct row *row, char text[BENCH_CELL])
{
	if (!isnan(row->exits.median))
		snprintf(text, BENCH_CELL, "%.2f", row->exits.median);
}

static void cell_vcpu(const struct row *row, char text[BENCH_CELL])
{
	term_number(text, row->vcpu_cpu_ns.median);
}

static void cell_endpoint(const struct row *row, char text[BENCH_CELL])
{
	if (row->rung && !isnan(row->endpoint_cpu_ns.median))
		term_number(text, row->endpoint_cpu_ns.median);
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
	{ "ns/ring", 8, 0, cell_ns },
	{ "interval", 16, 5, cell_interval },
	{ "rings/s", 11, 1, cell_iops },
	{ "to raw", 7, 2, cell_ratio },
	{ "interval", 14, 7, cell_ratio_interval },
	{ "speedup", 8, 6, cell_speedup },
	{ "exits", 6, 3, cell_exits },
	{ "vCPU ns", 8, 4, cell_vcpu },
	{ "endpoint ns", 11, 4, cell_endpoint },
	{ "rings", 12, 8, cell_rings },
	{ "lost", 5, 0, cell_lost },
};

const size_t bench_nr_columns = sizeof(bench_columns) / sizeof(bench_columns[0]);

static unsigned int width_up_to(unsigned int rank)
{
	unsigned int width = NAME_WIDTH;

	for (size_t i = 0; i < bench_nr_columns; i++)
		if (bench_columns[i].rank <= rank)
			width += (unsigned int)bench_columns[i].width + 1;
	return width;
}

/* The highest rank that still fits. */
static unsigned int fitting_rank(void)
{
	unsigned int width = term_width(), rank = 8;

	while (width && rank > 0 && width_up_to(rank) > width)
		rank--;
	return rank;
}

static void print_head(unsigned int rank)
{
	printf("%-*s", NAME_WIDTH, "path");
	for (size_t i = 0; i < bench_nr_columns; i++)
		if (bench_columns[i].rank <= rank)
			printf(" %*s", bench_columns[i].width, bench_columns[i].head);
	putchar('\n');
}

static void print_row(const struct row *row, unsigned int rank)
{
	printf("%-*s", NAME_WIDTH, row->type->name);
	for (size_t i = 0; i < bench_nr_columns; i++) {
		char text[BENCH_CELL] = "-";

		if (bench_columns[i].rank > rank)
			continue;
		bench_columns[i].cell(row, text);
		printf(" %*s", bench_columns[i].width, text);
	}
	putchar('\n');
}

static void print_table(const struct bench *bench)
{
	unsigned int rank = fitting_rank();

	if (bench->rounds > 0)
		print_head(rank);
	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		const struct row *row = &bench->rows[i];

		if (!row->available)
			printf("%-*s cannot be measured: %s\n", NAME_WIDTH, row->type->name,
			       row->why);
		else if (bench->rounds > 0)
			print_row(row, rank);
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
