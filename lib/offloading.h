/* SPDX-License-Identifier: MIT
 *
 * The hypervisor's part of a commit: bus->changed, from active to next, and back if it fails.
 */
#ifndef BELLWIRE_OFFLOADING_H
#define BELLWIRE_OFFLOADING_H

#include "bus.h"

/*
 * Assigns what is next and deassigns what is active, of every changed ioeventfd. -errno: everything
 * is in the hypervisor as before. must: cannot fail, what the hypervisor refuses is left to the
 * bus.
 */
int offload_changes(struct bw_bus *bus, bool must);

/* What the hypervisor is asked for where readers find ie in slot. */
struct offload_claim offload_claim_of(const struct bw_ioeventfd *ie, const struct slot *slot);

/* Takes everything that is active out of the hypervisor. */
void offload_withdraw_all(struct bw_bus *bus);

#endif
