/* SPDX-License-Identifier: MIT
 *
 * The soft back end's own: soft.c runs the vCPU, soft_access.c serves what it does.
 */
#ifndef BELLWIRE_SOFT_H
#define BELLWIRE_SOFT_H

#include <vmm/backend.h>

#include <stdatomic.h>
#include <unicorn/unicorn.h>

/* Why the vCPU is to leave at the next block. */
#define SOFT_DONE 1u   /* the guest wrote GUEST_DONE_PORT */
#define SOFT_STOP 2u   /* vcpu_stop() */
#define SOFT_FAILED 4u /* the bus refused an access: see error */

/* What is no memory, below RAM or above. */
struct soft_range {
	struct soft_vcpu *vcpu;
	uint64_t base;
};

/* The load that is going on. Unicorn fetches its bytes in parts, in any order. */
struct soft_load {
	uint64_t addr;
	uint64_t data;
	uint64_t last; /* the last byte of it that is no memory */
	bool in_parts; /* it is unaligned, and last was not fetched yet */
};

struct soft_vcpu {
	struct vcpu vcpu;
	uc_engine *uc;
	uint64_t rip;
	atomic_uint leave;
	int error;
	bw_handler_fn *fn;
	void *opaque;
	struct soft_range below, above;
	struct soft_load load;
};

/* Makes everything outside RAM, the ports and the hypercall page come to the bus. */
uc_err soft_add_hooks(struct soft_vcpu *vcpu);

#endif
