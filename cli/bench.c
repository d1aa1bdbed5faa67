/* SPDX-License-Identifier: MIT
 *
 * bellwire bench: measure, then report.
 */
#include "cli/bench.h"
#include "cli/cli.h"
#include "cli/gnuplot.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/vhost.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A back end that fails does not keep the next one from being measured. */
static int measure(struct bench_report *report)
{
	const struct bench_opts *opts = report->opts;
	int status = CLI_OK;

	for (unsigned int i = 0; i < opts->nr_accels && !report->interrupted; i++) {
		struct bench *bench = &report->benches[report->nr_benches++];
		int err = bench_run(bench, opts->accels[i], opts);

		bench_summarise(bench);
		report->interrupted = err == -EINTR;
		if (err)
			status = report->interrupted ? CLI_INTERRUPTED : CLI_FAILED;
	}
	return status;
}

/* Every lost ring is said on standard error too, where --json leaves it to be read. */
static int check_rows(const struct bench *bench)
{
	int status = CLI_OK;

	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		const struct row *row = &bench->rows[i];
		int64_t lost = bench_lost(row);

		if (lost != 0)
			status = cli_failed("%s %s: %" PRIu64 " rings, %" PRIu64 " counted",
					    vm_backend_name(bench->be), row->type->name, row->rings,
					    row->signals);
	}
	return status;
}

static bool has_rounds(const struct bench_report *report)
{
	for (unsigned int i = 0; i < report->nr_benches; i++)
		if (report->benches[i].rounds > 0)
			return true;
	return false;
}

static int check(const struct bench_report *report)
{
	int status = CLI_OK;

	for (unsigned int i = 0; i < report->nr_benches; i++)
		if (check_rows(&report->benches[i]) != CLI_OK)
			status = CLI_FAILED;
	return has_rounds(report) ? status : cli_failed("nothing could be measured");
}

static int show(const struct bench_report *report, int svg)
{
	int status = CLI_OK;

	if (report->opts->json)
		status = bench_print_json(report);
	else
		bench_print(report);
	if (svg >= 0) {
		fflush(stdout);
		if (bench_svg_write(report, svg) != CLI_OK)
			status = CLI_FAILED;
	}
	return status;
}

static int report_all(const struct bench_report *report, int status, int svg)
{
	int shown = show(report, svg);

	if (report->interrupted)
		cli_note("interrupted: what is shown are the rounds that were finished");
	else if (check(report) != CLI_OK)
		shown = CLI_FAILED;
	return status != CLI_OK ? status : shown;
}

/* What may be written besides: opened before anything is measured. */
struct outputs {
	int svg; /* -1: none */
	struct report_file page;
};

static int open_outputs(struct outputs *outputs, const struct bench_opts *opts)
{
	*outputs = (struct outputs){ .svg = -1 };
	if (opts->report &&
	    (gnuplot_check() != CLI_OK || report_file_open(&outputs->page, opts->report) != CLI_OK))
		return CLI_FAILED;
	if (opts->svg) {
		outputs->svg = bench_svg_open(opts->svg);
		if (outputs->svg < 0)
			return CLI_FAILED;
	}
	return CLI_OK;
}

static void close_outputs(struct outputs *outputs, const struct bench_opts *opts)
{
	bench_svg_close(opts->svg, outputs->svg);
	report_file_close(&outputs->page);
}

/* The table is there first: what the page has besides takes its time. */
static int run(struct bench_report *report)
{
	struct outputs outputs;
	int status = open_outputs(&outputs, report->opts);

	if (status == CLI_OK) {
		host_read(&report->host);
		if (report->opts->peer)
			peer_version(report->peer, sizeof(report->peer));
		status = measure(report);
		status = report_all(report, status, outputs.svg);
	}
	if (outputs.page.out && has_rounds(report)) {
		int page = report_write(report, &outputs.page);

		status = status != CLI_OK ? status : page;
	}
	close_outputs(&outputs, report->opts);
	for (unsigned int i = 0; i < report->nr_benches; i++)
		bench_free(&report->benches[i]);
	return status;
}

static int bench_run_all(const struct bench_opts *opts)
{
	static struct bench_report report;

	report.opts = opts;
	return run(&report);
}

static int bench_main(int argc, char **argv)
{
	bool rtt = argc > 1 && strcmp(argv[1], "rtt") == 0;
	struct bench_opts opts;
	int status = rtt ? rtt_opts_parse(&opts, argc - 1, argv + 1)
			 : bench_opts_parse(&opts, argc, argv);

	if (status == CLI_OK)
		status = vhost_check_opts(&opts, rtt);
	if (status != CLI_OK)
		return status;
	if (interrupt_start())
		return CLI_FAILED;
	if (opts.vhost_user)
		return bench_vhost(&opts);
	return rtt ? rtt_run(&opts) : bench_run_all(&opts);
}

