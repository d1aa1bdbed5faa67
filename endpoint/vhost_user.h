/* SPDX-License-Identifier: MIT
 *
 * A vhost-user front end: hands a guest's memory and one split virtqueue, its kick and its call
 * eventfd, to a device that another process serves.
 *
 * Results are >= 0 or -errno; then vhost_user_why() is the sentence, and the connection is of no
 * more use but to be closed. Every wait ends after the timeout (-ETIMEDOUT). Of what the back end
 * sends nothing is believed, and no fd is kept: -EPROTO. -ECONNRESET: it has closed the connection.
 * One thread at a time.
 */
#ifndef BELLWIRE_VHOST_USER_H
#define BELLWIRE_VHOST_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vhost_user {
	int fd; /* readable: the back end is gone, or speaks unasked; vhost_user_check() says */
	unsigned int timeout_ms; /* for each answer */
	uint64_t features;       /* that both sides have */
	bool acks;               /* the back end acknowledges each request */
	char why[200];
};

/* The guest's memory: size bytes of fd from its start on, which the guest has at guest_addr and
 * this process at address. fd is borrowed for the call. */
struct vhost_user_ram {
	int fd;
	uint64_t guest_addr, size;
	void *address;
};

/* A split virtqueue in that memory, by the addresses of this process. The eventfds are borrowed for
 * the call; the back end has copies of its own. */
struct vhost_user_queue {
	uint32_t size; /* descriptors, a power of 2 */
	void *desc, *avail, *used;
	int kick; /* written for each ring */
	int call; /* the back end writes it when it has used buffers */
};

/* Connects to the back end that listens at path, and negotiates: virtio 1 and what of features (of
 * virtio, by bit) both have. vhost_user_close() only if it succeeds. */
int vhost_user_connect(struct vhost_user *vu, const char *path, unsigned int timeout_ms,
		       uint64_t features);

/* The same on a connected socket, which is closed in any case, at once or by vhost_user_close(). */
int vhost_user_adopt(struct vhost_user *vu, int fd, unsigned int timeout_ms, uint64_t features);

/* size bytes of the device's configuration, 1 to 256, from its start on. */
int vhost_user_get_config(struct vhost_user *vu, void *config, uint32_t size);

int vhost_user_set_memory(struct vhost_user *vu, const struct vhost_user_ram *ram);

/* Queue 0, from index 0 on. */
int vhost_user_start(struct vhost_user *vu, const struct vhost_user_queue *queue);

/* Afterwards the back end touches the queue no more. *taken: the index in the available ring up to
 * which it has taken buffers. */
int vhost_user_stop(struct vhost_user *vu, uint16_t *taken);

/* Is the connection as it should be while nothing was asked: silent? Does not wait. */
int vhost_user_check(struct vhost_user *vu);

const char *vhost_user_why(const struct vhost_user *vu);

void vhost_user_close(struct vhost_user *vu);

#endif
