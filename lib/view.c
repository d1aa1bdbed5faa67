/* SPDX-License-Identifier: MIT
 *
 * Flattening: one sweep over the layers by address, with a heap of those that the sweep is inside
 * of, the most visible on top. A layer that has ended stays in the heap until it comes to the top.
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
}

int flat_reserve(struct flat *flat, size_t pieces)
{
	struct piece *bigger;

	if (pieces <= flat->capacity)
		return 0;
	bigger = reallocarray(flat->pieces, pieces, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	flat->pieces = bigger;
	flat->capacity = pieces;
	return 0;
}

void flat_copy(struct flat *to, const struct flat *from)
{
	for (size_t i = 0; i < from->nr; i++)
		to->pieces[i] = from->pieces[i];
	to->nr = from->nr;
}

const struct piece *flat_find(const struct flat *flat, uint64_t addr, uint32_t len)
{
	const struct piece *piece = flat->pieces;
	size_t nr = flat->nr;

	if (!nr)
		return NULL;
	while (nr > 1) { /* no branch depends on what is compared */
		size_t half = nr / 2;

		piece += piece[half].first <= addr ? half : 0;
		nr -= half;
	}
	if (addr < piece->first || addr > piece->last)
		return NULL;
	return piece->last - addr >= (len ? len - 1 : 0) ? piece : NULL;
}
