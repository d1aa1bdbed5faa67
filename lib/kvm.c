/* SPDX-License-Identifier: MIT
 *
 * The offload to Linux KVM: KVM_IOEVENTFD, and KVM_HYPERV_EVENTFD where the VM has it.
 */
#include "error.h"
#include "kvm.h"
#include "offload.h"
#include "txn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static const char *refuses(void *state, const struct offload_claim *claim)
{
	const struct kvm *kvm = state;

	if (claim->space == BW_HYPERCALL)
		return kvm->hypercalls ? NULL : "this KVM lacks KVM_CAP_HYPERV_EVENTFD";
	if (claim->match.len == BW_ANY_LEN && !kvm->any_length)
		return "this KVM lacks KVM_CAP_IOEVENTFD_ANY_LENGTH";
	if (claim->addr + claim->match.len < claim->addr)
		return "KVM takes no range that ends at 2^64";
	return NULL;
}

static int set_hypercall(const struct kvm *kvm, const struct offload_claim *claim, bool deassign)
{
	struct kvm_hyperv_eventfd request = {
		.conn_id = (uint32_t)claim->addr,
		.fd = claim->fd,
		.flags = deassign ? KVM_HYPERV_EVENTFD_DEASSIGN : 0,
	};

	return ioctl(kvm->vm_fd, KVM_HYPERV_EVENTFD, &request) < 0 ? -errno : 0;
}

static int set_ioeventfd(const struct kvm *kvm, const struct offload_claim *claim, bool deassign)
{
	struct kvm_ioeventfd request = {
		.datamatch = claim->match.value,
		.addr = claim->addr,
		.len = claim->match.len,
		.fd = claim->fd,
		.flags = (deassign ? KVM_IOEVENTFD_FLAG_DEASSIGN : 0) |
			 (claim->match.has_value ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
			 (claim->space == BW_PIO ? KVM_IOEVENTFD_FLAG_PIO : 0) |
			 (claim->space == SPACE_CCW ? KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY : 0),
	};

	return ioctl(kvm->vm_fd, KVM_IOEVENTFD, &request) < 0 ? -errno : 0;
}

static int set(const struct kvm *kvm, const struct offload_claim *claim, bool deassign)
{
	return claim->space == BW_HYPERCALL ? set_hypercall(kvm, claim, deassign)
					    : set_ioeventfd(kvm, claim, deassign);
}

static int assign(void *state, const struct offload_claim *claim, const char **why)
{
	int err = set(state, claim, false);

	if (err == -ENOSPC) {
		*why = "this VM's KVM bus is full";
		err = -EOPNOTSUPP;
	}
	if (err == -EEXIST)
		fail(err, "KVM has an ioeventfd at %s 0x%llx that this bus did not assign",
		     space_name(claim->space), (unsigned long long)claim->addr);
	else if (err && err != -EOPNOTSUPP)
		fail(err, "KVM refuses the ioeventfd at %s 0x%llx: %s", space_name(claim->space),
		     (unsigned long long)claim->addr, strerror(-err));
	return err;
}

static void deassign(void *state, const struct offload_claim *claim)
{
	/* fails only if the VM is gone, or somebody deassigned behind our back: no signal either
	 * way */
	set(state, claim, true);
}

static unsigned int caps(void *state)
{
	const struct kvm *kvm = state;

	return BW_CAP_MMIO | BW_CAP_PIO | (kvm->hypercalls ? BW_CAP_HYPERCALL : 0) |
	       (kvm->pages.way ? BW_CAP_PAGE : 0);
}

static void kvm_free(void *state)
{
	struct kvm *kvm = state;

	kvm_pages_fini(kvm);
	free(kvm);
}

static bool holds(const struct offload_claim *outer, const struct offload_claim *inner)
{
	return outer->addr <= inner->addr &&
	       inner->addr + inner->match.len <= outer->addr + outer->match.len;
}

/* As docs/conformance.md has them. */
static const char *defect(const struct offload_claim *claim, const struct offload_claim *other)
{
	if (!other)
		return claim->space == BW_MMIO && claim->match.len == BW_ANY_LEN
			       ? "fast-mmio: with EPT it is signalled for reads, too"
			       : NULL;
	if (claim->space != other->space || claim->space == BW_HYPERCALL ||
	    (claim->addr == other->addr && claim->match.len == other->match.len))
		return NULL;
	return holds(claim, other) || holds(other, claim)
		       ? "nested-ranges: one range holds the other, and the search may go past it"
		       : NULL;
}

static const struct offload_ops kvm_ops = {
	.name = "kvm",
	.assign = assign,
	.deassign = deassign,
	.refuses = refuses,
	.page_way = kvm_page_way,
	.map = kvm_page_map,
	.unmap = kvm_page_unmap,
	.defect = defect,
	.caps = caps,
	.free = kvm_free,
};

/* Only a VM knows KVM_IOEVENTFD, and it looks at the eventfd last: EBADF means that it got there.
 */
static int check_vm(int vm_fd)
{
	struct kvm_ioeventfd probe = { .fd = -1, .flags = KVM_IOEVENTFD_FLAG_DEASSIGN };
	int has;

	if (fcntl(vm_fd, F_GETFD) < 0)
		return fail(-EBADF, "vm_fd %d is not open", vm_fd);
	has = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD);
	if (has < 0 && errno == EIO)
		return fail(-EIO, "vm_fd %d is the VM of another process", vm_fd);
	if (has <= 0)
		return fail(-ENOTTY, "vm_fd %d is no KVM VM, or one without KVM_CAP_IOEVENTFD",
			    vm_fd);
	if (ioctl(vm_fd, KVM_IOEVENTFD, &probe) >= 0 || errno != EBADF)
		return fail(-ENOTTY, "vm_fd %d is KVM's, but no VM", vm_fd);
	return 0;
}

int bw_bus_offload_kvm(struct bw_bus *bus, const struct bw_kvm_opts *opts)
{
	struct bw_kvm_opts known;
	struct kvm *kvm;
	int err = txn_check(bus);

	if (!err)
		err = copy_options(&known, sizeof(known), opts, "bw_bus_offload_kvm");
	if (!err)
		err = check_vm(known.vm_fd);
	if (err)
		return err;
	kvm = calloc(1, sizeof(*kvm));
	if (!kvm)
		return fail(-ENOMEM, "no memory for an offload");
	kvm->vm_fd = known.vm_fd;
	kvm->any_length = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD_ANY_LENGTH) > 0;
	kvm->hypercalls = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_HYPERV_EVENTFD) > 0;
	err = offload_is_free(bus); /* before the VM is changed */
	if (!err)
		err = kvm_pages_init(kvm, &known);
	if (!err)
		err = bus_offload(bus, &kvm_ops, kvm);
	if (err)
		kvm_free(kvm);
	return err;
}
