/* SPDX-License-Identifier: MIT
 *
 * What the back ends have in common: memory with the guest in it, and who is asked for what.
 */
#define _GNU_SOURCE
#include <vmm/backend.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct vm_backend *const backends[] = { &vm_kvm, &vm_soft };

static _Thread_local char last_error[256];

const char *vm_last_error(void)
{
	return last_error;
}

int vm_error(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last_error, sizeof(last_error), format, args);
	va_end(args);
	return -err;
}

const struct vm_backend *vm_backend_at(unsigned int index)
{
	return index < ARRAY_SIZE(backends) ? backends[index] : NULL;
}

const struct vm_backend *vm_backend_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	}
	return NULL;
}

const char *vm_backend_name(const struct vm_backend *be)
{
	return be->name;
}

int vm_backend_probe(const struct vm_backend *be)
{
	return be->probe();
}

static int check_opts(const struct vm_opts *opts)
{
	if (opts->nr_vcpus < 1 || opts->nr_vcpus > VM_MAX_VCPUS)
		return vm_error(EINVAL, "a VM has 1 to %u vCPUs, not %u", VM_MAX_VCPUS,
				opts->nr_vcpus);
	if (opts->cpl != 0 && opts->cpl != 3)
		return vm_error(EINVAL, "the guest runs at CPL 0 or 3, not %u", opts->cpl);
	if (opts->ram_size % GUEST_RAM_MIN || opts->ram_size > VM_MAX_RAM)
		return vm_error(EINVAL, "RAM is whole 2 MiB up to %u MiB", VM_MAX_RAM >> 20);
	return 0;
}

/* Shared memory, because an endpoint in another process may map it. Sealed: that process cannot
 * make it smaller under our feet. */
