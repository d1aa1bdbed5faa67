/* SPDX-License-Identifier: MIT
 *
 * The guest: takes a command from its mailbox, performs it, says that it is done, takes the next.
 * Every vCPU runs this code, so it has no variables of its own.
 */
#include <guest/abi.h>
#include <guest/insn.h>
#include <guest/virtqueue.h>

/* guest.ld cannot read abi.h and has these as numbers. */
_Static_assert(GUEST_IMAGE == 0x210000, "guest.ld places the image there");
_Static_assert(GUEST_ENTRY == 0x210040, "guest.ld places guest_entry() there");
_Static_assert(GUEST_HYPERCALL_PAGE - GUEST_IMAGE == 0x10000, "guest.ld checks the size");
_Static_assert(GUEST_RAM_BASE == 0x200000 && GUEST_BOOT_CPL == 0x22f000 &&
		       GUEST_MAILBOX(0) == 0x230000 && GUEST_STACK_TOP(0) == 0x250000,
	       "nor can multiboot.S");

struct interrupt_frame;

#define INLINE static inline __attribute__((always_inline))

void guest_entry(struct guest_mailbox *mailbox);
void guest_interrupt(struct interrupt_frame *frame);

/* What is measured: everything in registers, and the sequence store only if it was asked for. */
INLINE void ring(struct guest_mailbox *mailbox, uint32_t kind, uint32_t len)
{
	uint64_t addr = mailbox->ring.addr, value = mailbox->ring.value, result = 0;
	uint64_t count = mailbox->count;
	uint32_t elements = mailbox->ring.count;
	volatile uint64_t *sequence = (volatile uint64_t *)mailbox->sequence;

	if (!sequence) {
		for (; count > 0; count--)
			result = insn_perform(kind, len, addr, value, elements);
	} else {
		for (uint64_t i = 1; i <= count; i++) {
			*sequence = i;
			result = insn_perform(kind, len, addr, value, elements);
		}
	}
	mailbox->ring.result = result;
}

INLINE void ring_kind(struct guest_mailbox *mailbox, uint32_t kind)
{
	switch (mailbox->ring.len) {
	case 1:
		return ring(mailbox, kind, 1);
	case 2:
		return ring(mailbox, kind, 2);
	case 4:
		return ring(mailbox, kind, 4);
	case 8:
		return ring(mailbox, kind, 8);
	case 16:
		return ring(mailbox, kind, 16);
	default:
		__builtin_trap();
	}
}

static void ring_command(struct guest_mailbox *mailbox)
{
	switch (mailbox->ring.kind) {
	case GUEST_OUT:
		return ring_kind(mailbox, GUEST_OUT);
	case GUEST_IN:
		return ring_kind(mailbox, GUEST_IN);
	case GUEST_OUTS:
		return ring_kind(mailbox, GUEST_OUTS);
	case GUEST_STORE:
		return ring_kind(mailbox, GUEST_STORE);
	case GUEST_LOAD:
		return ring_kind(mailbox, GUEST_LOAD);
	case GUEST_HYPERCALL:
		return ring(mailbox, GUEST_HYPERCALL, 0);
	default:
		__builtin_trap();
	}
}

static void play_command(struct guest_mailbox *mailbox)
{
	struct guest_access *accesses = (struct guest_access *)mailbox->accesses;
	uint32_t nr = mailbox->nr_accesses;

	for (uint64_t left = mailbox->count; left > 0; left--) {
		for (uint32_t i = 0; i < nr; i++) {
			struct guest_access *a = &accesses[i];

			a->result = insn_perform(a->kind, a->len, a->addr, a->value, a->count);
			/* Others watch it while the list is played. */
			*(volatile uint32_t *)&a->done = 1;
		}
	}
}

/* No PAUSE in the loop: KVM may exit after many of them. */
static void round_trip_command(struct guest_mailbox *mailbox)
{
	const struct guest_access *a = &mailbox->ring;
	struct guest_trip *trips = (struct guest_trip *)mailbox->trips;
	const volatile uint64_t *answer = (const volatile uint64_t *)mailbox->answer;

	for (uint64_t i = 1; i <= mailbox->count; i++, trips++) {
		trips->rung = insn_rdtsc();
		insn_perform(a->kind, a->len, a->addr, i, a->count);
		while (*answer != i)
			;
		trips->answered = insn_rdtsc();
	}
}

/* Only vCPU 0 is ever interrupted. */
__attribute__((interrupt, section(".text.interrupt"))) void
guest_interrupt(struct interrupt_frame *frame)
{
	volatile uint64_t *interrupts = (volatile uint64_t *)(uint64_t)GUEST_INTERRUPTS;

	(void)frame;
	*interrupts = *interrupts + 1;
	*(volatile uint32_t *)(uint64_t)GUEST_APIC_EOI = 0;
}

/* The guest's other work: it is felt there if the hypervisor has forgotten its memory. */
static uint64_t touch(struct guest_mailbox *mailbox, uint64_t at)
{
	for (uint64_t left = mailbox->touch_pages; left > 0; left--) {
		uint64_t start = insn_rdtsc(), took;

		(void)*(const volatile uint64_t *)(mailbox->touch + at);
		took = insn_rdtsc() - start;
		if (took >= mailbox->fault_min && took <= mailbox->fault_max)
			mailbox->fault_ticks += took;
		at = at + 4096 < mailbox->touch_len ? at + 4096 : 0;
	}
	return at;
}

/* Stores of 4 bytes: what it paces are doorbells in memory. */
static void pace_command(struct guest_mailbox *mailbox)
{
	struct guest_trip *trips = (struct guest_trip *)mailbox->trips;
	volatile uint64_t *sequence = (volatile uint64_t *)mailbox->sequence;
	uint64_t next = insn_rdtsc(), start, value = 1, at = 0;

	for (uint64_t i = 0; i < mailbox->count; i++, next += mailbox->period) {
		do
			start = insn_rdtsc();
		while (start < next);
		/* What it costs to have been away, or to write here, is not the ring's. */
		if (trips) {
			trips[i].answered = 0;
			start = insn_rdtsc();
		}
		if (sequence)
			*sequence = start;
		for (uint64_t left = mailbox->burst; left > 0; left--)
			insn_store(mailbox->ring.addr, 4, value++);
		if (trips)
			trips[i] = (struct guest_trip){ start, insn_rdtsc() };
		at = touch(mailbox, at);
	}
}

static void wait_while_held(const struct guest_mailbox *mailbox)
{
	while (*(const volatile uint64_t *)&mailbox->hold == mailbox->commands)
		;
}

/* guest.ld puts it where the vCPUs start. There is nobody to return to. */
__attribute__((noreturn, section(".text.entry"))) void guest_entry(struct guest_mailbox *mailbox)
{
	for (;;) {
		mailbox->tsc_start = insn_rdtsc();
		switch (mailbox->op) {
		case GUEST_RING:
			ring_command(mailbox);
			break;
		case GUEST_PLAY:
			play_command(mailbox);
			break;
		case GUEST_ROUND_TRIP:
			round_trip_command(mailbox);
			break;
		case GUEST_VIRTQUEUE:
			virtqueue_command(mailbox);
			break;
		case GUEST_PACE:
			pace_command(mailbox);
			break;
		default:
			__builtin_trap();
		}
		mailbox->tsc_end = insn_rdtsc();
		mailbox->commands++;
		insn_done();
		wait_while_held(mailbox);
	}
}
