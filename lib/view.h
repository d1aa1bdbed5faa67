/* SPDX-License-Identifier: MIT
 *
 * What the guest can see of the regions of one space: flattened by priority into pieces that do not
 * overlap. Two maps a space take turns: readers have one, the next commit fills the other.
 */
#ifndef BELLWIRE_VIEW_H
#define BELLWIRE_VIEW_H

#include "match.h"

struct piece {
	uint64_t first, last;
	uint64_t base; /* of the whole region */
	struct bw_region *region;
};

/* Keys to a node: a line of cache. So many levels are enough for 2^34 pieces. */
#define FLAT_NODE 8u
#define FLAT_LEVELS 11u

struct flat {
	size_t nr;
	size_t capacity;
	struct piece *pieces; /* by address */
	unsigned int nr_levels;
	uint64_t *levels[FLAT_LEVELS]; /* to find a piece by, see view.c; the last is the top */
	void *memory;                  /* of all that */
};

/* Published as a whole. Generation and shapes go with the table, see match.h. */
struct view {
	uint64_t generation;
	uint64_t shapes;
	struct table *table;
	const struct flat *flat[NR_SPACES];
};

/* A mapped region, from its base to its last byte, as flatten() needs it. */
struct layer {
	uint64_t first, last;
	int priority;
	uint64_t order; /* greater: mapped later */
	struct bw_region *region;
};

/*
 * Fills flat, which has room for 2 * nr pieces, from nr layers; heap has room for nr. Sorts layers.
 */
void flatten(struct flat *flat, struct layer *layers, size_t nr, struct layer **heap);

/* Room for at least this many pieces; if there was less, it is empty afterwards. -ENOMEM. */
int flat_reserve(struct flat *flat, size_t pieces);
void flat_free(struct flat *flat);

/* to has room for what is in from. */
void flat_copy(struct flat *to, const struct flat *from);

/* The piece that holds all of [addr, addr + len), len 0 counting as 1, or NULL. */
const struct piece *flat_find(const struct flat *flat, uint64_t addr, uint32_t len);

#endif
