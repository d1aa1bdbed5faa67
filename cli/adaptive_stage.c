/* SPDX-License-Identifier: MIT
 *
 * A VM of one mechanism, with memory that has been used, and the page and poller of one cell after
 * another in it.
 */
#include "cli/adaptive.h"
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "endpoint/pinned.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int say(const struct stage *stage, int err, const char *why)
{
	cli_failed("%s, %s: %s", vm_backend_name(stage->be), stage->mechanism->name, why);
	return err;
}

static int say_bus(const struct stage *stage, int err)
{
	return say(stage, err, bw_last_error());
}

struct bw_page_stats stage_page_stats(const struct stage *stage)
{
	struct bw_page_stats stats = { .size = sizeof(stats) };

	bw_page_stats(stage->page, &stats);
	return stats;
}

/* ---- the page ---- */

static int make_page(struct stage *stage, enum bw_page_policy policy)
{
	struct bw_region_opts region = { .size = sizeof(region),
					 .space = BW_MMIO,
					 .len = BW_PAGE_SIZE };
	struct bw_page_opts page = {
		.size = sizeof(page),
		.idle = UINT64_MAX,
		.policy = policy,
		.exit_ns = (uint32_t)stage->exit_ns,
	};
	struct bw_match match = { .len = 4 };
	int err = bw_notifier_new(&stage->notifier, "adaptive");

	if (!err)
		err = bw_region_new(stage->bus, &stage->region, &region);
	if (!err)
		err = bw_region_page(stage->region, &stage->page, &page);
	if (!err)
		err = bw_region_doorbell(stage->region, &stage->heard.ie, 0, match,
					 stage->notifier);
	return err ? err : bw_region_map(stage->region, STAGE_DOORBELL);
}

static int make_poller(struct stage *stage)
{
	int err = bw_poller_new(&stage->poller);

	atomic_store(&stage->heard.nr, 0);
	atomic_store(&stage->heard.newest, 0);
	if (!err)
		err = bw_poller_add(stage->poller, stage->notifier, heard_ring, &stage->heard);
	return err ? err : bw_poller_add_page(stage->poller, stage->page);
}

static void *run_poller(void *opaque)
{
	bw_poller_run(opaque);
	return NULL;
}

static int start_thread(struct stage *stage)
{
	int err = pinned_thread(&stage->thread, stage->opts->bench.endpoint.cpu, run_poller,
				stage->poller);

	if (!err)
		pthread_getcpuclockid(stage->thread, &stage->cpu_clock);
	return err;
}

static void free_page(struct stage *stage)
{
	bw_region_free(stage->region);
	bw_poller_free(stage->poller);
	bw_notifier_free(stage->notifier);
	stage->region = NULL;
	stage->poller = NULL;
	stage->notifier = NULL;
}

int stage_open_page(struct stage *stage, enum bw_page_policy policy)
{
	int err = make_page(stage, policy);

	if (!err)
		err = make_poller(stage);
	if (err) {
		say_bus(stage, err);
	} else {
		err = start_thread(stage);
		if (err)
			say(stage, err, strerror(-err));
	}
	if (err)
		free_page(stage);
	return err;
}

void stage_close_page(struct stage *stage)
{
	bw_poller_stop(stage->poller);
	pthread_join(stage->thread, NULL);
	free_page(stage);
}

/* ---- the VM ---- */

static int make_vm(struct stage *stage)
{
	struct vm_opts opts = {
		.bus = stage->bus,
		.nr_vcpus = 1,
		.cpl = stage->opts->bench.cpl,
		.page_way = stage->mechanism->way,
		.ram_size = STAGE_TOUCHED + ADAPTIVE_TOUCHED - GUEST_RAM_BASE,
	};
	int err = vm_new(&stage->vm, stage->be, &opts);

	if (err)
		return say(stage, err, vm_last_error());
	stage->vcpu = vm_vcpu(stage->vm, 0);
	memset(vm_memory(stage->vm, STAGE_TRIPS, opts.ram_size - GUEST_RAM_MIN), 1,
	       opts.ram_size - GUEST_RAM_MIN);
	return 0;
}

/* A page of its own knows what is missing. */
static int find_why(struct stage *stage)
{
	const char *why;
	int err;

	if (bw_bus_caps(stage->bus) & BW_CAP_PAGE)
		return 0;
	err = stage_open_page(stage, BW_PAGE_HOT);
	if (err)
		return err;
	why = stage_page_stats(stage).why_not;
	snprintf(stage->why, sizeof(stage->why), "%s", why ? why : "no page can be hot");
	stage_close_page(stage);
	return 0;
}

static int set_up(struct stage *stage)
{
	int err = bw_bus_new(&stage->bus, NULL);

	if (err)
		return say_bus(stage, err);
	err = heard_init(&stage->heard);
	if (err)
		return say(stage, err, "no memory");
	err = make_vm(stage);
	if (!err)
		err = find_why(stage);
	if (err || stage->why[0])
		return err;
	interrupt_vcpu(stage->vcpu);
	err = pattern_calibrate(stage);
	interrupt_vcpu(NULL);
	return err;
}

int stage_open(struct stage *stage, const struct adaptive_opts *opts, const struct vm_backend *be,
	       const struct mechanism *mechanism)
{
	*stage = (struct stage){ .opts = opts, .be = be, .mechanism = mechanism };
	if (vm_backend_probe(be)) {
		snprintf(stage->why, sizeof(stage->why), "%s", vm_last_error());
		return 0;
	}
	return set_up(stage);
}

void stage_close(struct stage *stage)
{
	bw_bus_free(stage->bus); /* first: the offload borrows the VM's fd */
	vm_free(stage->vm);
	heard_fini(&stage->heard);
}
