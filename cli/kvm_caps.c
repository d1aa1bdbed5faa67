/* SPDX-License-Identifier: MIT
 *
 * KVM_CHECK_EXTENSION over the capabilities that matter here.
 */
#include "cli/kvm_caps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CAP(cap) .name = #cap, .number = cap

static struct kvm_cap table[] = {
	{ CAP(KVM_CAP_IOEVENTFD), .use = "PIO and MMIO doorbells are signalled in the kernel",
	  .without = "every ring exits to userspace" },
	{ CAP(KVM_CAP_IOEVENTFD_NO_LENGTH),
	  .use = "length 0 on MMIO skips decoding the instruction (VMX)",
	  .without = "an any-length doorbell costs what a sized one does" },
	{ CAP(KVM_CAP_IOEVENTFD_ANY_LENGTH), .use = "doorbells of any length",
	  .without = "those exit to userspace" },
	{ CAP(KVM_CAP_HYPERV), .use = "Hyper-V's hypercalls", .without = "no hypercall doorbells" },
	{ CAP(KVM_CAP_HYPERV_EVENTFD), .use = "hypercall doorbells are signalled in the kernel",
	  .without = "those exit to userspace at best" },
	{ CAP(KVM_CAP_COALESCED_MMIO), .use = "MMIO writes can be batched",
	  .without = "each exits" },
	{ CAP(KVM_CAP_COALESCED_PIO), .use = "PIO writes can be batched", .without = "each exits" },
	{ CAP(KVM_CAP_IRQCHIP), .use = "ports that the kernel serves: the cost of a light exit",
	  .without = "null-kernel-pio cannot be measured" },
	{ CAP(KVM_CAP_IMMEDIATE_EXIT), .use = "a vCPU can be stopped before it runs",
	  .without = "a stop may come too early and be missed" },
	{ CAP(KVM_CAP_BINARY_STATS_FD),
	  .use = "exits are counted, also those that the kernel serves",
	  .without = "exits per ring are unknown" },
	{ CAP(KVM_CAP_DISABLE_QUIRKS2),
	  .use = "with bit 7, a memslot goes without dropping the others",
	  .without = "every memslot removal costs the guest all its mappings" },
};

int kvm_caps_read(const struct kvm_cap **caps, size_t *nr)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*caps = table;
	*nr = sizeof(table) / sizeof(table[0]);
	for (size_t i = 0; i < *nr; i++) {
		table[i].value = ioctl(fd, KVM_CHECK_EXTENSION, table[i].number);
		if (table[i].value < 0) {
			int err = -errno;

			close(fd);
			return err;
		}
	}
	close(fd);
	return 0;
}
