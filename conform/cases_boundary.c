/* SPDX-License-Identifier: MIT
 *
 * The first and the last address of everything, and memory over a doorbell.
 */
#include "trial.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define RAM_END ((uint64_t)GUEST_RAM_BASE + GUEST_RAM_MIN)
#define PAGE 0x1000u

/* Each doorbell alone, because what nests is a case of its own. */
static void at_mmio(struct trial *t, uint64_t addr, uint32_t len, int fd)
{
	assign(t, mmio(addr, len), fd);
	rings(t, store(addr, len, 1), fd);
	deassign(t, mmio(addr, len), fd);
	exits(t, store(addr, len, 1));
}

static void address_0(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 8; len *= 2)
		at_mmio(t, 0, len, fd);
	assign(t, port(0, 1), fd);
	rings(t, out(0, 1, 1), fd);
	exits(t, out(0, 2, 1));
}

static void last_port(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 4; len *= 2) {
		assign(t, port(0x10000 - len, len), fd);
		rings(t, out(0x10000 - len, len, 1), fd);
		deassign(t, port(0x10000 - len, len), fd);
		exits(t, out(0x10000 - len, len, 1));
	}
}

/* The guest's virtual 2^64-1 is the last guest-physical address, which is another on each host. */
static void last_address(struct trial *t)
{
	uint64_t last = is_over(t) ? 0 : vm_last_gpa(t->s->vm);
	struct guest_access access = store(UINT64_MAX, 1, 1);
	int fd = new_eventfd(t);

	assign(t, mmio(last, 0), fd);
	does(t, access, fd, 1, NULL, 0);
	deassign(t, mmio(last, 0), fd);
	does(t, access, -1, 0, &(struct seen){ BW_MMIO, true, 1, last, 1 }, 1);
	assign(t, mmio(last - 8, 8), fd);
	does(t, store(UINT64_MAX - 8, 8, 1), fd, 1, NULL, 0);
}

static void wraps_to_0(struct trial *t)
{
	uint64_t last = is_over(t) ? 0 : vm_last_gpa(t->s->vm);
	int fd = new_eventfd(t), low = new_eventfd(t);
	struct guest_access access = store(UINT64_MAX - 3, 8, 1);

	assign(t, mmio(last - 3, 0), fd);
	assign(t, mmio(0, 4), low);
	play(t, &access, 1);
	check(t, take(t, fd) == 1, "the piece at the top did not ring once");
	check(t, take(t, low) == 1, "the piece at 0 did not ring once");
	exited(t, NULL, 0);
}

static void below_4_gib(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 8; len *= 2)
		at_mmio(t, 0x100000000 - len, len, fd);
}

static void edges_of_ram(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 8; len *= 2) {
		at_mmio(t, GUEST_RAM_BASE - len, len, fd);
		at_mmio(t, RAM_END, len, fd);
	}
}

static void edges_of_a_page(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 8; len *= 2) {
		at_mmio(t, BAR + PAGE - len, len, fd);
		at_mmio(t, BAR + PAGE, len, fd);
	}
}

static void in_ram(struct trial *t)
{
	uint64_t *word = scratch(t, 0x80000, sizeof(*word));
	uint64_t addr = GUEST_SCRATCH + 0x80000;
	int fd = new_eventfd(t);

	assign(t, mmio(addr, 8), fd);
	does(t, store(addr, 8, 0x1234), -1, 0, NULL, 0);
	check(t, !word || *word == 0x1234, "the store did not come to memory");
	deassign(t, mmio(addr, 8), fd);
}

/* A page of memory over BAR, or with size 0 none again. */
static void set_memslot(struct trial *t, uint64_t size, void *page, uint32_t flags)
{
	struct kvm_userspace_memory_region region = { .slot = 1,
						      .flags = flags,
						      .guest_phys_addr = BAR,
						      .memory_size = size,
						      .userspace_addr = (uintptr_t)page };

	if (is_over(t))
		return;
	if (ioctl(vm_kvm_fd(t->s->vm), KVM_SET_USER_MEMORY_REGION, &region) < 0)
		fails(t, "KVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
}

static void *new_page(struct trial *t)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(t, page != MAP_FAILED, "no page: %s", strerror(errno));
	return page;
}

static void under_memory(struct trial *t)
{
	uint32_t *page = new_page(t);
	int fd = new_eventfd(t);

	assign(t, mmio(BAR, 4), fd);
	set_memslot(t, PAGE, page, 0);
	does(t, store(BAR, 4, 77), -1, 0, NULL, 0);
	check(t, is_over(t) || *page == 77, "the store did not come to memory");
	set_memslot(t, 0, page, 0);
	rings(t, store(BAR, 4, 78), fd);
	munmap(page, PAGE);
}

static void under_read_only_memory(struct trial *t)
{
	struct guest_access read = load(BAR, 4);
	uint32_t *page = new_page(t);
	int fd = new_eventfd(t);

	if (!is_over(t) &&
	    ioctl(vm_kvm_fd(t->s->vm), KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM) <= 0)
		skips(t, "this KVM has no KVM_CAP_READONLY_MEM");
	if (is_over(t))
		return;
	*page = 99;
	assign(t, mmio(BAR, 4), fd);
	set_memslot(t, PAGE, page, KVM_MEM_READONLY);
	rings(t, store(BAR, 4, 77), fd);
	exits(t, store(BAR + 4, 4, 77));
	play(t, &read, 1);
	check(t, read.result == 99 && *page == 99, "the read gave %llu, memory holds %u",
	      (unsigned long long)read.result, *page);
	exited(t, NULL, 0);
	munmap(page, PAGE);
}

static const struct conform_case cases[] = {
	{ .name = "address_0_rings",
	  .says = "MMIO with every length, and port 0.",
	  .run = address_0 },
	{ .name = "the_last_port_rings", .says = "Ports that end at 0xffff.", .run = last_port },
	{ .name = "the_last_address_rings",
	  .says = "The last guest-physical one that there is.",
	  .run = last_address },
	{ .name = "a_store_over_the_last_address_goes_on_at_0",
	  .says = "Where the guest has mapped it so: two writes, two rings.",
	  .run = wraps_to_0 },
	{ .name = "the_last_addresses_below_4_GiB_ring",
	  .says = "The sum with the length is 2^32.",
	  .run = below_4_gib },
	{ .name = "the_edges_of_ram_ring",
	  .says = "Up to its first byte, and from behind its last.",
	  .run = edges_of_ram },
	{ .name = "the_edges_of_a_page_ring",
	  .says = "Doorbells that end with a page or begin with one.",
	  .run = edges_of_a_page },
	{ .name = "a_doorbell_in_ram_is_never_reached",
	  .says = "It is accepted; the store is one to memory.",
	  .run = in_ram },
	{ .name = "memory_over_a_doorbell_hides_it",
	  .says = "Until the memslot is gone.",
	  .run = under_memory,
	  .needs = NEEDS_KVM },
	{ .name = "read_only_memory_over_a_doorbell_does_not",
	  .says = "Writes ring or exit, reads are the memory's.",
	  .run = under_read_only_memory,
	  .needs = NEEDS_KVM },
};

const struct conform_group group_boundary = CONFORM_GROUP("boundary", cases);
