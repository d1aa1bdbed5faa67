/* SPDX-License-Identifier: MIT
 *
 * The KVM back end's own: kvm.c makes and ends it, kvm_run.c runs a vCPU, kvm_x86.c is what the
 * processor looks like to the guest.
 */
#ifndef BELLWIRE_VMM_KVM_H
#define BELLWIRE_VMM_KVM_H

#include <vmm/backend.h>

#include <linux/kvm.h>
#include <pthread.h>

struct kvm_vm {
	struct vm vm;
	int sys_fd, vm_fd;
	bool hypercall; /* Hyper-V's page is there, and KVM takes HvCallSignalEvent */
};

struct kvm_vcpu {
	struct vcpu vcpu;
	int fd, stats_fd; /* stats_fd -1: this KVM has none */
	uint64_t exits_offset;
	struct kvm_run *run;
	size_t run_size;
	/* Who is to get the kick. Only a thread that is inside kvm_vcpu_run() is ever signalled. */
	pthread_mutex_t lock;
	pthread_t thread;
	bool running;
};

/* kvm_x86.c */
int kvm_x86_vm_init(struct kvm_vm *vm);
int kvm_x86_vcpu_init(struct kvm_vcpu *vcpu);
int kvm_x86_hypercall_probe(const struct vm *vm);

/* kvm_irq.c */
int kvm_irqfd(struct vm *vm, int eventfd);

/* kvm_run.c */
int kvm_vcpu_run(struct vcpu *vcpu, bw_handler_fn *fn, void *opaque);
void kvm_vcpu_stop(struct vcpu *vcpu);
int kvm_install_kick(void);

/* kvm_stats.c */
void kvm_stats_open(struct kvm_vcpu *vcpu);
void kvm_stats_close(struct kvm_vcpu *vcpu);
int kvm_stats_exits(struct vcpu *vcpu, uint64_t *exits);

/* vm_error() with the ioctl's name and errno. */
int kvm_error(const char *what);

#endif
