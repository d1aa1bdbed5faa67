/* SPDX-License-Identifier: MIT
 *
 * A hypervisor for tests: keeps claims as KVM does, and fails when told to.
 */
#ifndef BELLWIRE_FAKE_OFFLOAD_H
#define BELLWIRE_FAKE_OFFLOAD_H

#include "../lib/offload.h"

#define FAKE_CLAIMS 4096u

struct fake_offload {
	struct offload_claim claims[FAKE_CLAIMS];
	unsigned int nr;
	unsigned int operations; /* assigns and deassigns so far */
	unsigned int assigns;
	unsigned int fail_at;   /* this assign (1 is the next) fails, with fail_with; 0: none */
	int fail_with;          /* -errno; -EOPNOTSUPP: refuses it */
	bool keep_failing;      /* and so does every one after it */
	const char *refuse_all; /* assign is not even tried */
	bool freed;
	unsigned int unknown_deassigns;
};

extern const struct offload_ops fake_ops;

/* One guest write: the hypervisor's claim takes it, else the bus. Returns what bw_bus_access()
 * would, and whether the hypervisor took it. */
int fake_write(struct fake_offload *fake, struct bw_bus *bus, enum bw_space space, uint64_t addr,
	       uint32_t len, uint64_t value, bool *by_hypervisor);

#endif
