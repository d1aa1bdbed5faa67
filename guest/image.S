/* SPDX-License-Identifier: MIT
 *
 * The guest inside the host program: its raw binary, GUEST_IMAGE, and what boots on a machine,
 * MULTIBOOT_IMAGE.
 */
	.section .rodata
	.globl	guest_image, guest_image_end
	.hidden	guest_image, guest_image_end
	.balign	16
guest_image:
	.incbin	GUEST_IMAGE
guest_image_end:
	.globl	multiboot_image, multiboot_image_end
	.hidden	multiboot_image, multiboot_image_end
	.balign	16
multiboot_image:
	.incbin	MULTIBOOT_IMAGE
multiboot_image_end:

	.section .note.GNU-stack, "", @progbits
