/* SPDX-License-Identifier: MIT
 *
 * The processor that a KVM guest finds: 64-bit mode from the first instruction on, with addresses
 * mapped one to one, and Hyper-V's hypercall where KVM has it.
 */
#ifdef __x86_64__
#include <vmm/kvm.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define PAGE 0x1000u
#define LARGE_PAGE 0x200000u

/* Page table entries, the processor's bits (SDM 3A, 4.5). */
#define PTE_TABLE 0x7u /* present, writable, user */
#define PTE_LARGE 0x87u

/* Not the first page of RAM: a guest's write may reach into that from below. */
#define PAGE_TABLES (GUEST_PAGE_TABLES + PAGE)
#define NR_PAGE_TABLES 8u

#define CR0 0x80050033u /* PG, AM, WP, NE, ET, MP, PE */
#define CR4 0x620u      /* PAE, OSFXSR, OSXMMEXCPT: the guest uses SSE */
#define EFER 0x500u     /* LMA, LME */
#define RFLAGS 0x2u
#define RFLAGS_IOPL3 0x3000u

/* After the page tables, before kvm_irq.c's. The I/O bitmap has a bit for each port and a byte of
 * ones behind it. */
#define TSS (PAGE_TABLES + NR_PAGE_TABLES * PAGE)
#define TSS_IO_BITMAP 104u
#define TSS_SIZE (TSS_IO_BITMAP + 0x10000u / 8 + 1)

#define MAX_CPUID 256u
#define CPUID_HYPERVISOR 0x40000000u /* leaves of KVM or Hyper-V, up to 0x400000ff */
#define CPUID_ADDRESS_SIZES 0x80000008u

#define HV_X64_MSR_GUEST_OS_ID 0x40000000u
#define HV_X64_MSR_HYPERCALL 0x40000001u
#define HV_HYPERCALL_ENABLE 1u
#define OPEN_SOURCE_OS_ID (1ull << 63) /* any that is not 0 will do (TLFS 2.6) */

static int get_cpuid(int fd, unsigned long request, struct kvm_cpuid2 **out)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + MAX_CPUID * sizeof(struct kvm_cpuid_entry2));

	if (!cpuid)
		return vm_error(ENOMEM, "no memory for CPUID leaves");
	cpuid->nent = MAX_CPUID;
	if (ioctl(fd, request, cpuid) < 0) {
		int r = kvm_error("KVM's CPUID leaves");

		free(cpuid);
		return r;
	}
	*out = cpuid;
	return 0;
}

/* The guest's last physical address, or an error. EAX bits 23:16 are what KVM can map, where that
 * is less than what the processor has (Linux 6.10). */
static int read_last_gpa(int sys_fd, uint64_t *last)
{
	struct kvm_cpuid2 *cpuid;
	uint32_t bits = 36;
	int r = get_cpuid(sys_fd, KVM_GET_SUPPORTED_CPUID, &cpuid);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		uint32_t eax = cpuid->entries[i].eax;

		if (cpuid->entries[i].function == CPUID_ADDRESS_SIZES)
			bits = eax >> 16 & 0xff ? eax >> 16 & 0xff : eax & 0xff;
	}
	free(cpuid);
	*last = (1ull << bits) - 1;
	return 0;
}

/* The low 4 GiB one to one, and at the top of the virtual addresses the last 2 MiB. */
static void build_page_tables(struct vm *vm)
{
	uint64_t base = PAGE_TABLES;
	uint64_t(*table)[512] = vm_memory(vm, base, NR_PAGE_TABLES * PAGE);

	enum { PML4, PDPT, PD, PDPT_TOP = PD + 4, PD_TOP };
	table[PML4][0] = (base + PDPT * PAGE) | PTE_TABLE;
	for (uint64_t gib = 0; gib < 4; gib++)
		table[PDPT][gib] = (base + (PD + gib) * PAGE) | PTE_TABLE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		table[PD + i / 512][i % 512] = i * LARGE_PAGE | PTE_LARGE;
	table[PML4][511] = (base + PDPT_TOP * PAGE) | PTE_TABLE;
	table[PDPT_TOP][511] = (base + PD_TOP * PAGE) | PTE_TABLE;
	table[PD_TOP][511] = (vm->last_gpa - (LARGE_PAGE - 1)) | PTE_LARGE;
}

