/* SPDX-License-Identifier: MIT
 *
 * Ioeventfd handles inside the library.
 */
#ifndef BELLWIRE_IOEVENTFD_H
#define BELLWIRE_IOEVENTFD_H

#include "bus.h"

/*
 * Inside a transaction: wants an ioeventfd at an address of the bus, or with a region at an offset
 * of it, checked by the caller. It takes a reference to n. -EEXIST: somebody is wanted there.
 */
int ioeventfd_want(struct bw_bus *bus, struct bw_ioeventfd **out, struct bw_region *region,
		   unsigned int space, uint64_t addr, const struct bw_match *match,
		   struct bw_notifier *n);

/* Inside a transaction: no longer wants it. */
void ioeventfd_forget(struct bw_ioeventfd *ie);

/* Frees a handle that readers cannot see. */
void ioeventfd_destroy(struct bw_ioeventfd *ie);

/* One sentence's worth of who an ioeventfd is: owner, range and key. */
void ioeventfd_describe(const struct bw_ioeventfd *ie, char *text, size_t size);

#define FETCH_AHEAD 12u

/* The i-th, on the way through all: doorbells change rarely, and are cold when they do, so those
 * that come later are asked for ahead of time. */
static inline struct bw_ioeventfd *row_walk(const struct row *row, size_t i)
{
	if (i + FETCH_AHEAD < row->nr) {
		__builtin_prefetch(row->at[i + FETCH_AHEAD], 1);
		__builtin_prefetch(&row->at[i + FETCH_AHEAD]->why_not, 1);
	}
	return row->at[i];
}

#endif
