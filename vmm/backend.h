/* SPDX-License-Identifier: MIT
 *
 * What a back end is to vmm/vm.c. Its own struct begins with struct vm or struct vcpu.
 */
#ifndef BELLWIRE_BACKEND_H
#define BELLWIRE_BACKEND_H

#include <vmm/vm.h>

struct vm {
	const struct vm_backend *be;
	struct bw_bus *bus;
	unsigned int cpl;
	uint8_t *ram; /* zeroed; the guest's image is in it before vm_init() */
	uint64_t ram_size;
	int ram_fd;        /* the memfd that ram is a shared mapping of */
	uint64_t last_gpa; /* set by vm_init() */
	unsigned int nr_vcpus;
	struct vcpu *vcpus[VM_MAX_VCPUS];
};

struct vcpu {
	struct vm *vm;
	unsigned int index;
	int failed; /* what ended it for good, 0 if nothing did */
};

struct vm_backend {
	const char *name;
	size_t vm_size, vcpu_size;
	int (*probe)(void);

	/* An init that fails has undone what it did. */
	int (*vm_init)(struct vm *vm);
	void (*vm_exit)(struct vm *vm);
	int (*vcpu_init)(struct vcpu *vcpu);
	void (*vcpu_exit)(struct vcpu *vcpu);

	/* With fn NULL the bus serves the accesses. */
	int (*run)(struct vcpu *vcpu, bw_handler_fn *fn, void *opaque);
	void (*stop)(struct vcpu *vcpu);

	int (*hypercall_probe)(const struct vm *vm);
	int (*exits)(struct vcpu *vcpu, uint64_t *exits);     /* NULL: cannot be told */
	int (*kvm_fd)(const struct vm *vm);                   /* NULL: not KVM's */
	void *(*kvm_page)(struct vcpu *vcpu, unsigned int n); /* NULL: not KVM's */
	int (*irqfd)(struct vm *vm, int eventfd);             /* NULL: no interrupts */
	/* To vm->bus. */
	int (*offload)(struct vm *vm, enum bw_page_way page_way);
};

/* Sets vm_last_error() and returns -err. */
__attribute__((format(printf, 2, 3))) int vm_error(int err, const char *format, ...);

/* guest/image.S */
extern const uint8_t guest_image[], guest_image_end[];

#endif
