/* SPDX-License-Identifier: MIT
 *
 * Where this was measured, and how.
 */
#include "cli/cli.h"
#include "cli/html.h"
#include "cli/report.h"

#include <inttypes.h>

static void fact(FILE *out, const char *name, const char *text)
{
	html_row(out, name);
	html_element(out, "td", text[0] ? text : "none");
	html_row_end(out);
}

static void number(FILE *out, const char *name, uint64_t number)
{
	html_row(out, name);
	html_printf(out, "td", "%" PRIu64, number);
	html_row_end(out);
}

static void write_host(const struct host *host, FILE *out)
{
	static const char *const head[] = { "what", "here" };

	html_table(out, "host-facts", "The host", head, 2);
	fact(out, "kernel", host->kernel);
	fact(out, "CPU", host->cpu);
	number(out, "CPUs", (uint64_t)host->cpus);
	fact(out, "in a VM",
	     host->in_vm ? "yes: a KVM here is nested" : "not that the CPU reports");
	fact(out, "hypervisor", host->hypervisor);
	fact(out, "KVM module", host->kvm_module);
	fact(out, "governor", host->governor);
	fact(out, "clocksource", host->clocksource);
	fact(out, "halt_poll_ns", host->halt_poll_ns);
	html_table_end(out);
}

static void write_mitigations(const struct host *host, FILE *out)
{
	static const char *const head[] = { "flaw", "the kernel says" };

	if (host->nr_vulnerabilities == 0)
		return;
	html_table(out, "flaws", "CPU flaws and their mitigations", head, 2);
	for (unsigned int i = 0; i < host->nr_vulnerabilities; i++)
		fact(out, host->vulnerabilities[i].name, host->vulnerabilities[i].state);
	html_table_end(out);
}

static void write_run(const struct bench_report *bench, FILE *out)
{
	const struct bench_opts *opts = bench->opts;
	static const char *const head[] = { "what", "in this run" };

	html_table(out, "run-facts", "The run", head, 2);
	html_row(out, "guest's privilege");
	html_printf(out, "td", "CPL %u", opts->cpl);
	html_row_end(out);
	fact(out, "endpoint", bench_endpoint_name(opts));
	if (bench->peer[0])
		fact(out, "beside it", bench->peer);
	number(out, "CPU of the vCPU", (uint64_t)opts->vcpu_cpu);
	number(out, "CPU of the endpoint", (uint64_t)opts->endpoint.cpu);
	number(out, "rounds", opts->rounds);
	html_row(out, "rings in a round");
	if (opts->rings)
		html_printf(out, "td", "%" PRIu64, opts->rings);
	else
		html_element(out, "td", "as many as take 10 ms");
	html_row_end(out);
	number(out, "seed of the order", opts->seed);
	html_table_end(out);
}

static void write_coverage(const struct bench_report *bench, FILE *out)
{
	for (unsigned int i = 0; i < bench->nr_benches; i++) {
		const struct bench *b = &bench->benches[i];

		if (b->rounds > 0) {
			html_printf(out, "p", "Intervals hold the median with %.0f %%.",
				    100 * b->aa->ratio.coverage);
			return;
		}
	}
}

static int write(const struct report *report, FILE *out)
{
	fputs("<div class=\"words\">\n", out);
	write_run(report->bench, out);
	html_element(
		out, "p",
		"Each round measures every path once, in another order each time, so that what "
		"drifts falls on all of them alike. Figures are medians of the rounds; ratios "
		"are taken within a round.");
	write_coverage(report->bench, out);
	write_host(&report->bench->host, out);
	write_mitigations(&report->bench->host, out);
	fputs("</div>\n", out);
	return CLI_OK;
}

const struct report_section report_host = {
	.id = "host",
	.title = "Where and how",
	.write = write,
};
