/* SPDX-License-Identifier: MIT
 *
 * The ioctl by hand: what the library's way is compared with.
 */
#include "cli/bench_setup.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

static int raw_kvm(const struct path *path, uint32_t flags)
{
	struct kvm_ioeventfd io = {
		.addr = path->addr,
		.len = path->type->match_len,
		.fd = path->eventfd,
		.flags = flags,
	};

	if (path->type->space == BW_PIO)
		io.flags |= KVM_IOEVENTFD_FLAG_PIO;
	return ioctl(vm_kvm_fd(path->rig->vm), KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}

int raw_kvm_assign(const struct path *path)
{
	return raw_kvm(path, 0);
}

void raw_kvm_deassign(const struct path *path)
{
	raw_kvm(path, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
