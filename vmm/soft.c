/* SPDX-License-Identifier: MIT
 *
 * The soft back end: Unicorn, one engine for each vCPU on the same RAM. Flat 64-bit addresses
 * without page tables, so virtual is physical and GUEST_TOP is in its place.
 */
#ifdef BELLWIRE_UNICORN
#include <vmm/soft.h>

#include <errno.h>
#include <string.h>

static int soft_probe(void)
{
	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return vm_error(EOPNOTSUPP, "guest and host share structs: the host must be "
					    "little-endian");
	if (!uc_arch_supported(UC_ARCH_X86))
		return vm_error(EOPNOTSUPP, "this Unicorn was built without x86");
	return 0;
}

static int soft_vm_init(struct vm *vm)
{
	static const uint8_t syscall_ret[] = { 0x0f, 0x05, 0xc3 };
	int r = soft_probe();

	if (r < 0)
		return r;
	memcpy(vm_memory(vm, GUEST_HYPERCALL_PAGE, sizeof(syscall_ret)), syscall_ret,
	       sizeof(syscall_ret));
	/* Unicorn has 52 bits of physical address from 2.1 on, before it had them all. */
	pthread_mutex_init(&((struct soft_vm *)vm)->hot_lock, NULL);
	vm->last_gpa = uc_version(NULL, NULL) >= 0x02010000 ? (1ull << 52) - 1 : UINT64_MAX;
	return 0;
}

static void soft_vm_exit(struct vm *vm)
{
	pthread_mutex_destroy(&((struct soft_vm *)vm)->hot_lock);
}

/*
 * Runs at the start of every translated block, for about 3 ns. The stop is taken here and not with
 * uc_emu_stop() from the other thread, which ends a block in its middle, just behind an access, but
 * leaves RIP in front of it: to go on would ring twice. It is also lost before uc_emu_start() is
 * under way, and a guest that spins without an access would not come past any other hook.
 */
static void on_block(uc_engine *uc, uint64_t addr, uint32_t size, void *opaque)
{
	struct soft_vcpu *vcpu = opaque;

	(void)addr, (void)size;
	if (atomic_load_explicit(&vcpu->leave, memory_order_relaxed))
		uc_emu_stop(uc);
}

static uc_err set_up(struct soft_vcpu *vcpu)
{
	struct vm *vm = vcpu->vcpu.vm;
	uint64_t mailbox = GUEST_MAILBOX(vcpu->vcpu.index);
	uint64_t stack = GUEST_STACK_TOP(vcpu->vcpu.index);
	uc_hook hook;
	uc_err err = uc_mem_map_ptr(vcpu->uc, GUEST_RAM_BASE, vm->ram_size, UC_PROT_ALL, vm->ram);

	if (!err)
		err = soft_add_hooks(vcpu);
	if (!err)
		err = uc_hook_add(vcpu->uc, &hook, UC_HOOK_BLOCK, (void *)on_block, vcpu, 1, 0);
	if (!err)
		err = uc_reg_write(vcpu->uc, UC_X86_REG_RDI, &mailbox);
	if (!err)
		err = uc_reg_write(vcpu->uc, UC_X86_REG_RSP, &stack);
	vcpu->rip = GUEST_ENTRY;
	return err;
}

static int soft_vcpu_init(struct vcpu *base)
{
	struct soft_vcpu *vcpu = (struct soft_vcpu *)base;
	uc_err err = uc_open(UC_ARCH_X86, UC_MODE_64, &vcpu->uc);

	if (err)
		return vm_error(ENOMEM, "Unicorn does not open: %s", uc_strerror(err));
	err = set_up(vcpu);
	if (err) {
		uc_close(vcpu->uc);
		return vm_error(EIO, "Unicorn refuses the guest's memory or a hook: %s",
				uc_strerror(err));
	}
	return 0;
}

static void soft_vcpu_exit(struct vcpu *base)
{
	uc_close(((struct soft_vcpu *)base)->uc);
}

static bool take(struct soft_vcpu *vcpu, unsigned int why)
{
	return atomic_fetch_and_explicit(&vcpu->leave, ~why, memory_order_relaxed) & why;
}

static int soft_run(struct vcpu *base, bw_handler_fn *fn, void *opaque)
{
	struct soft_vcpu *vcpu = (struct soft_vcpu *)base;
	uc_err err;

	vcpu->fn = fn;
	vcpu->opaque = opaque;
	err = uc_emu_start(vcpu->uc, vcpu->rip, UINT64_MAX, 0, 0);
	uc_reg_read(vcpu->uc, UC_X86_REG_RIP, &vcpu->rip);
	if (err)
		return vm_error(EFAULT, "the guest failed at 0x%llx: %s",
				(unsigned long long)vcpu->rip, uc_strerror(err));
	if (take(vcpu, SOFT_FAILED))
		return vcpu->error;
	if (take(vcpu, SOFT_DONE))
		return 0;
	if (take(vcpu, SOFT_STOP))
		return vm_error(EINTR, "the vCPU was stopped");
	return vm_error(EFAULT, "the guest halted at 0x%llx", (unsigned long long)vcpu->rip);
}

static void soft_stop(struct vcpu *base)
{
	struct soft_vcpu *vcpu = (struct soft_vcpu *)base;

	atomic_fetch_or_explicit(&vcpu->leave, SOFT_STOP, memory_order_relaxed);
}

static int soft_hypercall_probe(const struct vm *vm)
{
	(void)vm;
	return 0;
}

static int soft_offload(struct vm *vm, enum bw_page_way page_way)
{
	struct bw_emulator_opts opts = {
		.size = sizeof(opts),
		.map = soft_map_page,
		.unmap = soft_unmap_page,
		.opaque = vm,
	};
	int r = bw_bus_offload_emulator(vm->bus, &opts);

	(void)page_way; /* there is one */
	return r < 0 ? vm_error(-r, "%s", bw_last_error()) : 0;
}

const struct vm_backend vm_soft = {
	.name = "soft",
	.vm_size = sizeof(struct soft_vm),
	.vcpu_size = sizeof(struct soft_vcpu),
	.probe = soft_probe,
	.vm_init = soft_vm_init,
	.vm_exit = soft_vm_exit,
	.vcpu_init = soft_vcpu_init,
	.vcpu_exit = soft_vcpu_exit,
	.run = soft_run,
	.stop = soft_stop,
	.hypercall_probe = soft_hypercall_probe,
	.offload = soft_offload,
};
#else
#include <vmm/backend.h>

#include <errno.h>

static int soft_probe(void)
{
	return vm_error(EOPNOTSUPP, "built without Unicorn");
}

static int soft_vm_init(struct vm *vm)
{
	(void)vm;
	return soft_probe();
}

const struct vm_backend vm_soft = {
	.name = "soft",
	.vm_size = sizeof(struct vm),
	.probe = soft_probe,
	.vm_init = soft_vm_init,
};
#endif
