/* SPDX-License-Identifier: MIT
 *
 * bellwire conform: does it do what KVM's ioeventfd does?
 */
#include "cli/conform.h"

#include <conform/differ.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void run_group(struct conform_report *report, const struct subject_type *type,
		      const struct conform_group *group)
{
	for (size_t i = 0; i < group->nr; i++) {
		const struct conform_case *c = &group->cases[i];
		struct outcome outcome;

		if (!conform_selected(report->opts, c))
			continue;
		conform_run(c, type, &outcome);
		conform_report_row(report, group->name, type, c->name, &outcome, NULL);
	}
}

static void run_cases(struct conform_report *report, const struct subject_type *type)
{
	for (size_t i = 0; i < conform_nr_groups; i++)
		run_group(report, type, conform_groups[i]);
}

/* What a row is called that is no case. */
static void name_program(const struct conform_opts *opts, char *name, size_t size)
{
	if (opts->replay)
		snprintf(name, size, "%s", opts->replay);
	else
		snprintf(name, size, "random seed %" PRIu64, opts->seed);
}

static void run_program(struct conform_report *report, const struct subject_type *type,
			const struct program *script)
{
	const struct conform_opts *opts = report->opts;
	struct outcome outcome;
	char name[128], *shortest = NULL;

	name_program(opts, name, sizeof(name));
	if (script)
		conform_replay(type, script, &outcome);
	else
		conform_random(type, opts->operations, opts->seed, &outcome, &shortest);
	conform_report_row(report, NULL, type, name, &outcome, shortest);
	free(shortest);
}

static void skip(struct conform_report *report, const struct subject_type *type, bool is_program)
{
	struct outcome outcome = { .verdict = SKIP };
	char name[128];

	if (!is_program) {
		conform_report_skip(report, type, vm_last_error());
		return;
	}
	snprintf(outcome.why, sizeof(outcome.why), "%s", vm_last_error());
	name_program(report->opts, name, sizeof(name));
	conform_report_row(report, NULL, type, name, &outcome, NULL);
}

/* script: NULL, or what to run instead of cases. */
static int run(const struct conform_opts *opts, const struct program *script)
{
	bool is_program = script || opts->operations;
	struct conform_report report;
	int status = CLI_OK;

	conform_report_start(&report, opts);
	for (unsigned int i = 0; i < opts->nr_accels; i++) {
		const struct subject_type *type = opts->accels[i];

		if (subject_probe(type) < 0 && opts->all)
			skip(&report, type, is_program);
		else if (subject_probe(type) < 0)
			status = cli_failed("%s cannot be used: %s", type->name, vm_last_error());
		else if (is_program)
			run_program(&report, type, script);
		else
			run_cases(&report, type);
	}
	return conform_report_end(&report) == CLI_OK ? status : CLI_FAILED;
}

static int replay(const struct conform_opts *opts)
{
	struct program script = { 0 };
	char why[256];
	int err = program_read(&script, opts->replay, why, sizeof(why)), status;

	if (err == -EBADMSG)
		return cli_usage("%s: %s", opts->replay, why);
	if (err)
		return cli_failed("%s: %s", opts->replay, why);
	status = run(opts, &script);
	program_free(&script);
	return status;
}

static int conform_main(int argc, char **argv)
{
	struct conform_opts opts;
	int status = conform_opts_parse(&opts, argc, argv);

	if (status != CLI_OK)
		return status;
	if (opts.list)
		return conform_list(&opts);
	return opts.replay ? replay(&opts) : run(&opts, NULL);
}

const struct command command_conform = {
	.name = "conform",
	.main = conform_main,
	.help = "whether an ioeventfd does here what it should",
	.usage =
		"usage: bellwire conform [OPTION]...\n"
		"\n"
		"Runs the conformance suite of ioeventfd: a guest makes real accesses, and every\n"
		"errno, every count and everything that reaches userspace is checked. Exit status\n"
		"1: a case failed. A known defect of the kernel is reported as 'known'.\n"
		"\n"
		"  --accel kernel|kvm|soft|all  what is tested: KVM_IOEVENTFD by hand, the "
		"library\n"
		"                               on KVM, the library on Unicorn (all)\n"
		"  --case PATTERN               only these, such as 'deassign_*'\n"
		"  --list                       the cases, with a sentence each\n"
		"  --json                       one JSON document on standard output instead\n"
		"                               (schema bellwire.conform/1)\n"
		"\n"
		"Instead of the cases:\n"
		"  --random N                   a random program of N operations, compared with a\n"
		"                               plain model; a difference is made as short as can\n"
		"                               be, and printed as a script\n"
		"  --seed N                     which program (random)\n"
		"  --replay FILE                a script\n"
		"\n"
		"A script has an operation a line; '#' begins a comment:\n"
		"  assign SPACE ADDR LEN VALUE FD\n"
		"  deassign SPACE ADDR LEN VALUE FD\n"
		"  write SPACE ADDR LEN VALUE\n"
		"SPACE is pio or mmio, VALUE a number or 'any', FD an eventfd, 0 to 7, its\n"
		"duplicate, 0d to 7d, 'closed', or 'pipe'.\n",
};