/* A TSS that allows every port. IOPL 3 alone would do on a processor, but kvm_pvm forgets it. */
static void build_tss(struct vm *vm)
{
	static const uint16_t io_bitmap = TSS_IO_BITMAP;
	uint8_t *tss = vm_memory(vm, TSS, TSS_SIZE);

	memcpy(tss + 102, &io_bitmap, sizeof(io_bitmap));
	tss[TSS_SIZE - 1] = 0xff;
}

static bool has(const struct kvm_vm *vm, int cap)
{
	return ioctl(vm->vm_fd, KVM_CHECK_EXTENSION, cap) > 0;
}

int kvm_x86_vm_init(struct kvm_vm *vm)
{
	static const uint8_t ud2[] = { 0x0f, 0x0b };
	int r = read_last_gpa(vm->sys_fd, &vm->vm.last_gpa);

	if (r < 0)
		return r;
	build_page_tables(&vm->vm);
	build_tss(&vm->vm);
	vm->hypercall =
		vm->vm.cpl == 0 && has(vm, KVM_CAP_HYPERV_EVENTFD) && has(vm, KVM_CAP_HYPERV_CPUID);
	/* Without the capability a hypercall may spin in KVM_RUN; KVM overwrites this otherwise. */
	memcpy(vm_memory(&vm->vm, GUEST_HYPERCALL_PAGE, sizeof(ud2)), ud2, sizeof(ud2));
	return 0;
}

int kvm_x86_hypercall_probe(const struct vm *base)
{
	const struct kvm_vm *vm = (const struct kvm_vm *)base;

	if (vm->hypercall)
		return 0;
	if (!has(vm, KVM_CAP_HYPERV_EVENTFD))
		return vm_error(EOPNOTSUPP, "this KVM has no KVM_CAP_HYPERV_EVENTFD");
	if (!has(vm, KVM_CAP_HYPERV_CPUID))
		return vm_error(EOPNOTSUPP, "this KVM has no KVM_CAP_HYPERV_CPUID");
	return vm_error(EOPNOTSUPP, "a hypercall needs CPL 0");
}

/* Puts Hyper-V's leaves in the place of KVM's own. */
static int add_hyperv_cpuid(struct kvm_vcpu *vcpu, struct kvm_cpuid2 *cpuid)
{
	struct kvm_cpuid2 *hyperv;
	uint32_t nent = 0;
	int r = get_cpuid(vcpu->fd, KVM_GET_SUPPORTED_HV_CPUID, &hyperv);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function >> 8 != CPUID_HYPERVISOR >> 8)
			cpuid->entries[nent++] = cpuid->entries[i];
	}
	for (uint32_t i = 0; i < hyperv->nent && nent < MAX_CPUID; i++)
		cpuid->entries[nent++] = hyperv->entries[i];
	cpuid->nent = nent;
	free(hyperv);
	return 0;
}

static int set_cpuid(struct kvm_vcpu *vcpu)
{
	struct kvm_vm *vm = (struct kvm_vm *)vcpu->vcpu.vm;
	struct kvm_cpuid2 *cpuid;
	int r = get_cpuid(vm->sys_fd, KVM_GET_SUPPORTED_CPUID, &cpuid);

	if (r < 0)
		return r;
	if (vm->hypercall)
		r = add_hyperv_cpuid(vcpu, cpuid);
	if (r == 0 && ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		r = kvm_error("KVM_SET_CPUID2");
	free(cpuid);
	return r;
}

static int set_msr(struct kvm_vcpu *vcpu, uint32_t index, uint64_t value)
{
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + sizeof(msrs->entries[0]));
	int r = 0;

	if (!msrs)
		return vm_error(ENOMEM, "no memory for an MSR");
	msrs->nmsrs = 1;
	msrs->entries[0] = (struct kvm_msr_entry){ .index = index, .data = value };
	if (ioctl(vcpu->fd, KVM_SET_MSRS, msrs) != 1)
		r = vm_error(EIO, "KVM_SET_MSRS refuses MSR 0x%x", index);
	free(msrs);
	return r;
}

