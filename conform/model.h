/* SPDX-License-Identifier: MIT
 *
 * The oracle where there is no kernel, and what the kernel is held against where there is one: what
 * ioeventfd means, as a list and a loop over it.
 */
#ifndef BELLWIRE_CONFORM_MODEL_H
#define BELLWIRE_CONFORM_MODEL_H

#include <conform/op.h>

struct model {
	struct op *entries; /* assigns that stand */
	size_t nr, capacity;
};

/* What an assign or a deassign gives: 0 or an errno. -1: no memory. */
int model_control(struct model *m, const struct op *op);

/* Which eventfd one write rings, -1 if it exits. len is 1 to 8. */
int model_write(const struct model *m, bool pio, uint64_t addr, uint32_t len, uint64_t value);

void model_free(struct model *m);

#endif
