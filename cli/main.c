/* SPDX-License-Identifier: MIT
 *
 * bellwire: a table of subcommands.
 */
#include "cli/cli.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = { &command_bench, &command_info };

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int help(void)
{
	puts("usage: bellwire COMMAND [OPTION]...\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %-8s %s\n", commands[i]->name, commands[i]->help);
	puts("  help     this, or 'help COMMAND'\n"
	     "\n"
	     "Exit status: 0 fine, 1 a check failed, 2 the command line is wrong.");
	return CLI_OK;
}

static int help_about(const char *name)
{
	const struct command *command = find(name);

	if (!command)
		return cli_usage("'%s' is no command; 'bellwire help' lists them", name);
	fputs(command->usage, stdout);
	return CLI_OK;
}

static int help_main(int argc, char **argv)
{
	if (argc > 2)
		return cli_usage("help takes one command, '%s' is one too many", argv[2]);
	return argc == 2 ? help_about(argv[1]) : help();
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
			return help_about(command->name);
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
	command = find(argv[0]);
	if (!command)
		return cli_usage("'%s' is no command; 'bellwire help' lists them", argv[0]);
	return run(command, argc, argv);
}

int main(int argc, char **argv)
{
	/* For the character set of the terminal; numbers stay as C writes them. */
	setlocale(LC_CTYPE, "");
	/* A reader that went away is a write error like any other. */
	signal(SIGPIPE, SIG_IGN);
	return cli_finish(dispatch(argc - 1, argv + 1));
}
