/* SPDX-License-Identifier: MIT
 *
 * Hits and handlers, in rounds: each sample is taken once in a round, another one first each time,
 * so that what is compared was measured together.
 */
#include "cli/cli.h"
#include "cli/dispatch.h"
#include "cli/interrupt.h"
#include "cli/term.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Values, and the tables they are in: one alone may be lucky with its place, or not. */
#define FEW 10u
#define TABLES 10u

enum probe_kind { PROBE_LIMIT, PROBE_ALONE, PROBE_PAIR };

/* Something that is measured in every round. */
struct probe {
	enum probe_kind kind;
	struct ringer ringer, second; /* second: the other thread's of a pair */
	double *ns;                   /* one a round */
};

/* What is measured beside one another: probes[0] is the limit, add_probes() says the others. */
struct group {
	const struct dispatch_opts *opts;
	const char *name;
	struct world *world; /* the first of worlds, which are alike */
	struct world worlds[TABLES];
	unsigned int nr_worlds;
	struct chase chase;
	struct pair pair;
	struct probe probes[6];
	unsigned int nr_probes;
	uint64_t rounds; /* finished */
};

static bool can_be_shared(const struct group *g)
{
	return g->world->kind != WORLD_VALUES && g->world->entries > 1;
}

static bool has_pair(const struct group *g)
{
	return can_be_shared(g) && g->opts->cpus[1] >= 0;
}

/* ---- rounds ---- */

static double sample_tables(struct group *g, struct ringer *ringer)
{
	uint64_t accesses = (g->opts->accesses + g->nr_worlds - 1) / g->nr_worlds;
	double ns = 0;

	for (unsigned int i = 0; i < g->nr_worlds; i++) {
		ringer->world = &g->worlds[i];
		ns += dispatch_sample(ringer, accesses);
	}
	return ns / g->nr_worlds;
}

static double sample(struct group *g, struct probe *probe)
{
	uint64_t accesses = g->opts->accesses;

	if (probe->kind == PROBE_LIMIT)
		return dispatch_sample_limit(&g->chase, accesses);
	if (probe->kind == PROBE_PAIR)
		return dispatch_sample_pair(&g->pair, &probe->ringer, &probe->second, accesses);
	return sample_tables(g, &probe->ringer);
}

static int run_rounds(struct group *g)
{
	uint64_t rounds = g->opts->rounds;

	while (g->rounds < rounds && !interrupted()) {
		term_progress("%s, %ju: round %ju of %ju", g->name, (uintmax_t)g->world->entries,
			      (uintmax_t)g->rounds + 1, (uintmax_t)rounds);
		for (unsigned int i = 0; i < g->nr_probes; i++) {
			struct probe *probe = &g->probes[(i + g->rounds) % g->nr_probes];

			probe->ns[g->rounds] = sample(g, probe);
		}
		g->rounds++;
	}
	term_progress(NULL);
	return g->rounds < rounds ? -EINTR : 0;
}

/* ---- what there is to measure ---- */

static struct ringer ringer(const struct group *g, uint64_t first, uint64_t nr)
{
	return (struct ringer){ .world = g->world, .first = first, .nr = nr, .random = first + 1 };
}

static struct probe *add_probe(struct group *g, enum probe_kind kind, uint64_t first, uint64_t nr)
{
	struct probe *probe = &g->probes[g->nr_probes++];

	*probe = (struct probe){ .kind = kind, .ringer = ringer(g, first, nr) };
	return probe;
}

static struct ringer reader(const struct group *g, uint64_t first, uint64_t nr)
{
	struct ringer r = ringer(g, first, nr);

	r.memory = &g->chase;
	return r;
}

/* Two threads ring one half each, and are compared with one that rings a half: it needs no more of
 * the caches than each of them. Reading a line for each entry is compared the same way. */
static void add_probes(struct group *g)
{
	uint64_t entries = g->world->entries, half = entries / 2;
	uint64_t lines = entries < g->chase.lines ? entries : g->chase.lines;

	add_probe(g, PROBE_LIMIT, 0, 1);
	if (g->world->kind == WORLD_VALUES) {
		add_probe(g, PROBE_ALONE, 0, FEW);
		add_probe(g, PROBE_ALONE, entries - FEW, FEW);
		return;
	}
	add_probe(g, PROBE_ALONE, 0, entries);
	if (!has_pair(g))
		return;
	add_probe(g, PROBE_ALONE, 0, half);
	add_probe(g, PROBE_PAIR, 0, half)->second = ringer(g, half, entries - half);
	add_probe(g, PROBE_ALONE, 0, 0)->ringer = reader(g, 0, lines / 2);
	*add_probe(g, PROBE_PAIR, 0, 0) = (struct probe){
		.kind = PROBE_PAIR,
		.ringer = reader(g, 0, lines / 2),
		.second = reader(g, lines / 2, lines - lines / 2),
	};
}

