/* SPDX-License-Identifier: MIT
 *
 * One sample of one cell: a new page, a warm-up in which an adaptive one may learn, and the
 * pattern.
 */
#include "cli/adaptive.h"
#include "cli/interrupt.h"
#include "endpoint/clock.h"

#include <errno.h>
#include <stdlib.h>

#define MS 1000000u
#define LEARNING_NS (2000u * MS) /* longer than any host's switch takes to pay */
#define COOLING_NS (500u * MS)   /* longer than an idle page stays hot */

static void sleep_ns(uint64_t ns)
{
	const struct timespec time = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

	nanosleep(&time, NULL);
}

/* Until it is as hot as it gets. */
static int heat(struct stage *stage, enum bw_page_policy policy)
{
	const struct pattern learning = { .burst = 64 };
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + LEARNING_NS;
	struct pace pace;
	int err = 0;

	while (!err && policy != BW_PAGE_COLD && !stage_page_stats(stage).hot &&
	       clock_ns(CLOCK_MONOTONIC) < end && !interrupted()) {
		if (policy == BW_PAGE_ADAPTIVE)
			err = pattern_run(stage, &learning, 1, &pace);
		sleep_ns(MS / 10);
	}
	return err;
}

/* bursts: as many as the sample is to have. */
static int warm_up(const struct cell *cell, struct stage *stage, uint64_t ns, uint64_t *bursts)
{
	struct pace pace;
	int err = heat(stage, cell->policy);

	if (!err)
		err = pattern_use_memory(stage);
	if (!cell->pattern->burst) {
		if (cell->policy == BW_PAGE_ADAPTIVE)
			sleep_ns(COOLING_NS);
		return err;
	}
	if (!err && cell->policy == BW_PAGE_ADAPTIVE)
		err = pattern_scale(stage, cell->pattern, cell->pattern->warm_up_ns, bursts);
	if (!err && cell->policy == BW_PAGE_ADAPTIVE)
		err = pattern_run(stage, cell->pattern, *bursts, &pace);
	return err ? err : pattern_scale(stage, cell->pattern, ns, bursts);
}

static int idle(const struct stage *stage, uint64_t ns, struct pace *pace)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC_RAW), cpu_ns = clock_ns(stage->cpu_clock);

	sleep_ns(ns);
	*pace = (struct pace){
		.ns = clock_ns(CLOCK_MONOTONIC_RAW) - start,
		.cpu_ns = clock_ns(stage->cpu_clock) - cpu_ns,
	};
	return 0;
}

static void note_p99(struct cell *cell, double *latency_ns, uint64_t nr)
{
	if (nr == 0)
		return;
	stats_sort(latency_ns, nr);
	cell->p99_ns[cell->p99s++] = stats_percentile(latency_ns, nr, 0.99);
}

static int note_latencies(struct cell *cell, const struct stage *stage, const struct pace *pace)
{
	uint64_t *ticks = calloc(pace->bursts, sizeof(*ticks)), nr;
	double *all;

	if (!ticks)
		return -ENOMEM;
	nr = heard_latencies(&stage->heard, &pace->mark, pattern_trips(stage), pace->bursts,
			     cell->pattern->burst, ticks);
	all = reallocarray(cell->latency_ns, cell->latencies + nr + 1, sizeof(*all));
	if (all) {
		cell->latency_ns = all;
		for (uint64_t i = 0; i < nr; i++)
			all[cell->latencies++] = (double)ticks[i] / stage->ticks_per_ns;
		note_p99(cell, all + cell->latencies - nr, nr);
	}
	free(ticks);
	return all ? 0 : -ENOMEM;
}

/* Only a switch makes a hypervisor forget memory: without one, what took long was the host's doing.
 * Less than a tick cannot be told from one. */
static double stall_ns(const struct cell *cell, const struct stage *stage, const struct pace *pace,
		       bool switched)
{
	double empty = stage->empty[cell->pattern - adaptive_patterns];
	double stall = (double)pace->window_ticks - (double)pace->windows * empty;

	stall /= (double)(pace->windows ? pace->windows : 1);
	if (stall < 1)
		stall = 1;
	if (switched)
		stall += (double)pace->fault_ticks / (double)pace->bursts;
	return stall / stage->ticks_per_ns / (double)cell->pattern->burst;
}

static int note(struct cell *cell, const struct stage *stage, const struct pace *pace,
		uint64_t switches)
{
	uint64_t rings = pace->bursts * cell->pattern->burst;

	cell->switches += switches;
	cell->poller_cpu[cell->rounds] = (double)pace->cpu_ns / (double)pace->ns;
	if (!rings)
		return 0;
	cell->stall_ns[cell->rounds] = stall_ns(cell, stage, pace, switches > 0);
	cell->ring_cpu_ns[cell->rounds] = (double)pace->cpu_ns / (double)rings;
	cell->rings += rings;
	cell->lost += pace->lost;
	return stage->same_clock ? note_latencies(cell, stage, pace) : 0;
}

static int measure(struct cell *cell, struct stage *stage, uint64_t ns, uint64_t bursts)
{
	uint64_t switches = stage_page_stats(stage).switches;
	struct pace pace;
	int err = cell->pattern->burst ? pattern_run(stage, cell->pattern, bursts, &pace)
				       : idle(stage, ns, &pace);

	if (err)
		return err;
	switches = stage_page_stats(stage).switches - switches;
	err = note(cell, stage, &pace, switches);
	cell->rounds += !err;
	return err;
}

int adaptive_sample(struct cell *cell, struct stage *stage, uint64_t ns)
{
	uint64_t bursts = 0, switch_ns;
	int err = stage_open_page(stage, cell->policy);

	if (err)
		return err;
	err = warm_up(cell, stage, ns, &bursts);
	if (!err)
		err = measure(cell, stage, ns, bursts);
	switch_ns = stage_page_stats(stage).switch_ns;
	if (switch_ns)
		cell->switch_ns = switch_ns;
	stage_close_page(stage);
	return err ? err : interrupted() ? -EINTR : 0;
}
