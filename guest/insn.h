/* SPDX-License-Identifier: MIT
 *
 * The instructions that ring, one C function each. Assembly, because address 0 is as good as any
 * other here and the width is the point. A width that does not exist is an invalid instruction, so
 * that the vCPU fails instead of ringing something else.
 */
#ifndef BELLWIRE_GUEST_INSN_H
#define BELLWIRE_GUEST_INSN_H

#include <guest/abi.h>

#define INSN static inline __attribute__((always_inline))

INSN void insn_out(uint16_t port, uint32_t len, uint32_t value)
{
	switch (len) {
	case 1:
		__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port) : "memory");
		break;
	case 2:
		__asm__ volatile("outw %w0, %w1" : : "a"(value), "d"(port) : "memory");
		break;
	case 4:
		__asm__ volatile("outl %0, %w1" : : "a"(value), "d"(port) : "memory");
		break;
	default:
		__builtin_trap();
	}
}

INSN uint64_t insn_in(uint16_t port, uint32_t len)
{
	uint32_t value = 0;

	switch (len) {
	case 1:
		__asm__ volatile("inb %w1, %b0" : "+a"(value) : "d"(port) : "memory");
		break;
	case 2:
		__asm__ volatile("inw %w1, %w0" : "+a"(value) : "d"(port) : "memory");
		break;
	case 4:
		__asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(port) : "memory");
		break;
	default:
		__builtin_trap();
	}
	return value;
}

INSN void insn_outs(uint16_t port, uint32_t len, uint64_t data, uint64_t count)
{
	switch (len) {
	case 1:
		__asm__ volatile("rep outsb" : "+S"(data), "+c"(count) : "d"(port) : "memory");
		break;
	case 2:
		__asm__ volatile("rep outsw" : "+S"(data), "+c"(count) : "d"(port) : "memory");
		break;
	case 4:
		__asm__ volatile("rep outsl" : "+S"(data), "+c"(count) : "d"(port) : "memory");
		break;
	default:
		__builtin_trap();
	}
}

INSN void insn_store(uint64_t addr, uint32_t len, uint64_t value)
{
	switch (len) {
	case 1:
		__asm__ volatile("movb %b1, (%0)" : : "r"(addr), "r"(value) : "memory");
		break;
	case 2:
		__asm__ volatile("movw %w1, (%0)" : : "r"(addr), "r"(value) : "memory");
		break;
	case 4:
		__asm__ volatile("movl %k1, (%0)" : : "r"(addr), "r"(value) : "memory");
		break;
	case 8:
		__asm__ volatile("movq %1, (%0)" : : "r"(addr), "r"(value) : "memory");
		break;
	case 16:
		/* The compiler is told not to use SSE, so xmm0 is free. MOVDQU is all of it that
		 * KVM can emulate, and a KVM without VMX or SVM emulates CPL 0. */
		__asm__ volatile("movdqu %1, %%xmm0\n\t"
				 "movdqu %%xmm0, (%0)"
				 :
				 : "r"(addr), "m"((uint64_t[2]){ value, value })
				 : "memory");
		break;
	default:
		__builtin_trap();
	}
}

INSN uint64_t insn_load(uint64_t addr, uint32_t len)
{
	uint64_t value = 0;

	switch (len) {
	case 1:
		__asm__ volatile("movzbl (%1), %k0" : "=r"(value) : "r"(addr) : "memory");
		break;
	case 2:
		__asm__ volatile("movzwl (%1), %k0" : "=r"(value) : "r"(addr) : "memory");
		break;
	case 4:
		__asm__ volatile("movl (%1), %k0" : "=r"(value) : "r"(addr) : "memory");
		break;
	case 8:
		__asm__ volatile("movq (%1), %0" : "=r"(value) : "r"(addr) : "memory");
		break;
	default:
		__builtin_trap();
	}
	return value;
}

#define HV_CALL_SIGNAL_EVENT 0x5du
#define HV_CALL_FAST (1u << 16) /* the parameter is in RDX, not in memory */

/* TLFS 3.x: a hypercall may change RAX, RCX, RDX, R8 to R11 and xmm0 to xmm5. */
INSN uint64_t insn_signal_event(uint64_t connection)
{
	uint64_t status, input = HV_CALL_SIGNAL_EVENT | HV_CALL_FAST;

	__asm__ volatile("call *%[page]"
			 : "=a"(status), "+c"(input), "+d"(connection)
			 : [page] "r"((uint64_t)GUEST_HYPERCALL_PAGE)
			 : "r8", "r9", "r10", "r11", "memory", "cc");
	return status;
}

/* Not before what is in front of it has finished. */
INSN uint64_t insn_rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* The jump ends the translated block of an emulator: it stops there, and not after it has read the
 * next command too. */
INSN void insn_done(void)
{
	__asm__ volatile("outb %b0, %w1\n\t"
			 "jmp 1f\n"
			 "1:"
			 :
			 : "a"(0), "d"((uint16_t)GUEST_DONE_PORT)
			 : "memory");
}

/* Inlined with kind and len constant, one instruction is left of it. */
INSN uint64_t insn_perform(uint32_t kind, uint32_t len, uint64_t addr, uint64_t value,
			   uint32_t count)
{
	switch (kind) {
	case GUEST_OUT:
		insn_out((uint16_t)addr, len, (uint32_t)value);
		return 0;
	case GUEST_IN:
		return insn_in((uint16_t)addr, len);
	case GUEST_OUTS:
		insn_outs((uint16_t)addr, len, value, count);
		return 0;
	case GUEST_STORE:
		insn_store(addr, len, value);
		return 0;
	case GUEST_LOAD:
		return insn_load(addr, len);
	case GUEST_HYPERCALL:
		return insn_signal_event(addr);
	default:
		__builtin_trap();
	}
}

#undef INSN
#endif
