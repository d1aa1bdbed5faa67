/* SPDX-License-Identifier: MIT
 *
 * The comparison: a table for people, or one document of schema bellwire.compare/1.
 */
#include "cli/compare.h"
#include "cli/stats.h"
#include "cli/term.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_NAME 16
#define MAX_NAME 40

/* The verdicts, in words and as the document has them. */
static const struct {
	const char *word, *json;
} verdicts[NR_COMPARE_VERDICTS] = {
	[COMPARE_SAME] = { "same", "same" },
	[COMPARE_FASTER] = { "faster", "faster" },
	[COMPARE_MENDED] = { "mended", "mended" },
	[COMPARE_UNSURE] = { "too few rounds", "too_few_rounds" },
	[COMPARE_ONLY_A] = { "only in A", "only_a" },
	[COMPARE_ONLY_B] = { "only in B", "only_b" },
	[COMPARE_SLOWER] = { "SLOWER", "slower" },
	[COMPARE_LOSES] = { "LOSES RINGS", "loses" },
	[COMPARE_WRONG] = { "WRONG BYTES", "wrong" },
	[COMPARE_BROKEN] = { "BROKEN", "broken" },
};

/* ---- for people ---- */

/* A foreign text does not get to move the cursor. */
static void print_plain(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void print_value(const json_t *value)
{
	char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);

	print_plain(json_is_string(value) ? json_string_value(value) : text ? text : "?");
	free(text);
}

static void print_doc(const char *side, const struct compare_doc *doc)
{
	const char *version = json_string_value(json_object_get(doc->root, "version"));

	printf("%s  ", side);
	print_plain(doc->file);
	printf(": %s/%u%s%s", doc->kind->schema, doc->kind->version, doc->kind->kind ? ", " : "",
	       doc->kind->kind ? doc->kind->kind : "");
	if (version) {
		fputs(", written by bellwire ", stdout);
		print_plain(version);
	}
	putchar('\n');
}

static void print_differences(const struct comparison *c)
{
	json_t *difference;
	size_t i;

	putchar('\n');
	if (json_array_size(c->differences) == 0)
		puts("Program, host and options are the same.");
	json_array_foreach(c->differences, i, difference)
	{
		fputs("differs: ", stdout);
		print_value(json_object_get(difference, "what"));
		fputs(": ", stdout);
		print_value(json_object_get(difference, "a"));
		fputs(" -> ", stdout);
		print_value(json_object_get(difference, "b"));
		putchar('\n');
	}
}

static void print_disturbed(const struct comparison *c)
{
	for (size_t i = 0; i < 2; i++) {
		double share = compare_cpu_share(&c->docs[i]);

		if (share < QUIET_SHARE)
			printf("%c is not to be trusted: the vCPU's thread had its CPU for only "
			       "%.0f %% of the time.\n",
			       "AB"[i], 100 * share);
	}
}

static int name_width(const struct comparison *c)
{
	size_t width = MIN_NAME;

	for (size_t i = 0; i < c->nr_lines; i++) {
		size_t len = strlen(c->lines[i].name);

		if (len > width)
			width = len;
	}
	return (int)(width < MAX_NAME ? width : MAX_NAME);
}

/* Nanoseconds whole, or with a digit or three where that would be little of them. */
static const char *figure(char text[TERM_NUMBER], double number)
{
	if (number >= 1000)
		return term_number(text, number);
	snprintf(text, TERM_NUMBER, number < 10 ? "%.3f" : "%.1f", number);
	return text;
}

static void print_figures(const struct compare_line *line, int width)
{
	char a[TERM_NUMBER], b[TERM_NUMBER], interval[48] = "-", noise[16] = "-";

	if (isfinite(line->low))
		snprintf(interval, sizeof(interval), "%.3f..%.3f", line->low, line->high);
	if (isfinite(line->noise))
		snprintf(noise, sizeof(noise), "%.3f", line->noise);
	printf("%-*s %10s %10s %7.3f %14s %6s  %s\n", width, line->name, figure(a, line->a),
	       figure(b, line->b), line->b / line->a, interval, noise,
	       verdicts[line->verdict].word);
}

static void print_metric(const struct comparison *c, const struct compare_metric *metric)
{
	int width = name_width(c);
	bool head = false;

	for (size_t i = 0; i < c->nr_lines; i++) {
		if (c->lines[i].metric != metric)
			continue;
		if (!head)
			printf("\n%-*s %10s %10s %7s %14s %6s\n", width, metric->title, "A", "B",
			       "B/A", "interval", "noise");
		head = true;
		print_figures(&c->lines[i], width);
	}
}

