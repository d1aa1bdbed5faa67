/* SPDX-License-Identifier: MIT
 *
 * What the samples say: whether the adaptive policy is as good as the better fixed one, and from
 * how many rings a second on a page had better be hot.
 */
#include "cli/adaptive.h"
#include "cli/term.h"

#include <math.h>
#include <string.h>

#define GOAL 1.25
#define IDLE_GOAL 0.01

static unsigned int accel_of(const struct adaptive_report *report, const struct cell *cell)
{
	unsigned int i = 0;

	while (report->opts->bench.accels[i] != cell->be)
		i++;
	return i;
}

/* What lies below the two readings of the clock around a burst is no difference. */
static void advise_stall(const struct adaptive_report *report, const struct cell *cell)
{
	const struct cell *hot = adaptive_other(report, cell, cell->pattern->name, BW_PAGE_HOT);
	const struct cell *cold = adaptive_other(report, cell, cell->pattern->name, BW_PAGE_COLD);
	double clock_ns = report->clock_ns[accel_of(report, cell)] / (double)cell->pattern->burst;
	double best, most;

	if (!hot || !cold)
		return;
	best = hot->stall.median < cold->stall.median ? hot->stall.median : cold->stall.median;
	most = GOAL * best > clock_ns ? GOAL * best : clock_ns;
	printf("- %s, %s, %s: adaptive stalls the guest %.2f ns, the better fixed policy %.2f: %s "
	       "(%.2f or less).\n",
	       vm_backend_name(cell->be), cell->mechanism->name, cell->pattern->name,
	       cell->stall.median, best, cell->stall.median <= most ? "as good" : "worse", most);
}

static void advise_idle(const struct cell *cell)
{
	printf("- %s, %s: idle, it takes %.2f %% of a core: %s.\n", vm_backend_name(cell->be),
	       cell->mechanism->name, 100 * cell->cpu.median,
	       cell->cpu.median < IDLE_GOAL ? "under 1 %" : "too much");
}

/* Cold, each ring costs both sides something; hot, a second of looking does, however many there
 * are. */
bool adaptive_crossover(const struct adaptive_report *report, const struct cell *cell,
			struct crossover *crossover)
{
	const struct cell *cold = adaptive_other(report, cell, "50000/s", BW_PAGE_COLD);
	const struct cell *hot = adaptive_other(report, cell, "50000/s", BW_PAGE_HOT);
	const struct cell *naps = adaptive_other(report, cell, "100/s", BW_PAGE_ADAPTIVE);
	double saved;

	if (!cold || !hot || !naps)
		return false;
	*crossover = (struct crossover){
		.cold_ns = cold->stall.median + cold->ring_cpu.median,
		.hot_ns = hot->stall.median,
		.nap_cpu = naps->cpu.median,
	};
	saved = crossover->cold_ns - crossover->hot_ns;
	crossover->spinning = saved > 0 ? 1e9 / saved : INFINITY;
	crossover->napping = saved > 0 ? 1e9 * crossover->nap_cpu / saved : INFINITY;
	return true;
}

static void advise_crossover(const struct adaptive_report *report, const struct cell *cell)
{
	char spinning[TERM_NUMBER], napping[TERM_NUMBER];
	struct crossover c;

	if (!adaptive_crossover(report, cell, &c) || !isfinite(c.spinning))
		return;
	term_number(spinning, c.spinning);
	term_number(napping, c.napping);
	printf("- %s, %s: a ring that traps costs guest and poller %.0f ns. Hot is cheaper from %s "
	       "rings a second on, if a poller spins for it, and from %s, if it naps between "
	       "looks.\n",
	       vm_backend_name(cell->be), cell->mechanism->name, c.cold_ns - c.hot_ns, spinning,
	       napping);
}

static void advise(const struct adaptive_report *report, const struct cell *cell)
{
	if (cell->policy != BW_PAGE_ADAPTIVE || cell->rounds == 0)
		return;
	if (cell->rings > 0)
		advise_stall(report, cell);
	else
		advise_idle(cell);
	if (strcmp(cell->pattern->name, "100/s") == 0)
		advise_crossover(report, cell);
}

void adaptive_print_advice(const struct adaptive_report *report)
{
	putchar('\n');
	for (unsigned int i = 0; i < report->nr_cells; i++)
		advise(report, &report->cells[i]);
}
