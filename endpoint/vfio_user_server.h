/* SPDX-License-Identifier: MIT
 *
 * The other side: a server of one device for one client at a time. Results are >= 0 or -errno;
 * vfio_user_last_error() says the last failure in words.
 */
#ifndef BELLWIRE_ENDPOINT_VFIO_USER_SERVER_H
#define BELLWIRE_ENDPOINT_VFIO_USER_SERVER_H

#include "endpoint/vfio_user_wire.h"

/*
 * A device model. device is its first parameter everywhere; all are called on the thread that
 * serves, with what has been checked: a region of the device, an access whole inside it. A negative
 * result is an errno that the client is told.
 */
struct vfio_user_model {
	void *device;
	uint32_t flags; /* VFIO_USER_DEVICE_* */
	uint32_t nr_regions;
	/* size, flags: what the region is; size 0: it is not there. */
	void (*region_info)(void *device, struct vfio_user_region_info *info);
	int (*read)(void *device, const struct vfio_user_access *access, void *data);
	int (*write)(void *device, const struct vfio_user_access *access, const void *data);
	/* Fills in sub (at most VFIO_USER_MAX_SUB_REGIONS) and fds (at most VFIO_USER_MAX_FDS),
	 * which stay the device's, and returns how many subs there are. */
	int (*io_fds)(void *device, uint32_t region, struct vfio_user_sub_region *sub, int *fds,
		      unsigned int *nr_fds);
	/* fd is -1 if none came, and is borrowed. */
	int (*dma_map)(void *device, const struct vfio_user_dma_map *map, int fd);
	int (*dma_unmap)(void *device, const struct vfio_user_dma_unmap *unmap);
	void (*reset)(void *device);
};

struct vfio_user_server {
	const struct vfio_user_model *model;
	int fd;                     /* the client, borrowed */
	unsigned int timeout_ms;    /* in which a message that has begun is to end */
	struct vfio_user_caps caps; /* the client's */
	bool agreed;                /* on a version */
	struct vfio_user_message in, out;
};

/*
 * Serves one command, when fd is readable. -ENODATA: the client has left. Else after a failure the
 * connection is of no more use: -EPROTO, -ETIMEDOUT, -ECONNRESET, -EPIPE.
 */
int vfio_user_serve(struct vfio_user_server *server);

#endif
