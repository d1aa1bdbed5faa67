/* SPDX-License-Identifier: MIT
 *
 * Drives the offload. New claims are assigned before old ones are deassigned, so that a doorbell
 * that moves is signalled by the hypervisor throughout. Only where a new claim collides with an old
 * one that is about to go (two BARs are swapped) the old goes first; until the new view is
 * published, the bus signals for it.
 */
#include "offloading.h"
#include "error.h"
#include "ioeventfd.h"
#include "notifier.h"
#include "pages.h"
#include "txn.h"

#include <errno.h>
#include <stdio.h>

struct offload_claim offload_claim_of(const struct bw_ioeventfd *ie, const struct slot *slot)
{
	const struct bw_bus_opts *opts = &ie->bus->opts;
	bool moves = ie->space == BW_PIO && opts->pio_is_mmio;

	return (struct offload_claim){
		.space = moves ? BW_MMIO : ie->space,
		.addr = moves ? opts->pio_mmio_base + slot->addr : slot->addr,
		.match = ie->match,
		.fd = ie->fd,
	};
}

static bool is_in_hypervisor(const struct bw_ioeventfd *ie)
{
	return ie->active && ie->offloaded && !ie->withdrawn;
}

static void withdraw(struct bw_bus *bus, struct bw_ioeventfd *ie)
{
	struct offload_claim claim = offload_claim_of(ie, ie->active);

	bus->offload->deassign(bus->offload_state, &claim);
	ie->withdrawn = true;
}

/* Whether an old claim in the way of this new one was there to be withdrawn. */
static bool make_way(struct bw_bus *bus, const struct bw_ioeventfd *new)
{
	bool made = false;

	for (size_t i = 0; i < bus->changed.nr; i++) {
		struct bw_ioeventfd *ie = bus->changed.at[i];

		if (!is_in_hypervisor(ie) || ie->space != new->space ||
		    ie->active->addr != new->next->addr || !match_collides(&ie->match, &new->match))
			continue;
		withdraw(bus, ie);
		made = true;
	}
	return made;
}

/* A port above 0xffff is beyond the window where the ports lie: what is there is no port. */
static bool has_no_address(const struct bw_ioeventfd *ie, const struct slot *slot)
{
	return ie->space == BW_PIO && ie->bus->opts.pio_is_mmio && slot->addr >= NR_PORTS;
}

static int left_to_the_bus(struct bw_ioeventfd *ie, int err, bool must)
{
	if (err == -EOPNOTSUPP)
		return 0;
	if (!must)
		return err;
	ie->next_why_not = "the hypervisor failed to take it back when it was uncovered";
	return 0;
}

/* The hypervisor goes through all it has at every call, and what we touch in between drives that
 * out of the caches: so a batch of claims is made first, and each is next_offloaded by then. */
#define BATCH 128u

struct batch {
	unsigned int nr;
	struct bw_ioeventfd *ioeventfds[BATCH];
	struct offload_claim claims[BATCH];
};

/* Those from the i-th on are not to be assigned. */
static void drop_batch(struct batch *batch, unsigned int i)
{
	for (; i < batch->nr; i++)
		batch->ioeventfds[i]->next_offloaded = false;
	batch->nr = 0;
}

static int assign_batch(struct bw_bus *bus, struct batch *batch, bool must)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < batch->nr && !err; i++) {
		struct bw_ioeventfd *ie = batch->ioeventfds[i];
		const struct offload_claim *claim = &batch->claims[i];
		const char *why_not = NULL;

		err = bus->offload->assign(bus->offload_state, claim, &why_not);
		if (err == -EEXIST && make_way(bus, ie))
			err = bus->offload->assign(bus->offload_state, claim, &why_not);
		if (!err)
			continue;
		ie->next_offloaded = false;
		ie->next_why_not = why_not;
		err = left_to_the_bus(ie, err, must);
	}
	drop_batch(batch, i);
	return err;
}

static const char *why_refused(const struct bw_bus *bus, const struct bw_ioeventfd *ie,
			       const struct offload_claim *claim)
{
	if (ie->next->captured)
		return "its values are captured, which the hypervisor cannot do";
	if (has_no_address(ie, ie->next))
		return "ports above 0xffff do not lie in MMIO";
	return bus->offload->refuses(bus->offload_state, claim);
}

/* All that can be done without the hypervisor. */
static int prepare(struct bw_bus *bus, struct bw_ioeventfd *ie, struct batch *batch, bool must)
{
	struct offload_claim claim = offload_claim_of(ie, ie->next);
	int err;

	ie->next_why_not = why_refused(bus, ie, &claim);
	if (ie->next_why_not)
		return 0;
	if (ie->fd < 0) {
		err = notifier_publish(ie->notifier, bus, &ie->published);
		if (err)
			return left_to_the_bus(ie, err, must);
		ie->fd = __atomic_load_n(&ie->notifier->fd, __ATOMIC_RELAXED);
		claim.fd = ie->fd;
	}
	ie->next_offloaded = true;
	batch->ioeventfds[batch->nr] = ie;
	batch->claims[batch->nr++] = claim;
	return batch->nr == BATCH ? assign_batch(bus, batch, must) : 0;
}

