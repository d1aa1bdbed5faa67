/* SPDX-License-Identifier: MIT
 *
 * bellwire watch: what a running VMM's guest costs it, with no help from it.
 */
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/term.h"
#include "cli/watch.h"
#include "endpoint/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#define TICK_MS 100
#define SECOND 1000000000u
#define ROWS 40

struct watch {
	struct watch_process process;
	struct watch_kernel kernel;
	struct watch_threads threads;
	struct watch_account account;
	struct watch_report report;
	uint64_t shown;
};

/* Each thread takes some files. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void show(struct watch *w, uint64_t now)
{
	if (now - w->shown < SECOND)
		return;
	w->shown = now;
	if (w->report.opts->json) {
		term_progress("%.0f of %u s, %u addresses", w->report.seconds,
			      w->report.opts->seconds, w->account.nr);
	} else if (term_width() > 0) {
		watch_report_sort(&w->report);
		watch_live(&w->report);
	}
}

static void end_show(const struct watch *w)
{
	if (w->report.opts->json)
		term_progress(NULL);
	else
		watch_live_end();
}

/* One tick; false: this was the last. */
static bool step(struct watch *w, int *status)
{
	bool ended = watch_threads_step(&w->threads, w->process.pidfd, TICK_MS, &w->account);
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	w->report.seconds = (double)(now - w->threads.began) / SECOND;
	if (interrupted())
		w->report.end = WATCH_WAS_INTERRUPTED;
	else if (ended)
		w->report.end = WATCH_PROCESS_ENDED;
	else if (now - w->threads.began < (uint64_t)w->report.opts->seconds * SECOND) {
		show(w, now);
		*status = watch_threads_scan(&w->threads, &w->process);
		return *status == CLI_OK;
	}
	return false;
}

static int watch_threads(struct watch *w)
{
	int status;

	w->threads.kernel = &w->kernel;
	status = watch_threads_scan(&w->threads, &w->process);
	w->shown = w->threads.began;
	while (status == CLI_OK && step(w, &status))
		;
	end_show(w);
	watch_threads_close(&w->threads);
	return status;
}

static void print_notes(const struct watch *w)
{
	const struct watch_report *report = &w->report;

	if (report->end == WATCH_PROCESS_ENDED)
		cli_note("process %d ended after %.1f s: this is what was seen until then",
			 w->process.pid, report->seconds);
	if (report->end == WATCH_WAS_INTERRUPTED)
		cli_note("interrupted after %.1f s: this is what was seen until then",
			 report->seconds);
	if (w->threads.too_many)
		cli_note("process %d has more than %u threads: the others were not watched",
			 w->process.pid, WATCH_MAX_THREADS);
}

static int report(struct watch *w)
{
	int status = CLI_OK;

	watch_report_sort(&w->report);
	print_notes(w);
	if (w->report.opts->json)
		status = watch_print_json(&w->report);
	else
		watch_print(&w->report, ROWS, stdout);
	return w->report.end == WATCH_WAS_INTERRUPTED ? CLI_INTERRUPTED : status;
}

/* Until here there is nothing that is worth to be shown. */
static int catch_signals(void)
{
	int err = interrupt_start();

	return err ? cli_failed("cannot start a thread: %s", strerror(-err)) : CLI_OK;
}

static int watch_run(struct watch *w)
{
	int status = watch_process_open(&w->process, w->report.opts->pid);

	if (status != CLI_OK)
		return status;
	status = watch_kernel_read(&w->kernel);
	if (status == CLI_OK)
		status = catch_signals();
	if (status == CLI_OK)
		status = watch_threads(w);
	if (status == CLI_OK)
		status = report(w);
	watch_process_close(&w->process);
	return status;
}

static int watch_main(int argc, char **argv)
{
	struct watch_opts opts;
	int status = watch_opts_parse(&opts, argc, argv);
	struct watch *w;

	if (status != CLI_OK)
		return status;
	w = calloc(1, sizeof(*w));
	if (!w)
		return cli_failed("no memory");
	allow_many_files();
	if (getrandom(&w->account.seed, sizeof(w->account.seed), 0) < 0)
		w->account.seed = clock_ns(CLOCK_MONOTONIC);
	w->report.opts = &opts;
	w->report.process = &w->process;
	w->report.threads = &w->threads;
	w->report.account = &w->account;
	status = watch_run(w);
	free(w);
	return status;
}

const struct command command_watch = {
	.name = "watch",
	.main = watch_main,
	.help = "which addresses of a running VMM's guest take the slow path",
	.usage =
		"usage: bellwire watch PID [--seconds N] [--json]\n"
		"\n"
		"Watches the process PID, any VMM on KVM, from outside: which addresses its guest\n"
		"accesses on the slow path to userspace, how often, how wide, how many different\n"
		"values it writes, and how much of a second per second that takes; which are only\n"
		"ever written, so that an ioeventfd would gain; and beside it the accesses that\n"
		"the kernel serves already. From KVM's tracepoints: needs root (or CAP_PERFMON "
		"and\n"
		"a readable tracefs). Nothing stays behind, however it ends. docs/watch.md tells\n"
		"how to read the table.\n"
		"\n"
		"  --seconds N   for so long, 1 to 86400 (10); Ctrl-C ends it early\n"
		"  --json        one JSON document on standard output (schema bellwire.watch/1)\n",
};
