/* SPDX-License-Identifier: MIT
 *
 * What the numbers say, in a sentence each, where both sides of it were measured.
 */
#include "cli/bench.h"
#include "cli/term.h"

static void advise_hop(FILE *out, const struct bench *bench)
{
	const struct row *userspace = bench_row(bench, "userspace-pio");
	const struct row *direct = bench_row(bench, "ioeventfd-pio");
	char hop[TERM_NUMBER], whole[TERM_NUMBER];
	double saved;

	if (!userspace || !direct)
		return;
	saved = userspace->ns.median - direct->ns.median;
	term_number(whole, userspace->ns.median);
	if (saved > 0)
		fprintf(out,
			"- The hop through a handler costs %s of the %s ns of a PIO ring; an "
			"ioeventfd "
			"saves it.\n",
			term_number(hop, saved), whole);
	else
		fprintf(out,
			"- An ioeventfd saves nothing over a handler here: both are a system call "
			"of "
			"%s ns.\n",
			whole);
}

static void advise_elision(FILE *out, const struct bench *bench)
{
	const struct row *elided = bench_row(bench, "elided-pio");
	const struct row *fd = bench_row(bench, "ioeventfd-pio");

	if (elided && fd)
		fprintf(out,
			"- A busy consumer that waits in bw_poller_run(), and leaves the fd alone, "
			"makes a PIO ring %.1f times cheaper.\n",
			fd->ns.median / elided->ns.median);
}

static void advise_space(FILE *out, const struct bench *bench)
{
	const struct row *pio = bench_row(bench, "ioeventfd-pio");
	const struct row *mmio = bench_row(bench, "ioeventfd-mmio");

	if (pio && mmio)
		fprintf(out, "- An MMIO ioeventfd costs %.2f times what a PIO one does.\n",
			mmio->ns.median / pio->ns.median);
}

/* What can be compared is the stall; a signal for each store is what a page does not give. */
static void advise_exitless(FILE *out, const struct bench *bench)
{
	const struct row *exitless = bench_row(bench, "exitless-mmio");
	const struct row *exits = bench_row(bench, "ioeventfd-mmio");
	double times;

	if (!exitless || !exits)
		return;
	times = exits->ns.median / exitless->ns.median;
	fprintf(out,
		"- A store into a hot doorbell page stalls the guest %.2f ns, 1/%.0f of an MMIO "
		"ioeventfd; the poller spins for it, and hears of one in %.0f.\n",
		exitless->ns.median, times, (double)exitless->rings / (double)exitless->deliveries);
}

static const struct row *worst_ratio(const struct bench *bench)
{
	const struct row *worst = NULL;

	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		const struct row *row = &bench->rows[i];

		if (row->available && row->has_ratio &&
		    (!worst || row->ratio.median > worst->ratio.median))
			worst = row;
	}
	return worst;
}

/* Only an interval that lies beyond that of the A/A pair is a difference. */
static void advise_library(FILE *out, const struct bench *bench)
{
	const struct row *worst = worst_ratio(bench);
	const struct stats *aa = &bench->aa->ratio;

	fprintf(out, "- Noise: %s against itself is %.3f (%.3f..%.3f).\n", bench->aa_of->type->name,
		aa->median, aa->low, aa->high);
	if (worst)
		fprintf(out, "- The library at its worst is %s, %.3f times raw: %s.\n",
			worst->type->name, worst->ratio.median,
			worst->ratio.low > aa->high ? "more than noise" : "no more than noise");
}

/* What the peer does with a syscall less or more is in docs/peer.md. */
static void advise_peer(FILE *out, const struct bench *bench)
{
	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		const struct row *row = &bench->rows[i];

		if (row->available && row->has_peer_ratio)
			fprintf(out, "- %s is %.3f (%.3f..%.3f) of %s.\n", row->type->name,
				row->peer_ratio.median, row->peer_ratio.low, row->peer_ratio.high,
				row->type->peer);
	}
}

/* On these paths the vCPU's thread never sleeps: what it did not get, somebody else did. */
static void advise_quiet(FILE *out, const struct bench *bench)
{
	double share = 0;
	unsigned int rows = 0;

	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		const struct row *row = &bench->rows[i];

		if (!row->available || row->type->waits)
			continue;
		share += row->vcpu_cpu_ns.median / row->ns.median;
		rows++;
	}
	share /= rows;
	if (share < QUIET_SHARE)
		fprintf(out,
			"- Not to be trusted: the vCPU's thread had its CPU for only %.0f %% of "
			"the "
			"time, something else runs there.\n",
			100 * share);
}

void bench_print_advice(FILE *out, const struct bench *bench, const struct bench_opts *opts)
{
	advise_hop(out, bench);
	advise_space(out, bench);
	advise_elision(out, bench);
	advise_exitless(out, bench);
	advise_library(out, bench);
	advise_peer(out, bench);
	if (opts->vcpu_cpu == opts->endpoint.cpu)
		fputs("- vCPU and endpoint share a CPU: the guest's stall holds the endpoint's "
		      "work.\n",
		      out);
	else
		advise_quiet(out, bench);
}
