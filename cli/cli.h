/* SPDX-License-Identifier: MIT
 *
 * What the subcommands share. Standard output carries the result, a table or with --json one
 * document; everything else goes to standard error.
 */
#ifndef BELLWIRE_CLI_H
#define BELLWIRE_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* a check failed, or the system refused something */
	CLI_USAGE = 2,
	CLI_INTERRUPTED = 130,
};

struct command {
	const char *name;
	int (*main)(int argc, char **argv); /* argv[0] is the subcommand; an enum cli_exit */
	const char *help;                   /* one line */
	const char *usage;                  /* what --help says */
	/* What the next word may name instead of an option, up to a NULL. May be NULL. */
	const struct command *const *subcommands;
};

extern const struct command command_bench, command_bench_adaptive, command_bench_dispatch,
	command_bench_regions, command_compare, command_conform, command_device, command_endpoint,
	command_info, command_watch;

/* One line on standard error, "bellwire: " in front. cli_usage() returns CLI_USAGE, cli_failed()
 * CLI_FAILED. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An option, and what it sets of what is not NULL. One with only a flag takes no argument. */
struct cli_option {
	const char *name;
	bool *flag; /* that it was given */
	const char **text;
	uint64_t *number, min, max;
	bool (*parse)(void *to, char *text); /* false: it has said what is wrong */
	void *to;
};

/*
 * Takes the command line: CLI_OK, or CLI_USAGE and has said why. Options are long only, and one
 * given twice is wrong. The last one has no name: its parse() takes each argument that is no
 * option; where it is NULL such an argument is wrong.
 */
int cli_parse(int argc, char **argv, const struct cli_option *options);

/* A decimal number from min to max, all of text. name is what to call it in the complaint. */
bool cli_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *number);

/* Writes one document to standard output, with the version of the program that did. NULL, memory
 * ran out, is a failure. */
int cli_print_json(json_t *document);

/* Finishes standard output: a result that could not be written whole is a failure. */
int cli_finish(int status);

#endif
