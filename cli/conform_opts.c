/* SPDX-License-Identifier: MIT
 *
 * The command line of bellwire conform.
 */
#include "cli/conform.h"

#include <fnmatch.h>
#include <string.h>
#include <sys/random.h>

#define MAX_OPERATIONS 1000000000u

static const struct option options[] = {
	{ "accel", required_argument, NULL, 'a' },  { "case", required_argument, NULL, 'c' },
	{ "list", no_argument, NULL, 'l' },         { "json", no_argument, NULL, 'j' },
	{ "replay", required_argument, NULL, 'r' }, { "random", required_argument, NULL, 'n' },
	{ "seed", required_argument, NULL, 's' },   {},
};

bool conform_selected(const struct conform_opts *opts, const struct conform_case *c)
{
	return !opts->pattern || fnmatch(opts->pattern, c->name, 0) == 0;
}

static bool parse_accel(struct conform_opts *opts, const char *text)
{
	opts->all = strcmp(text, "all") == 0;
	opts->nr_accels = 0;
	for (unsigned int i = 0; i < NR_SUBJECT_TYPES; i++)
		if (opts->all || strcmp(text, subject_types[i].name) == 0)
			opts->accels[opts->nr_accels++] = &subject_types[i];
	if (opts->nr_accels == 0)
		cli_usage("'%s' is no accel; there are kernel, kvm, soft and all", text);
	return opts->nr_accels > 0;
}

static bool parse_pattern(struct conform_opts *opts, const char *pattern)
{
	opts->pattern = pattern;
	for (size_t i = 0; i < conform_nr_groups; i++)
		for (size_t k = 0; k < conform_groups[i]->nr; k++)
			if (conform_selected(opts, &conform_groups[i]->cases[k]))
				return true;
	cli_usage("no case is called '%s'; 'bellwire conform --list' lists them", pattern);
	return false;
}

static bool parse(struct conform_opts *opts, int val, bool *seeded)
{
	switch (val) {
	case 'a':
		return parse_accel(opts, optarg);
	case 'c':
		return parse_pattern(opts, optarg);
	case 'l':
		opts->list = true;
		return true;
	case 'j':
		opts->json = true;
		return true;
	case 'r':
		opts->replay = optarg;
		return true;
	case 'n':
		return cli_number("--random", optarg, 1, MAX_OPERATIONS, &opts->operations);
	case 's':
		*seeded = true;
		return cli_number("--seed", optarg, 0, UINT64_MAX, &opts->seed);
	default:
		return false;
	}
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
	int val;

	*opts = (struct conform_opts){};
	parse_accel(opts, "all");
	while ((val = cli_option(argc, argv, options)) != -1)
		if (!parse(opts, val, &seeded))
			return CLI_USAGE;
	if (!seeded && getrandom(&opts->seed, sizeof(opts->seed), 0) < 0)
		opts->seed = 1;
	return check(opts, seeded);
}
