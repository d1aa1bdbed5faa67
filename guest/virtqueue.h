/* SPDX-License-Identifier: MIT
 *
 * GUEST_VIRTQUEUE: the driver of a split virtqueue.
 */
#ifndef BELLWIRE_GUEST_VIRTQUEUE_H
#define BELLWIRE_GUEST_VIRTQUEUE_H

#include <guest/abi.h>

void virtqueue_command(struct guest_mailbox *mailbox);

#endif
