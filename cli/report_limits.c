/* SPDX-License-Identifier: MIT
 *
 * What the figures do not say: always, and in this run.
 */
#include "cli/cli.h"
#include "cli/html.h"
#include "cli/report.h"

#include <string.h>

static const char *const always[] = {
	"One guest rings one doorbell as fast as it can, with both threads pinned and nothing else "
	"to do. A busy host, more vCPUs than CPUs, and a guest that works between its rings look "
	"otherwise.",
	"Guest stall is the time until the guest goes on, not the time until somebody has heard: "
	"that is the one-way time of the round trips.",
	"Medians hide the rare long ones. Where 99.9 % matters, look at the round trips.",
	"No figure here has a device in it: what the endpoint does with a ring is counting.",
	"A difference smaller than the noise, the same path measured twice, is none.",
	"2009's figures, 9,090 ns through QEMU and 5,000 and 2,720 ns through ioeventfd, were "
	"taken "
	"on that day's hardware: they are the reason to measure, not a baseline.",
};

static void write_this_run(const struct report *report, FILE *out)
{
	const struct bench_report *bench = report->bench;
	const struct host *host = &bench->host;

	if (report->interrupted)
		html_element(
			out, "li",
			"The run was interrupted: there are fewer rounds than were asked for, or "
			"parts are missing.");
	if (strcmp(host->kvm_module, "kvm_pvm") == 0)
		html_element(
			out, "li",
			"This KVM is a software one (kvm_pvm, neither VMX nor SVM): its exits to "
			"userspace are far dearer than on hardware, and so are the paths that "
			"need one.");
	else if (host->in_vm)
		html_element(out, "li",
			     "This host is itself a VM: a KVM here is nested, and each exit may be "
			     "several below.");
	if (bench->opts->vcpu_cpu == bench->opts->endpoint.cpu)
		html_element(
			out, "li",
			"vCPU and endpoint shared a CPU: there were no round trips, and a stall "
			"holds the endpoint's work.");
	if (report->dispatch)
		html_printf(
			out, "li",
			"The bus was measured with up to %ju ioeventfds; bellwire bench dispatch "
			"goes to a million.",
			(uintmax_t)report->dispatch->opts->max);
}

static int write(const struct report *report, FILE *out)
{
	fputs("<ul>\n", out);
	write_this_run(report, out);
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		html_element(out, "li", always[i]);
	fputs("</ul>\n", out);
	return CLI_OK;
}

const struct report_section report_limits = {
	.id = "limits",
	.title = "What these figures do not say",
	.write = write,
};
