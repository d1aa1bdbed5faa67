/* SPDX-License-Identifier: MIT
 *
 * Assigning and deassigning: what is wanted, and who is in the way. commit.c makes it so.
 */
#include "ioeventfd.h"
#include "capture.h"
#include "dropin.h"
#include "error.h"
#include "notifier.h"
#include "pages.h"
#include "probe.h"
#include "publish.h"
#include "txn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void describe_match(const struct bw_match *match, char *text, size_t size)
{
	if (match->len == BW_ANY_LEN)
		snprintf(text, size, "any length");
	else if (!match->has_value)
		snprintf(text, size, "length %u", match->len);
	else
		snprintf(text, size, "length %u, value 0x%llx", match->len,
			 (unsigned long long)match->value);
}

void ioeventfd_describe(const struct bw_ioeventfd *ie, char *text, size_t size)
{
	char match[64];

	describe_match(&ie->match, match, sizeof(match));
	snprintf(text, size, "%s %s 0x%llx (%s) of %s%s, notifier %s", space_name(ie->space),
		 ie->region ? "offset" : "address", (unsigned long long)ie->addr, match,
		 ie->region ? "region " : "the bus", ie->region ? ie->region->name : "",
		 notifier_name(ie->notifier));
}

static int say_exists(const struct bw_ioeventfd *in_the_way)
{
	char text[192];

	ioeventfd_describe(in_the_way, text, sizeof(text));
	return fail(-EEXIST, "in the way: %s", text);
}

static struct bw_ioeventfd *new_handle(struct bw_bus *bus, struct bw_region *region,
				       unsigned int space, uint64_t addr,
				       const struct bw_match *match)
{
	struct bw_ioeventfd *ie = alloc_lines(sizeof(*ie));

	if (!ie)
		return NULL;
	ie->bus = bus;
	ie->region = region;
	ie->space = space;
	ie->addr = addr;
	ie->match = *match;
	ie->fresh = true;
	ie->fd = -1;
	CDS_INIT_LIST_HEAD(&ie->in_touched);
	if (!index_add(&bus->index, ie))
		return ie;
	free(ie);
	return NULL;
}

static int reserve(struct row *row, size_t nr)
{
	size_t room = row->room ? row->room : 4;
	struct bw_ioeventfd **bigger;

	if (nr <= row->room)
		return 0;
	while (room < nr)
		room *= 2;
	bigger = reallocarray(row->at, room, sizeof(struct bw_ioeventfd *));
	if (!bigger)
		return fail(-ENOMEM, "no memory for %zu ioeventfds", room);
	row->at = bigger;
	row->room = room;
	return 0;
}

static struct row *row_of(struct bw_bus *bus, struct bw_region *region)
{
	return region ? &region->doorbells : &bus->plain;
}

static int reserve_one(struct bw_bus *bus, struct bw_region *region)
{
	struct row *row = row_of(bus, region);
	int err = reserve_keys(bus, bus->nr_ioeventfds + 1);

	if (!err)
		err = reserve(&bus->changed, bus->nr_ioeventfds + 1);
	if (!err)
		err = reserve(row, row->nr + 1);
	return err;
}

static void enter_row(struct bw_ioeventfd *ie)
{
	struct row *row = row_of(ie->bus, ie->region);

	ie->in_row = row->nr;
	row->at[row->nr++] = ie;
}

static void leave_row(struct bw_ioeventfd *ie)
{
	struct row *row = row_of(ie->bus, ie->region);
	struct bw_ioeventfd *last = row->at[--row->nr];

	row->at[ie->in_row] = last;
	last->in_row = ie->in_row;
}

int ioeventfd_want(struct bw_bus *bus, struct bw_ioeventfd **out, struct bw_region *region,
		   unsigned int space, uint64_t addr, const struct bw_match *match,
		   struct bw_notifier *n)
{
	struct bw_ioeventfd *ie;
	int err;

	if (!region && space == BW_MMIO && in_pio_window(bus, addr, match->len ? match->len : 1))
		return fail(-EINVAL, "at MMIO 0x%llx there are ports", (unsigned long long)addr);
	ie = index_collision(index_find(&bus->index, region, space, addr), match);
	if (ie)
		return say_exists(ie);
	err = reserve_one(bus, region);
	if (err)
		return err;
	ie = new_handle(bus, region, space, addr, match);
	if (!ie)
		return fail(-ENOMEM, "no memory for an ioeventfd");
	ie->notifier = notifier_get(n);
	cds_list_add_tail(&ie->in_bus, &bus->ioeventfds);
	enter_row(ie);
	bus->nr_ioeventfds++;
	touch_ioeventfd(ie);
	PROBE_ASSIGN(ie, region, space, addr, match->len, n->name);
	*out = ie;
	return 0;
}

void ioeventfd_forget(struct bw_ioeventfd *ie)
{
	PROBE_DEASSIGN(ie);
	ie->gone = true;
	touch_ioeventfd(ie);
}

void ioeventfd_destroy(struct bw_ioeventfd *ie)
{
	struct bw_bus *bus = ie->bus;

	index_remove(&bus->index, ie);
	cds_list_del(&ie->in_bus);
	leave_row(ie);
	bus->nr_ioeventfds--;
	if (ie->import)
		import_put(ie->import);
	page_claim_slot(ie, NULL);
	capture_forget(ie);
	notifier_put(ie->notifier);
	free(ie);
}

int bw_ioeventfd_assign(struct bw_bus *bus, struct bw_ioeventfd **out, enum bw_space space,
			uint64_t addr, struct bw_match match, struct bw_notifier *n)
{
	int err = txn_check(bus), committed;

	*out = NULL;
	if (!err && space > BW_HYPERCALL)
		err = fail(-EINVAL, "there is no space %u", space);
	if (!err)
		err = match_check(space, addr, &match);
	if (!err)
		err = txn_begin(bus);
	if (err)
		return err;
	err = ioeventfd_want(bus, out, NULL, space, addr, &match, n);
	committed = txn_end(bus);
	if (committed)
		*out = NULL;
	return err ? err : committed;
}

void bw_ioeventfd_deassign(struct bw_ioeventfd *ie)
{
	struct bw_bus *bus;

	if (!ie)
		return;
	bus = ie->bus;
	if (txn_begin(bus))
		return;
	ioeventfd_forget(ie);
	txn_end_removal(bus);
}
