/* SPDX-License-Identifier: MIT
 *
 * The command line of bellwire conform.
 */
#include "cli/conform.h"

#include <fnmatch.h>
#include <string.h>
#include <sys/random.h>

#define MAX_OPERATIONS 1000000000u

bool conform_selected(const struct conform_opts *opts, const struct conform_case *c)
{
	return !opts->pattern || fnmatch(opts->pattern, c->name, 0) == 0;
}

static bool parse_accel(void *to, char *text)
{
	struct conform_opts *opts = to;

	opts->all = strcmp(text, "all") == 0;
	opts->nr_accels = 0;
	for (unsigned int i = 0; i < NR_SUBJECT_TYPES; i++)
		if (opts->all || strcmp(text, subject_types[i].name) == 0)
			opts->accels[opts->nr_accels++] = &subject_types[i];
	if (opts->nr_accels == 0)
		cli_usage("'%s' is no accel; there are kernel, kvm, soft and all", text);
	return opts->nr_accels > 0;
}

static bool parse_pattern(void *to, char *pattern)
{
	struct conform_opts *opts = to;

	opts->pattern = pattern;
	for (size_t i = 0; i < conform_nr_groups; i++)
		for (size_t k = 0; k < conform_groups[i]->nr; k++)
			if (conform_selected(opts, &conform_groups[i]->cases[k]))
				return true;
	cli_usage("no case is called '%s'; 'bellwire conform --list' lists them", pattern);
	return false;
}

static int check(const struct conform_opts *opts, bool seeded)
{
	if (opts->replay && opts->operations)
		return cli_usage("--replay and --random exclude one another");
	if ((opts->replay || opts->operations) && (opts->pattern || opts->list))
		return cli_usage("--%s runs no cases: --%s does not go with it",
				 opts->replay ? "replay" : "random", opts->list ? "list" : "case");
	if (seeded && !opts->operations)
		return cli_usage("--seed is for --random");
	return CLI_OK;
}

int conform_opts_parse(struct conform_opts *opts, int argc, char **argv)
{
	bool seeded = false;
	const struct cli_option options[] = {
		{ "accel", .parse = parse_accel, .to = opts },
		{ "case", .parse = parse_pattern, .to = opts },
		{ "list", .flag = &opts->list },
		{ "json", .flag = &opts->json },
		{ "replay", .text = &opts->replay },
		{ "random", .number = &opts->operations, .min = 1, .max = MAX_OPERATIONS },
		{ "seed", .flag = &seeded, .number = &opts->seed, .max = UINT64_MAX },
		{},
	};

	*opts = (struct conform_opts){};
	parse_accel(opts, "all");
	if (cli_parse(argc, argv, options) != CLI_OK)
		return CLI_USAGE;
	if (!seeded && getrandom(&opts->seed, sizeof(opts->seed), 0) < 0)
		opts->seed = 1;
	return check(opts, seeded);
}
