/* SPDX-License-Identifier: MIT
 *
 * bellwire bench dispatch: the command line, and one case after another.
 */
#define _GNU_SOURCE
#include "cli/bench.h"
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "cli/cpus.h"
#include "cli/dispatch.h"
#include "cli/interrupt.h"

#include <errno.h>
#include <inttypes.h>

#define DEFAULT_ROUNDS 101u
#define DEFAULT_ACCESSES 50000u
#define MOST_ENTRIES 1000000u

static const struct {
	const char *name; /* NULL: assign and deassign */
	enum world_kind kind;
	uint64_t entries;
} cases[] = {
	{ "hit", WORLD_SHARED, 1 },         { "hit", WORLD_SHARED, 10 },
	{ "hit", WORLD_SHARED, 1000 },      { "hit", WORLD_SHARED, 10000 },
	{ "hit", WORLD_SHARED, 1000000 },   { "hit-own", WORLD_OWN, 10 },
	{ "hit-own", WORLD_OWN, 1000 },     { "hit-own", WORLD_OWN, 10000 },
	{ "hit-own", WORLD_OWN, 1000000 },  { "value-first", WORLD_VALUES, 1000 },
	{ "region", WORLD_REGIONS, 1 },     { "region", WORLD_REGIONS, 100 },
	{ "region", WORLD_REGIONS, 10000 }, { NULL, WORLD_SHARED, 1000 },
	{ NULL, WORLD_SHARED, 10000 },      { NULL, WORLD_SHARED, 1000000 },
};

static int parse(struct dispatch_opts *opts, int argc, char **argv)
{
	const struct cli_option options[] = {
		{ "rounds", .number = &opts->rounds, .min = 1, .max = STATS_MAX },
		{ "accesses", .number = &opts->accesses, .min = 1, .max = 1000000000 },
		{ "max", .number = &opts->max, .min = 1, .max = MOST_ENTRIES },
		{ "json", .flag = &opts->json },
		{},
	};
	cpu_set_t cpus;

	*opts = (struct dispatch_opts){
		.rounds = DEFAULT_ROUNDS,
		.accesses = DEFAULT_ACCESSES,
		.max = MOST_ENTRIES,
	};
	if (cli_parse(argc, argv, options) != CLI_OK)
		return CLI_USAGE;
	if (!cpus_allowed(&cpus))
		return CLI_FAILED;
	opts->cpus[0] = cpus_first(&cpus, 0);
	opts->cpus[1] = cpus_first(&cpus, opts->cpus[0] + 1);
	return CLI_OK;
}

int dispatch_measure(struct dispatch_report *report)
{
	int err = pin_thread(report->opts->cpus[0]);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && !err; i++) {
		if (cases[i].entries > report->opts->max)
			continue;
		if (cases[i].name)
			err = dispatch_access(report, cases[i].name, cases[i].kind,
					      cases[i].entries);
		else
			err = dispatch_churn(report, cases[i].entries);
	}
	return err;
}

static int run(struct dispatch_report *report)
{
	int err, shown;

	host_read(&report->host);
	err = dispatch_measure(report);
	report->interrupted = err == -EINTR;
	shown = dispatch_show(report);
	if (!err && report->lost > 0)
		shown = cli_failed("%" PRIu64 " accesses were lost", report->lost);
	return interrupt_status(err, shown);
}

static int dispatch_main(int argc, char **argv)
{
	static struct dispatch_report report;
	struct dispatch_opts opts;
	int status = parse(&opts, argc, argv);

	if (status != CLI_OK)
		return status;
	if (interrupt_start())
		return CLI_FAILED;
	report.opts = &opts;
	return run(&report);
}

const struct command command_bench_dispatch = {
	.name = "dispatch",
	.main = dispatch_main,
	.help = "what the bus costs by itself, without a guest",
	.usage = "usage: bellwire bench dispatch [OPTION]...\n"
		 "\n"
		 "No guest and no offload: this process makes accesses, and prints what one costs\n"
		 "up to the count or the handler, by how many ioeventfds or regions there are.\n"
		 "Exit status 1: an access was lost.\n"
		 "\n"
		 "  --max N         leave out what has more entries (1000000: 1.5 GB of memory)\n"
		 "  --rounds N      1 to 1000 (101)\n"
		 "  --accesses N    in a sample (50000)\n"
		 "  --json          one JSON document on standard output instead\n"
		 "                  (schema bellwire.bench-dispatch/1)\n"
		 "\n"
		 "Cases:\n"
		 "  hit             a write to a random ioeventfd; half of them share a notifier,\n"
		 "                  which has no eventfd and nobody waits for\n"
		 "  hit-own         the same, but each has a notifier of its own\n"
		 "  value-*         1000 values on one address: ten of them, the first assigned\n"
		 "                  and the last, in each of ten tables; ratio: the last to the\n"
		 "                  first\n"
		 "  region          a write to a random region, whose handler does nothing\n"
		 "  assign, deassign, and -batch: 1000 in one commit\n"
		 "\n"
		 "With two threads, each on its own half of the entries, ns are what one thread\n"
		 "spends, and the ratio is the throughput of both to that of one on its half. of\n"
		 "is what that comes to for as many random reads and atomic adds without the\n"
		 "library: far from 2 where the two CPUs share a core, as a host may let them.\n"
		 "limit is a random read, which depends on the one before, of as much memory as\n"
		 "malloc() gave for the case; for hit-own two, as both its slot and its notifier\n"
		 "are read.\n",
};
