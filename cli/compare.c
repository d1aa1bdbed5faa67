/* SPDX-License-Identifier: MIT
 *
 * bellwire compare: the command. Exit status 1 says that B is worse, and nothing else does.
 */
#include "cli/compare.h"
#include "cli/cli.h"

#include <string.h>

#define DEFAULT_TOLERANCE 5u /* percent */

struct compare_opts {
	const char *files[2];
	unsigned int nr_files;
	uint64_t tolerance; /* percent */
	bool json;
};

static bool add_file(void *to, char *file)
{
	struct compare_opts *opts = to;

	if (opts->nr_files == 2) {
		cli_usage("compare takes two files, '%s' is one too many", file);
		return false;
	}
	opts->files[opts->nr_files++] = file;
	return true;
}

static int parse(struct compare_opts *opts, int argc, char **argv)
{
	const struct cli_option options[] = {
		{ "tolerance", .number = &opts->tolerance, .max = 1000 },
		{ "json", .flag = &opts->json },
		{ .parse = add_file, .to = opts },
	};

	*opts = (struct compare_opts){ .tolerance = DEFAULT_TOLERANCE };
	if (cli_parse(argc, argv, options) != CLI_OK)
		return CLI_USAGE;
	if (opts->nr_files < 2)
		return cli_usage("compare takes two files, A.json and B.json");
	return CLI_OK;
}

static int show(const struct comparison *c, bool json)
{
	int status = CLI_OK;

	if (json) {
		json_t *document = compare_json(c);

		status = cli_print_json(document);
		json_decref(document);
	} else {
		compare_print(c);
	}
	return status;
}

static int compare_main(int argc, char **argv)
{
	struct comparison c = {};
	struct compare_opts opts;
	int status = parse(&opts, argc, argv);

	if (status != CLI_OK)
		return status;
	c.tolerance = 1 + (double)opts.tolerance / 100;
	status = CLI_USAGE;
	if (compare_doc_open(&c.docs[0], opts.files[0]) &&
	    compare_doc_open(&c.docs[1], opts.files[1]) && compare_judge(&c))
		status = show(&c, opts.json);
	if (status == CLI_OK && compare_worse(&c))
		status = CLI_FAILED;
	compare_free(&c);
	return status;
}

const struct command command_compare = {
	.name = "compare",
	.main = compare_main,
	.help = "what changed between two of bellwire's JSON documents",
	.usage = "usage: bellwire compare [OPTION]... A.json B.json\n"
		 "\n"
		 "Says what changed from A to B: two hosts, two kernels, two commits. It reads "
		 "what\n"
		 "bench (with a vhost-user endpoint too), bench rtt, bench dispatch, bench "
		 "regions,\n"
		 "bench adaptive and conform print with --json. Exit status 1: something got "
		 "slower,\n"
		 "rings are lost that were not, bytes are wrong that were not, or a case no "
		 "longer\n"
		 "passes; 2: these two cannot be compared.\n"
		 "\n"
		 "  --tolerance P    percent that a figure may differ by without being called "
		 "slower\n"
		 "                   or faster, beyond the noise (5)\n"
		 "  --json           one JSON document on standard output instead\n"
		 "                   (schema bellwire.compare/1)\n",
};
