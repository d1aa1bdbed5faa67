/* SPDX-License-Identifier: MIT
 *
 * A commit takes the difference between what is wanted and what readers see, and makes it so: the
 * maps, the slots (no reader sees them yet), the hypervisor (new claims in, then old ones out),
 * then one pointer is replaced, and one grace period later the old slots are freed. Each step
 * before the pointer can be undone, and is, in reverse, if a later one fails.
 *
 * No ring is lost on the way. While the hypervisor changes, readers still see the old view: a write
 * that it no longer takes exits and is signalled there. A write to a new place that it takes
 * already is signalled early, which is what the caller asked for. And none comes late: a claim is
 * out of the hypervisor, and every reader of the old view gone, before the commit returns.
 *
 * Removals cannot fail: the spare view and the spare maps are there beforehand, and the table has
 * room for every ioeventfd there is.
 */
#include "commit.h"
#include "ioeventfd.h"
#include "near.h"
#include "offloading.h"
#include "pages.h"
#include "probe.h"
#include "publish.h"
#include "stats.h"

/* Nobody sees the next generation: its slots can be freed at once, and the old ones stay. */
static void unstage(struct bw_bus *bus)
{
	for (size_t i = 0; i < bus->changed.nr; i++) {
		struct bw_ioeventfd *ie = bus->changed.at[i];

		if (ie->next) {
			bus->shape_uses[ie->next->shape]--;
			table_remove(bus->table, ie->next);
			near_unjoin(ie);
		}
		if (ie->active) {
			bus->shape_uses[ie->active->shape]++;
			__atomic_store_n(&ie->active->until, GENERATION_NEVER, __ATOMIC_RELAXED);
		}
		ie->next = NULL;
		ie->weighed = false;
	}
	bus->changed.nr = 0;
}

/* Nothing can fail any more. */
static void prepare_counts(struct bw_bus *bus)
{
	for (size_t i = 0; i < bus->changed.nr; i++) {
		struct bw_ioeventfd *ie = row_walk(&bus->changed, i);

		near_leaving(ie);
		if (ie->next)
			counts_begin_move(ie->next, ie->active);
	}
}

/* Nobody sees the last generation any more. */
static void settle(struct bw_bus *bus)
{
	for (size_t i = 0; i < bus->changed.nr; i++) {
		struct bw_ioeventfd *ie = row_walk(&bus->changed, i);

		near_settle(ie);
		if (ie->active) {
			counts_end_move(ie, ie->next, ie->active);
			table_remove(bus->table, ie->active);
		}
		ie->active = ie->next;
		ie->offloaded = ie->next_offloaded;
		ie->why_not = ie->next_why_not;
		ie->next = NULL;
		ie->next_offloaded = ie->withdrawn = ie->published = ie->weighed = false;
	}
	bus->changed.nr = 0;
}

static bool is_visible(struct bw_bus *bus)
{
	bool visible = bus->changed.nr > 0;

	for (unsigned int space = 0; space < NR_SPACES; space++)
		visible |= bus->spaces[space].dirty;
	return visible;
}

static int make_it_so(struct bw_bus *bus, bool must)
{
	int err = weigh_all(bus, must);

	if (err)
		goto unstage;
	pages_suspend(bus);
	err = offload_changes(bus, must);
	if (err)
		goto resume;
	if (is_visible(bus)) {
		pages_publish(bus);
		prepare_counts(bus);
		publish(bus);
		settle(bus);
	}
	pages_resume(bus, true);
	return 0;

resume:
	pages_resume(bus, false);
unstage:
	unstage(bus);
	return err;
}

int txn_commit(struct bw_bus *bus, bool must)
{
	int err = make_it_so(bus, must);

	PROBE_COMMIT(bus, bus->view->generation, err);
	return err;
}