static void print_case(const struct compare_line *line)
{
	printf("%s: %s", verdicts[line->verdict].word, line->name);
	if (line->from)
		printf(": %s -> %s", line->from, line->to);
	else if (line->verdict == COMPARE_LOSES)
		printf(": %.0f lost", line->b);
	else if (line->verdict == COMPARE_WRONG)
		printf(": %.0f wrong", line->b);
	if (line->why && *line->why) {
		fputs(": ", stdout);
		print_plain(line->why);
	}
	putchar('\n');
}

/* What has no figures, unless it is as it was. */
static void print_cases(const struct comparison *c)
{
	bool first = true;

	for (size_t i = 0; i < c->nr_lines; i++) {
		const struct compare_line *line = &c->lines[i];

		if (line->metric || line->verdict == COMPARE_SAME)
			continue;
		if (first)
			putchar('\n');
		first = false;
		print_case(line);
	}
}

static void print_counts(const struct comparison *c)
{
	const char *comma = "";

	putchar('\n');
	for (size_t i = NR_COMPARE_VERDICTS; i-- > 0;) {
		if (c->counts[i] == 0)
			continue;
		printf("%s%zu %s", comma, c->counts[i], verdicts[i].word);
		comma = ", ";
	}
	putchar('\n');
}

static void print_legend(const struct comparison *c)
{
	const struct compare_kind *kind = c->docs[0].kind;

	printf("\ninterval: what B/A lies in. noise: the most that an A/A pair, the same "
	       "thing\nmeasured twice, differed by. Slower or faster is what lies beyond "
	       "both, and by\nmore than %.3g %%.\n",
	       100 * (c->tolerance - 1));
	if (!kind->shared_aa && !kind->aa_low)
		puts("There is no such pair here: two runs of A, compared, show what is noise.");
}

void compare_print(const struct comparison *c)
{
	const struct compare_metric *metrics = c->docs[0].kind->metrics;

	print_doc("A", &c->docs[0]);
	print_doc("B", &c->docs[1]);
	print_differences(c);
	print_disturbed(c);
	for (size_t i = 0; i < COMPARE_METRICS && metrics[i].title; i++)
		print_metric(c, &metrics[i]);
	print_cases(c);
	if (metrics[0].title)
		print_legend(c);
	print_counts(c);
}

/* ---- for programs ---- */

static json_t *real_or_null(bool known, double value)
{
	return known && isfinite(value) ? json_real(value) : json_null();
}

static json_t *line_json(const struct compare_line *line)
{
	bool figures = line->metric;

	return json_pack(
		"{s:s, s:s?, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s?, s:s?, s:s?}", "name",
		line->name, "metric", figures ? line->metric->value : NULL, "verdict",
		verdicts[line->verdict].json, "a", real_or_null(figures, line->a), "b",
		real_or_null(figures, line->b), "ratio", real_or_null(figures, line->b / line->a),
		"ratio_low", real_or_null(figures, line->low), "ratio_high",
		real_or_null(figures, line->high), "noise", real_or_null(figures, line->noise),
		"result_a", line->from, "result_b", line->to, "why", line->why);
}

static json_t *counts_json(const struct comparison *c)
{
	json_t *counts = json_object();

	for (size_t i = 0; i < NR_COMPARE_VERDICTS; i++)
		json_object_set_new(counts, verdicts[i].json,
				    json_integer((json_int_t)c->counts[i]));
	return counts;
}

/* Of a file's name, which need not be UTF-8. */
static json_t *file_json(const char *file)
{
	json_t *name = json_string(file);

	return name ? name : json_null();
}

json_t *compare_json(const struct comparison *c)
{
	const struct compare_kind *kind = c->docs[0].kind;
	json_t *rows = json_array();

	for (size_t i = 0; i < c->nr_lines; i++)
		json_array_append_new(rows, line_json(&c->lines[i]));
	return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:o, s:o, s:f, s:b, s:O, s:o, s:o}", "schema",
			 "bellwire.compare/1", "compared", kind->schema, "kind", kind->kind, "a",
			 file_json(c->docs[0].file), "b", file_json(c->docs[1].file), "cpu_share_a",
			 real_or_null(true, compare_cpu_share(&c->docs[0])), "cpu_share_b",
			 real_or_null(true, compare_cpu_share(&c->docs[1])), "tolerance",
			 c->tolerance - 1, "worse", compare_worse(c), "differences", c->differences,
			 "counts", counts_json(c), "rows", rows);
}
