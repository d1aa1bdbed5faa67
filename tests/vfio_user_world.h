/* SPDX-License-Identifier: MIT
 *
 * A vfio-user server on a thread of the test: the doorbell device, or a script that answers as it
 * likes.
 */
#ifndef TESTS_VFIO_USER_WORLD_H
#define TESTS_VFIO_USER_WORLD_H

#include "world.h"
#include "endpoint/doorbell_device.h"
#include "endpoint/vfio_user.h"
#include "endpoint/vfio_user_client.h"
#include "endpoint/vfio_user_transport.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define PATIENCE_MS 20000u /* for what comes at once */
#define SHORT_MS 50u       /* for what never comes */

struct server {
	int conn;
	pthread_t thread;
	struct doorbell_device *device; /* or */
	void (*script)(struct server *server);
	struct vfio_user_message message; /* the script's */
};

static inline void *server_main(void *opaque)
{
	struct server *server = opaque;

	if (server->script)
		server->script(server);
	else
		doorbell_device_serve(server->device, server->conn, -1, false);
	close(server->conn);
	return NULL;
}

/* The client's end. */
static inline int start_server(struct server *server, void (*script)(struct server *server))
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	server->conn = ends[1];
	server->script = script;
	server->device = NULL;
	if (!script)
		assert_int_equal(doorbell_device_new(&server->device), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
	return ends[0];
}

static inline void join_server(struct server *server)
{
	pthread_join(server->thread, NULL);
	doorbell_device_free(server->device);
}

/* From now on nothing comes. What was to come before that had all the time of a slow machine. */
static inline void expect_silence(struct vfio_user_client *client)
{
	client->timeout_ms = SHORT_MS;
}

/* ---- what scripts are made of ---- */

static inline uint64_t soon(void)
{
	return socket_deadline(PATIENCE_MS);
}

/* The next command, whose fds are closed. False: the client has left. */
static inline bool hear(struct server *server)
{
	if (vfio_user_recv(server->conn, &server->message, soon()))
		return false;
	socket_close_fds(&server->message.fds);
	return true;
}

/* Replies to the command in message with the payload in it, of that size. */
static inline void say(struct server *server, size_t size, const int *fds, unsigned int nr_fds)
{
	struct vfio_user_header *header = &server->message.header;

	header->flags |= VFIO_USER_REPLY;
	header->size = (uint32_t)(sizeof(*header) + size);
	vfio_user_send(server->conn, &server->message, fds, nr_fds, soon());
}

/* Agrees on a version, as an honest server does. */
static inline void agree(struct server *server)
{
	if (hear(server))
		say(server, vfio_user_put_version(&server->message, VFIO_USER_MINOR), NULL, 0);
}

#endif
