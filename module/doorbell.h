/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * /dev/doorbell. Each open of it is a doorbell of its own, and lasts until it is closed.
 *
 * read(2) of 8 bytes gives a u64: the rings since it was opened. It takes nothing away and never
 * waits. -EINVAL: fewer than 8 bytes.
 */
#ifndef DOORBELL_H
#define DOORBELL_H

#include <linux/ioctl.h>

#define DOORBELL_DEVICE "/dev/doorbell"

/* Rings once. */
#define DOORBELL_RING _IO('D', 0x60)

/*
 * Binds the eventfd that the argument is: from now on the doorbell takes every signal of it, what
 * is pending too, and counts it in the context of who signals. It holds the eventfd: the fd may be
 * closed. -EBADF: not open. -EINVAL: no eventfd. -EBUSY: one is bound.
 */
#define DOORBELL_BIND _IO('D', 0x61)

/* What comes afterwards stays in the eventfd. -ENOENT: none is bound. */
#define DOORBELL_UNBIND _IO('D', 0x62)

#endif
