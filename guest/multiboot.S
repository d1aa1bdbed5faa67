/* SPDX-License-Identifier: MIT
 *
 * The guest as a multiboot image (Multiboot Specification 0.6.96), for a machine that starts in
 * 32-bit mode: makes the processor what vmm/kvm_x86.c makes of KVM's, at the privilege that the
 * host has left at BOOT_CPL, and enters the guest's binary, GUEST_IMAGE, as vCPU 0. One flat file,
 * loaded at GUEST_RAM_BASE.
 */
	.set	BASE, 0x200000		/* guest.c checks these */
	.set	GUEST, 0x210000
	.set	GUEST_ENTRY_OFFSET, 0x40
	.set	BOOT_CPL, 0x22f000
	.set	MAILBOX, 0x230000
	.set	STACK_TOP, 0x250000

	.set	PML4, BASE + 0x1000
	.set	PDPT, BASE + 0x2000
	.set	PD, BASE + 0x3000
	.set	TSS, BASE + 0x8000
	.set	TSS_IO_BITMAP, 104
	.set	TSS_SIZE, TSS_IO_BITMAP + 0x10000 / 8 + 1

	.set	CODE0, 0x08
	.set	CODE3, 0x13
	.set	DATA3, 0x1b
	.set	TASK, 0x20

	.set	MSR_EFER, 0xc0000080
	.set	EFER_LME, 0x100
	.set	CR4, 0x620		/* PAE, OSFXSR, OSXMMEXCPT */
	.set	CR0, 0x80050033		/* PG, AM, WP, NE, ET, MP, PE */
	.set	RFLAGS_IOPL3, 0x3002

	.set	MAGIC, 0x1badb002
	.set	HAS_ADDRESSES, 0x10000

	.section .image, "ax"
header:
	.long	MAGIC, HAS_ADDRESSES, -(MAGIC + HAS_ADDRESSES)
	.long	header, header, 0, 0, entry	/* the whole file, and no memory beyond it */

	.code32
	.globl	entry
entry:
	cli
	lgdt	gdt_pointer
	movl	$CR4, %eax
	movl	%eax, %cr4
	movl	$PML4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	$CR0, %eax
	movl	%eax, %cr0
	ljmp	$CODE0, $long_mode

	.code64
long_mode:
	movl	$DATA3, %eax
	movl	%eax, %ds
	movl	%eax, %es
	xorl	%eax, %eax
	movl	%eax, %ss
	movl	$TASK, %eax
	ltr	%ax
	lidt	no_idt
	movl	$STACK_TOP, %esp
	movl	$MAILBOX, %edi
	movl	$GUEST + GUEST_ENTRY_OFFSET, %eax
	cmpl	$0, BOOT_CPL
	jne	user_mode
	jmp	*%rax
user_mode:
	pushq	$DATA3
	pushq	$STACK_TOP
	pushq	$RFLAGS_IOPL3
	pushq	$CODE3
	pushq	%rax
	iretq

	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* CODE0: 64-bit */
	.quad	0x00affb000000ffff	/* CODE3 */
	.quad	0x00cff3000000ffff	/* DATA3 */
	.quad	(TSS_SIZE - 1) | ((TSS & 0xffffff) << 16) | (0x89 << 40), 0	/* TASK */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
no_idt:					/* the first exception is a triple fault: a reset */
	.word	0
	.quad	0

	/* The low 4 GiB, one to one: present, writable, user, and 2 MiB large. */
	.org	PML4 - BASE
	.quad	PDPT + 0x7
	.org	PDPT - BASE
	.set	table, PD
	.rept	4
	.quad	table + 0x7
	.set	table, table + 0x1000
	.endr
	.org	PD - BASE
	.set	page, 0
	.rept	4 * 512
	.quad	page + 0x87
	.set	page, page + 0x200000
	.endr

	/* Allows every port: IOPL 3 alone would do on a processor, but kvm_pvm forgets it. */
	.org	TSS - BASE + 102
	.word	TSS_IO_BITMAP
	.org	TSS - BASE + TSS_SIZE - 1
	.byte	0xff

	.org	GUEST - BASE
	.incbin	GUEST_IMAGE

	.section .note.GNU-stack, "", @progbits
