/* SPDX-License-Identifier: MIT
 *
 * The comparing of a bus with its model.
 */
#include "bus_world.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void expect(const struct world *w, const char *what, int64_t got, int64_t wanted)
{
	if (got == wanted)
		return;
	fprintf(stderr, "step %u, %s: %s is %" PRId64 ", the model says %" PRId64 " (%s)\n",
		w->steps, w->step, what, got, wanted, bw_last_error());
	abort();
}

int world_fd(unsigned int number)
{
	static int fds[NR_FDS] = { -1 };
	int ends[2];

	if (fds[0] < 0) {
		fds[0] = eventfd(0, EFD_CLOEXEC);
		fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		fds[2] = dup(fds[0]);
		fds[3] = pipe(ends) ? -1 : ends[0];
		fds[4] = -1;
	}
	return fds[number];
}

/* ---- the hypervisor ---- */

static const char *hypervisor_refuses(void *state, const struct offload_claim *claim)
{
	return fake_ops.refuses(state, claim);
}

static int hypervisor_assign(void *state, const struct offload_claim *claim, const char **why)
{
	struct hypervisor *h = state;
	int err = fake_ops.assign(&h->fake, claim, why);

	/* -EEXIST is not made to happen: it asks for what is in the way to be moved */
	h->lacks |= err && err != -EEXIST;
	if (err && err != -EEXIST && err != -EOPNOTSUPP && !h->failure)
		h->failure = err;
	return err;
}

static void hypervisor_deassign(void *state, const struct offload_claim *claim)
{
	fake_ops.deassign(state, claim);
}

static unsigned int hypervisor_caps(void *state)
{
	return fake_ops.caps(state);
}

static void hypervisor_free(void *state)
{
	fake_ops.free(state);
}

const struct offload_ops hypervisor_ops = {
	.name = "hypervisor",
	.refuses = hypervisor_refuses,
	.assign = hypervisor_assign,
	.deassign = hypervisor_deassign,
	.caps = hypervisor_caps,
	.free = hypervisor_free,
};

/* A port that lies in MMIO: the hypervisor has it there, and has none that does not. */
static struct offload_claim claim_of(const struct model *m, const struct model_ioeventfd *ie,
				     uint64_t addr)
{
	bool moves = ie->space == BW_PIO && m->pio_is_mmio;

	return (struct offload_claim){
		.space = moves ? BW_MMIO : ie->space,
		.addr = moves ? m->pio_mmio_base + addr : addr,
		.match = ie->match,
	};
}

static bool has_claim(const struct fake_offload *fake, const struct offload_claim *wanted)
{
	for (unsigned int i = 0; i < fake->nr; i++) {
		const struct offload_claim *c = &fake->claims[i];

		if (c->space == wanted->space && c->addr == wanted->addr &&
		    c->match.len == wanted->match.len &&
		    c->match.has_value == wanted->match.has_value &&
		    (!c->match.has_value || c->match.value == wanted->match.value))
			return true;
	}
	return false;
}

/* Claims differ from one another, the fake sees to that: counting finds a stale one. */
static void verify_claims(const struct world *w)
{
	const struct hypervisor *h = w->hypervisor;
	unsigned int active = 0, claimed = 0;

	for (unsigned int i = 0; i < MODEL_IOEVENTFDS; i++) {
		const struct model_ioeventfd *ie = &w->seen.ioeventfds[i];
		struct offload_claim claim;
		uint64_t addr;

		if (!model_active(&w->seen, ie, &addr) ||
		    (ie->space == BW_PIO && w->seen.pio_is_mmio && addr > 0xffff) || ie->captured)
			continue;
		claim = claim_of(&w->seen, ie, addr);
		active++;
		claimed += has_claim(&h->fake, &claim);
	}
	expect(w, "the number of claims", h->fake.nr, h->present ? claimed : 0);
	expect(w, "the number of unknown deassigns", h->fake.unknown_deassigns, 0);
	if (h->present && !h->lacks)
		expect(w, "the number of claimed ioeventfds", claimed, active);
}

/* ---- what a step did ---- */

