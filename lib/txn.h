/* SPDX-License-Identifier: MIT
 *
 * Transactions: every control call is one, alone or inside the caller's own.
 */
#ifndef BELLWIRE_TXN_H
#define BELLWIRE_TXN_H

#include "bus.h"

/* -EIO in a forked child, before anything else is looked at, as KVM's ioctls do. */
int txn_check(const struct bw_bus *bus);

/* Takes the control lock. -EIO: in a forked child, where nothing may be done (no lock is held). */
int txn_begin(struct bw_bus *bus);

/*
 * Ends what txn_begin() began; the outermost end commits what was touched. If that fails everything
 * is as before, -errno. Afterwards frees what is no longer wanted, unused() is called without lock.
 */
int txn_end(struct bw_bus *bus);

/* The same for changes that only remove. It cannot fail: what a removal uncovers and the hypervisor
 * will not take is left to the bus. */
void txn_end_removal(struct bw_bus *bus);

/* Whether the calling thread is between the two. */
bool txn_is_mine(struct bw_bus *bus);

/* Between begin and end: the object has been, or is about to be, changed. */
void touch_ioeventfd(struct bw_ioeventfd *ie);
void touch_region(struct bw_region *region);

#endif
