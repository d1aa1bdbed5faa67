/* SPDX-License-Identifier: MIT
 *
 * The KVM back end: a VM and its vCPUs from /dev/kvm, and their end.
 */
#ifdef __x86_64__
#define _GNU_SOURCE
#include <vmm/kvm.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Where KVM may put three pages of its own on Intel: out of the way, below the BIOS. */
#define TSS_ADDR 0xfffbd000u

#define RAM_SLOT 0u
#define PAGE_SLOTS 32u /* for doorbell pages: every KVM has as many */

int kvm_error(const char *what)
{
	return vm_error(errno, "%s: %s", what, strerror(errno));
}

/* The fd of /dev/kvm. */
static int open_kvm(void)
{
	int version, fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return vm_error(ENOENT,
				"there is no /dev/kvm: KVM is not loaded, or not passed in");
	if (fd < 0 && errno == EACCES)
		return vm_error(EACCES, "no permission for /dev/kvm: be root or in its group");
	if (fd < 0)
		return kvm_error("open /dev/kvm");
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version == KVM_API_VERSION)
		return fd;
	close(fd);
	if (version < 0)
		return vm_error(ENOTTY, "/dev/kvm is not KVM");
	return vm_error(EPROTO, "/dev/kvm speaks version %d of the API, not %d", version,
			KVM_API_VERSION);
}

static int kvm_probe(void)
{
	int fd = open_kvm();

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int set_memory(struct kvm_vm *vm)
{
	struct kvm_userspace_memory_region region = {
		.slot = RAM_SLOT,
		.guest_phys_addr = GUEST_RAM_BASE,
		.memory_size = vm->vm.ram_size,
		.userspace_addr = (uintptr_t)vm->vm.ram,
	};

	if (ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return kvm_error("KVM_SET_USER_MEMORY_REGION");
	return 0;
}

static int set_up_vm(struct kvm_vm *vm)
{
	int r;

	if (ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDR) < 0)
		return kvm_error("KVM_SET_TSS_ADDR");
	/* Only for ports that the kernel serves itself; a VM without any runs all the same. */
	(void)ioctl(vm->vm_fd, KVM_CREATE_IRQCHIP, 0);
	r = set_memory(vm);
	return r < 0 ? r : kvm_x86_vm_init(vm);
}

static int kvm_vm_init(struct vm *base)
{
	struct kvm_vm *vm = (struct kvm_vm *)base;
	int r = kvm_install_kick();

	if (r < 0)
		return r;
	vm->sys_fd = open_kvm();
	if (vm->sys_fd < 0)
		return vm->sys_fd;
	vm->vm_fd = (int)TEMP_FAILURE_RETRY(ioctl(vm->sys_fd, KVM_CREATE_VM, 0));
	if (vm->vm_fd < 0) {
		r = kvm_error("KVM_CREATE_VM");
		goto close_sys;
	}
	r = set_up_vm(vm);
	if (r < 0)
		goto close_vm;
	return 0;

close_vm:
	close(vm->vm_fd);
close_sys:
	close(vm->sys_fd);
	return r;
}

static void kvm_vm_exit(struct vm *base)
{
	struct kvm_vm *vm = (struct kvm_vm *)base;

	close(vm->vm_fd);
	close(vm->sys_fd);
}

static int map_run(struct kvm_vcpu *vcpu, int sys_fd)
{
	int size = ioctl(sys_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < 0)
		return kvm_error("KVM_GET_VCPU_MMAP_SIZE");
	vcpu->run_size = (size_t)size;
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		return kvm_error("mmap of struct kvm_run");
	return 0;
}

static int kvm_vcpu_init(struct vcpu *base)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)base;
	struct kvm_vm *vm = (struct kvm_vm *)base->vm;
	int r;

	vcpu->fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, base->index);
	if (vcpu->fd < 0)
		return kvm_error("KVM_CREATE_VCPU");
	r = map_run(vcpu, vm->sys_fd);
	if (r < 0)
		goto close_vcpu;
	r = kvm_x86_vcpu_init(vcpu);
	if (r < 0)
		goto unmap_run;
	kvm_stats_open(vcpu);
	pthread_mutex_init(&vcpu->lock, NULL);
	return 0;

unmap_run:
	munmap(vcpu->run, vcpu->run_size);
close_vcpu:
	close(vcpu->fd);
	return r;
}

static void kvm_vcpu_exit(struct vcpu *base)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)base;

	pthread_mutex_destroy(&vcpu->lock);
	kvm_stats_close(vcpu);
	munmap(vcpu->run, vcpu->run_size);
	close(vcpu->fd);
}

static int kvm_offload(struct vm *vm, enum bw_page_way page_way)
{
	struct bw_kvm_opts opts = {
		.size = sizeof(opts),
		.vm_fd = ((struct kvm_vm *)vm)->vm_fd,
		.first_slot = RAM_SLOT + 1,
		.nr_slots = PAGE_SLOTS,
		.page_way = page_way,
	};
	int r = bw_bus_offload_kvm(vm->bus, &opts);

	return r < 0 ? vm_error(-r, "%s", bw_last_error()) : 0;
}

static int kvm_vm_fd(const struct vm *vm)
{
	return ((const struct kvm_vm *)vm)->vm_fd;
}

static void *kvm_page(struct vcpu *base, unsigned int n)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)base;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), offset = n * page;

	return offset + page <= vcpu->run_size ? (uint8_t *)vcpu->run + offset : NULL;
}

const struct vm_backend vm_kvm = {
	.name = "kvm",
	.vm_size = sizeof(struct kvm_vm),
	.vcpu_size = sizeof(struct kvm_vcpu),
	.probe = kvm_probe,
	.vm_init = kvm_vm_init,
	.vm_exit = kvm_vm_exit,
	.vcpu_init = kvm_vcpu_init,
	.vcpu_exit = kvm_vcpu_exit,
	.run = kvm_vcpu_run,
	.stop = kvm_vcpu_stop,
	.hypercall_probe = kvm_x86_hypercall_probe,
	.exits = kvm_stats_exits,
	.kvm_fd = kvm_vm_fd,
	.kvm_page = kvm_page,
	.irqfd = kvm_irqfd,
	.offload = kvm_offload,
};
#else
#include <vmm/backend.h>

#include <errno.h>

static int kvm_probe(void)
{
	return vm_error(EOPNOTSUPP, "the guest is x86-64 code, and this host is not x86-64");
}

static int kvm_vm_init(struct vm *vm)
{
	(void)vm;
	return kvm_probe();
}

const struct vm_backend vm_kvm = {
	.name = "kvm",
	.vm_size = sizeof(struct vm),
	.probe = kvm_probe,
	.vm_init = kvm_vm_init,
};
#endif
