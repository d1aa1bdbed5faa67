/* SPDX-License-Identifier: MIT
 *
 * A boot sector for a QEMU with -device pci-testdev,addr=4: rings its three ports in turn, a
 * thousand times each. Behind the first is no eventfd, behind the second one for any value, behind
 * the third one for the value that is written.
 */
	.code16
	.globl	_start
_start:
	/* The I/O BAR, the second: SeaBIOS has set it. */
	movl	$0x80002014, %eax
	movw	$0xcf8, %dx
	outl	%eax, %dx
	movw	$0xcfc, %dx
	inl	%dx, %eax
	andw	$0xfffc, %ax
	movw	%ax, %bx
again:
	xorb	%cl, %cl
next:
	/* struct pci_testdev_hdr: the test at 0, its port's offset at 4, the value at 8. */
	movw	%bx, %dx
	movb	%cl, %al
	outb	%al, %dx
	leaw	4(%bx), %dx
	inl	%dx, %eax
	addw	%bx, %ax
	movw	%ax, %si
	leaw	8(%bx), %dx
	inb	%dx, %al
	movw	%si, %dx
	movw	$1000, %di
ring:
	outb	%al, %dx
	decw	%di
	jnz	ring
	incb	%cl
	cmpb	$3, %cl
	jne	next
	jmp	again
	.org	510
	.word	0xaa55
