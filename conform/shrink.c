/* SPDX-License-Identifier: MIT
 *
 * Delta debugging: takes parts out of a program as long as it still differs, at first large ones
 * and in the end single operations.
 */
#include "differ.h"

#include <stdlib.h>
#include <string.h>

/* What is left without [from, from + nr) on a subject that has seen nothing yet. */
static bool still_differs(const struct program *p, size_t from, size_t nr,
			  const struct subject_type *type, struct difference *difference)
{
	struct program rest = { malloc(p->nr * sizeof(*p->ops)), p->nr - nr, p->nr };
	struct differ *d = NULL;
	bool found = false;

	if (rest.ops && differ_new(&d, type) == 0) {
		memcpy(rest.ops, p->ops, from * sizeof(*p->ops));
		memcpy(rest.ops + from, p->ops + from + nr, (p->nr - from - nr) * sizeof(*p->ops));
		found = differ_run(d, &rest, difference, NULL) == 1;
	}
	differ_free(d);
	free(rest.ops);
	return found;
}

static void take_out(struct program *p, size_t from, size_t nr)
{
	p->nr -= nr;
	memmove(p->ops + from, p->ops + from + nr, (p->nr - from) * sizeof(*p->ops));
}

/* Parts of nr operations, from the end. Whether one could be taken out. */
static bool take_out_parts(struct program *p, size_t nr, const struct subject_type *type,
			   struct difference *difference)
{
	struct difference found;
	bool shorter = false;

	for (size_t end = p->nr; end > 0; end = end > nr ? end - nr : 0) {
		size_t from = end > nr ? end - nr : 0;

		if (end > p->nr || !still_differs(p, from, end - from, type, &found))
			continue;
		take_out(p, from, end - from);
		*difference = found;
		shorter = true;
	}
	return shorter;
}

bool shrink(struct program *p, const struct subject_type *type, struct difference *difference)
{
	size_t nr = p->nr / 2;

	if (!still_differs(p, 0, 0, type, difference))
		return false;
	while (nr > 0)
		if (!take_out_parts(p, nr, type, difference) || nr > 1)
			nr /= 2;
	return true;
}
