/* SPDX-License-Identifier: MIT
 *
 * Who is wanted where: the ioeventfds at one address of the bus, or at one offset of a region.
 * Asked for collisions by control calls; readers never see it.
 */
#ifndef BELLWIRE_INDEX_H
#define BELLWIRE_INDEX_H

#include "spaces.h"

#include <urcu/list.h>

struct bw_ioeventfd;

struct place {
	struct bw_region *region; /* NULL: the bus itself */
	unsigned int space;
	uint64_t addr; /* or offset */
	struct cds_list_head ioeventfds;
};

struct place_index {
	void *root; /* of tsearch(3) */
};

/* NULL if nobody is there. */
struct place *index_find(const struct place_index *index, const struct bw_region *region,
			 unsigned int space, uint64_t addr);

/* Enters ie at (its region, space, addr). -ENOMEM. */
int index_add(struct place_index *index, struct bw_ioeventfd *ie);
void index_remove(struct place_index *index, struct bw_ioeventfd *ie);

/* One that is wanted at the place and collides with match, or NULL. place may be NULL. */
struct bw_ioeventfd *index_collision(const struct place *place, const struct bw_match *match);

#endif
