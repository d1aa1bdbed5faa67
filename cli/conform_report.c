/* SPDX-License-Identifier: MIT
 *
 * What bellwire conform found: a line per case for people, or one JSON document.
 */
#include "cli/conform.h"

#include <stdio.h>

static const char *json_name(enum verdict verdict)
{
	return verdict == FAIL ? "fail" : verdict_name(verdict);
}

void conform_report_start(struct conform_report *report, const struct conform_opts *opts)
{
	*report = (struct conform_report){ .opts = opts };
	if (!opts->json)
		return;
	host_read(&report->host);
	report->rows = json_array();
}

static void print_row(struct conform_report *report, const char *group,
		      const struct subject_type *type, const char *name,
		      const struct outcome *outcome, const char *script)
{
	if (group && group != report->group)
		printf("%s%s\n", report->group ? "\n" : "", group);
	report->group = group;
	printf("%-5s  %-6s  %s%s%s\n", verdict_name(outcome->verdict), type->name, name,
	       outcome->why[0] ? "  " : "", outcome->why);
	if (script)
		fputs(script, stdout);
	fflush(stdout);
}

static void add_row(struct conform_report *report, const struct subject_type *type,
		    const char *name, const struct outcome *outcome, const char *script)
{
	json_array_append_new(
		report->rows,
		json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s*}", "case", name, "accel", type->name,
			  "result", json_name(outcome->verdict), "why", outcome->why, "defect",
			  outcome->defect ? outcome->defect->name : NULL, "script", script));
}

static void note_defect(struct conform_report *report, const struct defect *defect)
{
	for (unsigned int i = 0; i < report->nr_known; i++)
		if (report->known[i] == defect)
			return;
	report->known[report->nr_known++] = defect;
}

void conform_report_row(struct conform_report *report, const char *group,
			const struct subject_type *type, const char *name,
			const struct outcome *outcome, const char *script)
{
	report->counts[outcome->verdict]++;
	if (outcome->verdict == KNOWN)
		note_defect(report, outcome->defect);
	if (report->opts->json)
		add_row(report, type, name, outcome, script);
	else
		print_row(report, group, type, name, outcome, script);
}

static void skip_case(struct conform_report *report, const struct subject_type *type,
		      const struct conform_case *c, const struct outcome *outcome)
{
	if (!conform_selected(report->opts, c))
		return;
	report->counts[SKIP]++;
	if (report->opts->json)
		add_row(report, type, c->name, outcome, NULL);
}

void conform_report_skip(struct conform_report *report, const struct subject_type *type,
			 const char *why)
{
	struct outcome outcome = { .verdict = SKIP };

	snprintf(outcome.why, sizeof(outcome.why), "%s", why);
	for (size_t i = 0; i < conform_nr_groups; i++)
		for (size_t k = 0; k < conform_groups[i]->nr; k++)
			skip_case(report, type, &conform_groups[i]->cases[k], &outcome);
	if (!report->opts->json)
		print_row(report, NULL, type, "every case", &outcome, NULL);
}

int conform_report_end(struct conform_report *report)
{
	const unsigned int *counts = report->counts;
	int status = counts[FAIL] ? CLI_FAILED : CLI_OK;

	if (report->opts->json) {
		json_t *root = json_pack("{s:s, s:o, s:o}", "schema", "bellwire.conform/1", "host",
					 host_json(&report->host), "cases", report->rows);

		if (cli_print_json(root) != CLI_OK)
			status = CLI_FAILED;
		json_decref(root);
		return status;
	}
	if (counts[KNOWN])
		printf("\n%u of the skipped are known defects of the kernel:\n", counts[KNOWN]);
	for (unsigned int i = 0; i < report->nr_known; i++)
		printf("  %s: %s\n", report->known[i]->name, report->known[i]->says);
	printf("\n%u passed, %u failed, %u skipped\n", counts[PASS], counts[FAIL],
	       counts[SKIP] + counts[KNOWN]);
	return status;
}

static void list_group(const struct conform_opts *opts, const struct conform_group *group,
		       json_t *rows)
{
	const char *heading = group->name;

	for (size_t i = 0; i < group->nr; i++) {
		const struct conform_case *c = &group->cases[i];

		if (!conform_selected(opts, c))
			continue;
		if (rows) {
			json_array_append_new(rows,
					      json_pack("{s:s, s:s, s:s}", "case", c->name, "group",
							group->name, "says", c->says));
			continue;
		}
		if (heading)
			printf("%s\n", heading);
		heading = NULL;
		printf("  %s\n      %s\n", c->name, c->says);
	}
}

int conform_list(const struct conform_opts *opts)
{
	json_t *rows = opts->json ? json_array() : NULL, *root;
	int status;

	for (size_t i = 0; i < conform_nr_groups; i++)
		list_group(opts, conform_groups[i], rows);
	if (!opts->json)
		return CLI_OK;
	root = json_pack("{s:s, s:o}", "schema", "bellwire.conform-list/1", "cases", rows);
	status = cli_print_json(root);
	json_decref(root);
	return status;
}
