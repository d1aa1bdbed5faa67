/* SPDX-License-Identifier: MIT
 *
 * The patterns, and how the guest is told to ring by one. The guest's stall is what a burst takes
 * by its own clock, less what the same burst takes that stores into memory where nobody looks; and
 * what it takes to fault in again the memory that it uses in between.
 */
#include "cli/adaptive.h"
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "endpoint/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <x86intrin.h>

#define US 1000u
#define MS 1000000u

#define FAULT_NS (2 * US)       /* a touch that takes longer was a fault */
#define PREEMPTED_NS (500 * US) /* or, longer than this, something else ran */
#define LOST_CPU_NS (2 * MS)
#define SLOW_RING_NS (20 * US)
#define CALIBRATION_NS (2 * MS) /* what is long enough to scale from */
#define EMPTY_NS (20 * MS)      /* of a burst that rings nobody, many are looked at for so long */
#define UNDISTURBED 0.1         /* a busy host disturbs even most of those that come seldom */
#define EXITS 500u
#define PATIENCE_S 60u

const struct pattern adaptive_patterns[ADAPTIVE_NR_PATTERNS] = {
	{ "100/s", 10 * MS, 1, 640, 500 * MS },
	{ "64 every ms", MS, 64, 64, 50 * MS },
	{ "50000/s", 20 * US, 1, 2, 50 * MS },
	{ "flat out", 0, 1000, 1, 20 * MS },
	{ "idle", 0, 0, 0, 0 },
};

const struct guest_trip *pattern_trips(const struct stage *stage)
{
	return vm_memory(stage->vm, STAGE_TRIPS, ADAPTIVE_MAX_BURSTS * sizeof(struct guest_trip));
}

static uint64_t ticks(const struct stage *stage, uint64_t ns)
{
	return (uint64_t)((double)ns * stage->ticks_per_ns);
}

static int run_guest_of(struct stage *stage, struct pace *pace)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC_RAW), cpu_ns = 0;
	int err;

	if (stage->poller)
		cpu_ns = clock_ns(stage->cpu_clock);
	interrupt_after(PATIENCE_S);
	err = vcpu_run(stage->vcpu);
	interrupt_after(0);
	pace->ns = clock_ns(CLOCK_MONOTONIC_RAW) - start;
	if (stage->poller)
		pace->cpu_ns = clock_ns(stage->cpu_clock) - cpu_ns;
	if (err && !interrupted())
		cli_failed("%s, %s: %s", vm_backend_name(stage->be), stage->mechanism->name,
			   vm_last_error());
	return err && interrupted() ? -EINTR : err;
}

/* But for those in which the vCPU's thread lost its CPU, or the poller's did: far longer than any
 * ring, or any switch, takes. */
static void sum_windows(const struct stage *stage, const struct pattern *pattern, struct pace *pace)
{
	const struct guest_trip *trips = pattern_trips(stage);
	uint64_t longest = ticks(stage, LOST_CPU_NS + pattern->burst * SLOW_RING_NS);

	for (uint64_t i = 0; i < pace->bursts; i++) {
		uint64_t window = trips[i].answered - trips[i].rung;

		if (window > longest)
			continue;
		pace->window_ticks += window;
		pace->windows++;
	}
}

static int run_at(struct stage *stage, const struct pattern *pattern, uint64_t addr,
		  uint64_t bursts, struct pace *pace)
{
	struct guest_mailbox *mailbox = vcpu_mailbox(stage->vcpu);
	int err;

	mailbox->op = GUEST_PACE;
	mailbox->ring = (struct guest_access){ .kind = GUEST_STORE, .len = 4, .addr = addr };
	mailbox->count = bursts;
	mailbox->burst = pattern->burst;
	mailbox->period = ticks(stage, pattern->period_ns);
	mailbox->sequence = 0;
	mailbox->trips = STAGE_TRIPS;
	mailbox->touch = STAGE_TOUCHED;
	mailbox->touch_len = ADAPTIVE_TOUCHED;
	mailbox->touch_pages = pattern->touched;
	mailbox->fault_min = ticks(stage, FAULT_NS);
	mailbox->fault_max = ticks(stage, PREEMPTED_NS);
	mailbox->fault_ticks = 0;
	*pace = (struct pace){ .bursts = bursts, .mark = heard_mark(&stage->heard) };
	err = run_guest_of(stage, pace);
	sum_windows(stage, pattern, pace);
	pace->fault_ticks = mailbox->fault_ticks;
	return err;
}

