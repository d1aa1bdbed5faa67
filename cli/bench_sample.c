/* SPDX-License-Identifier: MIT
 *
 * One sample: one command to the guest, to ring so many times. Its time is the host's, taken around
 * the whole vcpu_run(), which adds one entry and one exit to thousands of rings.
 */
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "endpoint/clock.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#define NS_PER_S 1000000000u
/* What a calibrated sample is to take: many short ones tell more than few long ones, but the one
 * entry and exit that are not a ring's must stay below half a percent. */
#define SAMPLE_NS 10000000.0
#define CALIBRATION_NS 2000000.0 /* what is long enough to scale from */
#define MAX_RINGS 1000000000.0
#define DRAIN_NS                                                                                   \
	(5u * (uint64_t)NS_PER_S)     /* how long an endpoint may take to count the last ring */
#define DRAIN_AGAIN_NS (NS_PER_S / 5) /* once it has lost one */

struct clocks {
	uint64_t ns, vcpu_cpu_ns, endpoint_cpu_ns, exits;
	bool exits_known;
};

static void read_counters(const struct path *path, struct clocks *c)
{
	c->vcpu_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	c->exits_known = vcpu_exits(path->rig->vcpu, &c->exits) == 0;
}

static void command(const struct path *path, uint64_t rings)
{
	struct guest_mailbox *mailbox = vcpu_mailbox(path->rig->vcpu);

	mailbox->op = path->type->kind->counts_up ? GUEST_PACE : GUEST_RING;
	mailbox->count = path->type->kind->counts_up ? 1 : rings;
	mailbox->burst = rings;
	mailbox->period = mailbox->trips = mailbox->touch_pages = 0;
	mailbox->sequence = 0;
	mailbox->ring = (struct guest_access){
		.kind = path->type->instruction,
		.len = path->type->len,
		.addr = path->addr,
	};
}

void wait_for_endpoint(const struct path *path, uint64_t rings, bool lost_before,
		       bool (*done)(const struct path *path, uint64_t rings))
{
	const struct timespec pause = { .tv_nsec = 20000 };
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + (lost_before ? DRAIN_AGAIN_NS : DRAIN_NS);

	while (!done(path, rings) && !interrupted() && clock_ns(CLOCK_MONOTONIC) < end)
		nanosleep(&pause, NULL);
}

static bool has_counted(const struct path *path, uint64_t rings)
{
	return endpoint_rings(path->endpoint) >= rings;
}

/* Accounts for the rings of one command. */
static void settle(struct path *path, uint64_t rings)
{
	struct row *row = path->row;
	uint64_t lost = row->rings - row->signals;

	row->rings += rings;
	if (path->type->kind->account) {
		row->signals += path->type->kind->account(path, rings);
		return;
	}
	if (path->counted)
		row->signals += bw_notifier_take(path->notifier);
	if (!path->endpoint)
		return;
	/* all that are not known to be lost */
	wait_for_endpoint(path, row->rings - lost, lost > 0, has_counted);
	row->signals = endpoint_rings(path->endpoint);
}

int run_guest(struct path *path)
{
	struct vcpu *vcpu = path->rig->vcpu;
	int err = path->bare ? vcpu_run_bare(vcpu, path->bare, path) : vcpu_run(vcpu);

	if (err && !interrupted())
		cli_failed("%s %s: %s", vm_backend_name(path->rig->be), path->type->name,
			   vm_last_error());
	return err && interrupted() ? -EINTR : err;
}

static void per_ring(struct sample *sample, const struct clocks *from, const struct clocks *to,
		     uint64_t rings)
{
	double n = (double)rings;

	sample->ns = (double)(to->ns - from->ns) / n;
	sample->vcpu_cpu_ns = (double)(to->vcpu_cpu_ns - from->vcpu_cpu_ns) / n;
	sample->endpoint_cpu_ns = (double)(to->endpoint_cpu_ns - from->endpoint_cpu_ns) / n;
	sample->exits = to->exits_known ? (double)(to->exits - from->exits) / n : NAN;
}

static int sample_own(struct path *path, uint64_t rings, struct sample *sample)
{
	struct clocks from = {}, to = {};
	int err;

	command(path, rings);
	if (path->endpoint) {
		endpoint_resume(path->endpoint);
		from.endpoint_cpu_ns = endpoint_cpu_ns(path->endpoint);
	}
	read_counters(path, &from);
	from.ns = clock_ns(CLOCK_MONOTONIC_RAW);
	err = run_guest(path);
	to.ns = clock_ns(CLOCK_MONOTONIC_RAW);
	read_counters(path, &to);
	if (err)
		return err;
	settle(path, rings);
	if (path->endpoint) {
		to.endpoint_cpu_ns = endpoint_cpu_ns(path->endpoint);
		endpoint_pause(path->endpoint);
	}
	per_ring(sample, &from, &to, rings);
	if (!path->endpoint)
		sample->endpoint_cpu_ns = NAN;
	return interrupted() ? -EINTR : 0;
}

int sample_path(struct path *path, uint64_t rings, struct sample *sample)
{
	if (path->type->kind->sample)
		return path->type->kind->sample(path, rings, sample);
	return sample_own(path, rings, sample);
}

int calibrate_path(struct path *path)
{
	double rings = 64, elapsed;
	struct sample sample;
	int err;

	for (;;) {
		err = sample_path(path, (uint64_t)rings, &sample);
		if (err)
			return err;
		elapsed = sample.ns * rings;
		if (elapsed >= CALIBRATION_NS || rings >= MAX_RINGS)
			break;
		rings *= 4;
	}
	rings *= SAMPLE_NS / elapsed;
	path->row->rings_per_sample = (uint64_t)(rings < 1           ? 1
						 : rings > MAX_RINGS ? MAX_RINGS
								     : rings);
	return 0;
}
