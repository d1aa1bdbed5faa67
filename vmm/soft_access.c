/* SPDX-License-Identifier: MIT
 *
 * What the guest does outside RAM, as Unicorn's hooks show it, made into one bw_access for each
 * access that KVM would exit with: whole, but split at a page boundary.
 *
 * An MMIO mapping alone would show an 8-byte access as 4 + 4 and an unaligned one as bytes. So the
 * memory hooks, which see the whole access, do the work, and the mapping's callbacks only fetch
 * what a load gave.
 */
#ifdef BELLWIRE_UNICORN
#include <vmm/soft.h>

#define PAGE 4096u
#define MAX_STORE 8u /* the largest that the hooks see: a 16-byte store is two */

#define HV_CALL_SIGNAL_EVENT 0x5du
#define HV_STATUS_INVALID_HYPERCALL_CODE 2u
#define HV_STATUS_INVALID_CONNECTION_ID 0x12u

static int serve(struct soft_vcpu *vcpu, struct bw_access *access)
{
	int r;

	access->vcpu = vcpu;
	if (vcpu->fn) {
		vcpu->fn(vcpu->opaque, access);
		return BW_HANDLED;
	}
	r = bw_bus_access(vcpu->vcpu.vm->bus, access);
	if (r < 0) {
		vcpu->error = vm_error(-r, "%s", bw_last_error());
		atomic_fetch_or_explicit(&vcpu->leave, SOFT_FAILED, memory_order_relaxed);
	}
	return r;
}

static bool is_ram(const struct soft_vcpu *vcpu, uint64_t addr)
{
	return addr - GUEST_RAM_BASE < vcpu->vcpu.vm->ram_size;
}

/* How much of it lies in its first page. */
static uint32_t first_piece(uint64_t addr, uint32_t len)
{
	uint32_t left = PAGE - (uint32_t)(addr % PAGE);

	return len < left ? len : left;
}

/* RAM is whole pages, so a piece is all RAM, which Unicorn writes itself, or none of it is. */
static void store_piece(struct soft_vcpu *vcpu, uint64_t addr, uint32_t len, uint64_t value)
{
	if (is_ram(vcpu, addr) || soft_store_page(vcpu, addr, len, value))
		return;
	serve(vcpu, &(struct bw_access){ .space = BW_MMIO,
					 .is_write = true,
					 .len = len,
					 .addr = addr,
					 .data = &value });
}

static void on_store(uc_engine *uc, uc_mem_type type, uint64_t addr, int size, int64_t value,
		     void *opaque)
{
	struct soft_vcpu *vcpu = opaque;
	uint32_t len = (uint32_t)size, first = first_piece(addr, len);

	(void)uc, (void)type;
	store_piece(vcpu, addr, first, (uint64_t)value);
	if (first < len)
		store_piece(vcpu, addr + first, len - first, (uint64_t)value >> (8 * first));
}

static uint64_t load_piece(struct soft_vcpu *vcpu, uint64_t addr, uint32_t len)
{
	uint64_t ones = ~0ull >> (64 - 8 * len), value = ones;

	if (is_ram(vcpu, addr))
		return 0;
	serve(vcpu,
	      &(struct bw_access){ .space = BW_MMIO, .len = len, .addr = addr, .data = &value });
	return value & ones;
}

static void on_load(uc_engine *uc, uc_mem_type type, uint64_t addr, int size, int64_t value,
		    void *opaque)
{
	struct soft_vcpu *vcpu = opaque;
	struct soft_load *load = &vcpu->load;
	uint32_t len = (uint32_t)size, first = first_piece(addr, len);

	(void)uc, (void)type, (void)value;
	/* Unicorn makes two aligned loads of one that is not, and calls for these too. */
	if (load->in_parts || (is_ram(vcpu, addr) && is_ram(vcpu, addr + len - 1)))
		return;
	load->addr = addr;
	load->data = load_piece(vcpu, addr, first);
	if (first < len)
		load->data |= load_piece(vcpu, addr + first, len - first) << (8 * first);
	load->last = addr + (is_ram(vcpu, addr + len - 1) ? first : len) - 1;
	load->in_parts = addr % len != 0;
}

/* The bytes at offset that belong to the load; the others, of its aligned parts, nobody looks at.
 */
