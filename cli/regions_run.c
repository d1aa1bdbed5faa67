/* SPDX-License-Identifier: MIT
 *
 * Rounds: in each, every way maps the device, moves it and unmaps it; which way goes first changes
 * from round to round. First in VMs without a vCPU, then in the same VMs with one.
 */
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/regions.h"
#include "cli/term.h"
#include "endpoint/clock.h"
#include "vmm/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int run_way(struct regions_rig *rig, struct regions_row *rows, enum region_way way,
		   uint64_t round)
{
	int err = 0;

	for (unsigned int i = 0; i < NR_REGION_OPERATIONS && !err; i++) {
		uint64_t start = clock_ns(CLOCK_MONOTONIC_RAW);

		err = regions_do(rig, way, rows[i].operation);
		rows[i].samples[way][round] = (double)(clock_ns(CLOCK_MONOTONIC_RAW) - start);
	}
	return err;
}

static int run_round(struct regions_rig *rig, struct regions_row *rows, uint64_t round)
{
	int err = 0;

	for (unsigned int i = 0; i < NR_WAYS && !err; i++)
		err = run_way(rig, rows, (enum region_way)((i + round) % NR_WAYS), round);
	return err;
}

static struct stats ratio(const struct regions_row *row, enum region_way way)
{
	double ratios[STATS_MAX];

	for (uint64_t i = 0; i < row->rounds; i++)
		ratios[i] = row->samples[way][i] / row->samples[WAY_BY_HAND][i];
	return stats_of(ratios, row->rounds);
}

/* The ratios first: stats_of() sorts. */
static void summarise(struct regions_row *row)
{
	row->ratio = ratio(row, WAY_BELLWIRE);
	row->aa = ratio(row, WAY_BY_HAND_AGAIN);
	for (unsigned int way = 0; way < NR_WAYS; way++)
		row->ns[way] = stats_of(row->samples[way], row->rounds);
}

/* The first round warms up, and lets the buses grow: the next one writes over it. */
static int run_rounds(struct regions_rig *rig, struct regions_row *rows)
{
	uint64_t rounds = rig->opts->rounds, done = 0;
	int err = run_round(rig, rows, 0);

	while (!err && done < rounds) {
		term_progress("%u vCPUs: round %ju of %ju", rows->vcpus, (uintmax_t)done + 1,
			      (uintmax_t)rounds);
		err = interrupted() ? -EINTR : run_round(rig, rows, done);
		done += !err;
	}
	term_progress(NULL);
	for (unsigned int i = 0; i < NR_REGION_OPERATIONS && done > 0; i++) {
		rows[i].rounds = done;
		summarise(&rows[i]);
	}
	return err;
}

static int alloc_samples(struct regions_report *report)
{
	for (unsigned int i = 0; i < NR_REGIONS_ROWS; i++)
		for (unsigned int way = 0; way < NR_WAYS; way++) {
			double **samples = &report->rows[i].samples[way];

			*samples = calloc(report->opts->rounds, sizeof(**samples));
			if (!*samples)
				return cli_failed("no memory"), -ENOMEM;
		}
	return 0;
}

static int measure(struct regions_report *report)
{
	struct regions_row *rows = report->rows;
	struct regions_rig rig;
	int err = regions_rig_open(&rig, report->opts);

	if (!err)
		err = alloc_samples(report);
	if (!err)
		err = run_rounds(&rig, rows);
	if (!err)
		err = regions_rig_add_vcpus(&rig);
	if (!err)
		err = run_rounds(&rig, rows + NR_REGION_OPERATIONS);
	regions_rig_close(&rig);
	return err;
}

int regions_measure(struct regions_report *report)
{
	for (unsigned int i = 0; i < NR_REGIONS_ROWS; i++) {
		report->rows[i].operation = i % NR_REGION_OPERATIONS;
		report->rows[i].vcpus = i / NR_REGION_OPERATIONS;
	}
	if (!vm_backend_probe(&vm_kvm))
		return measure(report);
	snprintf(report->why, sizeof(report->why), "%s", vm_last_error());
	return 0;
}

void regions_free(struct regions_report *report)
{
	for (unsigned int i = 0; i < NR_REGIONS_ROWS; i++)
		for (unsigned int way = 0; way < NR_WAYS; way++)
			free(report->rows[i].samples[way]);
}
