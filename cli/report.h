/* SPDX-License-Identifier: MIT
 *
 * bellwire bench --report: what was measured as one page that needs nothing else.
 *
 * report.c         measures, writes         report_stall.c      sections: what a ring costs,
 * report_file.c    all of it or nothing     report_rtt.c        round trips,
 * report_page.c    the page                 report_crossover.c  when a page is worth being hot,
 * report_style.c   how it looks             report_scaling.c    how the bus scales,
 * report_chart.c   a chart in the page      report_host.c       where and how that was,
 *                                           report_limits.c     what it does not say
 */
#ifndef BELLWIRE_REPORT_H
#define BELLWIRE_REPORT_H

#include "cli/adaptive.h"
#include "cli/bench.h"
#include "cli/dispatch.h"
#include "cli/rtt.h"

/* What there is to report: bench is there always, NULL is what was not measured. */
struct report {
	const struct bench_report *bench;
	struct rtt_report *rtt;
	struct adaptive_report *adaptive;
	struct dispatch_report *dispatch;
	bool interrupted;
};

/* A file that is written whole: until then it has another name, beside it. */
struct report_file {
	const char *name;
	char *temporary; /* NULL: none */
	FILE *out;
};

/* Before anything is measured. Enums cli_exit, and have said why. */
int report_file_open(struct report_file *file, const char *name);
int report_file_commit(struct report_file *file);
void report_file_close(struct report_file *file); /* what was not committed is gone */

/* Measures what bench has not, and writes it all. Enums cli_exit. */
int report_write(const struct bench_report *bench, struct report_file *file);
int report_page(const struct report *report, FILE *out);

/* A part of the page, with a heading. */
struct report_section {
	const char *id, *title;
	/* NULL if there is something to show; else why not, and what to run for it, in its place.
	 * The member is NULL where there always is. */
	const char *(*absent)(const struct report *report);
	int (*write)(const struct report *report, FILE *out); /* an enum cli_exit */
};

extern const struct report_section report_host, report_stall, report_rtt, report_crossover,
	report_scaling, report_limits;

void report_style(FILE *out);

/* ---- charts ---- */

/* A chart is drawn twice, and the page shows the one that fits. */
struct report_size {
	bool narrow; /* or wide */
	unsigned int width;
	unsigned int font; /* of labels */
};

struct report_chart {
	const char *id;      /* in the page, and unlike any other */
	const char *title;   /* what is read out, */
	const char *desc;    /* and what it shows, in words */
	const char *caption; /* to be read beside it */
	/* What comes after the terminal is set up. */
	void (*script)(FILE *out, const struct report_size *size, const void *opaque);
	const void *opaque;
	unsigned int height;
};

int report_chart(FILE *out, const struct report_chart *chart); /* an enum cli_exit */

/* The colours of a chart that change with the colour scheme, as properties of CSS. */
void report_chart_colours(FILE *out, bool dark);

/* Commands that all charts have in common: one axis in x, fine lines behind. */
void report_chart_axes(FILE *out);
void report_chart_margin(FILE *out, size_t longest); /* for labels of so many characters */

#endif
