/* SPDX-License-Identifier: MIT
 *
 * What the subcommands share. Standard output carries the result, a table or with --json one
 * document; everything else goes to standard error.
 */
#ifndef BELLWIRE_CLI_H
#define BELLWIRE_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <getopt.h>
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

/*
 * The next option: its val, -1 after the last, '?' after it has said what is wrong. Options are
 * long only; one given twice is wrong, and so is an argument that is no option.
 */
int cli_option(int argc, char **argv, const struct option *options);

/* The same, but an argument that is no option is CLI_WORD, and in optarg. */
#define CLI_WORD 1
int cli_option_or_word(int argc, char **argv, const struct option *options);

/* A decimal number from min to max, all of text. name is what to call it in the complaint. */
bool cli_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *number);

/* Writes one document to standard output, with the version of the program that did. NULL, memory
 * ran out, is a failure. */
int cli_print_json(json_t *document);

/* Finishes standard output: a result that could not be written whole is a failure. */
int cli_finish(int status);

#endif
