/* SPDX-License-Identifier: MIT
 *
 * A small VMM on the public header alone, to exercise it: one interface, one back end a file. Both
 * back ends run the same guest binary (guest/abi.h) and route what is no memory to the same bus.
 *
 * Results are >= 0 or -errno; vm_last_error() says the calling thread's last failure in words.
 */
#ifndef BELLWIRE_VM_H
#define BELLWIRE_VM_H

#include <bellwire.h>
#include <guest/abi.h>

struct vm;
struct vcpu;
struct vm_backend;

extern const struct vm_backend vm_kvm;  /* vmm/kvm.c: /dev/kvm, x86-64 */
extern const struct vm_backend vm_soft; /* vmm/soft.c: Unicorn, no privilege, any host */

/* By name ("kvm", "soft"), NULL if there is none; by index, NULL past the last. */
const struct vm_backend *vm_backend_find(const char *name);
const struct vm_backend *vm_backend_at(unsigned int index);
const char *vm_backend_name(const struct vm_backend *be);

/* 0 if the back end works on this host, else -errno and in vm_last_error() why not. */
int vm_backend_probe(const struct vm_backend *be);

#define VM_MAX_VCPUS 8u
#define VM_MAX_RAM 0x40000000u

struct vm_opts {
	/* Gets every access that is no memory; NULL if only vcpu_run_bare() is used. Borrowed until
	 * the last vcpu_run() has returned: vm_free() does not touch it. */
	struct bw_bus *bus;
	unsigned int nr_vcpus; /* 1 to VM_MAX_VCPUS */
	/* 0 or 3: where the guest runs; at 3 every port is allowed too. soft runs at 0. */
	unsigned int cpl;
	bool no_offload; /* leave bw_bus_offload_kvm() or _emulator() to the caller, or undone */
	enum bw_page_way page_way; /* kvm: of doorbell pages, for which it lends memslots */
	/* Bytes from GUEST_RAM_BASE, whole 2 MiB up to VM_MAX_RAM; 0: GUEST_RAM_MIN. */
	uint64_t ram_size;
};

/*
 * The order of the end: the vCPUs stop, bw_bus_free(), vm_free(). An offload has borrowed the VM's
 * fd until bw_bus_free(), and vm_free() closes it.
 */
int vm_new(struct vm **vm, const struct vm_backend *be, const struct vm_opts *opts);
void vm_free(struct vm *vm); /* no vCPU may be running. NULL is fine */

/* The host's address of guest-physical [gpa, gpa + len), NULL if that is not all RAM. */
void *vm_memory(struct vm *vm, uint64_t gpa, uint64_t len);
/* The RAM from GUEST_RAM_BASE as a memfd, whose offset 0 is that address and whose size is sealed:
 * for who shares it, by mmap(MAP_SHARED). Borrowed until vm_free(). */
int vm_memory_fd(const struct vm *vm);
uint64_t vm_ram_size(const struct vm *vm);
/* The highest guest-physical address: what the guest finds at virtual 2^64-1 (GUEST_TOP). */
uint64_t vm_last_gpa(const struct vm *vm);
struct vcpu *vm_vcpu(struct vm *vm, unsigned int index);
int vm_kvm_fd(const struct vm *vm); /* -EOPNOTSUPP: not KVM's */

/*
 * Has vCPU 0 interrupted whenever the eventfd is signalled, until the eventfd is closed: KVM_IRQFD,
 * a message to its local APIC. The guest counts it at GUEST_INTERRUPTS. Once, before the vCPU runs.
 * -EOPNOTSUPP: the back end has no interrupt controller, or none that an eventfd reaches.
 */
int vm_irqfd(struct vm *vm, int eventfd);

/* 0 if GUEST_HYPERCALL works in this VM, else -EOPNOTSUPP, and vm_last_error() says what is
 * missing; the guest's hypercall is then an invalid instruction. */
int vm_hypercall_probe(const struct vm *vm);

const char *vm_last_error(void);

/* The guest for another VMM: a multiboot image for a PC (guest/multiboot.S). */
extern const uint8_t multiboot_image[], multiboot_image_end[];

/* The vCPU's mailbox in guest RAM: what to do, and what came of it. Only while it does not run. */
struct guest_mailbox *vcpu_mailbox(struct vcpu *vcpu);

/*
 * Runs the guest's current command on the calling thread, one thread at a time. 0: done; -EINTR:
 * stopped, the command may be continued by another vcpu_run(); else the guest or the hypervisor
 * failed (the guest's triple fault is -EFAULT), and the vCPU cannot run again.
 */
int vcpu_run(struct vcpu *vcpu);

/* The same without the library: every access goes to fn, which serves it as a handler would, and
 * gives each read its value. kvm: a hypercall that exits is an error here. */
int vcpu_run_bare(struct vcpu *vcpu, bw_handler_fn *fn, void *opaque);

/* Makes the running vcpu_run(), or the next one if none is running or its command is just done,
 * return -EINTR. Never waits for the vCPU. Any thread, any time. */
void vcpu_stop(struct vcpu *vcpu);

/* Page n of what KVM shares of the vCPU with us, from struct kvm_run on (KVM_CAP_COALESCED_MMIO
 * says at which the VM's ring is). NULL: there is none. */
void *vcpu_kvm_page(struct vcpu *vcpu, unsigned int n);

/* All exits of the vCPU so far, light ones (served by the kernel) too. -EOPNOTSUPP: cannot be told.
 */
int vcpu_exits(struct vcpu *vcpu, uint64_t *exits);

#endif