static int new_memory(uint64_t size)
{
	int fd = memfd_create("guest RAM", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return vm_error(errno, "memfd_create: %s", strerror(errno));
	if (ftruncate(fd, (off_t)size) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	r = vm_error(errno, "%llu bytes of guest RAM: %s", (unsigned long long)size,
		     strerror(errno));
	close(fd);
	return r;
}

static int load_guest(struct vm *vm, uint64_t ram_size)
{
	int r;

	vm->ram_fd = new_memory(ram_size);
	if (vm->ram_fd < 0)
		return vm->ram_fd;
	vm->ram = mmap(NULL, ram_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->ram_fd, 0);
	if (vm->ram == MAP_FAILED) {
		r = vm_error(errno, "mmap of %llu bytes of guest RAM: %s",
			     (unsigned long long)ram_size, strerror(errno));
		close(vm->ram_fd);
		return r;
	}
	vm->ram_size = ram_size;
	memcpy(vm_memory(vm, GUEST_IMAGE, 0), guest_image, (size_t)(guest_image_end - guest_image));
	return 0;
}

static void unload_guest(struct vm *vm)
{
	munmap(vm->ram, vm->ram_size);
	close(vm->ram_fd);
}

static int vcpu_new(struct vm *vm)
{
	struct vcpu *vcpu = calloc(1, vm->be->vcpu_size);
	int r;

	if (!vcpu)
		return vm_error(ENOMEM, "no memory for a vCPU");
	vcpu->vm = vm;
	vcpu->index = vm->nr_vcpus;
	r = vm->be->vcpu_init(vcpu);
	if (r < 0) {
		free(vcpu);
		return r;
	}
	vm->vcpus[vm->nr_vcpus++] = vcpu;
	return 0;
}

static void free_vcpus(struct vm *vm)
{
	while (vm->nr_vcpus > 0) {
		struct vcpu *vcpu = vm->vcpus[--vm->nr_vcpus];

		vm->be->vcpu_exit(vcpu);
		free(vcpu);
	}
}

int vm_new(struct vm **out, const struct vm_backend *be, const struct vm_opts *opts)
{
	struct vm *vm;
	int r = check_opts(opts);

	if (r < 0)
		return r;
	vm = calloc(1, be->vm_size);
	if (!vm)
		return vm_error(ENOMEM, "no memory for a VM");
	vm->be = be;
	vm->bus = opts->bus;
	vm->cpl = opts->cpl;
	r = load_guest(vm, opts->ram_size ? opts->ram_size : GUEST_RAM_MIN);
	if (r < 0)
		goto free_vm;
	r = be->vm_init(vm);
	if (r < 0)
		goto unload_guest;
	while (vm->nr_vcpus < opts->nr_vcpus) {
		r = vcpu_new(vm);
		if (r < 0)
			goto free_vcpus;
	}
	/* Last: only bw_bus_free() takes it back. */
	if (vm->bus && !opts->no_offload) {
		r = be->offload(vm, opts->page_way);
		if (r < 0)
			goto free_vcpus;
	}
	*out = vm;
	return 0;

free_vcpus:
	free_vcpus(vm);
	be->vm_exit(vm);
unload_guest:
	unload_guest(vm);
free_vm:
	free(vm);
	return r;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	free_vcpus(vm);
	vm->be->vm_exit(vm);
	unload_guest(vm);
	free(vm);
}

void *vm_memory(struct vm *vm, uint64_t gpa, uint64_t len)
{
	uint64_t offset = gpa - GUEST_RAM_BASE;

	if (offset > vm->ram_size || len > vm->ram_size - offset)
		return NULL;
	return vm->ram + offset;
}

int vm_memory_fd(const struct vm *vm)
{
	return vm->ram_fd;
}

uint64_t vm_ram_size(const struct vm *vm)
{
	return vm->ram_size;
}

uint64_t vm_last_gpa(const struct vm *vm)
{
	return vm->last_gpa;
}

struct vcpu *vm_vcpu(struct vm *vm, unsigned int index)
{
	return index < vm->nr_vcpus ? vm->vcpus[index] : NULL;
}

int vm_kvm_fd(const struct vm *vm)
{
	if (!vm->be->kvm_fd)
		return vm_error(EOPNOTSUPP, "%s has no KVM fd", vm->be->name);
	return vm->be->kvm_fd(vm);
}

int vm_irqfd(struct vm *vm, int eventfd)
{
	if (!vm->be->irqfd)
		return vm_error(EOPNOTSUPP, "%s has no interrupt controller", vm->be->name);
	return vm->be->irqfd(vm, eventfd);
}

int vm_hypercall_probe(const struct vm *vm)
{
	return vm->be->hypercall_probe(vm);
}

struct guest_mailbox *vcpu_mailbox(struct vcpu *vcpu)
{
	return vm_memory(vcpu->vm, GUEST_MAILBOX(vcpu->index), sizeof(struct guest_mailbox));
}

static int run(struct vcpu *vcpu, bw_handler_fn *fn, void *opaque)
{
	int r;

	if (vcpu->failed)
		return vm_error(-vcpu->failed, "vCPU %u has failed before", vcpu->index);
	r = vcpu->vm->be->run(vcpu, fn, opaque);
	if (r < 0 && r != -EINTR)
		vcpu->failed = r;
	return r;
}

int vcpu_run(struct vcpu *vcpu)
{
	if (!vcpu->vm->bus)
		return vm_error(EINVAL, "this VM has no bus: only vcpu_run_bare() can run it");
	return run(vcpu, NULL, NULL);
}

int vcpu_run_bare(struct vcpu *vcpu, bw_handler_fn *fn, void *opaque)
{
	return run(vcpu, fn, opaque);
}

void vcpu_stop(struct vcpu *vcpu)
{
	vcpu->vm->be->stop(vcpu);
}

void *vcpu_kvm_page(struct vcpu *vcpu, unsigned int n)
{
	return vcpu->vm->be->kvm_page ? vcpu->vm->be->kvm_page(vcpu, n) : NULL;
}

int vcpu_exits(struct vcpu *vcpu, uint64_t *exits)
{
	if (!vcpu->vm->be->exits)
		return vm_error(EOPNOTSUPP, "%s does not count exits", vcpu->vm->be->name);
	return vcpu->vm->be->exits(vcpu, exits);
}
