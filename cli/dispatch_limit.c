/* SPDX-License-Identifier: MIT
 *
 * What a read of memory costs that depends on the one before: one cycle through all lines, in
 * random order (Sattolo). Huge pages are asked for as the library does for its table.
 */
#include "cli/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LINE 64u
#define HUGE_PAGE ((size_t)2 << 20)

static void **line(const struct chase *c, size_t index)
{
	return (void **)((char *)c->memory + index * LINE);
}

static void shuffle(struct chase *c, size_t lines)
{
	uint64_t random = 1;

	for (size_t i = 0; i < lines; i++)
		*line(c, i) = line(c, i);
	for (size_t i = lines - 1; i > 0; i--) {
		void **a = line(c, i), **b, *old = *a;

		random = random * 6364136223846793005u + 1442695040888963407u;
		b = line(c, (size_t)((random >> 32) * i >> 32));
		*a = *b;
		*b = old;
	}
}

int chase_open(struct chase *c, uint64_t bytes)
{
	size_t lines = bytes < LINE ? 1 : (bytes + LINE - 1) / LINE;
	size_t align = bytes < HUGE_PAGE ? LINE : HUGE_PAGE;
	size_t size = (lines * LINE + align - 1) & ~(align - 1);

	c->memory = aligned_alloc(align, size);
	if (!c->memory)
		return -ENOMEM;
	if (align == HUGE_PAGE)
		madvise(c->memory, size, MADV_HUGEPAGE);
	c->lines = lines;
	c->at = line(c, 0);
	shuffle(c, lines);
	return 0;
}

void chase_close(struct chase *c)
{
	free(c->memory);
}

uint64_t chase_read(const struct chase *c, uint64_t index)
{
	return (uintptr_t) * (void *volatile *)line(c, index);
}

void chase_run(struct chase *c, uint64_t reads)
{
	void **at = c->at;

	for (uint64_t i = 0; i < reads; i++)
		at = *(void *volatile *)at;
	c->at = at;
}
