/* SPDX-License-Identifier: MIT
 *
 * Rounds: each takes a sample of every cell of a back end, so that what drifts falls on all alike.
 */
#include "cli/adaptive.h"
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/term.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000u
#define MEASURED_SHARE 0.7 /* of the whole run: the rest is warm-up */
#define MIN_SAMPLE_NS 20000000u

const struct mechanism adaptive_mechanisms[ADAPTIVE_NR_MECHANISMS] = {
	{ "slot", BW_PAGE_WAY_SLOT, true },
	{ "write-protect", BW_PAGE_WAY_WRITE_PROTECT, false },
};

const char *const adaptive_policies[ADAPTIVE_NR_POLICIES] = {
	[BW_PAGE_ADAPTIVE] = "adaptive",
	[BW_PAGE_HOT] = "fixed-hot",
	[BW_PAGE_COLD] = "fixed-cold",
};

/* One back end: its stages, and its cells in the report. */
struct act {
	struct adaptive_report *report;
	const struct vm_backend *be;
	unsigned int accel; /* index */
	struct stage stages[ADAPTIVE_NR_MECHANISMS];
	unsigned int nr_stages;
	struct cell *cells;
	unsigned int nr_cells;
};

static int add_cell(struct act *act, const struct stage *stage, const struct pattern *pattern,
		    enum bw_page_policy policy)
{
	struct adaptive_report *report = act->report;
	uint64_t rounds = report->opts->bench.rounds;
	struct cell *cell = &report->cells[report->nr_cells++];

	*cell = (struct cell){
		.be = act->be, .mechanism = stage->mechanism, .pattern = pattern, .policy = policy
	};
	act->nr_cells++;
	snprintf(cell->why, sizeof(cell->why), "%s", stage->why);
	cell->stall_ns = calloc(rounds, sizeof(*cell->stall_ns));
	cell->poller_cpu = calloc(rounds, sizeof(*cell->poller_cpu));
	cell->ring_cpu_ns = calloc(rounds, sizeof(*cell->ring_cpu_ns));
	cell->p99_ns = calloc(rounds, sizeof(*cell->p99_ns));
	if (cell->stall_ns && cell->poller_cpu && cell->ring_cpu_ns && cell->p99_ns)
		return 0;
	cli_failed("no memory");
	return -ENOMEM;
}

static int add_cells(struct act *act, const struct stage *stage)
{
	int err = 0;

	for (unsigned int i = 0; i < ADAPTIVE_NR_PATTERNS; i++)
		for (unsigned int p = 0; p < ADAPTIVE_NR_POLICIES && !err; p++)
			if (act->report->opts->policies[p])
				err = add_cell(act, stage, &adaptive_patterns[i], p);
	return err;
}

static int open_stages(struct act *act)
{
	int err = 0;

	for (unsigned int i = 0; i < ADAPTIVE_NR_MECHANISMS && !err; i++) {
		struct stage *stage = &act->stages[act->nr_stages];

		if (act->be == &vm_soft && !adaptive_mechanisms[i].soft)
			continue;
		term_progress("%s: %s", vm_backend_name(act->be), adaptive_mechanisms[i].name);
		act->nr_stages++;
		err = stage_open(stage, act->report->opts, act->be, &adaptive_mechanisms[i]);
		if (!err)
			err = add_cells(act, stage);
		if (!err && !stage->why[0]) {
			act->report->clock_ns[act->accel] =
				stage->clock_ticks / stage->ticks_per_ns;
			act->report->exit_ns[act->accel] = stage->exit_ns;
		}
	}
	return err;
}

static struct stage *stage_of(struct act *act, const struct cell *cell)
{
	unsigned int i = 0;

	while (act->stages[i].mechanism != cell->mechanism)
		i++;
	return &act->stages[i];
}

static uint64_t sample_ns(const struct act *act)
{
	const struct adaptive_opts *opts = act->report->opts;
	double ns = (double)opts->seconds * NS_PER_S * MEASURED_SHARE /
		    (double)(opts->bench.rounds * act->nr_cells * opts->bench.nr_accels);

	return ns < MIN_SAMPLE_NS ? MIN_SAMPLE_NS : (uint64_t)ns;
}

static int run_round(struct act *act, uint64_t round)
{
	int err = 0;

	for (unsigned int i = 0; i < act->nr_cells && !err; i++) {
		/* not always the same one after the other */
		struct cell *cell = &act->cells[(i * (round % 2 ? 1 : act->nr_cells - 1) + round) %
						act->nr_cells];
		struct stage *stage = stage_of(act, cell);

		if (cell->why[0])
			continue;
		term_progress("%s: round %ju, %s, %s, %s", vm_backend_name(act->be),
			      (uintmax_t)round + 1, cell->pattern->name,
			      adaptive_policies[cell->policy], cell->mechanism->name);
		interrupt_vcpu(stage->vcpu);
		err = adaptive_sample(cell, stage, sample_ns(act));
		interrupt_vcpu(NULL);
	}
	return err;
}

static void summarise(struct cell *cell)
{
	if (cell->rounds == 0)
		return;
	cell->cpu = stats_of(cell->poller_cpu, cell->rounds);
	if (cell->rings == 0)
		return;
	cell->stall = stats_of(cell->stall_ns, cell->rounds);
	cell->ring_cpu = stats_of(cell->ring_cpu_ns, cell->rounds);
	if (!cell->latencies)
		return;
	stats_sort(cell->latency_ns, cell->latencies);
	cell->p99 = stats_of(cell->p99_ns, cell->p99s);
}

static int measure(struct adaptive_report *report, unsigned int accel)
{
	struct act *act = calloc(1, sizeof(*act));
	int err;

	if (!act)
		return cli_failed("no memory"), -ENOMEM;
	act->report = report;
	act->accel = accel;
	act->be = report->opts->bench.accels[accel];
	act->cells = &report->cells[report->nr_cells];
	err = open_stages(act);
	for (uint64_t round = 0; round < report->opts->bench.rounds && !err; round++)
		err = run_round(act, round);
	term_progress(NULL);
	for (unsigned int i = 0; i < act->nr_cells; i++)
		summarise(&act->cells[i]);
	while (act->nr_stages > 0)
		stage_close(&act->stages[--act->nr_stages]);
	free(act);
	return err;
}

int adaptive_measure(struct adaptive_report *report)
{
	int err = pin_thread(report->opts->bench.vcpu_cpu);

	for (unsigned int i = 0; i < report->opts->bench.nr_accels && !err; i++)
		err = measure(report, i);
	return err;
}

void adaptive_free(struct adaptive_report *report)
{
	for (unsigned int i = 0; i < report->nr_cells; i++) {
		struct cell *cell = &report->cells[i];

		free(cell->stall_ns);
		free(cell->poller_cpu);
		free(cell->ring_cpu_ns);
		free(cell->latency_ns);
		free(cell->p99_ns);
	}
}

bool adaptive_has_rounds(const struct adaptive_report *report)
{
	for (unsigned int i = 0; i < report->nr_cells; i++)
		if (report->cells[i].rounds > 0)
			return true;
	return false;
}

const struct cell *adaptive_other(const struct adaptive_report *report, const struct cell *cell,
				  const char *pattern, enum bw_page_policy policy)
{
	for (unsigned int i = 0; i < report->nr_cells; i++) {
		const struct cell *other = &report->cells[i];

		if (other->be == cell->be && other->mechanism == cell->mechanism &&
		    other->policy == policy && other->rounds > 0 &&
		    strcmp(other->pattern->name, pattern) == 0)
			return other;
	}
	return NULL;
}