static uint64_t drain(int eventfd)
{
	struct pollfd ready = { .fd = eventfd, .events = POLLIN };
	uint64_t count;

	if (poll(&ready, 1, 0) != 1)
		return 0;
	return read(eventfd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

void verify_rings(struct world *w)
{
	for (unsigned int i = 0; i < NOTIFIERS; i++)
		expect(w, "a notifier's count", (int64_t)bw_notifier_take(w->notifiers[i]),
		       (int64_t)w->rings[i]);
	for (unsigned int i = 0; i < EVENTFDS; i++)
		expect(w, "an eventfd's count", (int64_t)drain(world_fd(i)),
		       (int64_t)w->rings[NOTIFIERS + i]);
	memset(w->rings, 0, sizeof(w->rings));
}

static bool has_device(const struct model *m, const struct device *device)
{
	for (unsigned int i = 0; i < MODEL_REGIONS; i++)
		if (m->regions[i].used && m->regions[i].device == device)
			return true;
	return false;
}

/* What a transaction made and freed may be told so at once, or when it ends. */
static void verify_devices(const struct world *w)
{
	for (const struct device *d = w->devices; d < w->devices + w->nr_devices; d++) {
		bool gone = !d->running && !has_device(&w->now, d) && !has_device(&w->seen, d);

		if (!gone || !w->depth)
			expect(w, "a device's calls of unused()", d->unused, gone);
	}
}

void verify(const struct world *w)
{
	verify_devices(w);
	verify_claims(w);
}

/* ---- from step to step ---- */

static int lowest_free_fd(void)
{
	int fd = dup(world_fd(0));

	close(fd);
	return fd;
}

void start_step(struct world *w, const char *name)
{
	struct hypervisor *h = w->hypervisor;

	w->steps++;
	w->step = name;
	w->step_free_fd = h->fake.fail_at ? lowest_free_fd() : -1;
	h->failure = 0;
}

void settle(struct world *w, int result, int modelled)
{
	if (!modelled && !w->depth)
		modelled = w->hypervisor->failure;
	expect(w, "the result", result, modelled);
	if (result < 0)
		expect(w, "the sentence", !*bw_last_error(), false);
	if (w->depth)
		return;
	if (result && w->step_free_fd >= 0)
		expect(w, "whether an fd stayed open", lowest_free_fd() > w->step_free_fd, false);
	if (result)
		w->now = w->seen;
	else
		w->seen = w->now;
}

void settle_removal(struct world *w)
{
	if (!w->depth)
		w->seen = w->now;
}

void world_open(struct world *w, const struct bw_bus_opts *opts)
{
	static struct hypervisor hypervisor;

	w->free_fd = lowest_free_fd();
	hypervisor.present = hypervisor.lacks = false;
	hypervisor.failure = 0;
	memset(&hypervisor.fake.nr, 0, sizeof(hypervisor.fake) - offsetof(struct fake_offload, nr));
	w->hypervisor = &hypervisor;
	w->now.pio_is_mmio = w->seen.pio_is_mmio = opts->pio_is_mmio;
	w->now.pio_mmio_base = w->seen.pio_mmio_base = opts->pio_mmio_base;
	w->step = "open";
	expect(w, "bw_bus_new()", bw_bus_new(&w->bus, opts), 0);
	for (unsigned int i = 0; i < NOTIFIERS; i++)
		expect(w, "bw_notifier_new()", bw_notifier_new(&w->notifiers[i], NULL), 0);
}

void world_close(struct world *w)
{
	w->step = "close";
	for (; w->depth; w->depth--)
		bw_bus_abort(w->bus);
	w->now = w->seen;
	verify(w);
	verify_rings(w);
	bw_bus_free(w->bus);
	memset(w->now.regions, 0, sizeof(w->now.regions));
	w->seen = w->now;
	verify_devices(w);
	expect(w, "the number of claims left", w->hypervisor->fake.nr, 0);
	expect(w, "the hypervisor's end", w->hypervisor->fake.freed, w->hypervisor->present);
	for (unsigned int i = 0; i < NOTIFIERS; i++)
		bw_notifier_free(w->notifiers[i]);
	expect(w, "the lowest free fd", lowest_free_fd(), w->free_fd);
}
