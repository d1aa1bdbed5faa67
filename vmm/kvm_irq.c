/* SPDX-License-Identifier: MIT
 *
 * Interrupts for vCPU 0: an eventfd that KVM turns into a message to its local APIC, and what the
 * processor needs to take it. All other vectors stay without a gate: an exception is a triple fault
 * as before.
 */
#ifdef __x86_64__
#include <vmm/kvm.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define VECTOR 0x40u
#define GSI 24u /* behind the pins of the I/O APIC */
#define MSI_ADDRESS 0xfee00000u

/* In the back end's 64 KiB, behind page tables and TSS (kvm_x86.c). */
#define GDT (GUEST_PAGE_TABLES + 0xc000u)
#define IDT (GUEST_PAGE_TABLES + 0xd000u)
#define STACK_TOP (GUEST_PAGE_TABLES + 0x10000u)

#define KERNEL_CODE 0x30u
#define NR_DESCRIPTORS 7u
#define NR_GATES (VECTOR + 1)

#define TSS_RSP0 4u
#define APIC_SPURIOUS 0xf0u
#define APIC_ENABLED 0x1ffu /* with 0xff as the spurious vector */
#define RFLAGS_IF 0x200u

/* Descriptors that a return from an interrupt loads again; flat, as set_sregs() has them. */
#define CODE64 0x00af9b000000ffffull
#define DATA 0x00cf93000000ffffull
#define DPL(cpl) ((uint64_t)(cpl) << 45)

static void build_gdt(struct vm *vm)
{
	uint64_t *gdt = vm_memory(vm, GDT, NR_DESCRIPTORS * sizeof(*gdt));

	gdt[0x10 / 8] = CODE64 | DPL(vm->cpl);
	gdt[0x18 / 8] = DATA | DPL(vm->cpl);
	gdt[KERNEL_CODE / 8] = CODE64;
}

/* An interrupt gate, 16 bytes (SDM 3A, 6.14.1). The handler lies below 4 GiB. */
static void build_idt(struct vm *vm)
{
	uint64_t *gate = (uint64_t *)vm_memory(vm, IDT, NR_GATES * 16) + VECTOR * 2;

	gate[0] = (GUEST_INTERRUPT & 0xffff) | KERNEL_CODE << 16 | 0x8eull << 40 |
		  (uint64_t)(GUEST_INTERRUPT >> 16) << 48;
}

/* The stack for what comes from CPL 3. */
static void set_stack(struct vm *vm, uint64_t tss)
{
	static const uint64_t top = STACK_TOP;

	memcpy((uint8_t *)vm_memory(vm, tss, 0) + TSS_RSP0, &top, sizeof(top));
}

static int let_it_be_interrupted(struct kvm_vcpu *vcpu)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return kvm_error("KVM_GET_SREGS");
	set_stack(vcpu->vcpu.vm, sregs.tr.base);
	sregs.gdt = (struct kvm_dtable){ .base = GDT, .limit = NR_DESCRIPTORS * 8 - 1 };
	sregs.idt = (struct kvm_dtable){ .base = IDT, .limit = NR_GATES * 16 - 1 };
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0)
		return kvm_error("KVM_SET_SREGS");
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0)
		return kvm_error("KVM_GET_REGS");
	regs.rflags |= RFLAGS_IF;
	return ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0 ? kvm_error("KVM_SET_REGS") : 0;
}

/* Fails where there is no interrupt controller in the kernel. */
static int enable_apic(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic_state apic;

	if (ioctl(vcpu->fd, KVM_GET_LAPIC, &apic) < 0)
		return vm_error(EOPNOTSUPP, "this KVM has no interrupt controller: %s",
				strerror(errno));
	memcpy(apic.regs + APIC_SPURIOUS, &(uint32_t){ APIC_ENABLED }, sizeof(uint32_t));
	return ioctl(vcpu->fd, KVM_SET_LAPIC, &apic) < 0 ? kvm_error("KVM_SET_LAPIC") : 0;
}

/* The only route of this VM from now on. */
static int route(const struct kvm_vm *vm)
{
	struct kvm_irq_routing *routing = calloc(1, sizeof(*routing) + sizeof(routing->entries[0]));
	int r = 0;

	if (!routing)
		return vm_error(ENOMEM, "no memory for a route");
	routing->nr = 1;
	routing->entries[0] = (struct kvm_irq_routing_entry){
		.gsi = GSI,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = MSI_ADDRESS, .data = VECTOR },
	};
	if (ioctl(vm->vm_fd, KVM_SET_GSI_ROUTING, routing) < 0)
		r = vm_error(EOPNOTSUPP, "this KVM routes no message to an interrupt: %s",
			     strerror(errno));
	free(routing);
	return r;
}

static int bind_eventfd(const struct kvm_vm *vm, int eventfd)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)eventfd, .gsi = GSI };

	if (ioctl(vm->vm_fd, KVM_IRQFD, &irqfd) == 0)
		return 0;
	if (errno == ENOTTY)
		return vm_error(EOPNOTSUPP, "this KVM has no KVM_IRQFD");
	return kvm_error("KVM_IRQFD");
}

int kvm_irqfd(struct vm *base, int eventfd)
{
	struct kvm_vm *vm = (struct kvm_vm *)base;
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)base->vcpus[0];
	int r = enable_apic(vcpu);

	if (r == 0)
		r = route(vm);
	if (r == 0)
		r = bind_eventfd(vm, eventfd);
	if (r < 0)
		return r;
	build_gdt(base);
	build_idt(base);
	return let_it_be_interrupted(vcpu);
}
#endif