static const struct command *const subcommands[] = { &command_bench_adaptive,
						     &command_bench_dispatch,
						     &command_bench_regions, NULL };

const struct command command_bench = {
	.name = "bench",
	.main = bench_main,
	.subcommands = subcommands,
	.help = "what a doorbell costs here, by each path that it can take",
	.usage =
		"usage: bellwire bench [OPTION]...\n"
		"       bellwire bench rtt [OPTION]...\n"
		"       bellwire bench adaptive [OPTION]...\n"
		"       bellwire bench dispatch [OPTION]...\n"
		"       bellwire bench regions [OPTION]...\n"
		"\n"
		"Runs a guest that rings doorbells, by every path that this host can run, and\n"
		"prints what a ring costs: the time that the guest is stalled, exits, and the CPU\n"
		"time of the vCPU's and of the endpoint's thread. Exit status 1: a ring was lost.\n"
		"\n"
		"  --accel kvm|soft|all       the back end (all)\n"
		"  --path LIST                names or patterns: 'ioeventfd-*,null-pio' (all)\n"
		"  --rings N                  per path and round (as many as take 10 ms)\n"
		"  --rounds N                 1 to 1000 (101; with --report 51)\n"
		"  --cpl 0|3                  the privilege that the guest runs at (3)\n"
		"  --cpus vcpu=N,endpoint=M   where the two threads are pinned\n"
		"  --endpoint WHERE           who is rung: a thread, a process, the kernel's "
		"module\n"
		"                             (doorbell.ko), SOCKET, where 'bellwire endpoint'\n"
		"                             listens, or vhost-user:SOCKET, see below (thread)\n"
		"  --image FILE               what a vhost-user device must hold\n"
		"  --seed N                   of the order of the paths in a round (random)\n"
		"  --json                     one JSON document on standard output instead\n"
		"                             (schema bellwire.bench/1)\n"
		"  --svg FILE                 a bar chart too; needs gnuplot\n"
		"  --report FILE              a page in HTML too, with charts, round trips and "
		"how\n"
		"                             the bus scales; needs gnuplot\n"
		"  --peer qemu                a qemu-system-x86_64 beside us, in the same rounds:\n"
		"                             -accel kvm beside kvm, tcg beside soft\n"
		"\n"
		"rtt measures round trips: the guest rings, the endpoint answers in guest\n"
		"memory, the guest sees it; with an endpoint that blocks in read(2) until it is\n"
		"rung, one that waits in epoll_wait(2), two in an io_uring, and one that spins;\n"
		"and with a poller that looks at a hot doorbell page.\n"
		"It takes --accel, --path, --rings (round trips, 10000), --cpl, --cpus,\n"
		"--endpoint and --json.\n"
		"\n"
		"With --endpoint vhost-user:SOCKET the guest drives a virtqueue of the device "
		"that\n"
		"a vhost-user back end serves at SOCKET, for one qemu-storage-daemon: round "
		"trips,\n"
		"requests a second, and every byte is compared with --image FILE, or else with "
		"the\n"
		"lines of 'seq -f %015.0f 0 N' (schema bellwire.bench-vhost/1). The device is "
		"only\n"
		"read. --rings, to 256, is how many requests. Exit status 1: a wrong byte.\n"
		"\n"
		"Paths:\n"
		"  null-*       the exit alone: an empty handler, or a port the kernel serves\n"
		"  raw-*        without the library\n"
		"  userspace-*  exit, a region's handler, and a system call to the endpoint\n"
		"  ioeventfd-*  the endpoint has the eventfd; any: of any length; hc: a hypercall\n"
		"  elided-*     the endpoint waits in a bw_poller, and nobody has the eventfd\n"
		"  coalesced-*  KVM's ring of stores, looked at every 50 us and when it is full\n"
		"  exitless-*   a hot doorbell page: a ring is a store, and the poller looks\n"
		"  remote-*     exit, and a message to a device model in another process\n"
		"               (vfio-user); fd: by the ioeventfd that the device offers\n"
		"With --peer qemu also\n"
		"  counted-*    exit, and a region's handler that counts, as QEMU's test device "
		"does\n"
		"  unheard-*    an eventfd that nobody waits for, as in QEMU's test device\n"
		"  qemu-none-*  pci-testdev's test no-eventfd: exit, and QEMU's device model "
		"counts\n"
		"  qemu-any-*   its test wildcard-eventfd\n"
		"  qemu-value-* its test datamatch-eventfd\n",
};
