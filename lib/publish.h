/* SPDX-License-Identifier: MIT
 *
 * What readers see: its replacement, and its growth. All with the control lock held.
 */
#ifndef BELLWIRE_PUBLISH_H
#define BELLWIRE_PUBLISH_H

#include "bus.h"

/* The view of an empty bus. -ENOMEM. */
int publish_init(struct bw_bus *bus);
void publish_fini(struct bw_bus *bus);

/* Readers' map of the space once the commit under way is published. */
const struct flat *wanted_flat(const struct bw_bus *bus, unsigned int space);

/* Fills wanted_flat() of a dirty space. Needs no memory. */
void flatten_space(struct bw_bus *bus, unsigned int space);

/* Lets readers see the next generation; returns when none is left in an older one. */
void publish(struct bw_bus *bus);

/* Room for this many keys in the table, and regions in the maps, at once. -ENOMEM. */
int reserve_keys(struct bw_bus *bus, size_t keys);
int reserve_regions(struct bw_bus *bus, unsigned int space, size_t regions);

/*
 * A slot that readers find ie in from the next generation on, NULL if there is no memory. must:
 * never NULL, as long as the table has room for every ioeventfd there is.
 */
struct slot *stage_slot(struct bw_ioeventfd *ie, const struct key *key, bool must);

#endif
