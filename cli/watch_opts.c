/* SPDX-License-Identifier: MIT
 *
 * The command line of bellwire watch.
 */
#include "cli/cli.h"
#include "cli/watch.h"

#define MAX_SECONDS 86400u
#define MAX_PID 4194304u /* the kernel's PID_MAX_LIMIT */

int watch_opts_parse(struct watch_opts *opts, int argc, char **argv)
{
	uint64_t pid, seconds = 10;
	const struct cli_option options[] = {
		{ "seconds", .number = &seconds, .min = 1, .max = MAX_SECONDS },
		{ "json", .flag = &opts->json },
		{},
	};

	*opts = (struct watch_opts){};
	if (argc < 2 || argv[1][0] == '-')
		return cli_usage("%s: the PID of a VMM comes first", argv[0]);
	if (!cli_number("watch: PID", argv[1], 1, MAX_PID, &pid))
		return CLI_USAGE;
	opts->pid = (pid_t)pid;
	argv[1] = argv[0]; /* what is left are options */
	if (cli_parse(argc - 1, argv + 1, options) != CLI_OK)
		return CLI_USAGE;
	opts->seconds = (unsigned int)seconds;
	return CLI_OK;
}
