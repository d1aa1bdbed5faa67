/* SPDX-License-Identifier: MIT
 *
 * The soft back end's own: soft.c runs the vCPU, soft_access.c serves what it does.
 */
#ifndef BELLWIRE_SOFT_H
#define BELLWIRE_SOFT_H

#include <vmm/backend.h>

#include <pthread.h>
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

#define SOFT_MAX_HOT 64u

/* Doorbell pages that are hot: see soft_page.c. */
struct soft_vm {
	struct vm vm;
	pthread_mutex_t hot_lock; /* of those who change it */
	unsigned int nr_hot;      /* entries that were ever in use */
	struct soft_hot_page {
		uint64_t gpa;
		uint8_t *memory; /* NULL: none */
	} hot[SOFT_MAX_HOT];
};

struct soft_vcpu {
	struct vcpu vcpu;
	uc_engine *uc;
	uint64_t rip;
	atomic_uint leave;
	bool storing; /* into a hot page, perhaps */
	int error;
	bw_handler_fn *fn;
	void *opaque;
	struct soft_range below, above;
	struct soft_load load;
};

/* soft_page.c: struct bw_emulator_opts's, opaque is the soft_vm. */
int soft_map_page(void *opaque, uint64_t gpa, void *memory);
void soft_unmap_page(void *opaque, uint64_t gpa);

/* Whether it was a store into a hot page, and is done. */
bool soft_store_page(struct soft_vcpu *vcpu, uint64_t addr, uint32_t len, uint64_t value);

/* Makes everything outside RAM, the ports and the hypercall page come to the bus. */
uc_err soft_add_hooks(struct soft_vcpu *vcpu);

#endif
