/* SPDX-License-Identifier: MIT
 *
 * Rounds. Every round takes a sample of every path, in a new order each time, so that what drifts
 * with time falls on all of them alike.
 */
#define _GNU_SOURCE
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/term.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* Something to measure in every round: a path, into a row. The A/A pair is the same path twice. */
struct slot {
	struct path *path;
	struct row *row;
};

struct schedule {
	struct slot slots[BENCH_MAX_PATHS + 1];
	unsigned int nr_slots;
	uint64_t random;
};

static int calibrate_all(struct rig *rig)
{
	int err = 0;

	term_progress("%s: calibrating", vm_backend_name(rig->be));
	for (unsigned int i = 0; i < rig->nr_paths && !err; i++) {
		if (rig->opts->rings)
			rig->paths[i].row->rings_per_sample = rig->opts->rings;
		else
			err = calibrate_path(&rig->paths[i]);
	}
	return err;
}

/* splitmix64: any seed will do, also 0. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void shuffle(struct schedule *schedule)
{
	for (unsigned int i = schedule->nr_slots; i > 1; i--) {
		unsigned int j = (unsigned int)(next_random(&schedule->random) % i);
		struct slot slot = schedule->slots[j];

		schedule->slots[j] = schedule->slots[i - 1];
		schedule->slots[i - 1] = slot;
	}
}

/* The pair is the path that most others are compared with, if it can be run. */
static struct path *aa_path(struct rig *rig)
{
	for (unsigned int i = 0; i < rig->nr_paths; i++)
		if (strcmp(rig->paths[i].type->name, "raw-ioeventfd-pio") == 0)
			return &rig->paths[i];
	return &rig->paths[0];
}

static int make_schedule(struct schedule *schedule, struct rig *rig, struct bench *bench)
{
	struct path *aa = aa_path(rig);

	schedule->random = rig->opts->seed;
	schedule->nr_slots = 0;
	for (unsigned int i = 0; i < rig->nr_paths; i++)
		schedule->slots[schedule->nr_slots++] =
			(struct slot){ &rig->paths[i], rig->paths[i].row };
	bench->aa_of = aa->row;
	bench->aa = &bench->rows[bench->nr_rows];
	bench->aa->type = aa->type;
	schedule->slots[schedule->nr_slots++] = (struct slot){ aa, bench->aa };
	for (unsigned int i = 0; i < schedule->nr_slots; i++) {
		struct row *row = schedule->slots[i].row;

		row->samples = calloc(rig->opts->rounds, sizeof(*row->samples));
		if (!row->samples)
			return -ENOMEM;
	}
	return 0;
}

static int run_round(struct schedule *schedule, uint64_t round)
{
	int err = 0;

	shuffle(schedule);
	for (unsigned int i = 0; i < schedule->nr_slots && !err; i++) {
		struct slot *slot = &schedule->slots[i];

		err = sample_path(slot->path, slot->path->row->rings_per_sample,
				  &slot->row->samples[round]);
	}
	return err;
}

/* The first round warms up: the next one writes over it. */
static int run_rounds(struct schedule *schedule, struct rig *rig, struct bench *bench)
{
	uint64_t rounds = rig->opts->rounds;
	int err;

	term_progress("%s: warming up", vm_backend_name(rig->be));
	err = run_round(schedule, 0);
	while (!err && bench->rounds < rounds) {
		term_progress("%s: round %ju of %ju", vm_backend_name(rig->be),
			      (uintmax_t)bench->rounds + 1, (uintmax_t)rounds);
		err = run_round(schedule, bench->rounds);
		bench->rounds += !err;
	}
	return err;
}

static int measure(struct rig *rig, struct bench *bench)
{
	struct schedule schedule;
	int err = make_schedule(&schedule, rig, bench);

	if (err) {
		cli_failed("%s: %s", vm_backend_name(rig->be), strerror(-err));
		return err;
	}
	interrupt_vcpu(rig->vcpu);
	err = calibrate_all(rig);
	if (!err)
		err = run_rounds(&schedule, rig, bench);
	interrupt_vcpu(NULL);
	term_progress(NULL);
	return err;
}

int pin_thread(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) == 0)
		return 0;
	cli_failed("cannot run on CPU %d: %s", cpu, strerror(errno));
	return -EINVAL;
}

int bench_run(struct bench *bench, const struct vm_backend *be, const struct bench_opts *opts)
{
	struct rig rig;
	int err;

	bench->be = be;
	err = rig_open(&rig, opts, bench);
	if (!err)
		err = pin_thread(opts->vcpu_cpu);
	if (!err && rig.nr_paths > 0)
		err = measure(&rig, bench);
	rig_close(&rig);
	return err;
}

void bench_free(struct bench *bench)
{
	for (unsigned int i = 0; i <= bench->nr_rows; i++)
		free(bench->rows[i].samples);
}