/* In reverse: the new claims out, then the old ones back in. */
static void undo(struct bw_bus *bus)
{
	struct bw_ioeventfd **at = bus->changed.at;

	for (size_t i = bus->changed.nr; i-- > 0;) {
		struct bw_ioeventfd *ie = at[i];
		struct offload_claim claim;

		if (!ie->next_offloaded)
			continue;
		claim = offload_claim_of(ie, ie->next);
		bus->offload->deassign(bus->offload_state, &claim);
		ie->next_offloaded = false;
	}
	for (size_t i = bus->changed.nr; i-- > 0;) {
		struct bw_ioeventfd *ie = at[i];
		const char *why_not;
		struct offload_claim claim;

		if (!ie->withdrawn)
			continue;
		claim = offload_claim_of(ie, ie->active);
		ie->offloaded = !bus->offload->assign(bus->offload_state, &claim, &why_not);
		ie->why_not = ie->offloaded ? NULL : "the hypervisor did not take it back";
		ie->withdrawn = false;
	}
	for (size_t i = bus->changed.nr; i-- > 0;) {
		struct bw_ioeventfd *ie = at[i];

		if (ie->published)
			notifier_unpublish(ie->notifier);
		ie->published = false;
		if (!is_in_hypervisor(ie))
			ie->fd = -1;
	}
}

int offload_changes(struct bw_bus *bus, bool must)
{
	struct batch batch;
	char sentence[256];
	int err;

	if (!bus->offload)
		return 0;
	batch.nr = 0;
	for (size_t i = 0; i < bus->changed.nr; i++) {
		struct bw_ioeventfd *ie = row_walk(&bus->changed, i);

		if (!ie->next)
			continue;
		err = prepare(bus, ie, &batch, must);
		if (err)
			goto undo;
	}
	err = assign_batch(bus, &batch, must);
	if (err)
		goto undo;
	for (size_t i = 0; i < bus->changed.nr; i++) {
		struct bw_ioeventfd *ie = row_walk(&bus->changed, i);

		if (is_in_hypervisor(ie))
			withdraw(bus, ie);
	}
	return 0;

undo:
	drop_batch(&batch, 0);
	snprintf(sentence, sizeof(sentence), "%s", bw_last_error());
	undo(bus);
	return fail(err, "%s", sentence); /* what went wrong, not what the undoing said */
}

void offload_withdraw_all(struct bw_bus *bus)
{
	struct bw_ioeventfd *ie;

	cds_list_for_each_entry (ie, &bus->ioeventfds, in_bus) {
		if (is_in_hypervisor(ie))
			withdraw(bus, ie);
		ie->offloaded = ie->withdrawn = false;
	}
}

/* As a commit in which everything that readers see is new to the hypervisor. */
static int offload_all(struct bw_bus *bus)
{
	struct bw_ioeventfd *ie;
	int err;

	cds_list_for_each_entry (ie, &bus->ioeventfds, in_bus) {
		if (!ie->active)
			continue;
		ie->next = ie->active;
		bus->changed.at[bus->changed.nr++] = ie;
	}
	err = offload_changes(bus, false);
	for (size_t i = 0; i < bus->changed.nr; i++) {
		ie = bus->changed.at[i];
		ie->next = NULL;
		ie->offloaded = ie->next_offloaded;
		ie->why_not = ie->next_why_not;
		ie->next_offloaded = ie->published = false;
	}
	bus->changed.nr = 0;
	return err;
}

int offload_is_free(struct bw_bus *bus)
{
	int err = txn_begin(bus);

	if (err)
		return err;
	if (bus->offload)
		err = fail(-EBUSY, "the bus is offloaded to %s already", bus->offload->name);
	txn_end(bus);
	return err;
}

int bus_offload(struct bw_bus *bus, const struct offload_ops *ops, void *state)
{
	int err = txn_begin(bus);

	if (err)
		return err;
	err = offload_is_free(bus);
	if (err)
		goto end;
	bus->offload = ops;
	bus->offload_state = state;
	err = offload_all(bus);
	if (err) {
		bus->offload = NULL;
		goto end;
	}
	pages_offload(bus);
end:
	txn_end(bus);
	return err;
}

unsigned int bw_bus_caps(struct bw_bus *bus)
{
	unsigned int caps = 0;

	if (txn_begin(bus))
		return 0;
	if (bus->offload)
		caps = bus->offload->caps(bus->offload_state);
	txn_end(bus);
	return caps;
}
