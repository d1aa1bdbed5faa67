/* SPDX-License-Identifier: MIT
 *
 * What ioctl-before.c and ioctl-after.c have in common, so that they differ in what matters alone:
 * a VM whose guest writes 0x510 to port 0x510 a thousand times, then halts.
 */
#ifndef TINY_VM_H
#define TINY_VM_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define RINGS 1000u
#define DOORBELL 0x510u

struct tiny_vm {
	int sys, fd, vcpu, run_size;
	struct kvm_run *run;
};

static inline void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static inline int tiny_ioctl(int fd, unsigned long request, void *arg)
{
	int r;

	do
		r = ioctl(fd, request, arg);
	while (r < 0 && errno == EINTR); /* a signal: somebody had stopped us for a while, say */
	if (r < 0)
		die("KVM", strerror(errno));
	return r;
}

static inline void *tiny_map(size_t size, int flags, int fd)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);

	if (memory == MAP_FAILED)
		die("mmap", strerror(errno));
	return memory;
}

static inline void tiny_vm_open(struct tiny_vm *vm)
{
	/* mov dx, 0x510; mov ax, dx; mov cx, 1000; ring: out dx, ax; loop ring; hlt */
	static const uint8_t code[] = { 0xba, 0x10, 0x05, 0x89, 0xd0, 0xb9,
					0xe8, 0x03, 0xef, 0xe2, 0xfd, 0xf4 };
	struct kvm_userspace_memory_region memory = { .memory_size = 0x1000 };
	struct kvm_regs regs = { .rip = 0, .rflags = 2 };
	struct kvm_sregs sregs;
	void *ram = tiny_map(0x1000, MAP_ANONYMOUS, -1);

	vm->sys = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->sys < 0 || ioctl(vm->sys, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		perror("/dev/kvm");
		exit(77);
	}
	memcpy(ram, code, sizeof(code));
	memory.userspace_addr = (uintptr_t)ram;
	vm->fd = tiny_ioctl(vm->sys, KVM_CREATE_VM, NULL);
	tiny_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &memory);
	vm->vcpu = tiny_ioctl(vm->fd, KVM_CREATE_VCPU, NULL);
	vm->run_size = tiny_ioctl(vm->sys, KVM_GET_VCPU_MMAP_SIZE, NULL);
	vm->run = tiny_map((size_t)vm->run_size, 0, vm->vcpu);
	tiny_ioctl(vm->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	tiny_ioctl(vm->vcpu, KVM_SET_SREGS, &sregs);
	tiny_ioctl(vm->vcpu, KVM_SET_REGS, &regs);
}

/* To the next exit, and why it came. */
static inline uint32_t tiny_vm_run(struct tiny_vm *vm)
{
	tiny_ioctl(vm->vcpu, KVM_RUN, NULL);
	return vm->run->exit_reason;
}

#endif
