/* SPDX-License-Identifier: MIT
 *
 * bellwire conform: its options, and its report.
 */
#ifndef BELLWIRE_CLI_CONFORM_H
#define BELLWIRE_CLI_CONFORM_H

#include "cli/cli.h"
#include "cli/host.h"

#include <conform/conform.h>

struct conform_opts {
	const struct subject_type *accels[NR_SUBJECT_TYPES];
	unsigned int nr_accels;
	bool all;            /* what cannot run here is skipped */
	const char *pattern; /* NULL: every case */
	const char *replay;  /* a script instead of cases */
	uint64_t operations; /* at random instead of cases, if not 0 */
	uint64_t seed;
	bool list, json;
};

struct conform_report {
	const struct conform_opts *opts;
	struct host host; /* with --json */
	json_t *rows;     /* with --json */
	const char *group;
	unsigned int counts[NR_VERDICTS];
	const struct defect *known[MAX_DEFECTS]; /* that have shown */
	unsigned int nr_known;
};

/* CLI_OK, or what to exit with. */
int conform_opts_parse(struct conform_opts *opts, int argc, char **argv);

void conform_report_start(struct conform_report *report, const struct conform_opts *opts);
/* A row. group: NULL, or a heading for people. script: what shows a failure, or NULL. */
void conform_report_row(struct conform_report *report, const char *group,
			const struct subject_type *type, const char *name,
			const struct outcome *outcome, const char *script);
/* So many cases are skipped at once. To people that is one line. */
void conform_report_skip(struct conform_report *report, const struct subject_type *type,
			 const char *why);
int conform_report_end(struct conform_report *report);

/* --list */
int conform_list(const struct conform_opts *opts);

bool conform_selected(const struct conform_opts *opts, const struct conform_case *c);

#endif
