/* SPDX-License-Identifier: MIT
 *
 * Row by row: is B worse? A difference counts only if it is beyond both intervals, beyond what the
 * A/A pairs of either document differed by, and beyond the tolerance.
 */
#include "cli/compare.h"
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH 0.95 /* what an interval must hold the median with: 6 rounds */

enum side { A, B };

static struct compare_line *add_line(struct comparison *c, const char *name,
				     enum compare_verdict verdict)
{
	struct compare_line *line = &c->lines[c->nr_lines++];

	*line = (struct compare_line){ .name = name, .verdict = verdict };
	c->counts[verdict]++;
	return line;
}

/* ---- figures ---- */

struct figure {
	double median, low, high;
	bool known, sure; /* sure: the interval is one */
};

static bool number(const json_t *row, const char *field, double *value)
{
	const json_t *number = field ? json_object_get(row, field) : NULL;

	*value = json_number_value(number);
	return json_is_number(number);
}

static struct figure figure_of(const json_t *row, const struct compare_metric *metric)
{
	struct figure f;
	double coverage;

	f.known = number(row, metric->value, &f.median);
	f.sure = number(row, metric->low, &f.low) && number(row, metric->high, &f.high) &&
		 number(row, "ci_coverage", &coverage) && coverage >= ENOUGH;
	return f;
}

/* The object of "aa" that has the row's first key. */
static const json_t *shared_aa(const struct compare_doc *doc, const json_t *row)
{
	const char *key = doc->kind->keys[0];
	const json_t *mine = json_object_get(row, key);
	json_t *aa;
	size_t i;

	json_array_foreach(json_object_get(doc->root, "aa"), i,
			   aa) if (json_equal(json_object_get(aa, key), mine)) return aa;
	return NULL;
}

/* How far a ratio may be from 1, either way, without meaning anything. NAN: nobody measured. */
static double aa_noise(const struct compare_doc *doc, const json_t *row)
{
	bool shared = doc->kind->shared_aa;
	const json_t *aa = shared ? shared_aa(doc, row) : row;
	double low, high;

	if (!number(aa, shared ? "ci_low" : doc->kind->aa_low, &low) ||
	    !number(aa, shared ? "ci_high" : doc->kind->aa_high, &high))
		return NAN;
	return fmax(1, fmax(high, 1 / low));
}

/* The same question both ways, so that A and B may change places. */
static enum compare_verdict judge_figures(const struct figure *a, const struct figure *b,
					  double limit)
{
	if (b->low > limit * a->high)
		return COMPARE_SLOWER;
	return a->low > limit * b->high ? COMPARE_FASTER : COMPARE_SAME;
}

static void compare_figures(struct comparison *c, const char *name, json_t *const rows[2],
			    const struct compare_metric *metric, const struct figure f[2])
{
	struct compare_line found = {
		.name = name,
		.metric = metric,
		.verdict = COMPARE_UNSURE,
		.a = f[A].median,
		.b = f[B].median,
		.low = f[A].sure && f[B].sure ? f[B].low / f[A].high : NAN,
		.high = f[A].sure && f[B].sure ? f[B].high / f[A].low : NAN,
		.noise = fmax(aa_noise(&c->docs[A], rows[A]), aa_noise(&c->docs[B], rows[B])),
	};

	if (f[A].sure && f[B].sure)
		found.verdict = judge_figures(&f[metric->more ? B : A], &f[metric->more ? A : B],
					      fmax(1, found.noise) * c->tolerance);
	*add_line(c, name, found.verdict) = found;
}

static const char *why(const json_t *row)
{
	return json_string_value(json_object_get(row, "why"));
}

static void compare_metrics(struct comparison *c, const char *name, json_t *const rows[2])
{
	const struct compare_kind *kind = c->docs[A].kind;

	for (size_t i = 0; i < COMPARE_METRICS && kind->metrics[i].title; i++) {
		const struct compare_metric *metric = &kind->metrics[i];
		const struct figure f[2] = { figure_of(rows[A], metric),
					     figure_of(rows[B], metric) };

		if (f[A].known && f[B].known)
			compare_figures(c, name, rows, metric, f);
		else if (i == 0 && f[A].known)
			add_line(c, name, COMPARE_ONLY_A)->why = why(rows[B]);
		else if (i == 0 && f[B].known)
			add_line(c, name, COMPARE_ONLY_B)->why = why(rows[A]);
	}
}

/* What must be 0, and was. */
static void compare_zero(struct comparison *c, const char *name, json_t *const objects[2],
			 const char *field, enum compare_verdict verdict)
{
	double a, b;

	if (number(objects[A], field, &a) && number(objects[B], field, &b) && a == 0 && b != 0) {
		struct compare_line *line = add_line(c, name, verdict);

		line->a = a;
		line->b = b;
	}
}

/* Rings of a row, or accesses of all of them. Also counted twice is lost. */
static void compare_lost(struct comparison *c, const char *name, json_t *const objects[2])
{
	compare_zero(c, name, objects, "lost", COMPARE_LOSES);
	compare_zero(c, name, objects, "wrong_bytes", COMPARE_WRONG);
}

