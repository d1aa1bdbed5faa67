/* SPDX-License-Identifier: MIT
 *
 * A value in memory that another process can reach, so kept that it can be told whether all of it
 * belongs together.
 *
 * Each of a cell's four words has, in its upper half, the low 32 bits of the value's sequence: its
 * mark. A word is stored in one piece, so where the four marks are the same all that is in them was
 * written for that sequence, however many writers met in the cell: no pair is ever torn.
 */
#ifndef BELLWIRE_CAPTURE_CELL_H
#define BELLWIRE_CAPTURE_CELL_H

#include <bellwire.h>

#define CELL_WORDS 4u

struct capture_cell {
	uint64_t words[CELL_WORDS];
};

static inline uint32_t cell_mark(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

/* The marks wrap: what is compared lies much closer together than 2^31. */
static inline bool mark_is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

/* The length needs 4 bits, which leaves 28 for what of the sequence the mark does not have. */
static inline struct capture_cell cell_pack(const struct bw_captured *v)
{
	uint64_t mark = v->sequence << 32;

	return (struct capture_cell){ {
		mark | (uint32_t)v->value,
		mark | v->value >> 32,
		mark | v->tag,
		mark | (uint32_t)(v->sequence >> 32 << 4) | (v->len & 15),
	} };
}

static inline struct bw_captured cell_unpack(const struct capture_cell *cell)
{
	const uint64_t *w = cell->words;

	return (struct bw_captured){
		.value = (uint32_t)w[0] | w[1] << 32,
		.sequence = (uint64_t)((uint32_t)w[3] >> 4) << 32 | cell_mark(w[0]),
		.len = w[3] & 15,
		.tag = (uint32_t)w[2],
	};
}

/* A copy of what is there. Acquire: who finds a word of a ring sees what was stored before it. */
static inline struct capture_cell cell_load(const struct capture_cell *cell)
{
	struct capture_cell copy;

	for (unsigned int i = 0; i < CELL_WORDS; i++)
		copy.words[i] = __atomic_load_n(&cell->words[i], __ATOMIC_ACQUIRE);
	return copy;
}

static inline bool cell_is_whole(const struct capture_cell *copy)
{
	const uint64_t *w = copy->words;

	return !cell_mark((w[0] ^ w[1]) | (w[0] ^ w[2]) | (w[0] ^ w[3]));
}

#endif
