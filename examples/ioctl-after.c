/* SPDX-License-Identifier: MIT
 *
 * ioctl-before.c with Bellwire: the ioctl is a call that takes the same struct and fails with the
 * same errno, and what KVM does not take, or on a host without it would not, the bus signals.
 *
 *   cc ioctl-after.c $(pkg-config --cflags --libs bellwire) && ./a.out
 */
#include <bellwire.h>

#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tiny-vm.h"

static void set_doorbell(struct bw_bus *bus, int eventfd, bool on)
{
	struct kvm_ioeventfd io = {
		.addr = DOORBELL,
		.len = 2,
		.datamatch = DOORBELL,
		.fd = eventfd,
		.flags = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH |
			 (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	if (bw_kvm_ioeventfd(bus, &io) < 0)
		die("doorbell", bw_last_error());
}

int main(void)
{
	struct bw_kvm_opts opts = { .size = sizeof(opts) };
	struct tiny_vm vm;
	struct bw_bus *bus;
	uint64_t rings = 0;
	int kick;

	tiny_vm_open(&vm);
	opts.vm_fd = vm.fd;
	if (bw_bus_new(&bus, NULL) < 0 || bw_bus_offload_kvm(bus, &opts) < 0)
		die("bus", bw_last_error());
	kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (kick < 0)
		die("eventfd", strerror(errno));
	set_doorbell(bus, kick, true);
	while (tiny_vm_run(&vm) != KVM_EXIT_HLT)
		if (bw_bus_kvm_exit(bus, vm.run, (size_t)vm.run_size, NULL) < BW_HANDLED)
			die("the guest", "an exit that nobody serves");
	set_doorbell(bus, kick, false);
	if (read(kick, &rings, sizeof(rings)) < 0)
		die("eventfd", strerror(errno));
	printf("%ju rings\n", (uintmax_t)rings);
	bw_bus_free(bus); /* before the VM: the offload borrows its fd */
	return rings == RINGS ? 0 : 1;
}
