/* SPDX-License-Identifier: MIT
 *
 * Rounds. In each, every path makes its round trips, one request at a time, and then as many
 * requests as the device takes at once.
 */
#include "cli/vhost.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/term.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void note_trips(struct vhost_row *row, const struct guest_request *requests, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		row->trip_ns[row->nr_trips++] =
			(double)(requests[i].trip.answered - requests[i].trip.rung);
}

static int sample(struct vhost_world *world, struct vhost_row *row, uint64_t round)
{
	const struct guest_mailbox *mailbox = vcpu_mailbox(world->vcpu);
	uint32_t count = (uint32_t)world->bench->opts->rings;
	int err = vhost_batch(world, row, count, 1);

	if (err)
		return err;
	row->nr_trips = round * count;
	note_trips(row, world->memory->requests, count);
	err = vhost_batch(world, row, count, VHOST_IN_FLIGHT);
	row->iops[round] = count / (double)(mailbox->tsc_end - mailbox->tsc_start);
	return err;
}

/* There and back, so that no path is always the one behind the same other. */
static int run_round(struct vhost_world *world, uint64_t round)
{
	struct vhost_bench *bench = world->bench;
	unsigned int last = bench->nr_rows - 1;
	int err = 0;

	for (unsigned int i = 0; i <= last && !err; i++)
		err = sample(world, &bench->rows[round % 2 ? last - i : i], round);
	return err;
}

/* The first round warms up: the next one writes over it. */
static int run_rounds(struct vhost_world *world)
{
	struct vhost_bench *bench = world->bench;
	int err;

	term_progress("%s: warming up", vm_backend_name(bench->be));
	err = run_round(world, 0);
	while (!err && bench->rounds < bench->opts->rounds) {
		term_progress("%s: round %ju of %ju", vm_backend_name(bench->be),
			      (uintmax_t)bench->rounds + 1, (uintmax_t)bench->opts->rounds);
		err = run_round(world, bench->rounds);
		bench->rounds += !err;
	}
	term_progress(NULL);
	return err;
}

static int make_room(struct vhost_bench *bench)
{
	uint64_t rounds = bench->opts->rounds;

	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		struct vhost_row *row = &bench->rows[i];

		row->trip_ns = calloc(rounds * bench->opts->rings, sizeof(*row->trip_ns));
		row->iops = calloc(rounds, sizeof(*row->iops));
		if (!row->trip_ns || !row->iops)
			return cli_failed("no memory for %ju rounds", (uintmax_t)rounds), -ENOMEM;
	}
	return 0;
}

static const double *iops_of(const struct vhost_bench *bench, const char *path)
{
	for (unsigned int i = 0; path && i < bench->nr_rows; i++)
		if (strcmp(bench->rows[i].type->name, path) == 0)
			return bench->rows[i].iops;
	return NULL;
}

/* Within each round: what drifts with time falls on both alike. Before the samples are sorted. */
static void find_speedup(const struct vhost_bench *bench, struct vhost_row *row)
{
	const double *slow = iops_of(bench, row->type->userspace);
	double ratios[STATS_MAX];

	if (!slow)
		return;
	for (uint64_t i = 0; i < bench->rounds; i++)
		ratios[i] = row->iops[i] / slow[i];
	row->speedup = stats_of(ratios, bench->rounds);
	row->has_speedup = true;
}

/* Sorts the trips of each round, for all of them will be. */
static struct stats median_trip(const struct vhost_bench *bench, const struct vhost_row *row)
{
	uint64_t count = bench->opts->rings;
	double medians[STATS_MAX];

	for (uint64_t i = 0; i < bench->rounds; i++) {
		double *trips = row->trip_ns + i * count;

		stats_sort(trips, count);
		medians[i] = stats_percentile(trips, count, 0.5);
	}
	return stats_of(medians, bench->rounds);
}

static void scale(double *values, uint64_t n, double factor)
{
	for (uint64_t i = 0; i < n; i++)
		values[i] *= factor;
}

/* From the guest's ticks: both clocks are known at both ends of the whole. */
static void summarise(const struct vhost_world *world)
{
	struct vhost_bench *bench = world->bench;
	double ns_per_tick =
		(double)(world->ns[1] - world->ns[0]) / (double)(world->ticks[1] - world->ticks[0]);

	if (bench->rounds == 0)
		return;
	for (unsigned int i = 0; i < bench->nr_rows; i++)
		find_speedup(bench, &bench->rows[i]);
	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		struct vhost_row *row = &bench->rows[i];

		row->nr_trips = bench->rounds * bench->opts->rings;
		scale(row->trip_ns, row->nr_trips, ns_per_tick);
		row->p50 = median_trip(bench, row);
		stats_sort(row->trip_ns, row->nr_trips);
		scale(row->iops, bench->rounds, 1e9 / ns_per_tick);
		row->iops_stats = stats_of(row->iops, bench->rounds);
	}
}

static int measure(struct vhost_world *world)
{
	int err = make_room(world->bench);

	if (!err)
		err = pin_thread(world->bench->opts->vcpu_cpu);
	if (err)
		return err;
	interrupt_vcpu(world->vcpu);
	err = run_rounds(world);
	interrupt_vcpu(NULL);
	summarise(world);
	return err ? err : vhost_stop(world);
}

int vhost_measure(struct vhost_bench *bench)
{
	struct vhost_world world;
	int err = vhost_open(&world, bench);

	if (!err && world.vm)
		err = measure(&world);
	vhost_close(&world);
	return err;
}
