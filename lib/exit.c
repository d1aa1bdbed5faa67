/* SPDX-License-Identifier: MIT
 *
 * bw_bus_kvm_exit(): from struct kvm_run to accesses of the bus.
 */
#include "error.h"

#include <bellwire.h>

#include <errno.h>
#include <linux/kvm.h>

/* Hyper-V TLFS: the call code is in bits 0 to 15 of the hypercall's input. */
#define HV_CALL_CODE 0xffffu
#define HV_SIGNAL_EVENT 0x5du
#define HV_STATUS_SUCCESS 0u
#define HV_STATUS_INVALID_CONNECTION_ID 0x12u

/* The exit is read once: where run is malformed its data may overlap it. */
static int io_exit(struct bw_bus *bus, struct kvm_run *run, size_t run_size, void *vcpu)
{
	uint64_t size = run->io.size, count = run->io.count, data = run->io.data_offset, end;
	bool is_write = run->io.direction == KVM_EXIT_IO_OUT;
	uint16_t port = run->io.port;
	int result = BW_SIGNALLED;

	if (__builtin_add_overflow(data, size * count, &end) || end > run_size)
		return fail(-EINVAL, "the exit's data ends at %llu, kvm_run at %zu",
			    (unsigned long long)end, run_size);
	if (!size || !count)
		return fail(-EINVAL, "an exit of %llu elements of %llu bytes",
			    (unsigned long long)count, (unsigned long long)size);
	for (; data < end; data += size) {
		struct bw_access access = {
			.space = BW_PIO,
			.is_write = is_write,
			.len = (uint32_t)size,
			.addr = port,
			.data = (char *)run + data,
			.vcpu = vcpu,
		};
		int one = bw_bus_access(bus, &access);

		if (one < 0)
			return one;
		if (one < result)
			result = one;
	}
	return result;
}

static int mmio_exit(struct bw_bus *bus, struct kvm_run *run, void *vcpu)
{
	struct bw_access access = {
		.space = BW_MMIO,
		.is_write = run->mmio.is_write,
		.len = run->mmio.len,
		.addr = run->mmio.phys_addr,
		.data = run->mmio.data,
		.vcpu = vcpu,
	};

	return bw_bus_access(bus, &access);
}

/* KVM has read the connection id for us, wherever the guest passed it: it is params[0]. A flag
 * number above it (bits 32 to 47), which KVM leaves to userspace too, is nobody's here. */
static int hyperv_exit(struct bw_bus *bus, struct kvm_run *run, void *vcpu)
{
	struct bw_access access = {
		.space = BW_HYPERCALL,
		.is_write = true,
		.addr = run->hyperv.u.hcall.params[0],
		.vcpu = vcpu,
	};
	int result;

	if (run->hyperv.type != KVM_EXIT_HYPERV_HCALL ||
	    (run->hyperv.u.hcall.input & HV_CALL_CODE) != HV_SIGNAL_EVENT)
		return fail(-ENOMSG, "a Hyper-V exit that is no HvCallSignalEvent");
	run->hyperv.u.hcall.result = HV_STATUS_SUCCESS;
	result = bw_bus_access(bus, &access);
	if (result == BW_UNCLAIMED)
		run->hyperv.u.hcall.result = HV_STATUS_INVALID_CONNECTION_ID;
	return result;
}

int bw_bus_kvm_exit(struct bw_bus *bus, struct kvm_run *run, size_t run_size, void *vcpu)
{
	if (run_size < sizeof(*run))
		return fail(-EINVAL, "a kvm_run of %zu bytes: it has %zu", run_size, sizeof(*run));
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return io_exit(bus, run, run_size, vcpu);
	case KVM_EXIT_MMIO:
		return mmio_exit(bus, run, vcpu);
	case KVM_EXIT_HYPERV:
		return hyperv_exit(bus, run, vcpu);
	default:
		return fail(-ENOMSG, "exit reason %u is no I/O", run->exit_reason);
	}
}
