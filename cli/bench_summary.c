/* SPDX-License-Identifier: MIT
 *
 * From samples to medians, and to ratios between paths, taken within each round: what slowed a
 * round down slowed both.
 */
#include "cli/bench.h"

#include <math.h>
#include <string.h>

typedef double sample_fn(const struct sample *sample);

static double sample_ns(const struct sample *s)
{
	return s->ns;
}

static double sample_vcpu_cpu(const struct sample *s)
{
	return s->vcpu_cpu_ns;
}

static double sample_endpoint_cpu(const struct sample *s)
{
	return s->endpoint_cpu_ns;
}

static double sample_exits(const struct sample *s)
{
	return s->exits;
}

static struct stats over_rounds(const struct row *row, uint64_t rounds, sample_fn *of)
{
	double values[STATS_MAX];

	for (uint64_t i = 0; i < rounds; i++)
		values[i] = of(&row->samples[i]);
	return stats_of(values, rounds);
}

/* How often b's stall goes into a's. */
static struct stats ratio(const struct row *a, const struct row *b, uint64_t rounds)
{
	double values[STATS_MAX];

	for (uint64_t i = 0; i < rounds; i++)
		values[i] = a->samples[i].ns / b->samples[i].ns;
	return stats_of(values, rounds);
}

static void summarise_row(struct bench *bench, struct row *row)
{
	row->ns = over_rounds(row, bench->rounds, sample_ns);
	row->vcpu_cpu_ns = over_rounds(row, bench->rounds, sample_vcpu_cpu);
	row->endpoint_cpu_ns = over_rounds(row, bench->rounds, sample_endpoint_cpu);
	row->exits = over_rounds(row, bench->rounds, sample_exits);
}

static void compare_row(struct bench *bench, struct row *row)
{
	const struct row *raw = bench_row(bench, row->type->raw);
	const struct row *userspace = bench_row(bench, row->type->userspace);
	const struct row *peer = bench_row(bench, row->type->peer);

	row->has_ratio = raw;
	if (raw)
		row->ratio = ratio(row, raw, bench->rounds);
	row->has_speedup = userspace;
	if (userspace)
		row->speedup = ratio(userspace, row, bench->rounds);
	row->has_peer_ratio = peer;
	if (peer)
		row->peer_ratio = ratio(row, peer, bench->rounds);
}

void bench_summarise(struct bench *bench)
{
	if (bench->rounds == 0)
		return;
	for (unsigned int i = 0; i < bench->nr_rows; i++)
		if (bench->rows[i].available)
			summarise_row(bench, &bench->rows[i]);
	for (unsigned int i = 0; i < bench->nr_rows; i++)
		if (bench->rows[i].available)
			compare_row(bench, &bench->rows[i]);
	bench->aa->ratio = ratio(bench->aa, bench->aa_of, bench->rounds);
}

const struct row *bench_row(const struct bench *bench, const char *path)
{
	for (unsigned int i = 0; path && i < bench->nr_rows; i++)
		if (bench->rows[i].available && strcmp(bench->rows[i].type->name, path) == 0)
			return &bench->rows[i];
	return NULL;
}

int64_t bench_lost(const struct row *row)
{
	return row->rung ? (int64_t)(row->rings - row->signals) : 0;
}
