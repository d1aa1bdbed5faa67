/* SPDX-License-Identifier: MIT
 *
 * A byte string is a program: control calls, transactions and guest accesses, handlers that make
 * more of them, and a hypervisor that fails at times. The bus and the model get the same, and are
 * compared after every step.
 */
#include "bus_steps.h"

#include <errno.h>
#include <string.h>

/* ---- operands ---- */

uint8_t choose_byte(struct world *w)
{
	return w->at < w->end ? *w->at++ : 0;
}

unsigned int choose(struct world *w, unsigned int limit)
{
	return choose_byte(w) % limit;
}

uint64_t choose_addr(struct world *w)
{
	static const uint64_t bases[] = {
		0,      0x100,           WINDOW - 8, WINDOW + 0x100,
		0xfff0, WINDOW + 0xfff0, 0xfffff0,   UINT64_MAX - 31,
	};
	uint8_t b = choose_byte(w);

	return bases[b >> 5] + (b & 31);
}

struct bw_match choose_match(struct world *w)
{
	static const uint32_t lens[] = { 0, 1, 2, 4, 8, 4, 3, 16 };
	static const uint64_t values[] = {
		0, 1, 2, 0xff, 0x100, 0xffffffff, 1ull << 32, UINT64_MAX,
	};
	uint8_t b = choose_byte(w);

	return (struct bw_match){ lens[b & 7], b & 8, values[b >> 4 & 7] };
}

struct model_ioeventfd *choose_ioeventfd(struct world *w)
{
	struct model_ioeventfd *ie = &w->now.ioeventfds[choose(w, MODEL_IOEVENTFDS)];

	return ie->used ? ie : NULL;
}

struct model_region *choose_region(struct world *w)
{
	struct model_region *region = &w->now.regions[choose(w, MODEL_REGIONS)];

	return region->used ? region : NULL;
}

/* ---- transactions ---- */

static void step_begin(struct world *w)
{
	expect(w, "the result", bw_bus_begin(w->bus), 0);
	w->depth++;
}

static void step_commit(struct world *w)
{
	bool outermost = w->depth == 1;
	int modelled = !w->depth ? -EINVAL : outermost && w->aborted ? -ECANCELED : 0;
	int result = bw_bus_commit(w->bus);

	if (outermost)
		w->aborted = false;
	if (w->depth)
		w->depth--;
	settle(w, result, modelled);
}

static void step_abort(struct world *w)
{
	bw_bus_abort(w->bus);
	if (!w->depth)
		return;
	w->aborted = --w->depth;
	if (!w->depth)
		w->now = w->seen;
}

/* ---- the rest ---- */

static void step_offload(struct world *w)
{
	struct hypervisor *h = w->hypervisor;
	int result = bus_offload(w->bus, &hypervisor_ops, h);

	expect(w, "the result", result, h->present ? -EBUSY : h->failure);
	if (!h->present)
		h->lacks &= !result; /* what it refused; nothing is left of what failed */
	h->present |= !result;
}

/* One of the next assigns fails, and perhaps all after it. */
static void step_fail(struct world *w)
{
	static const int failures[] = { -ENOMEM, -ENOSPC, -EOPNOTSUPP };
	struct fake_offload *fake = &w->hypervisor->fake;
	uint8_t how = choose_byte(w);

	fake->fail_at = how & 7;
	fake->fail_with = failures[(how >> 3) % 3];
	fake->keep_failing = how & 0x80;
	fake->refuse_all = how & 0x40 ? "will not" : NULL;
	w->hypervisor->lacks |= fake->refuse_all != NULL;
}

static void step_ask(struct world *w)
{
	expect(w, "the capabilities", bw_bus_caps(w->bus), w->hypervisor->present ? 7 : 0);
	expect(w, "bw_bus_synchronize()", bw_bus_synchronize(w->bus),
	       w->handlers || w->depth ? -EDEADLK : 0);
}

static void step_fd(struct world *w)
{
	struct bw_notifier *n = w->notifiers[choose(w, NOTIFIERS)];
	int fd = bw_notifier_fd(n);

	expect(w, "whether there is an fd", fd >= 0, true);
	expect(w, "the fd when asked again", bw_notifier_fd(n), fd);
}

static const struct {
	const char *name;
	void (*run)(struct world *w);
} steps[] = {
	{ "assign", step_assign },
	{ "doorbell", step_doorbell },
	{ "deassign", step_deassign },
	{ "drop-in", step_dropin },
	{ "new region", step_region_new },
	{ "free region", step_region_free },
	{ "map", step_region_map },
	{ "unmap", step_region_unmap },
	{ "region at", step_region_at },
	{ "begin", step_begin },
	{ "commit", step_commit },
	{ "abort", step_abort },
	{ "access", step_access },
	{ "write", step_write },
	{ "offload", step_offload },
	{ "fail", step_fail },
	{ "ask", step_ask },
	{ "fd", step_fd },
	{ "capture", step_capture },
	{ "take", step_take },
};

void next_step(struct world *w)
{
	unsigned int number = choose(w, sizeof(steps) / sizeof(steps[0]));

	start_step(w, steps[number].name);
	steps[number].run(w);
	w->step = steps[number].name;
	verify(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *program, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *program, size_t size)
{
	struct world w = { .at = program, .end = program + size };
	struct bw_bus_opts opts = {
		.size = sizeof(opts),
		.unclaimed = serve_unclaimed,
		.opaque = &w,
		.pio_is_mmio = choose_byte(&w) & 1,
		.pio_mmio_base = WINDOW,
	};

	open_capture(&w);
	world_open(&w, &opts);
	while (w.at < w.end)
		next_step(&w);
	world_close(&w);
	return 0;
}
