/* SPDX-License-Identifier: MIT
 *
 * What the tests of the VMM need: each test on each machine that this host has, a log of what the
 * guest did, and commands for the guest.
 */
#ifndef TESTS_VM_WORLD_H
#define TESTS_VM_WORLD_H

#include "world.h"

#include <vmm/vm.h>

/* Where nothing else is on any back end. */
#define PORT 0x510u
#define BAR 0xd0000000u
#define MAX_SEEN 64u

/* What a test gets as its state. */
struct machine {
	const struct vm_backend *be;
	unsigned int cpl;
	enum bw_page_way page_way;
};

__attribute__((unused)) static struct machine kvm_user = { &vm_kvm, 3, BW_PAGE_WAY_AUTO };
__attribute__((unused)) static struct machine kvm_kernel = { &vm_kvm, 0, BW_PAGE_WAY_AUTO };
__attribute__((unused)) static struct machine soft_cpu = { &vm_soft, 0, BW_PAGE_WAY_AUTO };

#define ON(machine, test)                                                                          \
	{                                                                                          \
#test ", " #machine, test, NULL, NULL, &machine                                    \
	}
#define ON_ALL(test) ON(kvm_user, test), ON(kvm_kernel, test), ON(soft_cpu, test)

struct seen {
	enum bw_space space;
	bool is_write;
	uint32_t len;
	uint64_t addr, value;
};

struct world {
	const struct vm_backend *be;
	struct bw_bus *bus;
	struct vm *vm;
	struct vcpu *vcpu;
	struct seen seen[MAX_SEEN];
	unsigned int nr_seen;
};

/* What a read gives: a byte of its own for each address. */
static inline uint64_t bytes_at(uint64_t addr, uint32_t len)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < len; i++)
		value |= (uint64_t)(uint8_t)((addr + i) * 5 + 1) << (8 * i);
	return value;
}

static inline void note(void *opaque, struct bw_access *access)
{
	struct world *w = opaque;
	struct seen seen = { access->space, access->is_write, access->len, access->addr, 0 };
	uint64_t answer = bytes_at(access->addr, access->len);

	if (!access->is_write)
		memcpy(access->data, &answer, access->len);
	memcpy(&seen.value, access->data, access->len);
	if (w->nr_seen < MAX_SEEN)
		w->seen[w->nr_seen] = seen;
	w->nr_seen++;
}

static inline struct world *make_world(void **state, bw_handler_fn *fn, unsigned int nr_vcpus)
{
	static struct world world;
	const struct machine *machine = *state;
	struct world *w = &world;
	struct bw_bus_opts bus_opts = { .size = sizeof(bus_opts), .unclaimed = fn, .opaque = w };
	struct vm_opts opts = { .nr_vcpus = nr_vcpus,
				.cpl = machine->cpl,
				.page_way = machine->page_way };

	memset(w, 0, sizeof(*w));
	w->be = machine->be;
	if (vm_backend_probe(w->be) < 0) {
		print_message("%s\n", vm_last_error());
		skip();
	}
	assert_int_equal(bw_bus_new(&w->bus, &bus_opts), 0);
	opts.bus = w->bus;
	if (vm_new(&w->vm, w->be, &opts) < 0)
		fail_msg("%s", vm_last_error());
	w->vcpu = vm_vcpu(w->vm, 0);
	return w;
}

static inline void free_world(struct world *w)
{
	bw_bus_free(w->bus);
	vm_free(w->vm);
}

static inline struct guest_access store(uint64_t addr, uint32_t len, uint64_t value)
{
	return (struct guest_access){
		.kind = GUEST_STORE, .len = len, .addr = addr, .value = value
	};
}

static inline struct guest_access load(uint64_t addr, uint32_t len)
{
	return (struct guest_access){ .kind = GUEST_LOAD, .len = len, .addr = addr };
}

static inline struct guest_access out(uint16_t port, uint32_t len, uint64_t value)
{
	return (struct guest_access){ .kind = GUEST_OUT, .len = len, .addr = port, .value = value };
}

static inline struct guest_access in(uint16_t port, uint32_t len)
{
	return (struct guest_access){ .kind = GUEST_IN, .len = len, .addr = port };
}

/* Gives the command; the list is copied to where the guest finds it. */
static inline struct guest_access *load_play(struct world *w, const struct guest_access *list,
					     uint32_t nr)
{
	struct guest_mailbox *mailbox = vcpu_mailbox(w->vcpu);
	struct guest_access *copy = vm_memory(w->vm, GUEST_SCRATCH, nr * sizeof(*list));

	memcpy(copy, list, nr * sizeof(*list));
	mailbox->op = GUEST_PLAY;
	mailbox->nr_accesses = nr;
	mailbox->accesses = GUEST_SCRATCH;
	mailbox->count = 1;
	w->nr_seen = 0;
	return copy;
}

/* Performs one access; what it returned. */
static inline uint64_t play(struct world *w, struct guest_access access)
{
	struct guest_access *copy = load_play(w, &access, 1);

	if (vcpu_run(w->vcpu) < 0)
		fail_msg("%s", vm_last_error());
	assert_int_equal(copy->done, 1);
	return copy->result;
}

static inline void load_ring(struct vcpu *vcpu, struct guest_access ring, uint64_t count,
			     uint64_t sequence)
{
	struct guest_mailbox *mailbox = vcpu_mailbox(vcpu);

	mailbox->op = GUEST_RING;
	mailbox->ring = ring;
	mailbox->count = count;
	mailbox->sequence = sequence;
}

#endif
