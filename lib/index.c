/* SPDX-License-Identifier: MIT
 *
 * The index of places: libc's balanced tree, by region, space and address.
 */
#include "index.h"
#include "bus.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->addr != y->addr)
		return ORDER(x->addr, y->addr);
	if (x->space != y->space)
		return ORDER(x->space, y->space);
	return ORDER((uintptr_t)x->region, (uintptr_t)y->region);
}

struct place *index_find(const struct place_index *index, const struct bw_region *region,
			 unsigned int space, uint64_t addr)
{
	struct place key = { .region = (struct bw_region *)region, .space = space, .addr = addr };
	struct place **found = tfind(&key, &index->root, compare);

	return found ? *found : NULL;
}

static struct place *add_place(struct place_index *index, const struct bw_ioeventfd *ie)
{
	struct place *place = malloc(sizeof(*place));

	if (!place)
		return NULL;
	place->region = ie->region;
	place->space = ie->space;
	place->addr = ie->addr;
	CDS_INIT_LIST_HEAD(&place->ioeventfds);
	if (!tsearch(place, &index->root, compare)) {
		free(place);
		return NULL;
	}
	return place;
}

int index_add(struct place_index *index, struct bw_ioeventfd *ie)
{
	struct place *place = index_find(index, ie->region, ie->space, ie->addr);

	if (!place)
		place = add_place(index, ie);
	if (!place)
		return -ENOMEM;
	ie->place = place;
	cds_list_add_tail(&ie->at_place, &place->ioeventfds);
	return 0;
}

void index_remove(struct place_index *index, struct bw_ioeventfd *ie)
{
	cds_list_del(&ie->at_place);
	if (!cds_list_empty(&ie->place->ioeventfds))
		return;
	tdelete(ie->place, &index->root, compare);
	free(ie->place);
}

struct bw_ioeventfd *index_collision(const struct place *place, const struct bw_match *match)
{
	struct bw_ioeventfd *ie;

	if (!place)
		return NULL;
	cds_list_for_each_entry (ie, &place->ioeventfds, at_place)
		if (!ie->gone && match_collides(&ie->match, match))
			return ie;
	return NULL;
}
