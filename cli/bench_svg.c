/* SPDX-License-Identifier: MIT
 *
 * The chart: a script for gnuplot, whose drawing goes to a file that is already open.
 */
#include "cli/bench.h"
#include "cli/cli.h"
#include "cli/gnuplot.h"
#include "cli/term.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WIDTH 960
#define ROW_HEIGHT 26u
#define PANEL_HEIGHT 90u /* of a panel besides its rows */
#define TITLE_HEIGHT 60u

/* Nothing is truncated yet: a chart that is there stays until there is a new one. */
int bench_svg_open(const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0)
		cli_failed("%s: %s", file, strerror(errno));
	return fd;
}

void bench_svg_close(const char *file, int fd)
{
	if (fd < 0)
		return;
	if (gnuplot_size(fd) == 0)
		unlink(file);
	close(fd);
}

unsigned int bench_nr_bars(const struct bench *bench)
{
	unsigned int bars = 0;

	for (unsigned int i = 0; i < bench->nr_rows; i++)
		bars += bench->rows[i].available && bench->rounds > 0;
	return bars;
}

static const char *bar_number(char text[TERM_NUMBER], double ns)
{
	if (ns >= 10)
		return term_number(text, ns);
	snprintf(text, TERM_NUMBER, "%.2f", ns);
	return text;
}

/* Place, name, median, interval, colour, and the median for people. */
static void print_data(FILE *out, const struct bench *bench, unsigned int panel)
{
	char number[TERM_NUMBER];
	unsigned int y = 0;

	fprintf(out, "$panel%u << EOD\n", panel);
	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		const struct row *row = &bench->rows[i];

		if (row->available)
			fprintf(out, "%u %s %.2f %.2f %.2f 0x%06x %s\n", y++, row->type->name,
				row->ns.median, row->ns.low, row->ns.high,
				bench_colour(row->type->name), bar_number(number, row->ns.median));
	}
	fputs("EOD\n", out);
}

void bench_plot_bars(FILE *out, const struct bench *bench, unsigned int panel)
{
	print_data(out, bench, panel);
	fprintf(out,
		"unset key\nset yrange [%u.6:-0.6]\n"
		"set logscale x\nset xrange [0.1:*]\nset xtics ('0.1' 0.1, '1' 1, '10' 10, '100' "
		"100, '1k' 1e3, '10k' 1e4, '100k' 1e5, '1M' 1e6, '10M' 1e7)\n"
		"plot $panel%u using (0.1):1:(0.1):3:($1-0.36):($1+0.36):(int(column(6))):ytic(2) "
		"with boxxyerror fs solid noborder lc rgb variable notitle, "
		"'' using 3:1:4:5 with xerrorbars pt -1 lw 1.2 lc rgb '#303030' notitle, "
		"'' using 5:1:7 with labels left offset 0.8,0 font ',11' notitle\n",
		bench_nr_bars(bench) - 1, panel);
}

static void print_panel(FILE *out, const struct bench *bench, unsigned int panel, double top,
			double height)
{
	fprintf(out,
		"set size 1,%.4f\nset origin 0,%.4f\n"
		"set title '%s, %ju rounds' font ',13' offset 0,-0.5\n",
		height, top - height, vm_backend_name(bench->be), (uintmax_t)bench->rounds);
	bench_plot_bars(out, bench, panel);
}

static unsigned int chart_height(const struct bench_report *report)
{
	unsigned int height = TITLE_HEIGHT;

	for (unsigned int i = 0; i < report->nr_benches; i++)
		if (bench_nr_bars(&report->benches[i]))
			height += PANEL_HEIGHT + ROW_HEIGHT * bench_nr_bars(&report->benches[i]);
	return height;
}

static void print_panels(FILE *out, const struct bench_report *report, unsigned int height)
{
	double top = 1 - (double)TITLE_HEIGHT / height;

	for (unsigned int i = 0; i < report->nr_benches; i++) {
		const struct bench *bench = &report->benches[i];
		double share = (double)(PANEL_HEIGHT + ROW_HEIGHT * bench_nr_bars(bench)) / height;

		if (bench_nr_bars(bench) == 0)
			continue;
		print_panel(out, bench, i, top, share);
		top -= share;
	}
}

static void print_script(FILE *out, const struct bench_report *report)
{
	unsigned int height = chart_height(report);

	fprintf(out,
		"set terminal svg size %d,%u noenhanced font 'sans-serif,12' background '#ffffff'\n"
		"set multiplot title 'What a doorbell costs: guest stall per ring'.\"\\n\".'",
		WIDTH, height);
	gnuplot_quoted(out, report->host.kernel);
	fputs(" on ", out);
	gnuplot_quoted(out, report->host.cpu);
	fprintf(out,
		"%s, guest at CPL %u' font ',13'\n"
		"set lmargin 20\nset rmargin 8\nset tmargin 2\nset bmargin 3.2\n"
		"set border 1 lc rgb '#909090'\nset tics nomirror scale 0.4 textcolor rgb "
		"'#202020'\n"
		"set ytics scale 0\nset grid xtics back lc rgb '#e0e0e0' lt 1\n"
		"set xlabel 'ns, logarithmic: median of the rounds, and its interval' offset "
		"0,0.4\n"
		"set bars 0.5\n",
		report->host.in_vm ? " (in a VM)" : "", report->opts->cpl);
	print_panels(out, report, height);
	fputs("unset multiplot\n", out);
}

static void script(FILE *out, const void *opaque)
{
	print_script(out, opaque);
}

/* 0 or -errno. */
static int copy_all(int from, int to)
{
	char text[4096];
	ssize_t got, written;

	while ((got = read(from, text, sizeof(text))) > 0)
		for (char *at = text; got > 0; at += written, got -= written) {
			written = write(to, at, (size_t)got);
			if (written < 0)
				return -errno;
		}
	return got < 0 ? -errno : 0;
}

/* All of it or nothing: half a chart looks like one to whoever does not open it. */
static int save(const char *file, int drawing, int fd)
{
	int err = gnuplot_size(fd) > 0 && ftruncate(fd, 0) < 0 ? -errno : 0;

	if (!err)
		err = lseek(drawing, 0, SEEK_SET) < 0 ? -errno : copy_all(drawing, fd);
	if (!err)
		return CLI_OK;
	cli_failed("%s: %s", file, strerror(-err));
	if (gnuplot_size(fd) > 0 && ftruncate(fd, 0) < 0)
		cli_failed("%s: what is there is no whole chart", file);
	return CLI_FAILED;
}

int bench_svg_write(const struct bench_report *report, int fd)
{
	int drawing, status;

	if (chart_height(report) == TITLE_HEIGHT)
		return cli_failed("nothing to draw");
	drawing = gnuplot_draw(script, report);
	if (drawing < 0)
		return CLI_FAILED;
	status = save(report->opts->svg, drawing, fd);
	close(drawing);
	return status;
}
