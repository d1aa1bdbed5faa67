/* SPDX-License-Identifier: MIT
 *
 * A VM by hand: nothing but its buses, and at some time a vCPU, which never runs.
 */
#define _GNU_SOURCE
#include "cli/cli.h"
#include "cli/regions.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int failed(const char *what)
{
	int err = -errno;

	cli_failed("%s: %s", what, strerror(-err));
	return err;
}

int bare_vm_open(struct bare_vm *vm)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), err = 0;

	*vm = (struct bare_vm){ -1, -1 };
	if (kvm < 0)
		return failed("/dev/kvm");
	vm->fd = (int)TEMP_FAILURE_RETRY(ioctl(kvm, KVM_CREATE_VM, 0));
	if (vm->fd < 0)
		err = failed("KVM_CREATE_VM");
	close(kvm);
	return err;
}

int bare_vm_add_vcpu(struct bare_vm *vm)
{
	vm->vcpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	return vm->vcpu < 0 ? failed("KVM_CREATE_VCPU") : 0;
}

void bare_vm_close(struct bare_vm *vm)
{
	if (vm->vcpu >= 0)
		close(vm->vcpu);
	if (vm->fd >= 0)
		close(vm->fd);
}

int bare_vm_ioeventfd(const struct bare_vm *vm, uint64_t addr, uint32_t len, int eventfd,
		      bool deassign)
{
	struct kvm_ioeventfd io = {
		.addr = addr,
		.len = len,
		.fd = eventfd,
		.flags = deassign ? KVM_IOEVENTFD_FLAG_DEASSIGN : 0,
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}
