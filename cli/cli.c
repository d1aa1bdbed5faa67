/* SPDX-License-Identifier: MIT
 *
 * Messages, options and numbers, the same for every subcommand.
 */
#include "cli/cli.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OPTIONS 16
/* What getopt_long(3) returns: an option that is in the table, and an argument that is none. */
#define OPTION 'o'
#define WORD 1

static void say(const char *format, va_list args)
{
	fputs("bellwire: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void cli_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

int cli_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return CLI_USAGE;
}

int cli_failed(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return CLI_FAILED;
}

/* Options of this command line are kept as a bit each, by their place in the table. */
static bool given_before(uint64_t *seen, int index)
{
	uint64_t bit = UINT64_C(1) << index;
	bool before = *seen & bit;

	*seen |= bit;
	return before;
}

/* order: how getopt_long(3) is to take a word that is no option. */
static int next_option(int argc, char **argv, const struct option *options, const char *order,
		       int *index, uint64_t *seen)
{
	bool first = optind <= 1; /* 0: getopt_long(3) is to forget the command line before */
	const char *arg = argv[first ? 1 : optind];
	int val;

	opterr = 0;
	val = getopt_long(argc, argv, order, options, index);
	if (val == WORD)
		return val;
	if (val == -1 && optind < argc)
		cli_usage("%s: takes no argument, '%s' is one", argv[0], argv[optind]);
	else if (val == ':')
		cli_usage("%s: %s needs an argument", argv[0], arg);
	else if (val == '?' && optopt && strncmp(arg, "--", 2) == 0)
		cli_usage("%s: '%s': the option takes no argument", argv[0], arg);
	else if (val == '?')
		cli_usage("%s: '%s' is no option", argv[0], arg);
	else if (val != -1 && given_before(seen, *index))
		cli_usage("%s: --%s is given twice", argv[0], options[*index].name);
	else
		return val;
	return '?';
}

static bool take(const struct cli_option *option, char *text)
{
	char name[32];

	if (option->flag)
		*option->flag = true;
	if (option->text)
		*option->text = text;
	if (option->parse)
		return option->parse(option->to, text);
	snprintf(name, sizeof(name), "--%s", option->name);
	return !option->number || cli_number(name, text, option->min, option->max, option->number);
}

int cli_parse(int argc, char **argv, const struct cli_option *options)
{
	struct option known[MAX_OPTIONS + 1] = {};
	const char *order;
	int nr, val, index;
	uint64_t seen = 0;

	for (nr = 0; nr < MAX_OPTIONS && options[nr].name; nr++) {
		const struct cli_option *o = &options[nr];

		known[nr].name = o->name;
		known[nr].has_arg = o->text || o->number || o->parse;
		known[nr].val = OPTION;
	}
	assert(!options[nr].name); /* or MAX_OPTIONS is not */
	order = options[nr].parse ? "-:" : "+:";
	while ((val = next_option(argc, argv, known, order, &index, &seen)) != -1)
		if (val == '?' || !take(&options[val == WORD ? nr : index], optarg))
			return CLI_USAGE;
	return CLI_OK;
}

bool cli_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	/* strtoull() would take a blank, a sign, and make -1 a large number. */
	if (isdigit((unsigned char)*text) && !*end && !errno && *number >= min && *number <= max)
		return true;
	cli_usage("%s takes a number from %ju to %ju, not '%s'", name, (uintmax_t)min,
		  (uintmax_t)max, text);
	return false;
}

int cli_print_json(json_t *document)
{
	if (!document)
		return cli_failed("no memory for the JSON document");
	json_object_set_new(document, "version", json_string(BELLWIRE_VERSION));
	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(7));
	putchar('\n');
	return CLI_OK;
}

int cli_finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	cli_note("standard output: %s", strerror(errno));
	return status == CLI_OK ? CLI_FAILED : status;
}
