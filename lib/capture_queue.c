/* SPDX-License-Identifier: MIT
 *
 * Each value in order: a bounded ring of cells, any number of producers, one consumer, who may be
 * in another process and mean ill.
 *
 * All that producers decide by is in memory of their own. A producer claims one of the free cells
 * by taking 1 from room; below 0 there is none, and he puts it back. Then he draws a ticket, the
 * sequence, and fills the cell of that number; the mark in each word says that it is filled
 * (capture_cell.h). Nobody waits for anybody: one who is preempted with a ticket in his hand makes
 * the consumer wait at his cell, while the others fill theirs, until the queue is full.
 *
 * The consumer takes from head on, as long as the next cell has the next sequence, and stores how
 * many he has taken. That number is the only thing that producers read. If more was taken than they
 * know of, and no more than they gave, the difference becomes room. A lie can make them overwrite
 * what was not taken yet, or find no room: values are lost, and no index ever comes from there.
 *
 * Why a cell is free when its next ticket is drawn: ticket t means that t claims came before, so
 * with entries cells at least t - entries were given back; and they were given in order. The
 * producer sees them given: each claim acquires what the giving back released, and the drawing of
 * tickets hands that on.
 */
#include "capture.h"
#include "error.h"

#include <errno.h>
#include <limits.h>

#define TRIES 4u /* to be the one who finds new room; another had it, and used it up, each time */

/* What the consumer has taken beyond freed, if that can be believed. */
static uint64_t new_room(const struct bw_capture *c, uint64_t freed)
{
	/* pairs with the release in bw_capture_take(): the cells may be filled again */
	uint64_t head = __atomic_load_n(&c->shared->head, __ATOMIC_ACQUIRE);
	uint64_t given = __atomic_load_n(&c->tail, __ATOMIC_RELAXED) - freed;

	return head - freed <= given ? head - freed : 0;
}

static bool claim(struct bw_capture *c)
{
	for (unsigned int i = 0; i < TRIES; i++) {
		uint64_t freed, made;

		/* pairs with the release below */
		if (__atomic_sub_fetch(&c->room, 1, __ATOMIC_ACQUIRE) >= 0)
			return true;
		__atomic_add_fetch(&c->room, 1, __ATOMIC_RELAXED);
		freed = __atomic_load_n(&c->freed, __ATOMIC_RELAXED);
		made = new_room(c, freed);
		if (!made)
			return false;
		if (!__atomic_compare_exchange_n(&c->freed, &freed, freed + made, false,
						 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		/* one is ours */
		__atomic_add_fetch(&c->room, (int64_t)made - 1, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

bool queue_store(struct bw_capture *c, struct bw_captured *v)
{
	struct capture_cell *cell, packed;

	if (!claim(c))
		return false;
	/* both: from those who drew before, to those who will */
	v->sequence = __atomic_add_fetch(&c->tail, 1, __ATOMIC_ACQ_REL);
	cell = &c->shared->cells[v->sequence & c->mask];
	packed = cell_pack(v);
	for (unsigned int i = 0; i < CELL_WORDS; i++)
		/* pairs with the acquire in cell_load() */
		__atomic_store_n(&cell->words[i], packed.words[i], __ATOMIC_RELEASE);
	return true;
}

bool capture_is_full(const struct bw_capture *c)
{
	return c->mode == BW_CAPTURE_QUEUE && __atomic_load_n(&c->room, __ATOMIC_RELAXED) <= 0 &&
	       !new_room(c, __atomic_load_n(&c->freed, __ATOMIC_RELAXED));
}

static bool take_one(const struct bw_capture *c, uint64_t sequence, struct bw_captured *v)
{
	struct capture_cell cell = cell_load(&c->shared->cells[sequence & c->mask]);

	*v = cell_unpack(&cell);
	return cell_is_whole(&cell) && v->sequence == sequence;
}

int bw_capture_take(struct bw_capture *c, struct bw_captured *values, unsigned int max)
{
	unsigned int taken = 0;
	uint64_t head;

	if (c->mode != BW_CAPTURE_QUEUE)
		return fail(-EINVAL, "capture %s has the last value only: bw_capture_last()",
			    c->name);
	if (max > INT_MAX)
		max = INT_MAX;
	head = __atomic_load_n(&c->shared->head, __ATOMIC_RELAXED);
	while (taken < max && take_one(c, head + taken + 1, &values[taken]))
		taken++;
	if (taken)
		/* pairs with the acquire in new_room() */
		__atomic_store_n(&c->shared->head, head + taken, __ATOMIC_RELEASE);
	return (int)taken;
}
