/* SPDX-License-Identifier: MIT
 *
 * Which way an access took shows in what follows on its thread, not in its own event:
 *
 *	write, or read that KVM cannot satisfy: its event, then kvm_userspace_exit if userspace
 *	must serve it, or anything else if the kernel has.
 *	MMIO read by userspace: a second event when its value is there.
 *	PIO read by userspace: kvm_userspace_exit, and the only event when its value is there.
 *	anything else that reads: an event after the kernel has served it.
 *
 * Time begins with the exit, or where one exit has several accesses with the end of the one before.
 */
#include "cli/watch_account.h"

#include <linux/kvm.h>

static void end_access(struct watch_vcpu *vcpu, uint64_t ns, struct watch_account *account)
{
	uint64_t end = vcpu->resumed ? vcpu->resumed : ns;
	uint64_t took = vcpu->began && end > vcpu->began ? end - vcpu->began : 0;

	if (vcpu->state == WATCH_UNNAMED)
		account->unnamed++;
	else if (vcpu->state != WATCH_IDLE)
		watch_account_access(account, &vcpu->access, vcpu->state == WATCH_SLOW, took);
	if (vcpu->state != WATCH_IDLE)
		vcpu->since = ns;
	vcpu->state = WATCH_IDLE;
	vcpu->resumed = 0;
}

static void begin_access(struct watch_vcpu *vcpu, uint64_t ns, enum watch_state state,
			 struct watch_account *account)
{
	end_access(vcpu, ns, account);
	vcpu->state = state;
	vcpu->began = vcpu->since;
	vcpu->explained = true;
}

static void match_mmio(struct watch_vcpu *vcpu, const struct watch_event *event,
		       struct watch_account *account)
{
	uint64_t type = event->field[MMIO_TYPE], gpa = event->field[MMIO_GPA];
	const struct watch_access *access = &vcpu->access;

	/* The value that userspace has given. */
	if (type == MMIO_READ && vcpu->state == WATCH_SLOW && access->space == BW_MMIO &&
	    !access->is_write && access->addr == gpa)
		return;
	begin_access(vcpu, event->ns, type == MMIO_READ ? WATCH_SERVED : WATCH_LOOKED_UP, account);
	vcpu->access = (struct watch_access){
		.space = BW_MMIO,
		.is_write = type == MMIO_WRITE,
		.len = (uint32_t)event->field[MMIO_LEN],
		.addr = gpa,
		.value = event->field[MMIO_VALUE],
	};
}

static void match_pio(struct watch_vcpu *vcpu, const struct watch_event *event,
		      struct watch_account *account)
{
	bool is_write = event->field[PIO_RW] != 0;

	if (vcpu->state == WATCH_UNNAMED && !is_write)
		vcpu->state = WATCH_SLOW;
	else
		begin_access(vcpu, event->ns, is_write ? WATCH_LOOKED_UP : WATCH_SERVED, account);
	vcpu->access = (struct watch_access){
		.space = BW_PIO,
		.is_write = is_write,
		.len = (uint32_t)event->field[PIO_SIZE],
		.addr = event->field[PIO_PORT],
		.value = event->field[PIO_VALUE],
	};
}

/* Its width is not looked at on that way, neither by the kernel. */
static void match_fast_mmio(struct watch_vcpu *vcpu, const struct watch_event *event,
			    struct watch_account *account)
{
	begin_access(vcpu, event->ns, WATCH_SERVED, account);
	vcpu->access = (struct watch_access){ .space = BW_MMIO,
					      .is_write = true,
					      .addr = event->field[0] };
}

static void leave_for_other(struct watch_vcpu *vcpu, const struct watch_event *event,
			    struct watch_account *account)
{
	uint64_t reason = event->field[USERSPACE_REASON];

	end_access(vcpu, event->ns, account);
	vcpu->since = 0;
	if ((int32_t)event->field[USERSPACE_ERRNO] < 0)
		account->interrupted++;
	else if (reason < WATCH_REASONS)
		account->reasons[reason]++;
	else
		account->reasons_beyond++;
}

static void match_userspace(struct watch_vcpu *vcpu, const struct watch_event *event,
			    struct watch_account *account)
{
	uint64_t reason = event->field[USERSPACE_REASON];
	bool failed = (int32_t)event->field[USERSPACE_ERRNO] < 0;
	bool is_mmio = vcpu->access.space == BW_MMIO;

	vcpu->explained = true;
	if (!failed && vcpu->state == WATCH_LOOKED_UP &&
	    reason == (is_mmio ? KVM_EXIT_MMIO : KVM_EXIT_IO))
		vcpu->state = WATCH_SLOW;
	else if (!failed && reason == KVM_EXIT_IO)
		begin_access(vcpu, event->ns, WATCH_UNNAMED, account);
	else if (!failed && reason == KVM_EXIT_MMIO && vcpu->state == WATCH_SLOW && is_mmio)
		vcpu->resumed = 0; /* more than 8 bytes come in pieces */
	else if (!failed && reason == KVM_EXIT_MMIO)
		account->unnamed++;
	else
		leave_for_other(vcpu, event, account);
}

static void match_begin(struct watch_vcpu *vcpu, uint64_t ns, struct watch_account *account)
{
	/* Without a kvm_entry before, nobody knows when the last access ended. */
	end_access(vcpu, 0, account);
	vcpu->since = ns;
	vcpu->explained = false;
	vcpu->known = true;
}

static void match_entry(struct watch_vcpu *vcpu, uint64_t ns, struct watch_account *account)
{
	account->other_light += vcpu->since && !vcpu->explained;
	end_access(vcpu, ns, account);
	vcpu->since = 0;
	vcpu->known = true;
}

static void match_lost(struct watch_vcpu *vcpu, uint64_t nr, struct watch_account *account)
{
	*vcpu = (struct watch_vcpu){};
	if (__builtin_add_overflow(account->lost, nr, &account->lost))
		account->lost = UINT64_MAX;
}

static void match_known(struct watch_vcpu *vcpu, const struct watch_event *event,
			struct watch_account *account)
{
	switch (event->kind) {
	case WATCH_RUN:
		if (!vcpu->resumed)
			vcpu->resumed = event->ns;
		return;
	case WATCH_MMIO:
		return match_mmio(vcpu, event, account);
	case WATCH_PIO:
		return match_pio(vcpu, event, account);
	case WATCH_FAST_MMIO:
		return match_fast_mmio(vcpu, event, account);
	case WATCH_USERSPACE:
		return match_userspace(vcpu, event, account);
	default:
		return;
	}
}

void watch_match(struct watch_vcpu *vcpu, const struct watch_event *event,
		 struct watch_account *account)
{
	switch (event->kind) {
	case WATCH_BEGIN:
		return match_begin(vcpu, event->ns, account);
	case WATCH_ENTRY:
		return match_entry(vcpu, event->ns, account);
	case WATCH_LOST:
		return match_lost(vcpu, event->field[0], account);
	default:
		if (vcpu->known)
			match_known(vcpu, event, account);
	}
}