/* ---- cases ---- */

static const char *result(const json_t *row)
{
	return json_string_value(json_object_get(row, "result"));
}

/* A known defect of the kernel is worse than none, and better than one that nobody knows. */
static int rank(const char *result)
{
	if (strcmp(result, "pass") == 0)
		return 2;
	return strcmp(result, "known") == 0;
}

static enum compare_verdict judge_results(const char *from, const char *to)
{
	bool ran_a = strcmp(from, "skip") != 0, ran_b = strcmp(to, "skip") != 0;

	if (ran_a != ran_b)
		return ran_a ? COMPARE_ONLY_A : COMPARE_ONLY_B;
	if (rank(to) == rank(from))
		return COMPARE_SAME;
	return rank(to) < rank(from) ? COMPARE_BROKEN : COMPARE_MENDED;
}

static void compare_results(struct comparison *c, const char *name, json_t *const rows[2])
{
	const char *from = result(rows[A]), *to = result(rows[B]);
	struct compare_line *line = add_line(c, name, judge_results(from, to));

	line->from = from;
	line->to = to;
	line->why = why(
		rows[line->verdict == COMPARE_ONLY_B || line->verdict == COMPARE_MENDED ? A : B]);
}

/* ---- all ---- */

static void compare_rows(struct comparison *c, const char *name, json_t *const rows[2])
{
	if (c->docs[A].kind->metrics[0].title) {
		compare_metrics(c, name, rows);
		compare_lost(c, name, rows);
	} else {
		compare_results(c, name, rows);
	}
}

/* Returns how many rows both have. */
static size_t compare_all(struct comparison *c)
{
	json_t *roots[2] = { c->docs[A].root, c->docs[B].root };
	const char *name;
	size_t common = 0;
	json_t *row;

	json_object_foreach(c->docs[A].rows, name, row)
	{
		json_t *rows[2] = { row, json_object_get(c->docs[B].rows, name) };

		if (rows[B])
			compare_rows(c, name, rows);
		else
			add_line(c, name, COMPARE_ONLY_A);
		common += rows[B] != NULL;
	}
	json_object_foreach(c->docs[B].rows, name, row) if (!json_object_get(c->docs[A].rows, name))
		add_line(c, name, COMPARE_ONLY_B);
	compare_lost(c, "all of it", roots);
	return common;
}

static const char *string_or(const json_t *root, const char *key, const char *missing)
{
	const json_t *value = json_object_get(root, key);

	return json_is_string(value) ? json_string_value(value) : missing;
}

/* Who is rung, where that is asked. Where a socket is says nothing of who listens. */
static const char *endpoint(const struct compare_doc *doc)
{
	const char *name = string_or(json_object_get(doc->root, "options"), "endpoint", "thread");

	return strchr(name, '/') ? "/" : name;
}

static bool may_be_compared(const struct comparison *c)
{
	const struct compare_kind *a = c->docs[A].kind, *b = c->docs[B].kind;
	const char *unit_a = string_or(c->docs[A].root, "unit", "ns");
	const char *unit_b = string_or(c->docs[B].root, "unit", "ns");

	if (a != b)
		cli_usage("%s is %s%s%s and %s is %s%s%s: these cannot be compared",
			  c->docs[A].file, a->schema, a->kind ? ", " : "", a->kind ? a->kind : "",
			  c->docs[B].file, b->schema, b->kind ? ", " : "", b->kind ? b->kind : "");
	else if (strcmp(unit_a, unit_b) != 0)
		cli_usage("%s and %s are not in the same unit: these cannot be compared",
			  c->docs[A].file, c->docs[B].file);
	else if (strcmp(endpoint(&c->docs[A]), endpoint(&c->docs[B])) != 0)
		cli_usage("%s and %s do not ring the same kind of endpoint: these cannot be "
			  "compared",
			  c->docs[A].file, c->docs[B].file);
	else
		return true;
	return false;
}

bool compare_judge(struct comparison *c)
{
	const struct compare_doc *a = &c->docs[A], *b = &c->docs[B];
	size_t most = json_object_size(a->rows) + json_object_size(b->rows);

	if (!may_be_compared(c))
		return false;
	/* A line for each metric, and those for what is lost or wrong. */
	c->lines = calloc((COMPARE_METRICS + 2) * (most + 1), sizeof(*c->lines));
	c->differences = compare_differences(a->root, b->root);
	if (!c->lines || !c->differences) {
		cli_usage("no memory");
		return false;
	}
	if (compare_all(c) > 0)
		return true;
	cli_usage("%s and %s have no row in common", a->file, b->file);
	return false;
}

bool compare_worse(const struct comparison *c)
{
	size_t worse = 0;

	for (size_t i = COMPARE_SLOWER; i < NR_COMPARE_VERDICTS; i++)
		worse += c->counts[i];
	return worse > 0;
}

void compare_free(struct comparison *c)
{
	json_decref(c->differences);
	free(c->lines);
	compare_doc_close(&c->docs[A]);
	compare_doc_close(&c->docs[B]);
}
