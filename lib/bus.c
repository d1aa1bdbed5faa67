/* SPDX-License-Identifier: MIT
 *
 * One access, from the guest's write to the signal or the handler: the hot path.
 *
 * A reader enters an RCU section, loads the one pointer to the view, and finds everything it needs
 * in that view's generation. It signals inside the section, so that a deassign, which waits for the
 * section to end, is followed by no signal. It calls a handler outside, so that the handler may do
 * what it likes; the region is pinned before the section ends.
 */
#include "bus.h"
#include "access.h"
#include "capture.h"
#include "error.h"
#include "near.h"
#include "notifier.h"
#include "pages.h"
#include "pin.h"
#include "poller.h"
#include "probe.h"
#include "rcu.h"
#include "txn.h"

#include <errno.h>
#include <string.h>

#define MAX_DEPTH 4u

static _Thread_local unsigned int depth; /* of handlers running on this thread */

static int call(bw_handler_fn *handler, void *opaque, struct bw_access *a)
{
	if (depth == MAX_DEPTH)
		return fail(-ELOOP, "handlers nested deeper than %u", MAX_DEPTH);
	depth++;
	handler(opaque, a);
	depth--;
	return 0;
}

static int leave_unclaimed(struct bw_bus *bus, struct bw_access *a)
{
	PROBE_UNCLAIMED(bus, a->space, a->addr, a->len, a->is_write);
	if (!a->is_write && a->data)
		memset(a->data, 0xff, a->len);
	return bus->opts.unclaimed ? call(bus->opts.unclaimed, bus->opts.opaque, a) : 0;
}

static int handle(struct bw_region *region, struct bw_access *a)
{
	int err = call(region->handler, region->opaque, a);

	region_unpin(region);
	return err ? err : BW_HANDLED;
}

/* One read-modify-write, in a line of cache that only this doorbell's rings touch. A signal counts
 * in the handle: beside the system call that it was, a second line does not matter. */
static void count_ring(struct slot *slot, const struct bw_access *a, bool signalled)
{
	uint64_t value = written_value(a);

	if (!shape_has_value(slot->shape))
		__atomic_store_n(&slot->value, value, __ATOMIC_RELAXED);
	__atomic_add_fetch(signalled ? &slot->owner->signals : &slot->elided, 1, __ATOMIC_RELAXED);
	PROBE_HIT(slot->owner, a->space, a->addr, a->len, value);
}

/* Before the signal: who is told of the ring finds its value. False: the queue is full, and there
 * is a handler for the write. */
static __attribute__((noinline)) bool capture(const struct view *view, const struct slot *slot,
					      const struct bw_access *a)
{
	const struct captured_by *by = &slot->owner->captures[slot->captured - 1];

	if (capture_store(by->capture, by->tag, a))
		return true;
	if (has_handler(flat_find(view->flat[a->space], a->addr, a->len), a))
		return false;
	capture_drop(by->capture);
	return true;
}

static int route(struct bw_bus *bus, struct bw_access *a)
{
	struct bw_region *region = NULL;
	const struct piece *piece;
	const struct bw_page *page;
	const struct view *view;
	int err;

	rcu_enter();
	/* pairs with the release in replace_view() */
	view = __atomic_load_n(&bus->view, __ATOMIC_ACQUIRE);
	if (a->is_write) {
		struct slot *slot = match_find(view->table, view->generation, view->shapes, a);

		if (slot && (!slot->captured || capture(view, slot, a))) {
			count_ring(slot, a, notifier_ring(slot->notifier));
			rcu_leave();
			return BW_SIGNALLED;
		}
		if (!slot && has_near(view->shapes, a->space))
			near_miss(bus, view, a);
	}
	piece = flat_find(view->flat[a->space], a->addr, a->len);
	page = piece ? page_at(piece->region, a->addr - piece->base, a->len) : NULL;
	if (page) {
		a->offset = a->addr - piece->base;
		page_serve(page, a);
		rcu_leave();
		return BW_HANDLED;
	}
	if (piece && piece->region->handler) {
		region = piece->region;
		a->offset = a->addr - piece->base;
		region_pin(region);
	}
	rcu_leave();
	if (region)
		return handle(region, a);
	err = leave_unclaimed(bus, a);
	return err ? err : BW_UNCLAIMED;
}

int bw_bus_access(struct bw_bus *bus, struct bw_access *a)
{
	if (!access_is_valid(a))
		return access_refuse(a);
	if (a->space == BW_MMIO && in_pio_window(bus, a->addr, 1)) {
		struct bw_access pio = *a;

		pio.space = BW_PIO;
		pio.addr -= bus->opts.pio_mmio_base;
		return route(bus, &pio);
	}
	return route(bus, a);
}

int bw_bus_synchronize(struct bw_bus *bus)
{
	int err = txn_check(bus);

	if (err)
		return err;
	if (depth || poller_in_callback() || txn_is_mine(bus))
		return fail(-EDEADLK, "bw_bus_synchronize() inside a handler, a callback or a "
				      "transaction would wait for itself");
	departures_wait(&bus->departures);
	return 0;
}
