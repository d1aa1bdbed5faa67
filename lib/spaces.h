/* SPDX-License-Identifier: MIT
 *
 * The address spaces as the library counts them: the three of enum bw_space, and s390's virtio-ccw
 * notifications, which only the drop-in can name (KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY).
 */
#ifndef BELLWIRE_SPACES_H
#define BELLWIRE_SPACES_H

#include <bellwire.h>

#define SPACE_CCW 3u
#define NR_SPACES 4u
#define NR_PORTS 0x10000u

static inline const char *space_name(unsigned int space)
{
	static const char *const names[NR_SPACES] = { "MMIO", "PIO", "hypercall", "virtio-ccw" };

	return names[space];
}

#endif
