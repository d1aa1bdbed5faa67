/* SPDX-License-Identifier: MIT
 *
 * What the parts of a client share: the connection and the one request under way.
 */
#ifndef BELLWIRE_ENDPOINT_VFIO_USER_CLIENT_H
#define BELLWIRE_ENDPOINT_VFIO_USER_CLIENT_H

#include "endpoint/vfio_user.h"
#include "endpoint/vfio_user_transport.h"

#include <pthread.h>

#define MAX_MEMORIES 16u

struct vfio_user_client {
	pthread_mutex_t lock; /* of all below, but fd and timeout_ms */
	int fd;
	unsigned int timeout_ms;
	uint16_t next_id;
	struct vfio_user_caps caps; /* the server's */
	int err;                    /* not 0: the connection is over, and why is what it was */
	char why[256];
	unsigned int nr_memories;
	struct vfio_user_memory memories[MAX_MEMORIES];
	struct vfio_user_message message; /* the one under way */
};

/* Before a request: locks. -errno: the connection is over, and nothing is locked. */
int client_begin(struct vfio_user_client *client);
/* After it: unlocks, and returns err. What follows is for between the two. */
int client_finish(struct vfio_user_client *client, int err);

/* Sends the payload in message, of that size, with the fd unless it is -1, and receives the reply
 * into it. What fds came with it are closed. */
int client_call(struct vfio_user_client *client, uint16_t command, size_t size, int fd);
/* The same, and the fds are the caller's. */
int client_call_fds(struct vfio_user_client *client, uint16_t command, size_t size, int fd);

/* Ends the connection with err, whose sentence is the last failure's; or because of what the
 * server sent. Returns the errno for the caller. */
int client_end(struct vfio_user_client *client, int err);
int client_lie(struct vfio_user_client *client, const char *why);

/* Whether message is a command of the server, and answers it. */
bool client_is_asked(const struct vfio_user_client *client);
int client_serve(struct vfio_user_client *client, uint64_t deadline);

#endif
