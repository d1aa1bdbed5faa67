/* SPDX-License-Identifier: MIT
 *
 * Runs a KVM vCPU, through the library or without it, and stops it.
 */
#ifdef __x86_64__
#include <vmm/kvm.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#define HV_CALL_SIGNAL_EVENT 0x5du
#define HV_STATUS_INVALID_CONNECTION_ID 0x12u

/* Interrupts KVM_RUN, and what a handler sleeps in. The program must not use it otherwise. */
#define KICK (SIGRTMIN + 1)

static void on_kick(int signal)
{
	(void)signal;
}

int kvm_install_kick(void)
{
	struct sigaction action = { .sa_handler = on_kick }; /* no SA_RESTART */

	sigemptyset(&action.sa_mask);
	return sigaction(KICK, &action, NULL) < 0 ? kvm_error("sigaction") : 0;
}

/* KVM_RUN finishes the access of the last exit first, so that a stopped vCPU can go on later. A
 * kick that comes before KVM_RUN is not lost either: KVM looks at immediate_exit. */
void kvm_vcpu_stop(struct vcpu *base)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)base;

	pthread_mutex_lock(&vcpu->lock);
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELAXED);
	if (vcpu->running)
		pthread_kill(vcpu->thread, KICK);
	pthread_mutex_unlock(&vcpu->lock);
}

static void set_running(struct kvm_vcpu *vcpu, bool running)
{
	pthread_mutex_lock(&vcpu->lock);
	vcpu->thread = pthread_self();
	vcpu->running = running;
	pthread_mutex_unlock(&vcpu->lock);
}

static bool is_done(const struct kvm_run *run)
{
	return run->exit_reason == KVM_EXIT_IO && run->io.port == GUEST_DONE_PORT &&
	       run->io.direction == KVM_EXIT_IO_OUT;
}

/* 1: an exit to serve, 0: the command is done, -EINTR: stopped. */
static int next_exit(struct kvm_vcpu *vcpu)
{
	while (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
		if (errno != EINTR)
			return vm_error(EIO, "KVM_RUN: %s", strerror(errno));
		/* Another signal than ours interrupts too. */
		if (__atomic_exchange_n(&vcpu->run->immediate_exit, 0, __ATOMIC_RELAXED))
			return vm_error(EINTR, "the vCPU was stopped");
	}
	return !is_done(vcpu->run);
}

static int unserved(const struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		return vm_error(EFAULT, "the guest failed: triple fault");
	case KVM_EXIT_FAIL_ENTRY:
		return vm_error(EIO, "KVM cannot enter the guest: hardware reason 0x%llx",
				(unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_INTERNAL_ERROR:
		return vm_error(EIO, "KVM internal error %u, data 0x%llx", run->internal.suberror,
				(unsigned long long)run->internal.data[0]);
	default:
		return vm_error(EIO, "nobody serves KVM's exit reason %u", run->exit_reason);
	}
}

static int run_bus(struct kvm_vcpu *vcpu)
{
	struct bw_bus *bus = vcpu->vcpu.vm->bus;
	int r;

	while ((r = next_exit(vcpu)) > 0) {
		r = bw_bus_kvm_exit(bus, vcpu->run, vcpu->run_size, vcpu);
		if (r == -ENOMSG)
			return unserved(vcpu->run);
		if (r < 0)
			return vm_error(-r, "%s", bw_last_error());
	}
	return r;
}

static void bare_io(struct kvm_vcpu *vcpu, bw_handler_fn *fn, void *opaque)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size)
		fn(opaque, &(struct bw_access){ .space = BW_PIO,
						.is_write = run->io.direction == KVM_EXIT_IO_OUT,
						.len = run->io.size,
						.addr = run->io.port,
						.data = data,
						.vcpu = vcpu });
}

static void bare_mmio(struct kvm_vcpu *vcpu, bw_handler_fn *fn, void *opaque)
{
	struct kvm_run *run = vcpu->run;

	fn(opaque, &(struct bw_access){ .space = BW_MMIO,
					.is_write = run->mmio.is_write,
					.len = run->mmio.len,
					.addr = run->mmio.phys_addr,
					.data = run->mmio.data,
					.vcpu = vcpu });
}

/* fn cannot say that somebody took it, so the guest is told that nobody did. */
static void bare_hypercall(struct kvm_vcpu *vcpu, bw_handler_fn *fn, void *opaque)
{
	struct kvm_hyperv_exit *exit = &vcpu->run->hyperv;

	fn(opaque, &(struct bw_access){ .space = BW_HYPERCALL,
					.is_write = true,
					.addr = exit->u.hcall.params[0],
					.vcpu = vcpu });
	exit->u.hcall.result = HV_STATUS_INVALID_CONNECTION_ID;
}

static bool is_signal_event(const struct kvm_run *run)
{
	return run->exit_reason == KVM_EXIT_HYPERV && run->hyperv.type == KVM_EXIT_HYPERV_HCALL &&
	       (uint16_t)run->hyperv.u.hcall.input == HV_CALL_SIGNAL_EVENT;
}

/* What a VMM would write by hand: the library is measured against it. */
static int run_bare(struct kvm_vcpu *vcpu, bw_handler_fn *fn, void *opaque)
{
	int r;

	while ((r = next_exit(vcpu)) > 0) {
		if (vcpu->run->exit_reason == KVM_EXIT_IO)
			bare_io(vcpu, fn, opaque);
		else if (vcpu->run->exit_reason == KVM_EXIT_MMIO)
			bare_mmio(vcpu, fn, opaque);
		else if (is_signal_event(vcpu->run))
			bare_hypercall(vcpu, fn, opaque);
		else
			return unserved(vcpu->run);
	}
	return r;
}

int kvm_vcpu_run(struct vcpu *base, bw_handler_fn *fn, void *opaque)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)base;
	sigset_t kick, before;
	int r;

	sigemptyset(&kick);
	sigaddset(&kick, KICK);
	pthread_sigmask(SIG_UNBLOCK, &kick, &before);
	set_running(vcpu, true);
	r = fn ? run_bare(vcpu, fn, opaque) : run_bus(vcpu);
	set_running(vcpu, false);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}
#endif