/* Where nobody looks. */
static int run_empty(struct stage *stage, const struct pattern *pattern, uint64_t bursts,
		     struct pace *pace)
{
	return run_at(stage, pattern, GUEST_SCRATCH, bursts, pace);
}

int pattern_run(struct stage *stage, const struct pattern *pattern, uint64_t bursts,
		struct pace *pace)
{
	int err = run_at(stage, pattern, STAGE_DOORBELL, bursts, pace);

	if (!err)
		pace->lost = heard_lost(&stage->heard, &pace->mark, bursts * pattern->burst,
					pattern_trips(stage)[bursts - 1].rung);
	return err;
}

static uint64_t clamp_bursts(double bursts)
{
	return bursts < 1                     ? 1
	       : bursts > ADAPTIVE_MAX_BURSTS ? ADAPTIVE_MAX_BURSTS
					      : (uint64_t)bursts;
}

int pattern_scale(struct stage *stage, const struct pattern *pattern, uint64_t ns, uint64_t *bursts)
{
	uint64_t trial = 1;
	struct pace pace;
	int err;

	if (pattern->period_ns) {
		*bursts = clamp_bursts((double)ns / (double)pattern->period_ns);
		return 0;
	}
	do {
		trial *= 4;
		err = pattern_run(stage, pattern, trial, &pace);
	} while (!err && pace.ns < CALIBRATION_NS && trial < ADAPTIVE_MAX_BURSTS / 4);
	*bursts = clamp_bursts((double)trial * (double)ns / (double)pace.ns);
	return err;
}

/* ---- calibration ---- */

/* The median, or another percentile. */
static double window(const struct stage *stage, uint64_t bursts, double p)
{
	const struct guest_trip *trips = pattern_trips(stage);
	double windows[STATS_MAX];
	size_t n = bursts < STATS_MAX ? (size_t)bursts : STATS_MAX;

	for (size_t i = 0; i < n; i++)
		windows[i] = (double)(trips[i].answered - trips[i].rung);
	stats_sort(windows, n);
	return stats_percentile(windows, n, p);
}

int pattern_use_memory(struct stage *stage)
{
	const struct pattern all = { .touched = ADAPTIVE_TOUCHED / 4096 };
	struct pace pace;

	return run_empty(stage, &all, 1, &pace);
}

/* A host's tick on either side of the guest's two. */
static int relate_clocks(struct stage *stage)
{
	const struct pattern all = { .touched = ADAPTIVE_TOUCHED / 4096 };
	const struct guest_mailbox *mailbox = vcpu_mailbox(stage->vcpu);
	uint64_t before, after;
	struct pace pace = {};
	int err = pattern_use_memory(stage); /* the first time it is all faults */

	before = __rdtsc();
	if (!err)
		err = run_empty(stage, &all, 8, &pace);
	after = __rdtsc();
	stage->ticks_per_ns = (double)(mailbox->tsc_end - mailbox->tsc_start) / (double)pace.ns;
	stage->same_clock = before <= mailbox->tsc_start && mailbox->tsc_end <= after;
	return err;
}

/* With all that lies between the bursts: after it the first store finds no cache warm. */
static int measure_empty(struct stage *stage, unsigned int i)
{
	const struct pattern *pattern = &adaptive_patterns[i];
	uint64_t bursts = STATS_MAX;
	struct pace pace;
	int err;

	if (pattern->period_ns && EMPTY_NS / pattern->period_ns < bursts)
		bursts = EMPTY_NS / pattern->period_ns;
	err = run_empty(stage, pattern, bursts, &pace);
	stage->empty[i] = window(stage, bursts, UNDISTURBED);
	return err;
}

/* An exit, by the clock of the guest. */
static int measure_exit(struct stage *stage)
{
	const struct pattern one = { .burst = 1 };
	struct pace pace;
	int err = stage_open_page(stage, BW_PAGE_COLD);

	if (err)
		return err;
	err = pattern_run(stage, &one, EXITS, &pace);
	stage->exit_ns = (window(stage, EXITS, 0.5) - stage->clock_ticks) / stage->ticks_per_ns;
	if (stage->exit_ns < 1)
		stage->exit_ns = 1;
	stage_close_page(stage);
	return err;
}

int pattern_calibrate(struct stage *stage)
{
	int err = relate_clocks(stage);

	for (unsigned int i = 0; i < ADAPTIVE_NR_PATTERNS && !err; i++)
		err = measure_empty(stage, i);
	/* the pattern without a ring */
	stage->clock_ticks = stage->empty[ADAPTIVE_NR_PATTERNS - 1];
	return err ? err : measure_exit(stage);
}