static int alloc_samples(struct group *g)
{
	for (struct probe *p = g->probes; p < g->probes + g->nr_probes; p++) {
		p->ns = calloc(g->opts->rounds, sizeof(*p->ns));
		if (!p->ns)
			return cli_failed("no memory"), -ENOMEM;
	}
	return 0;
}

/* ---- what it comes to ---- */

/* Round by round, factor * a / b. */
static struct stats ratio(const struct group *g, const struct probe *a, const struct probe *b,
			  double factor)
{
	double ratios[STATS_MAX];

	for (uint64_t i = 0; i < g->rounds; i++)
		ratios[i] = factor * a->ns[i] / b->ns[i];
	return stats_of(ratios, g->rounds);
}

/* A hit cannot do without its slot; where the notifier is another one each time, nor without that.
 */
static unsigned int least_reads(enum world_kind kind)
{
	return kind == WORLD_OWN ? 2 : 1;
}

static struct dispatch_row *add_row(struct dispatch_report *report, const struct group *g,
				    const char *name, unsigned int threads, struct probe *probe,
				    double limit_ns)
{
	struct dispatch_row *row = dispatch_row(report, name, g->world->entries, threads);

	row->ns = stats_of(probe->ns, g->rounds);
	if (g->world->bytes == 0)
		return row;
	row->limit_ns = limit_ns;
	row->bytes_each = (double)g->world->bytes / (double)g->world->entries;
	return row;
}

/* Ratios first: stats_of() sorts. */
static void add_rows(struct dispatch_report *report, struct group *g)
{
	struct probe *p = g->probes;
	struct stats last = {}, scaling = {}, of = {};
	struct dispatch_row *row;
	double limit_ns;

	if (g->world->kind == WORLD_VALUES)
		last = ratio(g, &p[2], &p[1], 1);
	if (has_pair(g)) {
		scaling = ratio(g, &p[2], &p[3], 2);
		of = ratio(g, &p[4], &p[5], 2);
	}
	limit_ns = stats_of(p[0].ns, g->rounds).median * least_reads(g->world->kind);
	add_row(report, g, g->name, 1, &p[1], limit_ns);
	if (g->world->kind == WORLD_VALUES)
		add_row(report, g, "value-last", 1, &p[2], limit_ns)->ratio = last;
	if (has_pair(g)) {
		row = add_row(report, g, g->name, 2, &p[3], limit_ns);
		row->ratio = scaling;
		row->of = of;
	} else if (can_be_shared(g))
		dispatch_no_row(report, g->name, g->world->entries, 2, "two threads need two CPUs");
}

/* Every access was to arrive, and to be counted once. */
static uint64_t lost(const struct group *g)
{
	uint64_t made = 0, missed = 0, counted = 0;

	for (const struct probe *p = g->probes; p < g->probes + g->nr_probes; p++) {
		made += p->ringer.made + p->second.made;
		missed += p->ringer.missed + p->second.missed;
	}
	if (g->world->kind == WORLD_REGIONS)
		return missed;
	for (const struct world *w = g->worlds; w < g->worlds + g->nr_worlds; w++)
		for (uint64_t i = 0; i < w->nr_notifiers; i++)
			counted += bw_notifier_take(w->notifiers[i]);
	return missed + (made > counted ? made - counted : counted - made);
}

static int measure(struct dispatch_report *report, struct group *g)
{
	int err = has_pair(g) ? pair_start(&g->pair, g->opts->cpus[1]) : 0;

	if (err)
		return err;
	add_probes(g);
	err = alloc_samples(g);
	if (!err)
		err = run_rounds(g);
	if (has_pair(g))
		pair_stop(&g->pair);
	report->lost += lost(g);
	if (g->rounds > 0)
		add_rows(report, g);
	for (unsigned int i = 0; i < g->nr_probes; i++)
		free(g->probes[i].ns);
	return err;
}

static int measure_beside_limit(struct dispatch_report *report, struct group *g)
{
	int err;

	if (chase_open(&g->chase, g->world->bytes)) {
		dispatch_no_row(report, g->name, g->world->entries, 1, "no memory for the limit");
		return 0;
	}
	err = measure(report, g);
	chase_close(&g->chase);
	return err;
}

int dispatch_access(struct dispatch_report *report, const char *name, enum world_kind kind,
		    uint64_t entries)
{
	struct group g = { .opts = report->opts, .name = name, .world = g.worlds };
	unsigned int wanted = kind == WORLD_VALUES ? TABLES : 1;
	char why[DISPATCH_WHY];
	int err = 0;

	term_progress("%s, %ju: building", name, (uintmax_t)entries);
	while (!err && g.nr_worlds < wanted) {
		err = world_open(&g.worlds[g.nr_worlds], kind, entries, why);
		g.nr_worlds += !err;
	}
	if (err) {
		dispatch_no_row(report, name, entries, 1, why);
		err = 0;
	} else {
		err = measure_beside_limit(report, &g);
	}
	for (unsigned int i = 0; i < g.nr_worlds; i++)
		world_close(&g.worlds[i]);
	return err;
}