/* KVM writes the hypercall page when the MSR is set. With SynIC what no eventfd in the kernel takes
 * exits to userspace, so that the bus sees it. */
static int enable_hypercall(struct kvm_vcpu *vcpu)
{
	struct kvm_enable_cap synic = { .cap = KVM_CAP_HYPERV_SYNIC2 };
	int r;

	if (ioctl(vcpu->fd, KVM_ENABLE_CAP, &synic) < 0)
		return kvm_error("KVM_ENABLE_CAP of KVM_CAP_HYPERV_SYNIC2");
	r = set_msr(vcpu, HV_X64_MSR_GUEST_OS_ID, OPEN_SOURCE_OS_ID);
	if (r < 0)
		return r;
	return set_msr(vcpu, HV_X64_MSR_HYPERCALL, GUEST_HYPERCALL_PAGE | HV_HYPERCALL_ENABLE);
}

static int set_sregs(struct kvm_vcpu *vcpu)
{
	uint8_t cpl = (uint8_t)vcpu->vcpu.vm->cpl;
	struct kvm_segment code = { .limit = UINT32_MAX,
				    .selector = (uint16_t)(0x10 | cpl),
				    .type = 11, /* execute, read, accessed */
				    .present = 1,
				    .dpl = cpl,
				    .s = 1,
				    .l = 1,
				    .g = 1 };
	struct kvm_segment data = { .limit = UINT32_MAX,
				    .selector = (uint16_t)(0x18 | cpl),
				    .type = 3, /* read, write, accessed */
				    .present = 1,
				    .dpl = cpl,
				    .s = 1,
				    .db = 1,
				    .g = 1 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return kvm_error("KVM_GET_SREGS");
	sregs.cs = code;
	sregs.ss = sregs.ds = sregs.es = sregs.fs = sregs.gs = data;
	sregs.tr = (struct kvm_segment){
		.base = TSS, .limit = TSS_SIZE - 1, .selector = 0x20, .type = 11, .present = 1
	};
	sregs.ldt = (struct kvm_segment){ .unusable = 1 };
	/* No descriptors at all: the first exception is a triple fault, and KVM says so. */
	sregs.gdt = sregs.idt = (struct kvm_dtable){ 0 };
	sregs.cr0 = CR0;
	sregs.cr3 = PAGE_TABLES;
	sregs.cr4 = CR4;
	sregs.efer = EFER;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0)
		return kvm_error("KVM_SET_SREGS");
	return 0;
}

static int set_regs(struct kvm_vcpu *vcpu)
{
	struct kvm_regs regs = {
		.rip = GUEST_ENTRY,
		.rsp = GUEST_STACK_TOP(vcpu->vcpu.index),
		.rdi = GUEST_MAILBOX(vcpu->vcpu.index),
		.rflags = RFLAGS | (vcpu->vcpu.vm->cpl == 3 ? RFLAGS_IOPL3 : 0),
	};

	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return kvm_error("KVM_SET_REGS");
	return 0;
}

/* With an interrupt controller in the kernel all but the first wait for a start-up IPI otherwise.
 * Without one KVM refuses, and they do not wait. */
static void set_runnable(struct kvm_vcpu *vcpu)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };

	(void)ioctl(vcpu->fd, KVM_SET_MP_STATE, &state);
}

int kvm_x86_vcpu_init(struct kvm_vcpu *vcpu)
{
	struct kvm_vm *vm = (struct kvm_vm *)vcpu->vcpu.vm;
	int r = set_cpuid(vcpu);

	if (r == 0)
		r = set_sregs(vcpu);
	if (r == 0)
		r = set_regs(vcpu);
	if (r == 0 && vm->hypercall)
		r = enable_hypercall(vcpu);
	if (r == 0)
		set_runnable(vcpu);
	return r;
}
#endif
