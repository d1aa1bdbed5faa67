/* SPDX-License-Identifier: MIT
 *
 * A device that does nothing but be rung, served by vfio-user: it counts rings, and stores the
 * count in the guest's memory.
 */
#ifndef BELLWIRE_ENDPOINT_DOORBELL_DEVICE_H
#define BELLWIRE_ENDPOINT_DOORBELL_DEVICE_H

#include "endpoint/vfio_user_server.h"

/* Its regions, numbered as a PCI device's are: BAR 0 is memory, BAR 1 ports. Both hold the same. */
#define DOORBELL_DEVICE_MMIO 0u
#define DOORBELL_DEVICE_PIO 1u
#define DOORBELL_DEVICE_CONFIG 7u
#define DOORBELL_DEVICE_REGIONS 9u

#define DOORBELL_DEVICE_MMIO_LEN 4096u
#define DOORBELL_DEVICE_PIO_LEN 64u
#define DOORBELL_DEVICE_CONFIG_LEN 256u

/* 8 bytes, read only: the rings so far. */
#define DOORBELL_DEVICE_RINGS 0x00u
/* 8 bytes: where in the guest's memory the count is stored after every ring, 8 bytes, aligned; 0:
 * nowhere, and nowhere else either where no memory is mapped. */
#define DOORBELL_DEVICE_COMPLETION 0x08u
/* A write at its first byte is a ring. Those of 4 bytes to BAR 0 and of 2 to BAR 1 have ioeventfds.
 */
#define DOORBELL_DEVICE_BELL(i) (0x20u + 4u * (i))
#define DOORBELL_DEVICE_BELLS 4u

struct doorbell_device;

int doorbell_device_new(struct doorbell_device **device);
void doorbell_device_free(struct doorbell_device *device); /* NULL is fine */

uint64_t doorbell_device_rings(const struct doorbell_device *device);

/*
 * Serves one client, whose connection is borrowed, until it leaves: 0; or until stop is readable
 * (-1: never): -EINTR. -errno: as vfio_user_serve(), and vfio_user_last_error(). The client's
 * memory is unmapped then, the rest of the device's state stays. With spin it looks again and again
 * instead of sleeping.
 */
int doorbell_device_serve(struct doorbell_device *device, int conn, int stop, bool spin);

#endif
