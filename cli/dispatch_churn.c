/* SPDX-License-Identifier: MIT
 *
 * Assign and deassign, each a commit of its own or many in one, on a bus that has so many already.
 */
#include "cli/cli.h"
#include "cli/dispatch.h"
#include "cli/interrupt.h"
#include "cli/term.h"
#include "endpoint/clock.h"

#include <errno.h>
#include <stdlib.h>

#define BATCH 1000u

enum { ASSIGN, DEASSIGN, ASSIGN_BATCH, DEASSIGN_BATCH, NR_OPERATIONS };

static const char *const names[NR_OPERATIONS] = { "assign", "deassign", "assign-batch",
						  "deassign-batch" };

struct churn {
	struct world world;
	struct bw_ioeventfd *ioeventfds[BATCH];
	double ns[NR_OPERATIONS][STATS_MAX]; /* one call */
	uint64_t rounds;
};

static int assign_all(struct churn *c)
{
	struct world *w = &c->world;
	struct bw_match match = { .len = 4 };
	int err = 0;

	for (uint64_t i = 0; i < BATCH && !err; i++)
		err = bw_ioeventfd_assign(w->bus, &c->ioeventfds[i], BW_MMIO,
					  world_addr(w, w->entries + i), match, w->notifiers[0]);
	return err;
}

static int deassign_all(struct churn *c)
{
	for (uint64_t i = 0; i < BATCH; i++)
		bw_ioeventfd_deassign(c->ioeventfds[i]);
	return 0;
}

static int run(struct churn *c, unsigned int operation)
{
	struct bw_bus *bus = c->world.bus;
	bool batch = operation == ASSIGN_BATCH || operation == DEASSIGN_BATCH;
	bool assign = operation == ASSIGN || operation == ASSIGN_BATCH;
	uint64_t start = clock_ns(CLOCK_MONOTONIC_RAW);
	int err = batch ? bw_bus_begin(bus) : 0;

	if (err)
		return err;
	err = assign ? assign_all(c) : deassign_all(c);
	if (err && batch)
		bw_bus_abort(bus);
	else if (batch)
		err = bw_bus_commit(bus);
	c->ns[operation][c->rounds] = (double)(clock_ns(CLOCK_MONOTONIC_RAW) - start) / BATCH;
	return err;
}

static int run_round(struct churn *c)
{
	int err = 0;

	for (unsigned int operation = 0; operation < NR_OPERATIONS && !err; operation++)
		err = run(c, operation);
	if (err)
		cli_failed("%s", bw_last_error());
	return err;
}

/* The first round warms up, and lets the bus grow: the next one writes over it. */
static int run_rounds(struct churn *c, uint64_t rounds)
{
	int err = run_round(c);

	while (!err && c->rounds < rounds) {
		term_progress("assign, %ju: round %ju of %ju", (uintmax_t)c->world.entries,
			      (uintmax_t)c->rounds + 1, (uintmax_t)rounds);
		err = interrupted() ? -EINTR : run_round(c);
		c->rounds += !err;
	}
	term_progress(NULL);
	return err;
}

static void add_rows(struct dispatch_report *report, struct churn *c)
{
	for (unsigned int i = 0; i < NR_OPERATIONS; i++) {
		struct dispatch_row *row = dispatch_row(report, names[i], c->world.entries, 1);

		row->ns = stats_of(c->ns[i], c->rounds);
		row->per_second = 1e9 / row->ns.median;
	}
}

int dispatch_churn(struct dispatch_report *report, uint64_t entries)
{
	struct churn *c = calloc(1, sizeof(*c));
	char why[DISPATCH_WHY];
	int err;

	if (!c)
		return cli_failed("no memory"), -ENOMEM;
	term_progress("assign, %ju: building", (uintmax_t)entries);
	if (world_open(&c->world, WORLD_SHARED, entries, why)) {
		dispatch_no_row(report, names[ASSIGN], entries, 1, why);
		free(c);
		return 0;
	}
	err = run_rounds(c, report->opts->rounds);
	if (c->rounds > 0)
		add_rows(report, c);
	world_close(&c->world);
	free(c);
	return err;
}
