/* SPDX-License-Identifier: MIT
 *
 * bellwire compare: what changed between two documents of the same kind.
 *
 * compare.c        the command            compare_judge.c  row by row: slower, or noise?
 * compare_kinds.c  what can be compared   compare_host.c   what else differs
 * compare_read.c   from file to rows      compare_show.c   table and document
 */
#ifndef BELLWIRE_COMPARE_H
#define BELLWIRE_COMPARE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMPARE_KEYS 4u
#define COMPARE_METRICS 2u

/* A figure of a row with the interval of its median: the fields' names. */
struct compare_metric {
	const char *title; /* NULL: no more metrics */
	const char *value, *low, *high;
	bool more; /* is better, or else less is */
};

/* One kind of document, as the program writes it. */
struct compare_kind {
	const char *schema; /* without its version */
	const char *kind;   /* the field of that name, or NULL: the schema has but one */
	unsigned int version;
	const char *rows;               /* the array of them */
	const char *keys[COMPARE_KEYS]; /* the fields that name a row; the first may be shared */
	/* The first is the row's own: without it the row was not measured. None: rows pass or fail.
	 */
	struct compare_metric metrics[COMPARE_METRICS];
	const char *aa_low, *aa_high; /* where each row has an A/A ratio of its own, or NULL */
	/* The array "aa" has the A/A ratio of all rows that have the first key in common. */
	bool shared_aa;
};

extern const struct compare_kind compare_kinds[];
extern const size_t compare_nr_kinds;

/* A file that was read, and found to be whole: every field that is looked at has the type that it
 * should, and every number is in range. */
struct compare_doc {
	const char *file;
	const struct compare_kind *kind;
	json_t *root;
	json_t *rows; /* an object, in the file's order: each row by its name */
};

/* false: has said in one line why not. compare_doc_close() in any case. */
bool compare_doc_open(struct compare_doc *doc, const char *file);
bool compare_doc_check(struct compare_doc *doc, json_t *root); /* takes root over */
void compare_doc_close(struct compare_doc *doc);

enum compare_verdict {
	COMPARE_SAME, /* or no more than noise */
	COMPARE_FASTER,
	COMPARE_MENDED,
	COMPARE_UNSURE, /* too few rounds for an interval */
	COMPARE_ONLY_A, /* B has no such row, or could not run it */
	COMPARE_ONLY_B,
	/* From here on it is worse. */
	COMPARE_SLOWER,
	COMPARE_LOSES, /* rings, and did not before */
	COMPARE_WRONG, /* bytes were read, and were not before */
	COMPARE_BROKEN,
	NR_COMPARE_VERDICTS,
};

/* One figure of one row, or one case. Texts belong to the documents. */
struct compare_line {
	const char *name;
	const struct compare_metric *metric; /* NULL: a case */
	enum compare_verdict verdict;
	double a, b;
	double low, high; /* that b / a lies in */
	double noise;     /* a factor: what lies within tells nothing. NAN: there was no A/A pair */
	const char *from, *to;
	const char *why; /* it is so, or NULL */
};

struct comparison {
	struct compare_doc docs[2]; /* A, B */
	double tolerance;           /* a factor that does not matter, 1 or more */
	struct compare_line *lines;
	size_t nr_lines;
	size_t counts[NR_COMPARE_VERDICTS];
	json_t *differences; /* [{what, a, b}] besides the rows */
};

/* From two documents on. false: has said in one line why they cannot be compared. */
bool compare_judge(struct comparison *c);
bool compare_worse(const struct comparison *c);
void compare_free(struct comparison *c);

/* Of program, host, peer and options. NULL: no memory. */
json_t *compare_differences(const json_t *a, const json_t *b);

/* How much of the time the vCPU's thread had its CPU, by its mean over the paths on which it never
 * sleeps: what it did not get, somebody else did. NAN: the document does not say. */
double compare_cpu_share(const struct compare_doc *doc);

void compare_print(const struct comparison *c);
json_t *compare_json(const struct comparison *c); /* schema bellwire.compare/1, or NULL */

#endif
