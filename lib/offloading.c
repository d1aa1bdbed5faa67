/* SPDX-License-Identifier: MIT
 *
 * Drives the offload. New claims are assigned before old ones are deassigned, so that a doorbell
 * that moves is signalled by the hypervisor throughout. Only where a new claim collides with an old
 * one that is about to go (two BARs are swapped) the old goes first; until the new view is
 * published, the bus signals for it.
 */
#include "offloading.h"
#include "error.h"
#include "notifier.h"
#include "txn.h"

#include <errno.h>
#include <stdio.h>

static struct offload_claim claim_of(const struct bw_ioeventfd *ie, const struct slot *slot)
{
	const struct bw_bus_opts *opts = &ie->bus->opts;
	bool moves = ie->space == BW_PIO && opts->pio_is_mmio;

	return (struct offload_claim){
		.space = moves ? BW_MMIO : ie->space,
		.addr = moves ? opts->pio_mmio_base + slot->addr : slot->addr,
		.match = ie->match,
		.fd = __atomic_load_n(&ie->notifier->fd, __ATOMIC_RELAXED),
	};
}

static bool is_in_hypervisor(const struct bw_ioeventfd *ie)
{
	return ie->active && ie->offloaded && !ie->withdrawn;
}

static void withdraw(struct bw_bus *bus, struct bw_ioeventfd *ie)
{
	struct offload_claim claim = claim_of(ie, ie->active);

	bus->offload->deassign(bus->offload_state, &claim);
	ie->withdrawn = true;
}

/* Whether an old claim in the way of this new one was there to be withdrawn. */
static bool make_way(struct bw_bus *bus, const struct bw_ioeventfd *new)
{
	struct bw_ioeventfd *ie;
	bool made = false;

	cds_list_for_each_entry (ie, &bus->changed, in_changed) {
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

static int assign_claim(struct bw_bus *bus, struct bw_ioeventfd *ie, const struct slot *slot)
{
	struct offload_claim claim = claim_of(ie, slot);
	int err;

	ie->why_not = has_no_address(ie, slot) ? "ports above 0xffff do not lie in MMIO"
					       : bus->offload->refuses(bus->offload_state, &claim);
	if (ie->why_not)
		return -EOPNOTSUPP;
	err = notifier_publish(ie->notifier, bus, &ie->published);
	if (err)
		return err;
	claim.fd = __atomic_load_n(&ie->notifier->fd, __ATOMIC_RELAXED);
	err = bus->offload->assign(bus->offload_state, &claim, &ie->why_not);
	if (err == -EEXIST && ie->next && make_way(bus, ie))
		err = bus->offload->assign(bus->offload_state, &claim, &ie->why_not);
	return err;
}

static int assign_next(struct bw_bus *bus, struct bw_ioeventfd *ie, bool must)
{
	int err = assign_claim(bus, ie, ie->next);

	ie->next_offloaded = !err;
	if (err && err != -EOPNOTSUPP && must)
		ie->why_not = "the hypervisor failed to take it back when it was uncovered";
	return err == -EOPNOTSUPP || must ? 0 : err;
}

/* In reverse: the new claims out, then the old ones back in. */
static void undo(struct bw_bus *bus)
{
	struct bw_ioeventfd *ie;

	cds_list_for_each_entry_reverse(ie, &bus->changed, in_changed)
	{
		struct offload_claim claim;

		if (!ie->next_offloaded)
			continue;
		claim = claim_of(ie, ie->next);
		bus->offload->deassign(bus->offload_state, &claim);
		ie->next_offloaded = false;
	}
	cds_list_for_each_entry_reverse(ie, &bus->changed, in_changed)
	{
		const char *why_not;
		struct offload_claim claim;

		if (!ie->withdrawn)
			continue;
		claim = claim_of(ie, ie->active);
		ie->offloaded = !bus->offload->assign(bus->offload_state, &claim, &why_not);
		ie->why_not = ie->offloaded ? NULL : "the hypervisor did not take it back";
		ie->withdrawn = false;
	}
	cds_list_for_each_entry_reverse(ie, &bus->changed, in_changed)
	{
		if (ie->published)
			notifier_unpublish(ie->notifier);
		ie->published = false;
	}
}

int offload_changes(struct bw_bus *bus, bool must)
{
	char sentence[256];
	struct bw_ioeventfd *ie;
	int err;

	if (!bus->offload)
		return 0;
	cds_list_for_each_entry (ie, &bus->changed, in_changed) {
		if (!ie->next)
			continue;
		err = assign_next(bus, ie, must);
		if (err)
			goto undo;
	}
	cds_list_for_each_entry (ie, &bus->changed, in_changed)
		if (is_in_hypervisor(ie))
			withdraw(bus, ie);
	return 0;

undo:
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
	struct bw_ioeventfd *ie, *tmp;
	int err;

	cds_list_for_each_entry (ie, &bus->ioeventfds, in_bus) {
		if (!ie->active)
			continue;
		ie->next = ie->active;
		cds_list_add_tail(&ie->in_changed, &bus->changed);
	}
	err = offload_changes(bus, false);
	cds_list_for_each_entry_safe (ie, tmp, &bus->changed, in_changed) {
		ie->next = NULL;
		ie->offloaded = ie->next_offloaded;
		ie->next_offloaded = ie->published = false;
		cds_list_del(&ie->in_changed);
	}
	return err;
}

int bus_offload(struct bw_bus *bus, const struct offload_ops *ops, void *state)
{
	int err = txn_begin(bus);

	if (err)
		return err;
	if (bus->offload) {
		err = fail(-EBUSY, "the bus is offloaded to %s already", bus->offload->name);
		goto end;
	}
	bus->offload = ops;
	bus->offload_state = state;
	err = offload_all(bus);
	if (err)
		bus->offload = NULL;
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
