/* SPDX-License-Identifier: MIT
 *
 * A VMM as there are many: its doorbell is an ioctl. ioctl-after.c is the same one with Bellwire.
 */
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tiny-vm.h"

static void set_doorbell(struct tiny_vm *vm, int eventfd, bool on)
{
	struct kvm_ioeventfd io = {
		.addr = DOORBELL,
		.len = 2,
		.datamatch = DOORBELL,
		.fd = eventfd,
		.flags = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH |
			 (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	if (ioctl(vm->fd, KVM_IOEVENTFD, &io) < 0)
		die("KVM_IOEVENTFD", strerror(errno));
}

int main(void)
{
	struct tiny_vm vm;
	uint64_t rings = 0;
	int kick;

	tiny_vm_open(&vm);
	kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (kick < 0)
		die("eventfd", strerror(errno));
	set_doorbell(&vm, kick, true);
	while (tiny_vm_run(&vm) != KVM_EXIT_HLT)
		die("the guest", "an exit that nobody serves");
	set_doorbell(&vm, kick, false);
	if (read(kick, &rings, sizeof(rings)) < 0)
		die("eventfd", strerror(errno));
	printf("%ju rings\n", (uintmax_t)rings);
	return rings == RINGS ? 0 : 1;
}
