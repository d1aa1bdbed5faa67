/* SPDX-License-Identifier: MIT
 *
 * The bus and its handles inside the library.
 *
 * There are two states. What the caller wants: the regions, where they are mapped, the ioeventfds;
 * changed by control calls under the control lock, each object remembering how it was when the
 * transaction began. And what readers see: one struct view, replaced as a whole by txn_commit(),
 * which takes the difference of the two. Nothing that a reader may hold is changed in place, but
 * for slots of the table that its generation does not see.
 */
#ifndef BELLWIRE_BUS_H
#define BELLWIRE_BUS_H

#include "index.h"
#include "offload.h"
#include "view.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <urcu/list.h>

/* Zeroes that begin with a line of cache, for a handle's first fields to share. Not by _Alignas:
 * what is in a list must not need more than the list's head, which stands for one at the end. */
static inline void *alloc_lines(size_t size)
{
	size_t lines = (size + 63) & ~(size_t)63;
	void *memory = aligned_alloc(64, lines);

	return memory ? memset(memory, 0, lines) : NULL;
}

/* Handles in a row, as a commit goes through them. */
struct row {
	struct bw_ioeventfd **at;
	size_t nr, room; /* room: for as many */
};

#define row_for_each(ie, row)                                                                      \
	for (size_t i_ = 0; i_ < (row)->nr && ((ie) = (row)->at[i_], true); i_++)

/* Who keeps an ioeventfd's values: see capture_use.c. */
struct captured_by {
	struct bw_capture *capture; /* a reference, or NULL */
	uint32_t tag;
};

struct bw_ioeventfd {
	/* what a commit reads of every doorbell of a region that moves: two lines of cache */
	struct bw_bus *bus;
	struct bw_region *region; /* NULL: assigned to the bus itself */
	uint64_t addr;            /* or the offset in its region */
	struct bw_match match;
	unsigned int space;
	bool fresh;                   /* not there when the transaction began */
	bool gone;                    /* not to be there when it ends */
	bool weighed;                 /* this commit has compared wanted with active */
	uint8_t wants_captured;       /* active->captured, once this transaction is committed */
	struct slot *active;          /* where readers find it, or NULL */
	struct slot *next;            /* and will, if weighed */
	struct bw_notifier *notifier; /* a reference */

	bool offloaded; /* the hypervisor signals for active, too */
	bool next_offloaded;
	bool withdrawn;      /* active is out of the hypervisor already */
	bool published;      /* this commit made the notifier's fd */
	int fd;              /* the notifier's, that stays; -1: not asked for yet */
	const char *why_not; /* why it is not offloaded; NULL if it is, or nothing offloads */
	const char *next_why_not;
	uint64_t elided;               /* and what active has counted: stats.c */
	uint64_t last;                 /* what was written last, when active was looked at */
	struct near *near, *next_near; /* where near misses count, if it has a value */

	/* counted by readers */
	uint64_t signals;
	uint64_t near_width, near_value;

	struct captured_by
		*captures; /* two, once there was one; readers follow that of their slot */

	/* the rest */
	struct import *import;   /* the drop-in's, or NULL */
	struct bw_page *in_page; /* the doorbell page that it is a slot of, or NULL */
	uint64_t page_value;     /* of the newest ring found there */
	bool has_page_value;
	uint8_t captured; /* wants_captured before this transaction */
	struct place *place;
	struct cds_list_head at_place;   /* in place->ioeventfds */
	struct cds_list_head in_bus;     /* in bus->ioeventfds */
	size_t in_row;                   /* in region->doorbells, or bus->plain */
	struct cds_list_head in_touched; /* in bus->touched_ioeventfds, or empty */
};

/* Where a region is mapped, if it is. */
struct mapping {
	bool mapped;
	uint64_t addr;
	uint64_t order; /* of mapping, for overlap among equals */
};

struct bw_region {
	/* what a handler's access touches: one line of cache */
	struct bw_bus *bus;
	bw_handler_fn *handler;
	void *opaque;
	uint32_t pins; /* running handlers, and flags: see pin.c */

	unsigned int space;
	uint64_t len;
	int priority;
	void (*unused)(void *opaque);
	struct mapping wanted, before; /* before: when the transaction began */
	bool fresh, gone;
	struct chains *pages; /* by offset; NULL: there was none yet */
	struct row doorbells;
	struct cds_list_head in_bus;     /* in bus->regions */
	struct cds_list_head in_touched; /* in bus->touched_regions, or empty */
	char name[48];
};

struct space {
	struct flat flat[2]; /* readers have flat[current] */
	unsigned int current;
	bool dirty; /* a mapping changed in this transaction */
	size_t regions;
	size_t capacity; /* of regions, in all that follows and in both maps */
	struct layer *layers;
	struct layer **heap;
};

/* Regions that were unmapped while a handler was running, see pin.c. */
struct departures {
	pthread_mutex_t lock;
	pthread_cond_t none_left;
	pthread_mutex_t waiter; /* one bw_bus_synchronize() at a time */
	unsigned int phase;
	unsigned int nr[2];
};

struct bw_bus {
	struct view *view;   /* what readers see: one of views */
	struct chains *near; /* where values are matched; NULL: nowhere yet */
	struct bw_bus_opts opts;

	_Alignas(64) struct view views[2];
	struct table *table;
	size_t shape_uses[NR_SHAPES];
	struct space spaces[NR_SPACES];
	uint64_t last_order;

	pthread_mutex_t lock; /* the control lock, recursive */
	unsigned int depth;   /* of transactions; under the lock */
	bool aborted;         /* one inside the outermost: that one will not commit */
	void *owner;          /* says which thread holds the lock, see txn_is_mine() */
	pid_t pid;
	struct place_index index;
	struct cds_list_head ioeventfds;
	size_t nr_ioeventfds;
	struct row plain; /* those assigned to the bus itself */
	struct cds_list_head regions;
	struct cds_list_head touched_ioeventfds;
	struct cds_list_head touched_regions;
	struct row changed;         /* during a commit; has room for all */
	struct cds_list_head pages; /* all doorbell pages */
	bool held_open;             /* no page may be write-protected, see page_way.c */
	bool unsettled;             /* a page wants to be weighed whatever is touched */
	bool slot_is_slow;          /* for a page of it: a consumer has measured that */
	bool gives_slots_up;        /* so a commit has found: see pages_commit.c */
	struct cds_list_head touched_pages;
	struct cds_list_head imports; /* the drop-in's eventfds */

	const struct offload_ops *offload;
	void *offload_state;
	struct departures departures;
};

/* Whether [addr, addr + len) of MMIO touches the ports that lie there, if any do. */
static inline bool in_pio_window(const struct bw_bus *bus, uint64_t addr, uint64_t len)
{
	uint64_t base = bus->opts.pio_mmio_base;

	return bus->opts.pio_is_mmio && addr + len > base && addr < base + NR_PORTS;
}

#endif
