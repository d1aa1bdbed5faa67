/* SPDX-License-Identifier: MIT
 *
 * Where a specification puts a doorbell: arithmetic that people get wrong, done once. Numbers that
 * a guest or a device model gives are checked, not trusted.
 */
#include "error.h"

#include <bellwire.h>

#include <errno.h>

/* Virtio 1.2, 4.1.4.4: a power of two that a notification of this many bytes divides, or 0. */
static bool is_multiplier(uint32_t multiplier, uint32_t bytes)
{
	return !(multiplier & (multiplier - 1)) && multiplier % bytes == 0;
}

int bw_virtio_pci_doorbell(struct bw_doorbell *doorbell, const struct bw_virtio_pci_notify *cap,
			   uint16_t queue_notify_off, uint16_t queue)
{
	uint32_t bytes = cap->notification_data ? 4 : 2;
	uint64_t offset = (uint64_t)queue_notify_off * cap->multiplier;

	if (cap->offset % bytes)
		return fail(-EINVAL, "cap.offset 0x%x is not a multiple of %u", cap->offset, bytes);
	if (!is_multiplier(cap->multiplier, bytes))
		return fail(-EINVAL,
			    "notify_off_multiplier %u is no power of two from %u on, nor 0",
			    cap->multiplier, bytes);
	if (offset + bytes > cap->length)
		return fail(-ERANGE, "the notification of queue %u ends at %llu, cap.length is %u",
			    queue, (unsigned long long)offset + bytes, cap->length);
	if (cap->notification_data && !cap->multiplier)
		return fail(-EOPNOTSUPP, "queues that share an address write more than their index "
					 "with VIRTIO_F_NOTIFICATION_DATA");
	*doorbell = (struct bw_doorbell){
		.offset = cap->offset + offset,
		.match = { .len = bytes,
			   .has_value = !cap->multiplier,
			   .value = cap->multiplier ? 0 : queue },
	};
	return 0;
}

struct bw_doorbell bw_virtio_mmio_doorbell(uint16_t queue)
{
	return (struct bw_doorbell){
		.offset = 0x50, /* QueueNotify, virtio 1.2, 4.2.2 */
		.match = { .len = 4, .has_value = true, .value = queue },
	};
}

int bw_nvme_doorbell(struct bw_doorbell *doorbell, uint16_t queue, bool head, uint32_t stride)
{
	if (stride > 15)
		return fail(-EINVAL, "CAP.DSTRD has four bits, %u does not fit", stride);
	*doorbell = (struct bw_doorbell){
		.offset = 0x1000 + (2 * (uint64_t)queue + head) * (4ull << stride),
		.match = { .len = 4 },
	};
	return 0;
}
