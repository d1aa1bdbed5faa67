/* SPDX-License-Identifier: MIT
 *
 * bellwire bench regions: the command.
 */
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/regions.h"

#include <errno.h>

#define DEFAULT_DOORBELLS 511u /* the most that one device is known to use */
#define DEFAULT_ROUNDS 25u
#define MAX_DOORBELLS 10000u

static int parse(struct regions_opts *opts, int argc, char **argv)
{
	const struct cli_option options[] = {
		{ "doorbells", .number = &opts->doorbells, .min = 1, .max = MAX_DOORBELLS },
		{ "rounds", .number = &opts->rounds, .min = 1, .max = STATS_MAX },
		{ "json", .flag = &opts->json },
		{},
	};

	*opts = (struct regions_opts){ .doorbells = DEFAULT_DOORBELLS, .rounds = DEFAULT_ROUNDS };
	return cli_parse(argc, argv, options);
}

static int run(struct regions_report *report)
{
	int err, shown;

	host_read(&report->host);
	err = regions_measure(report);
	report->interrupted = err == -EINTR;
	shown = regions_show(report);
	if (report->why[0])
		shown = cli_failed("nothing could be measured");
	return interrupt_status(err, shown);
}

static int regions_main(int argc, char **argv)
{
	static struct regions_report report;
	struct regions_opts opts;
	int status = parse(&opts, argc, argv);

	if (status != CLI_OK)
		return status;
	if (interrupt_start())
		return CLI_FAILED;
	report.opts = &opts;
	status = run(&report);
	regions_free(&report);
	return status;
}

const struct command command_bench_regions = {
	.name = "regions",
	.main = regions_main,
	.help = "what it costs to map, move and unmap a device's doorbells",
	.usage = "usage: bellwire bench regions [OPTION]...\n"
		 "\n"
		 "A device is mapped, moved and unmapped, on /dev/kvm: by the library in one\n"
		 "transaction, and by KVM_IOEVENTFD by hand in an equal VM; before the VM has a\n"
		 "vCPU, and after. No guest runs.\n"
		 "\n"
		 "  --doorbells N   that the device has (511)\n"
		 "  --rounds N      1 to 1000 (25)\n"
		 "  --json          one JSON document on standard output instead\n"
		 "                  (schema bellwire.bench-regions/1)\n",
};
