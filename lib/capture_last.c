/* SPDX-License-Identifier: MIT
 *
 * The newest value of all, and never half of one.
 *
 * A writer takes the next sequence and goes to the cell of that number; a few cells in turn, so
 * that one who is preempted in the middle of a store spoils only his own. Two may meet in a cell
 * all the same, a lap apart. So each word is replaced only by one of a newer mark: when both are
 * done the cell has the newer value, and whole, whichever of them was late. A word changes under a
 * writer only by another in the same cell, and one that makes him try again is older than he: there
 * are fewer of those than threads, and each does so once. TRIES is for memory that somebody else
 * scribbles on; then he loses values.
 *
 * A reader looks at all cells and takes the newest that is whole. He may only be wrong where a
 * newer one was whole and is being overwritten: there each word is at least as new as that. So if
 * the oldest word of a cell in pieces is newer than what he has, he looks again. Thus who was told
 * of a ring finds its value or a newer one; and he looks in vain only while LAST_CELLS writers are
 * in the middle of a store, whose rings are yet to come.
 */
#include "capture.h"
#include "error.h"

#include <errno.h>

#define TRIES 64u
#define LOOKS 64u

static void replace_older(uint64_t *at, uint64_t word)
{
	uint64_t old = __atomic_load_n(at, __ATOMIC_RELAXED);

	for (unsigned int i = 0; i < TRIES && mark_is_after(cell_mark(word), cell_mark(old)); i++)
		/* pairs with the acquire in cell_load() */
		if (__atomic_compare_exchange_n(at, &old, word, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
}

void last_store(struct bw_capture *c, struct bw_captured *v)
{
	struct capture_cell *cell, packed;

	v->sequence = __atomic_add_fetch(&c->tail, 1, __ATOMIC_RELAXED);
	cell = &c->shared->cells[v->sequence & c->mask];
	packed = cell_pack(v);
	for (unsigned int i = 0; i < CELL_WORDS; i++)
		replace_older(&cell->words[i], packed.words[i]);
}

static uint32_t oldest_mark(const struct capture_cell *cell)
{
	uint32_t oldest = cell_mark(cell->words[0]);

	for (unsigned int i = 1; i < CELL_WORDS; i++)
		if (mark_is_after(oldest, cell_mark(cell->words[i])))
			oldest = cell_mark(cell->words[i]);
	return oldest;
}

/* Whether newest is what it should be: 0 for a sequence if there is no value. */
static bool look(const struct bw_capture *c, struct bw_captured *newest)
{
	uint32_t overwritten = 0;
	bool in_pieces = false;

	*newest = (struct bw_captured){ .sequence = 0 };
	for (uint64_t i = 0; i <= c->mask; i++) {
		struct capture_cell cell = cell_load(&c->shared->cells[i]);
		uint32_t oldest = oldest_mark(&cell);
		struct bw_captured v;

		if (cell_is_whole(&cell)) {
			v = cell_unpack(&cell);
			if (v.sequence > newest->sequence)
				*newest = v;
		} else if (!in_pieces || mark_is_after(oldest, overwritten)) {
			in_pieces = true;
			overwritten = oldest;
		}
	}
	return !in_pieces || !mark_is_after(overwritten, (uint32_t)newest->sequence);
}

int bw_capture_last(struct bw_capture *c, struct bw_captured *newest)
{
	if (c->mode != BW_CAPTURE_LAST)
		return fail(-EINVAL, "capture %s is a queue: its values are taken", c->name);
	for (unsigned int i = 0; i < LOOKS; i++)
		if (look(c, newest))
			return newest->sequence ? 0 : fail(-ENODATA, "there was no ring yet");
	return fail(-EAGAIN, "newer values are being stored, their rings come");
}
