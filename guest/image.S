/* SPDX-License-Identifier: MIT
 *
 * The guest's raw binary, GUEST_IMAGE, inside the host program.
 */
	.section .rodata
	.globl	guest_image, guest_image_end
	.hidden	guest_image, guest_image_end
	.balign	16
guest_image:
	.incbin	GUEST_IMAGE
guest_image_end:

	.section .note.GNU-stack, "", @progbits
