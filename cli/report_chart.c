/* SPDX-License-Identifier: MIT
 *
 * A chart in the page: gnuplot's SVG, with its fixed colours made properties that follow the colour
 * scheme, its ids made unlike those of other charts, and a title and a description for those who do
 * not see it.
 */
#include "cli/cli.h"
#include "cli/gnuplot.h"
#include "cli/html.h"
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct report_size sizes[] = {
	{ .narrow = false, .width = 880, .font = 13 },
	{ .narrow = true, .width = 344, .font = 11 },
};

/* By the red, green and blue in gnuplot's scripts, besides those of the paths. Text has a contrast
 * of four and a half to one. */
static const struct {
	unsigned int rgb;
	const char *name, *light, *dark;
} colours[] = {
	{ BENCH_NO_COLOUR, "ink", "#1c2430", "#e4e8ee" },
	{ 0x909090, "axis", "#8a929e", "#7d8794" },
	{ 0xe0e0e0, "grid", "#e2e6eb", "#343c47" },
	{ 0x303030, "whisker", "#1c2430", "#f4f6f8" },
};

#define NR_COLOURS (sizeof(colours) / sizeof(colours[0]))

void report_chart_colours(FILE *out, bool dark)
{
	for (size_t i = 0; i < NR_COLOURS; i++)
		fprintf(out, "--%s:%s;", colours[i].name,
			dark ? colours[i].dark : colours[i].light);
	for (size_t i = 0; i < bench_nr_families; i++)
		fprintf(out, "--%s:%s;", bench_families[i].name,
			dark ? bench_families[i].dark : bench_families[i].light);
}

void report_chart_axes(FILE *out)
{
	fputs("set border 1 lc rgb '#909090'\n"
	      "set tics nomirror scale 0.4 textcolor rgb '#202020'\n"
	      "set grid xtics back lc rgb '#e0e0e0' lt 1\n"
	      "set xlabel textcolor rgb '#202020'\nset ylabel textcolor rgb '#202020'\n"
	      "set bars 0.5\nunset mxtics\nunset mytics\n",
	      out);
}

/* gnuplot's margins are in characters of a font with wider ones. */
void report_chart_margin(FILE *out, size_t longest)
{
	fprintf(out, "set lmargin %.1f\n", 0.82 * (double)longest + 2);
}

/* ---- drawing ---- */

struct drawing {
	const struct report_chart *chart;
	const struct report_size *size;
};

static void script(FILE *out, const void *opaque)
{
	const struct drawing *d = opaque;

	fprintf(out, "set terminal svg size %u,%u noenhanced font 'sans-serif,%u'\n",
		d->size->width, d->chart->height, d->size->font);
	d->chart->script(out, d->size, d->chart->opaque);
}

/* The whole of a file, with a NUL behind it; NULL: it cannot be read. */
static char *read_all(int fd)
{
	size_t size = (size_t)gnuplot_size(fd);
	char *text = calloc(1, size + 1);

	if (text && pread(fd, text, size, 0) == (ssize_t)size)
		return text;
	free(text);
	return NULL;
}

/* What gnuplot makes of it, to be freed; NULL: has said why not. */
static char *draw(const struct drawing *drawing)
{
	int fd = gnuplot_draw(script, drawing);
	char *svg;

	if (fd < 0)
		return NULL;
	svg = read_all(fd);
	if (!svg)
		cli_failed("no memory for a chart");
	close(fd);
	return svg;
}

/* ---- putting it into the page ---- */

struct svg {
	FILE *out;
	const char *at; /* what is not yet copied */
	char id[64];
};

static bool begins(const struct svg *svg, const char *word)
{
	return strncmp(svg->at, word, strlen(word)) == 0;
}

static void skip_to(struct svg *svg, const char *end)
{
	const char *found = strstr(svg->at, end);

	svg->at = found ? found + strlen(end) : svg->at + strlen(svg->at);
}

/* Names in it stay unlike those of the other charts. */
static bool copy_id(struct svg *svg)
{
	static const char *const before[] = { " id='", " id=\"", "href='#", "url(#" };

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		if (!begins(svg, before[i]))
			continue;
		fprintf(svg->out, "%s%s-", before[i], svg->id);
		svg->at += strlen(before[i]);
		return true;
	}
	return false;
}

static const char *colour_name(unsigned int rgb)
{
	for (size_t i = 0; i < NR_COLOURS; i++)
		if (colours[i].rgb == rgb)
			return colours[i].name;
	for (size_t i = 0; i < bench_nr_families; i++)
		if (bench_families[i].colour == rgb)
			return bench_families[i].name;
	return NULL;
}

/* rgb( 42, 111, 184), unless the page has no other colour for it. */
static bool copy_colour(struct svg *svg)
{
	unsigned int red, green, blue;
	const char *name;
	int len = 0;

	if (begins(svg, "\"black\"") || begins(svg, "'black'")) {
		fputs("\"currentColor\"", svg->out);
		svg->at += strlen("'black'");
		return true;
	}
	if (!begins(svg, "rgb(") ||
	    sscanf(svg->at, "rgb(%u ,%u ,%u )%n", &red, &green, &blue, &len) != 3 || len == 0)
		return false;
	name = colour_name(red << 16 | green << 8 | blue);
	if (!name)
		return false;
	fprintf(svg->out, "var(--%s)", name);
	svg->at += len;
	return true;
}

/* gnuplot's own words would be read out, and shown where the pointer rests. */
static bool skip_words(struct svg *svg)
{
	if (begins(svg, "<title>"))
		skip_to(svg, "</title>");
	else if (begins(svg, "<desc>"))
		skip_to(svg, "</desc>");
	else
		return false;
	return true;
}

static void copy_rest(struct svg *svg)
{
	while (*svg->at)
		if (!skip_words(svg) && !copy_id(svg) && !copy_colour(svg))
			fputc(*svg->at++, svg->out);
}

static void copy_svg(struct svg *svg, const struct drawing *drawing)
{
	const char *end;

	skip_to(svg, "<svg"); /* what is before it is for a file of its own */
	end = strchr(svg->at, '>');
	if (!end)
		return;
	fprintf(svg->out,
		"<svg class=\"%s\" role=\"img\" aria-labelledby=\"%s-title %s-desc\"%.*s>\n",
		drawing->size->narrow ? "narrow" : "wide", svg->id, svg->id, (int)(end - svg->at),
		svg->at);
	fprintf(svg->out, "<title id=\"%s-title\">", svg->id);
	html_text(svg->out, drawing->chart->title);
	fprintf(svg->out, "</title>\n<desc id=\"%s-desc\">", svg->id);
	html_text(svg->out, drawing->chart->desc);
	fputs("</desc>", svg->out);
	svg->at = end + 1;
	copy_rest(svg);
}

static int write_drawing(FILE *out, const struct drawing *drawing)
{
	char *text = draw(drawing);
	struct svg svg = { .out = out, .at = text };

	if (!text)
		return CLI_FAILED;
	snprintf(svg.id, sizeof(svg.id), "%.48s-%s", drawing->chart->id,
		 drawing->size->narrow ? "narrow" : "wide");
	copy_svg(&svg, drawing);
	free(text);
	return CLI_OK;
}

int report_chart(FILE *out, const struct report_chart *chart)
{
	int status = CLI_OK;

	fprintf(out, "<figure id=\"%s\">\n", chart->id);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && status == CLI_OK; i++)
		status = write_drawing(out, &(struct drawing){ chart, &sizes[i] });
	html_element(out, "figcaption", chart->caption);
	fputs("</figure>\n", out);
	return status;
}
