/* SPDX-License-Identifier: MIT
 *
 * bellwire: a table of subcommands.
 */
#include "cli/cli.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = { &command_bench,    &command_compare,
						  &command_conform,  &command_device,
						  &command_endpoint, &command_info,
						  &command_watch,    NULL };

static const struct command *find(const struct command *const *table, const char *name)
{
	for (; table && *table; table++)
		if (strcmp((*table)->name, name) == 0)
			return *table;
	return NULL;
}

/* The command that the words name, which may be one of another. Says why if there is none. */
static const struct command *find_path(int *argc, char ***argv)
{
	const struct command *command = find(commands, (*argv)[0]), *sub;

	if (!command)
		cli_usage("'%s' is no command; 'bellwire help' lists them", (*argv)[0]);
	while (command && *argc > 1 && (sub = find(command->subcommands, (*argv)[1]))) {
		command = sub;
		(*argc)--;
		(*argv)++;
	}
	return command;
}

static int help(void)
{
	puts("usage: bellwire COMMAND [OPTION]...\n");
	for (const struct command *const *command = commands; *command; command++)
		printf("  %-8s %s\n", (*command)->name, (*command)->help);
	puts("  help     this, or 'help COMMAND'\n"
	     "\n"
	     "Exit status: 0 fine, 1 a check failed, 2 the command line is wrong.");
	return CLI_OK;
}

static int help_about(const struct command *command)
{
	fputs(command->usage, stdout);
	return CLI_OK;
}

static int help_main(int argc, char **argv)
{
	const struct command *command;

	if (argc == 1)
		return help();
	argc--;
	argv++;
	command = find_path(&argc, &argv);
	if (!command)
		return CLI_USAGE;
	if (argc > 1)
		return cli_usage("help takes one command, '%s' is one too many", argv[1]);
	return help_about(command);
}

static int version_main(int argc, char **argv)
{
	if (argc > 1)
		return cli_usage("%s takes no argument, '%s' is one", argv[0], argv[1]);
	puts("bellwire " BELLWIRE_VERSION);
	return CLI_OK;
}

/* Also 'bellwire COMMAND --help', wherever the option stands. */
static int run(const struct command *command, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0)
			return help_about(command);
	return command->main(argc, argv);
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;

	if (argc < 1)
		return cli_usage("a command is missing; 'bellwire help' lists them");
	if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0)
		return help_main(argc, argv);
	if (strcmp(argv[0], "--version") == 0)
		return version_main(argc, argv);
	command = find_path(&argc, &argv);
	return command ? run(command, argc, argv) : CLI_USAGE;
}

int main(int argc, char **argv)
{
	/* For the character set of the terminal; numbers stay as C writes them. */
	setlocale(LC_CTYPE, "");
	/* A reader that went away is a write error like any other. */
	signal(SIGPIPE, SIG_IGN);
	return cli_finish(dispatch(argc - 1, argv + 1));
}
