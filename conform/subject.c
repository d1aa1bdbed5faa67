/* SPDX-License-Identifier: MIT
 *
 * The three subjects.
 */
#include "subject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

const struct subject_type subject_types[NR_SUBJECT_TYPES] = {
	{ .name = "kernel", .be = &vm_kvm, .bare = true },
	{ .name = "kvm", .be = &vm_kvm },
	{ .name = "soft", .be = &vm_soft },
};

/* The devices of KVM's own interrupt controllers: arch/x86/kvm/i8259.c and ioapic.c. */
static const struct kernel_range own_ports[] = {
	{ .addr = 0x20, .len = 2, .taker = TAKEN_BY_KERNEL },
	{ .addr = 0xa0, .len = 2, .taker = TAKEN_BY_KERNEL },
	{ .addr = 0x4d0, .len = 2, .taker = TAKEN_BY_KERNEL },
};
static const struct kernel_range ioapic = { .addr = 0xfec00000,
					    .len = 0x100,
					    .taker = TAKEN_BY_KERNEL };

int subject_probe(const struct subject_type *type)
{
	return vm_backend_probe(type->be);
}

static void note(void *opaque, struct bw_access *access)
{
	struct subject *s = opaque;
	struct seen seen = { access->space, access->is_write, access->len, access->addr, 0 };

	/* The bus does this for reads; bare, nobody has. */
	if (!access->is_write)
		memset(access->data, 0xff, access->len);
	if (access->data)
		memcpy(&seen.value, access->data, access->len);
	pthread_mutex_lock(&s->lock);
	if (s->nr_seen < MAX_SEEN)
		s->seen[s->nr_seen] = seen;
	__atomic_store_n(&s->nr_seen, s->nr_seen + 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&s->lock);
	if (s->on_exit)
		s->on_exit(s->opaque, &seen);
}

/* Whether the VM has KVM's interrupt controllers, which are on its buses too. */
static bool has_irqchip(const struct subject *s)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	return ioctl(vm_kvm_fd(s->vm), KVM_GET_IRQCHIP, &chip) == 0;
}

static int plan_kernel(struct subject *s)
{
	if (!has_irqchip(s))
		return 0;
	for (size_t i = 0; i < sizeof(own_ports) / sizeof(own_ports[0]); i++)
		if (!kernel_bus_register(&s->ports, &own_ports[i]))
			return -ENOMEM;
	return kernel_bus_register(&s->memory, &ioapic) ? 0 : -ENOMEM;
}

static int new_bus(struct subject *s)
{
	struct bw_bus_opts opts = { .size = sizeof(opts), .unclaimed = note, .opaque = s };

	return s->type->bare ? 0 : bw_bus_new(&s->bus, &opts);
}

int subject_new(struct subject **out, const struct subject_type *type,
		const struct subject_opts *opts)
{
	struct subject *s = calloc(1, sizeof(*s));
	struct vm_opts vm_opts = { .nr_vcpus = opts->nr_vcpus };
	int err;

	if (!s)
		return -ENOMEM;
	s->type = type;
	pthread_mutex_init(&s->lock, NULL);
	err = new_bus(s);
	if (err)
		goto free;
	vm_opts.bus = s->bus;
	vm_opts.cpl = type->be == &vm_kvm ? opts->cpl : 0;
	err = vm_new(&s->vm, type->be, &vm_opts);
	if (!err && type->bare)
		err = plan_kernel(s);
	if (err)
		goto free;
	*out = s;
	return 0;

free:
	subject_free(s);
	return err;
}

void subject_free(struct subject *s)
{
	if (!s)
		return;
	if (s->bus)
		bw_bus_free(s->bus);
	vm_free(s->vm);
	kernel_bus_free(&s->ports);
	kernel_bus_free(&s->memory);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* What succeeded is on the kernel's bus, or no longer. */
static int mirror(struct subject *s, const struct kvm_ioeventfd *io)
{
	struct kernel_bus *bus = io->flags & KVM_IOEVENTFD_FLAG_PIO ? &s->ports : &s->memory;
	struct kernel_range range = {
		.addr = io->addr,
		.len = io->len,
		.taker = TAKEN_BY_IOEVENTFD,
		.has_value = io->flags & KVM_IOEVENTFD_FLAG_DATAMATCH,
		.value = io->datamatch,
	};

	/* On x86 this bus is there, but no guest reaches it. */
	if (bus == &s->memory && (io->flags & KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY))
		return 0;
	if (!(io->flags & KVM_IOEVENTFD_FLAG_DEASSIGN))
		return kernel_bus_register(bus, &range) ? 0 : -ENOMEM;
	kernel_bus_unregister(bus, &range);
	return 0;
}

int subject_ioeventfd(struct subject *s, const struct kvm_ioeventfd *io)
{
	struct kvm_ioeventfd request = *io;

	if (s->bus)
		return bw_kvm_ioeventfd(s->bus, io);
	if (ioctl(vm_kvm_fd(s->vm), KVM_IOEVENTFD, &request) < 0)
		return -errno;
	return mirror(s, io);
}

int subject_run(struct subject *s, unsigned int vcpu)
{
	struct vcpu *v = vm_vcpu(s->vm, vcpu);

	return s->bus ? vcpu_run(v) : vcpu_run_bare(v, note, s);
}

int subject_play(struct subject *s, struct guest_access *accesses, uint32_t nr)
{
	struct guest_mailbox *mailbox = vcpu_mailbox(vm_vcpu(s->vm, 0));
	size_t size = nr * sizeof(*accesses);
	struct guest_access *list = vm_memory(s->vm, GUEST_SCRATCH, size);
	int err;

	memcpy(list, accesses, size);
	mailbox->op = GUEST_PLAY;
	mailbox->nr_accesses = nr;
	mailbox->accesses = GUEST_SCRATCH;
	mailbox->count = 1;
	err = subject_run(s, 0);
	memcpy(accesses, list, size);
	return err;
}

uint64_t subject_nr_seen(struct subject *s)
{
	return __atomic_load_n(&s->nr_seen, __ATOMIC_RELAXED);
}

void subject_forget(struct subject *s)
{
	pthread_mutex_lock(&s->lock);
	__atomic_store_n(&s->nr_seen, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&s->lock);
}

enum kernel_taker subject_predict(const struct subject *s, bool pio, uint64_t addr, uint32_t len,
				  uint64_t value)
{
	return kernel_bus_write(pio ? &s->ports : &s->memory, addr, len, value);
}