static uint64_t on_fetch(uc_engine *uc, uint64_t offset, unsigned int size, void *opaque)
{
	struct soft_range *range = opaque;
	struct soft_load *load = &range->vcpu->load;
	uint64_t addr = range->base + offset, skip = addr - load->addr, before = -skip;

	(void)uc;
	if (load->last - addr < size)
		load->in_parts = false;
	if (skip < sizeof(load->data))
		return load->data >> (8 * skip);
	return before < sizeof(load->data) ? load->data << (8 * before) : 0;
}

/* on_store() has served it. */
static void on_put(uc_engine *uc, uint64_t offset, unsigned int size, uint64_t value, void *opaque)
{
	(void)uc, (void)offset, (void)size, (void)value, (void)opaque;
}

static void on_out(uc_engine *uc, uint32_t port, int size, uint32_t value, void *opaque)
{
	struct soft_vcpu *vcpu = opaque;

	(void)uc;
	if (port == GUEST_DONE_PORT) {
		atomic_fetch_or_explicit(&vcpu->leave, SOFT_DONE, memory_order_relaxed);
		return;
	}
	serve(vcpu, &(struct bw_access){ .space = BW_PIO,
					 .is_write = true,
					 .len = (uint32_t)size,
					 .addr = port,
					 .data = &value });
}

static uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *opaque)
{
	uint32_t value = ~0u;

	(void)uc;
	serve(opaque,
	      &(struct bw_access){
		      .space = BW_PIO, .len = (uint32_t)size, .addr = port, .data = &value });
	return value;
}

/* The hypercall page holds a SYSCALL, because Unicorn hooks no VMCALL. */
static void on_hypercall(uc_engine *uc, void *opaque)
{
	uint64_t input, connection, status = HV_STATUS_INVALID_HYPERCALL_CODE;
	struct bw_access access = { .space = BW_HYPERCALL, .is_write = true, .data = &connection };

	uc_reg_read(uc, UC_X86_REG_RCX, &input);
	uc_reg_read(uc, UC_X86_REG_RDX, &connection);
	if ((uint16_t)input == HV_CALL_SIGNAL_EVENT) {
		access.addr = connection;
		status =
			serve(opaque, &access) > BW_UNCLAIMED ? 0 : HV_STATUS_INVALID_CONNECTION_ID;
	}
	uc_reg_write(uc, UC_X86_REG_RAX, &status);
}

static uc_err map_range(struct soft_vcpu *vcpu, struct soft_range *range, uint64_t base,
			uint64_t len)
{
	range->vcpu = vcpu;
	range->base = base;
	return uc_mmio_map(vcpu->uc, base, len, on_fetch, range, on_put, range);
}

static uc_err hook_memory(struct soft_vcpu *vcpu, uint64_t first, uint64_t last)
{
	uc_hook hook;
	uc_err err = uc_hook_add(vcpu->uc, &hook, UC_HOOK_MEM_WRITE, (void *)on_store, vcpu, first,
				 last);

	if (err)
		return err;
	return uc_hook_add(vcpu->uc, &hook, UC_HOOK_MEM_READ, (void *)on_load, vcpu, first, last);
}

/* Anywhere: Unicorn takes a range that ends before it begins as everything. */
static uc_err hook_insn(struct soft_vcpu *vcpu, int insn, void *callback)
{
	uc_hook hook;

	return uc_hook_add(vcpu->uc, &hook, UC_HOOK_INSN, callback, vcpu, 1, 0, insn);
}

uc_err soft_add_hooks(struct soft_vcpu *vcpu)
{
	uint64_t ram_end = GUEST_RAM_BASE + vcpu->vcpu.vm->ram_size;
	uc_err err = map_range(vcpu, &vcpu->below, 0, GUEST_RAM_BASE);

	if (!err)
		err = map_range(vcpu, &vcpu->above, ram_end, -ram_end);
	if (!err)
		err = hook_memory(vcpu, 0, GUEST_RAM_BASE - 1);
	/* From where an access may begin that ends above RAM. */
	if (!err)
		err = hook_memory(vcpu, ram_end - (MAX_STORE - 1), UINT64_MAX);
	if (!err)
		err = hook_insn(vcpu, UC_X86_INS_OUT, (void *)on_out);
	if (!err)
		err = hook_insn(vcpu, UC_X86_INS_IN, (void *)on_in);
	if (!err)
		err = hook_insn(vcpu, UC_X86_INS_SYSCALL, (void *)on_hypercall);
	return err;
}
#endif
