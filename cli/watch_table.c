/* SPDX-License-Identifier: MIT
 *
 * The result for people. No line is wider than 80 columns.
 */
#include "cli/term.h"
#include "cli/watch.h"

#include <inttypes.h>
#include <math.h>

#define CELL 40

static const char *space_name(enum bw_space space)
{
	return space == BW_PIO ? "pio" : "mmio";
}

static void cell_address(const struct watch_address *address, char text[CELL])
{
	snprintf(text, CELL, "%-4s %#" PRIx64, space_name(address->space), address->addr);
}

/* "1,4"; "?" is what the kernel itself does not look at. */
static void cell_widths(const struct watch_address *address, char text[CELL])
{
	int len = 0;

	for (unsigned int n = 1; n < 31; n++)
		if (address->widths & 1u << n && len < CELL - 4)
			len += snprintf(text + len, (size_t)(CELL - len), "%s%u", len ? "," : "",
					n);
	if (len == 0)
		snprintf(text, CELL, address->widths & 1 ? "?" : "wide");
}

static void cell_values(const struct watch_address *address, char text[CELL])
{
	snprintf(text, CELL, "%s%u", address->nr_values == WATCH_VALUES ? ">=" : "",
		 address->nr_values);
}

static const char *cell_gain(const struct watch_address *address)
{
	if (!watch_would_gain(address))
		return "-";
	if (address->nr_values == 1)
		return "gains";
	return address->nr_values < WATCH_VALUES ? "each value" : "loses value";
}

static void cell_number(double number, const char *format, char text[CELL])
{
	char digits[TERM_NUMBER];

	if (isnan(number))
		snprintf(text, CELL, "?");
	else if (format)
		snprintf(text, CELL, format, number);
	else
		snprintf(text, CELL, "%s", term_number(digits, number));
}

/* A rate that is not 0 does not look like it. */
static void cell_rate(uint64_t count, double seconds, char text[CELL])
{
	double rate = (double)count / seconds;

	cell_number(rate, count > 0 && rate < 9.95 ? "%.1f" : NULL, text);
}

static void print_way(const struct watch_path *path, double seconds, FILE *out)
{
	char writes[CELL], reads[CELL], each[CELL], share[CELL];

	cell_rate(path->writes, seconds, writes);
	cell_rate(path->reads, seconds, reads);
	cell_number(watch_ns_each(path), NULL, each);
	cell_number(watch_share(path, seconds), "%.4f", share);
	fprintf(out, " %10s %9s %10s %7s", writes, reads, each, share);
}

static void print_slow(const struct watch_address *address, double seconds, FILE *out)
{
	char where[CELL], widths[CELL], values[CELL];

	cell_address(address, where);
	cell_widths(address, widths);
	cell_values(address, values);
	fprintf(out, "%-15s %5s", where, widths);
	print_way(&address->slow, seconds, out);
	fprintf(out, " %6s %s\n", values, cell_gain(address));
}

static void print_light(const struct watch_address *address, double seconds, FILE *out)
{
	char where[CELL], widths[CELL];

	cell_address(address, where);
	cell_widths(address, widths);
	fprintf(out, "%-15s %5s", where, widths);
	print_way(&address->light, seconds, out);
	fputc('\n', out);
}

static void print_more(unsigned int nr, const struct watch_path *rest, double seconds, FILE *out)
{
	char rate[CELL];

	if (nr > 0)
		fprintf(out, "and %u more: --json has them all\n", nr);
	if (watch_path_count(rest) == 0)
		return;
	cell_rate(watch_path_count(rest), seconds, rate);
	fprintf(out, "and %s a second to addresses beyond the first %u\n", rate, WATCH_ADDRESSES);
}

static void print_ways(const struct watch_report *report, bool slow, unsigned int rows, FILE *out)
{
	const struct watch_account *account = report->account;
	unsigned int nr = 0;

	for (unsigned int i = 0; i < account->nr; i++) {
		const struct watch_address *address = &account->addresses[report->order[i]];

		if (watch_path_count(slow ? &address->slow : &address->light) == 0 || nr++ >= rows)
			continue;
		if (nr == 1)
			fprintf(out, "%-15s %5s %10s %9s %10s %7s%s\n",
				slow ? "to userspace" : "in the kernel", "width", "writes/s",
				"reads/s", "ns each", "s per s", slow ? " values ioeventfd" : "");
		(slow ? print_slow : print_light)(address, report->seconds, out);
	}
	if (nr == 0)
		fprintf(out, "%s: no access\n", slow ? "to userspace" : "in the kernel");
	print_more(nr > rows ? nr - rows : 0, slow ? &account->rest_slow : &account->rest_light,
		   report->seconds, out);
}

static void print_other(const char *name, uint64_t count, double seconds, FILE *out)
{
	char rate[CELL];

	if (count == 0)
		return;
	cell_rate(count, seconds, rate);
	fprintf(out, "%-32s %10s a second\n", name, rate);
}

static void print_others(const struct watch_report *report, FILE *out)
{
	const struct watch_account *account = report->account;
	double seconds = report->seconds;

	print_other("other exits, in the kernel", account->other_light, seconds, out);
	for (unsigned int i = 0; i < WATCH_REASONS; i++) {
		char name[CELL];

		snprintf(name, sizeof(name), "other exits, %.20s",
			 watch_reason(i) ? watch_reason(i) : "?");
		print_other(name, account->reasons[i], seconds, out);
	}
	print_other("other exits, newer reasons", account->reasons_beyond, seconds, out);
	print_other("other exits, by a signal", account->interrupted, seconds, out);
	print_other("accesses without an address", account->unnamed, seconds, out);
}

/* What an ioeventfd could take. */
static void print_sum(const struct watch_report *report, FILE *out)
{
	const struct watch_account *account = report->account;
	unsigned int nr = 0;
	double share = 0;

	for (unsigned int i = 0; i < account->nr; i++) {
		const struct watch_address *address = &account->addresses[i];

		if (!watch_would_gain(address))
			continue;
		nr++;
		if (address->slow.timed)
			share += watch_share(&address->slow, report->seconds);
	}
	fprintf(out,
		"%u of %u addresses would gain from an ioeventfd: %.4f s per second go there.\n",
		nr, account->nr, share);
	if (account->lost)
		fprintf(out, "%" PRIu64 " events were lost: all rates are too low.\n",
			account->lost);
}

void watch_print(const struct watch_report *report, unsigned int rows, FILE *out)
{
	fprintf(out, "%s, process %d, %u thread%s, %.1f s\n\n", report->process->comm,
		report->process->pid, report->threads->seen, report->threads->seen == 1 ? "" : "s",
		report->seconds);
	print_ways(report, true, rows, out);
	fputc('\n', out);
	print_ways(report, false, rows / 2, out);
	fputc('\n', out);
	print_others(report, out);
	print_sum(report, out);
}
