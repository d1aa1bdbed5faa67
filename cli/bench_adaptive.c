/* SPDX-License-Identifier: MIT
 *
 * bellwire bench adaptive: the command.
 */
#include "cli/adaptive.h"
#include "cli/cli.h"
#include "cli/interrupt.h"

#include <errno.h>
#include <inttypes.h>

int adaptive_check_lost(const struct adaptive_report *report)
{
	int status = CLI_OK;

	for (unsigned int i = 0; i < report->nr_cells; i++) {
		const struct cell *cell = &report->cells[i];

		if (cell->lost)
			status = cli_failed("%s, %s, %s, %s: %" PRIu64 " of %" PRIu64
					    " rings were not seen, nor followed by one seen",
					    vm_backend_name(cell->be), cell->pattern->name,
					    adaptive_policies[cell->policy], cell->mechanism->name,
					    cell->lost, cell->rings);
	}
	return status;
}

static int check(const struct adaptive_report *report)
{
	return adaptive_has_rounds(report) ? adaptive_check_lost(report)
					   : cli_failed("nothing could be measured");
}

static int run(struct adaptive_report *report)
{
	int err, shown, checked;

	host_read(&report->host);
	err = adaptive_measure(report);
	report->interrupted = err == -EINTR;
	shown = adaptive_show(report);
	checked = report->interrupted ? CLI_OK : check(report);
	return interrupt_status(err, shown != CLI_OK ? shown : checked);
}

static int adaptive_main(int argc, char **argv)
{
	static struct adaptive_report report;
	struct adaptive_opts opts;
	int status = adaptive_opts_parse(&opts, argc, argv);

	if (status != CLI_OK)
		return status;
	if (interrupt_start())
		return CLI_FAILED;
	if (opts.bench.vcpu_cpu == opts.bench.endpoint.cpu)
		return cli_failed("adaptive needs two CPUs: a hot page's poller takes one");
	report.opts = &opts;
	status = run(&report);
	adaptive_free(&report);
	return status;
}

const struct command command_bench_adaptive = {
	.name = "adaptive",
	.main = adaptive_main,
	.help = "when a doorbell page is worth being hot",
	.usage =
		"usage: bellwire bench adaptive [OPTION]...\n"
		"\n"
		"A guest that uses 256 MiB of memory rings a doorbell page: 100 times a second,\n"
		"in bursts of 64 every ms, 50000 times a second, as fast as it can, and not at\n"
		"all; with the page always hot, always cold, and under the adaptive policy; by\n"
		"each way of making a page cold that this host has. Prints the guest's stall, how\n"
		"long a ring takes to be heard, and the poller's CPU; and from how many rings a\n"
		"second on a page is worth being hot. What the adaptive policy takes to learn is\n"
		"a warm-up that is not counted. Exit status 1: a ring was lost.\n"
		"\n"
		"  --accel kvm|soft|all       the back end (all)\n"
		"  --policy LIST              of adaptive,fixed-hot,fixed-cold (all)\n"
		"  --seconds N                the whole run takes about so long (60)\n"
		"  --rounds N                 1 to 1000 (3)\n"
		"  --cpl 0|3                  the privilege that the guest runs at (3)\n"
		"  --cpus vcpu=N,endpoint=M   where the vCPU and the poller are pinned\n"
		"  --json                     one JSON document on standard output instead\n"
		"                             (schema bellwire.bench-adaptive/1)\n",
};
