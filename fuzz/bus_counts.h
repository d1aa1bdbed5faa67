/* SPDX-License-Identifier: MIT
 *
 * What an access is to count, of the ioeventfds at its address.
 */
#ifndef BELLWIRE_FUZZ_BUS_COUNTS_H
#define BELLWIRE_FUZZ_BUS_COUNTS_H

#include "bus_world.h"

struct counts {
	unsigned int nr;
	struct bw_ioeventfd *handles[MODEL_IOEVENTFDS];
	struct bw_ioeventfd_stats expected[MODEL_IOEVENTFDS];
};

/* Before the access. What the drop-in assigned has no handle to ask. */
void expect_counts(struct world *w, struct counts *c, const struct bw_access *access,
		   const struct model_answer *answer);

/* When it has counted, before anything else is done. */
void verify_counts(const struct world *w, const struct counts *c);

#endif
