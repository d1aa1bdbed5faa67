/* SPDX-License-Identifier: MIT
 *
 * Transactions: one thread at a time has the control lock, however often it begins, and what it
 * changes is only noted. The outermost end commits all of that or nothing (commit.c), and then
 * frees what nobody wants any more: what was removed, or after a failure what was new.
 */
#include "txn.h"
#include "capture.h"
#include "commit.h"
#include "error.h"
#include "ioeventfd.h"
#include "pages.h"
#include "pin.h"

#include <errno.h>
#include <unistd.h>

static _Thread_local char self; /* its address tells threads apart */

int txn_check(const struct bw_bus *bus)
{
	if (bus->pid != getpid())
		return fail(-EIO, "this bus belongs to the process that made it");
	return 0;
}

int txn_begin(struct bw_bus *bus)
{
	int err = txn_check(bus);

	if (err)
		return err;
	pthread_mutex_lock(&bus->lock);
	bus->depth++;
	__atomic_store_n(&bus->owner, &self, __ATOMIC_RELAXED);
	return 0;
}

bool txn_is_mine(struct bw_bus *bus)
{
	/* only this thread stores its own address, and it took it back if it holds no lock */
	return __atomic_load_n(&bus->owner, __ATOMIC_RELAXED) == &self;
}

void touch_ioeventfd(struct bw_ioeventfd *ie)
{
	if (cds_list_empty(&ie->in_touched))
		cds_list_add_tail(&ie->in_touched, &ie->bus->touched_ioeventfds);
}

void touch_region(struct bw_region *region)
{
	if (!cds_list_empty(&region->in_touched))
		return;
	region->before = region->wanted;
	cds_list_add_tail(&region->in_touched, &region->bus->touched_regions);
}

/* ---- the end ---- */

static void finish_ioeventfds(struct bw_bus *bus, bool committed)
{
	struct bw_ioeventfd *ie, *tmp;

	cds_list_for_each_entry_safe (ie, tmp, &bus->touched_ioeventfds, in_touched) {
		cds_list_del_init(&ie->in_touched);
		capture_settle(ie, committed);
		if (committed ? ie->gone : ie->fresh)
			ioeventfd_destroy(ie);
		else
			ie->fresh = ie->gone = false;
	}
}

/* Regions that end with the transaction go to dead, if no handler holds them any more. */
static void finish_regions(struct bw_bus *bus, bool committed, struct cds_list_head *dead)
{
	struct bw_region *region, *tmp;

	cds_list_for_each_entry_safe (region, tmp, &bus->touched_regions, in_touched) {
		bool ends = committed ? region->gone : region->fresh;

		cds_list_del_init(&region->in_touched);
		if (!committed)
			region->wanted = region->before;
		if (ends) {
			cds_list_del(&region->in_bus);
			bus->spaces[region->space].regions--;
			if (region_release(region))
				cds_list_add_tail(&region->in_touched, dead);
			continue;
		}
		if (region->before.mapped && !region->wanted.mapped)
			region_depart(region);
		region->fresh = region->gone = false;
	}
}

static int end_outermost(struct bw_bus *bus, bool must, struct cds_list_head *dead)
{
	int err = 0;

	if (bus->aborted)
		err = -ECANCELED; /* no sentence: who aborts keeps that of why */
	else if (!cds_list_empty(&bus->touched_ioeventfds) ||
		 !cds_list_empty(&bus->touched_regions) || !cds_list_empty(&bus->touched_pages))
		err = txn_commit(bus, must);
	pages_finish(bus, !err);
	finish_ioeventfds(bus, !err);
	finish_regions(bus, !err, dead);
	for (unsigned int space = 0; space < NR_SPACES; space++)
		bus->spaces[space].dirty = false;
	bus->aborted = false;
	__atomic_store_n(&bus->owner, NULL, __ATOMIC_RELAXED);
	return err;
}

static int end(struct bw_bus *bus, bool must)
{
	struct bw_region *region, *tmp;
	CDS_LIST_HEAD(dead);
	int err = 0;

	if (bus->depth == 1)
		err = end_outermost(bus, must, &dead);
	bus->depth--;
	pthread_mutex_unlock(&bus->lock);
	cds_list_for_each_entry_safe (region, tmp, &dead, in_touched)
		region_destroy(region);
	return err;
}

int txn_end(struct bw_bus *bus)
{
	int err = end(bus, false);

	return err == -ECANCELED ? fail(err, "a transaction inside this one was aborted") : err;
}

void txn_end_removal(struct bw_bus *bus)
{
	end(bus, true);
}

int bw_bus_begin(struct bw_bus *bus)
{
	return txn_begin(bus);
}

int bw_bus_commit(struct bw_bus *bus)
{
	int err = txn_check(bus);

	if (err)
		return err;
	if (!txn_is_mine(bus))
		return fail(-EINVAL, "no transaction of this thread is open");
	return txn_end(bus);
}

void bw_bus_abort(struct bw_bus *bus)
{
	if (txn_check(bus) || !txn_is_mine(bus))
		return;
	bus->aborted = true;
	end(bus, false);
}
