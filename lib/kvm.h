/* SPDX-License-Identifier: MIT
 *
 * The offload to KVM: kvm.c has its ioeventfds, kvm_pages.c its memslots for doorbell pages.
 */
#ifndef BELLWIRE_KVM_H
#define BELLWIRE_KVM_H

#include <bellwire.h>

#include <pthread.h>

struct page_way;

struct kvm {
	int vm_fd; /* borrowed */
	bool any_length;
	bool hypercalls;
	struct {
		uint32_t first_slot, nr_slots; /* lent by the VMM */
		const struct page_way *way;
		bool may_protect; /* instead of slot, too */
		const char *why_not;
		pthread_mutex_t lock;
		bool *taken; /* of each slot */
	} pages;
};

/* A kvm that was zeroed. -ENOMEM, -EINVAL: slots that this KVM does not have. */
int kvm_pages_init(struct kvm *kvm, const struct bw_kvm_opts *opts);
void kvm_pages_fini(struct kvm *kvm);

/* As in struct offload_ops. */
const struct page_way *kvm_page_way(void *state, bool slot_is_slow, const char **why_not);
int kvm_page_map(void *state, uint64_t gpa, void *memory, unsigned int *place);
void kvm_page_unmap(void *state, uint64_t gpa, unsigned int place);

#endif
