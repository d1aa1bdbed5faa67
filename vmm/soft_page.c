/* SPDX-License-Identifier: MIT
 *
 * Hot doorbell pages of the soft back end. Unicorn changes its memory map only on an engine's own
 * stopped thread, where a handler of the bus, which may be what changes it, cannot wait for it. So
 * the map stays: a store outside RAM comes to a hook anyway, which stores into the page itself.
 *
 * A vCPU says that it is storing before it looks whether the page is hot; unmap takes the page out
 * before it looks who is storing, and waits for those. Both are sequentially consistent: one of the
 * two sees the other. A vCPU is storing for a few instructions, and never inside a handler. It says
 * so only if a first look finds the page, as what is wrong about that look does no harm: a page
 * that it misses takes the store from the bus, as a cold one does.
 */
#ifdef BELLWIRE_UNICORN
#include <vmm/soft.h>

#include <errno.h>
#include <sched.h>

#define PAGE_MASK ((uint64_t)BW_PAGE_SIZE - 1)

/* What is not aligned is stored by bytes. */
static void store(uint8_t *to, uint32_t len, uint64_t value)
{
	bool aligned = (uintptr_t)to % len == 0;

	if (aligned && len == 8)
		__atomic_store_n((uint64_t *)to, value, __ATOMIC_RELEASE);
	else if (aligned && len == 4)
		__atomic_store_n((uint32_t *)to, (uint32_t)value, __ATOMIC_RELEASE);
	else if (aligned && len == 2)
		__atomic_store_n((uint16_t *)to, (uint16_t)value, __ATOMIC_RELEASE);
	else
		for (uint32_t i = 0; i < len; i++)
			__atomic_store_n(to + i, (uint8_t)(value >> (8 * i)), __ATOMIC_RELEASE);
}

static uint8_t *find(struct soft_vm *vm, uint64_t gpa)
{
	unsigned int nr = __atomic_load_n(&vm->nr_hot, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < nr; i++) {
		uint8_t *memory = __atomic_load_n(&vm->hot[i].memory, __ATOMIC_SEQ_CST);

		if (memory && __atomic_load_n(&vm->hot[i].gpa, __ATOMIC_RELAXED) == gpa)
			return memory;
	}
	return NULL;
}

bool soft_store_page(struct soft_vcpu *vcpu, uint64_t addr, uint32_t len, uint64_t value)
{
	struct soft_vm *vm = (struct soft_vm *)vcpu->vcpu.vm;
	uint8_t *memory;

	if (!find(vm, addr & ~PAGE_MASK))
		return false;
	__atomic_store_n(&vcpu->storing, true, __ATOMIC_SEQ_CST);
	memory = find(vm, addr & ~PAGE_MASK);
	if (memory)
		store(memory + (addr & PAGE_MASK), len, value);
	/* pairs with the load in soft_unmap_page() */
	__atomic_store_n(&vcpu->storing, false, __ATOMIC_RELEASE);
	return memory;
}

int soft_map_page(void *opaque, uint64_t gpa, void *memory)
{
	struct soft_vm *vm = opaque;
	int r = -ENOSPC;

	pthread_mutex_lock(&vm->hot_lock);
	for (unsigned int i = 0; i < SOFT_MAX_HOT && r < 0; i++) {
		if (vm->hot[i].memory)
			continue;
		__atomic_store_n(&vm->hot[i].gpa, gpa, __ATOMIC_RELAXED);
		__atomic_store_n(&vm->hot[i].memory, memory, __ATOMIC_SEQ_CST);
		if (vm->nr_hot <= i)
			__atomic_store_n(&vm->nr_hot, i + 1, __ATOMIC_RELEASE);
		r = 0;
	}
	pthread_mutex_unlock(&vm->hot_lock);
	return r;
}

static void wait_for_stores(struct soft_vm *vm)
{
	for (unsigned int i = 0; i < vm->vm.nr_vcpus; i++) {
		struct soft_vcpu *vcpu = (struct soft_vcpu *)vm->vm.vcpus[i];

		/* the first load pairs with the store in soft_store_page() */
		while (__atomic_load_n(&vcpu->storing, __ATOMIC_SEQ_CST))
			sched_yield();
	}
}

/* The lock keeps the entry from being taken anew while somebody still stores by the old one. */
void soft_unmap_page(void *opaque, uint64_t gpa)
{
	struct soft_vm *vm = opaque;

	pthread_mutex_lock(&vm->hot_lock);
	for (unsigned int i = 0; i < vm->nr_hot; i++)
		if (vm->hot[i].memory && vm->hot[i].gpa == gpa)
			__atomic_store_n(&vm->hot[i].memory, NULL, __ATOMIC_SEQ_CST);
	wait_for_stores(vm);
	pthread_mutex_unlock(&vm->hot_lock);
}
#endif
