/* SPDX-License-Identifier: MIT
 *
 * The device model in another process: a client of a vfio-user server, whose regions become
 * regions of a bus. Results are >= 0 or -errno; vfio_user_last_error() says the calling thread's
 * last failure in words.
 *
 * Nothing that the server does can make a call wait longer than the client's timeout for each
 * thread that calls. After one of these the connection is over and every later call fails at once
 * with the same: -ETIMEDOUT, it did not answer; -ECONNRESET, it is gone; -EPROTO, it lies, or says
 * what cannot be understood. -EREMOTEIO is no end: the server has refused this one call.
 *
 * Any thread, any time: one request is under way at once. The server serves commands in the order
 * in which they come, so that more under way would not be answered sooner, and a reply that does
 * not belong to the one request is a lie that is seen.
 */
#ifndef BELLWIRE_ENDPOINT_VFIO_USER_H
#define BELLWIRE_ENDPOINT_VFIO_USER_H

#include "endpoint/vfio_user_wire.h"

#include <bellwire.h>

struct vfio_user_client;

#define VFIO_USER_TIMEOUT_MS 1000u

const char *vfio_user_last_error(void);

/* Connects to the socket at path and agrees on a version. timeout_ms is for each reply. Also fails
 * as socket_connect() does. */
int vfio_user_connect(struct vfio_user_client **client, const char *path, unsigned int timeout_ms);

/* The same on a connected socket, which becomes the client's, also if this fails. */
int vfio_user_connected(struct vfio_user_client **client, int fd, unsigned int timeout_ms);

/* Ends the connection. No call may be under way, no region be left. NULL is fine. */
void vfio_user_disconnect(struct vfio_user_client *client);

int vfio_user_device_info(struct vfio_user_client *client, struct vfio_user_device_info *info);
int vfio_user_region_info(struct vfio_user_client *client, uint32_t index,
			  struct vfio_user_region_info *info);
int vfio_user_reset(struct vfio_user_client *client);

/* len: 1 to VFIO_USER_MAX_TRANSFER, and what the server takes at once (-EINVAL). */
int vfio_user_region_read(struct vfio_user_client *client, uint32_t index, uint64_t offset,
			  void *data, uint32_t len);
int vfio_user_region_write(struct vfio_user_client *client, uint32_t index, uint64_t offset,
			   const void *data, uint32_t len);

/* Memory that the server may read and write as the device does. */
struct vfio_user_memory {
	uint64_t address; /* guest-physical */
	uint64_t size;
	int fd;          /* the server maps it, borrowed for the call; -1: it has to ask instead */
	uint64_t offset; /* in fd */
	/* The same memory here, for a server that asks, borrowed until it is unmapped or the client
	 * ends. NULL: who asks is refused. */
	void *host;
};

/* -ENOSPC: more than 16. */
int vfio_user_dma_map(struct vfio_user_client *client, const struct vfio_user_memory *memory);
/* As it was mapped. On return the server has let go of it. */
int vfio_user_dma_unmap(struct vfio_user_client *client, uint64_t address, uint64_t size);

/*
 * What the server asks for on its own, bytes of the guest's memory, is answered while a call waits.
 * For one that asks at other times: when the fd is readable, serve what has come. 0, or as above.
 */
int vfio_user_fd(const struct vfio_user_client *client);
int vfio_user_serve_server(struct vfio_user_client *client);

/* reply is what the server offers, found sound (vfio_user_sub_region()); its fds are the caller's
 * to close. */
int vfio_user_region_io_fds(struct vfio_user_client *client, const struct vfio_user_io_place *place,
			    struct vfio_user_message *reply);

/* ---- a region of the device, in a bus ---- */

struct vfio_user_region;

struct vfio_user_region_opts {
	const char *name; /* as in struct bw_region_opts */
	enum bw_space space;
	uint32_t index;
	int priority;
	/* Every access is a message, and the server is not asked: one that has no ioeventfds may
	 * know no answer either. */
	bool no_ioeventfds;
	/* Called on the thread whose access could not be served; a read is given all ones. May be
	 * NULL. */
	void (*failed)(void *opaque, int err, const char *why);
	void *opaque;
};

/*
 * A region as large as the server's, not yet mapped. Accesses are messages, but for the doorbells
 * that the server gives ioeventfds for: those are assigned, and wake it without this process.
 * client is borrowed until bw_bus_synchronize() or bw_bus_free() after the free. -EOPNOTSUPP: the
 * server's region is empty. -EPROTO: an fd is no eventfd, or two doorbells collide.
 */
int vfio_user_region_new(struct vfio_user_region **region, struct bw_bus *bus,
			 struct vfio_user_client *client, const struct vfio_user_region_opts *opts);

/* As bw_region_free(). NULL is fine. */
void vfio_user_region_free(struct vfio_user_region *region);

/* To map it. */
struct bw_region *vfio_user_region_bw(const struct vfio_user_region *region);

/* How many doorbells the server has given ioeventfds for. */
unsigned int vfio_user_region_doorbells(const struct vfio_user_region *region);

#endif
