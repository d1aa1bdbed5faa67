/* SPDX-License-Identifier: MIT
 *
 * Flattening: one sweep over the layers by address, with a heap of those that the sweep is inside
 * of, the most visible on top. A layer that has ended stays in the heap until it comes to the top.
 *
 * Finding: a search that halves what is left would wait for a line of cache each time. Here each
 * line that is read, a node, divides it by eight. Level 0 has a key for every other piece, as two
 * are a line; each level above has one for every node of the level below, its first. A key is the
 * last address before the piece, so that no address is beyond the padding, UINT64_MAX.
 */
#include "view.h"

#include <errno.h>
#include <stdlib.h>

static bool hides(const struct layer *a, const struct layer *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->order > b->order;
}

static void swap(struct layer **a, struct layer **b)
{
	struct layer *old = *a;

	*a = *b;
	*b = old;
}

static void heap_push(struct layer **heap, size_t *nr, struct layer *layer)
{
	size_t i = (*nr)++;

	heap[i] = layer;
	for (; i && hides(heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&heap[i], &heap[(i - 1) / 2]);
}

static void heap_pop(struct layer **heap, size_t *nr)
{
	size_t i = 0, child;

	heap[0] = heap[--*nr];
	while ((child = 2 * i + 1) < *nr) {
		if (child + 1 < *nr && hides(heap[child + 1], heap[child]))
			child++;
		if (!hides(heap[child], heap[i]))
			break;
		swap(&heap[i], &heap[child]);
		i = child;
	}
}

static int by_first(const void *a, const void *b)
{
	const struct layer *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static void add_piece(struct flat *flat, uint64_t first, uint64_t last, const struct layer *top)
{
	struct piece *before = flat->nr ? &flat->pieces[flat->nr - 1] : NULL;

	if (before && before->region == top->region && before->last + 1 == first)
		before->last = last;
	else
		flat->pieces[flat->nr++] = (struct piece){ first, last, top->first, top->region };
}

static void build_levels(struct flat *flat)
{
	uint64_t *level = flat->memory;
	size_t nr = (flat->nr + 1) / 2;

	for (size_t i = 0; i < nr; i++)
		level[i] = flat->pieces[2 * i].first - 1;
	for (flat->nr_levels = 0; nr > 1; nr /= FLAT_NODE) {
		flat->levels[flat->nr_levels++] = level;
		while (nr % FLAT_NODE)
			level[nr++] = UINT64_MAX;
		for (size_t i = 0; i < nr / FLAT_NODE; i++)
			level[nr + i] = level[i * FLAT_NODE];
		level += nr;
	}
}

/* As many as build_levels() writes, to a whole line. */
static size_t keys_of(size_t pieces)
{
	size_t keys = FLAT_NODE, nr = (pieces + 1) / 2;

	while (nr > 1) {
		nr = (nr + FLAT_NODE - 1) / FLAT_NODE;
		keys += nr * FLAT_NODE;
	}
	return keys;
}

void flatten(struct flat *flat, struct layer *layers, size_t nr, struct layer **heap)
{
	size_t next = 0, inside = 0;
	uint64_t at = 0;

	flat->nr = 0;
	qsort(layers, nr, sizeof(*layers), by_first);
	while (next < nr || inside) {
		uint64_t last;

		if (!inside)
			at = layers[next].first;
		while (next < nr && layers[next].first == at)
			heap_push(heap, &inside, &layers[next++]);
		while (inside && heap[0]->last < at)
			heap_pop(heap, &inside);
		if (!inside)
			continue;
		last = heap[0]->last;
		if (next < nr && layers[next].first <= last)
			last = layers[next].first - 1;
		add_piece(flat, at, last, heap[0]);
		if (last == UINT64_MAX)
			break;
		at = last + 1;
	}
	build_levels(flat);
}

int flat_reserve(struct flat *flat, size_t pieces)
{
	size_t keys = keys_of(pieces) * sizeof(uint64_t);
	void *memory;

	if (pieces <= flat->capacity)
		return 0;
	pieces = (pieces + 1) & ~(size_t)1; /* two are a line */
	memory = aligned_alloc(64, keys + pieces * sizeof(struct piece));
	if (!memory)
		return -ENOMEM;
	free(flat->memory);
	*flat = (struct flat){
		.capacity = pieces,
		.pieces = (struct piece *)((char *)memory + keys),
		.memory = memory,
	};
	return 0;
}

void flat_free(struct flat *flat)
{
	free(flat->memory);
}

void flat_copy(struct flat *to, const struct flat *from)
{
	for (size_t i = 0; i < from->nr; i++)
		to->pieces[i] = from->pieces[i];
	to->nr = from->nr;
	build_levels(to);
}

/* How many keys of a node are before addr, the first aside. No branch: none could be foretold. */
static size_t rank(const uint64_t *key, uint64_t addr)
{
	return (size_t)(key[1] < addr) + (key[2] < addr) + (key[3] < addr) + (key[4] < addr) +
	       (key[5] < addr) + (key[6] < addr) + (key[7] < addr);
}

const struct piece *flat_find(const struct flat *flat, uint64_t addr, uint32_t len)
{
	const struct piece *piece;
	size_t i = 0;

	if (!flat->nr)
		return NULL;
	for (unsigned int level = flat->nr_levels; level-- > 0;)
		i = i * FLAT_NODE + rank(&flat->levels[level][i * FLAT_NODE], addr);
	piece = &flat->pieces[2 * i];
	piece += 2 * i + 1 < flat->nr && piece[1].first <= addr;
	if (addr < piece->first || addr > piece->last)
		return NULL;
	return piece->last - addr >= (len ? len - 1 : 0) ? piece : NULL;
}
