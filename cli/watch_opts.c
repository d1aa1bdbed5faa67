/* SPDX-License-Identifier: MIT
 *
 * The command line of bellwire watch.
 */
#include "cli/cli.h"
#include "cli/watch.h"

#define MAX_SECONDS 86400u
#define MAX_PID 4194304u /* the kernel's PID_MAX_LIMIT */

static const struct option options[] = { { "seconds", required_argument, NULL, 's' },
					 { "json", no_argument, NULL, 'j' },
					 {} };

static bool parse(struct watch_opts *opts, int val)
{
	uint64_t seconds;

	switch (val) {
	case 's':
		if (!cli_number("--seconds", optarg, 1, MAX_SECONDS, &seconds))
			return false;
		opts->seconds = (unsigned int)seconds;
		return true;
	case 'j':
		opts->json = true;
		return true;
	default:
		return false;
	}
}

int watch_opts_parse(struct watch_opts *opts, int argc, char **argv)
{
	uint64_t pid;
	int val;

	*opts = (struct watch_opts){ .seconds = 10 };
	if (argc < 2 || argv[1][0] == '-')
		return cli_usage("%s: the PID of a VMM comes first", argv[0]);
	if (!cli_number("watch: PID", argv[1], 1, MAX_PID, &pid))
		return CLI_USAGE;
	opts->pid = (pid_t)pid;
	argv[1] = argv[0]; /* what is left are options */
	while ((val = cli_option(argc - 1, argv + 1, options)) != -1)
		if (!parse(opts, val))
			return CLI_USAGE;
	return CLI_OK;
}
