/* SPDX-License-Identifier: MIT
 *
 * A client: one request and its reply at a time, under a lock, within a deadline. What ends the
 * connection is remembered: a late reply must not be taken for that of a later request.
 */
#include "endpoint/vfio_user_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The other end learns of it at once; the fd itself stays until nobody can be using it. */
int client_end(struct vfio_user_client *client, int err)
{
	client->err = err == -ENODATA || err == -EPIPE ? -ECONNRESET : err;
	snprintf(client->why, sizeof(client->why), "%s", vfio_user_last_error());
	shutdown(client->fd, SHUT_RDWR);
	return client->err;
}

int client_lie(struct vfio_user_client *client, const char *why)
{
	socket_close_fds(&client->message.fds);
	return client_end(client, vfio_user_fail(-EPROTO, "the server sent %s", why));
}

static int over(const struct vfio_user_client *client)
{
	return vfio_user_fail(client->err, "the connection has ended: %s", client->why);
}

bool client_is_asked(const struct vfio_user_client *client)
{
	return (client->message.header.flags & VFIO_USER_TYPE) == 0;
}

/* The reply, into message. Commands of the server may come before it: they are answered, and the
 * deadline stays. */
static int receive_reply(struct vfio_user_client *client, uint16_t id, uint16_t command,
			 uint64_t deadline)
{
	struct vfio_user_message *message = &client->message;
	const char *why;
	int err;

	for (;;) {
		err = vfio_user_recv(client->fd, message, deadline);
		if (err)
			return client_end(client, err);
		if (!client_is_asked(client))
			break;
		err = client_serve(client, deadline);
		if (err)
			return err;
	}
	why = vfio_user_check_reply(&message->header, id, command);
	return why ? client_lie(client, why) : 0;
}

int client_call_fds(struct vfio_user_client *client, uint16_t command, size_t size, int fd)
{
	struct vfio_user_message *message = &client->message;
	uint64_t deadline = socket_deadline(client->timeout_ms);
	uint16_t id = client->next_id++;
	int err;

	message->header = (struct vfio_user_header){
		.id = id,
		.command = command,
		.size = (uint32_t)(sizeof(message->header) + size),
	};
	err = vfio_user_send(client->fd, message, &fd, fd >= 0, deadline);
	if (err)
		return client_end(client, err);
	err = receive_reply(client, id, command, deadline);
	if (err)
		return err;
	if (!(message->header.flags & VFIO_USER_ERROR))
		return 0;
	socket_close_fds(&message->fds);
	return vfio_user_fail(-EREMOTEIO, "the server refuses: %s",
			      message->header.error ? strerror((int)message->header.error)
						    : "it does not say why");
}

int client_call(struct vfio_user_client *client, uint16_t command, size_t size, int fd)
{
	int err = client_call_fds(client, command, size, fd);

	if (!err)
		socket_close_fds(&client->message.fds);
	return err;
}

int client_begin(struct vfio_user_client *client)
{
	int err;

	pthread_mutex_lock(&client->lock);
	if (!client->err)
		return 0;
	err = over(client);
	pthread_mutex_unlock(&client->lock);
	return err;
}

int client_finish(struct vfio_user_client *client, int err)
{
	pthread_mutex_unlock(&client->lock);
	return err;
}

static int negotiate(struct vfio_user_client *client)
{
	struct vfio_user_message *message = &client->message;
	size_t size = vfio_user_put_version(message, VFIO_USER_MINOR);
	const char *why;
	int err = client_call(client, VFIO_USER_VERSION, size, -1);

	if (err)
		return err;
	why = vfio_user_check_version(message, &client->caps);
	if (!why && message->version.minor > VFIO_USER_MINOR)
		why = "a minor version beyond the one proposed";
	return why ? client_lie(client, why) : 0;
}

int vfio_user_connected(struct vfio_user_client **out, int fd, unsigned int timeout_ms)
{
	struct vfio_user_client *client = calloc(1, sizeof(*client));
	int err;

	if (!client) {
		close(fd);
		return vfio_user_fail(-ENOMEM, "no memory for a client");
	}
	pthread_mutex_init(&client->lock, NULL);
	client->fd = fd;
	client->timeout_ms = timeout_ms;
	err = negotiate(client);
	if (err) {
		vfio_user_disconnect(client);
		return err;
	}
	*out = client;
	return 0;
}

int vfio_user_connect(struct vfio_user_client **client, const char *path, unsigned int timeout_ms)
{
	int fd = socket_connect(path, timeout_ms);

	if (fd < 0)
		return vfio_user_fail(fd, "%s: %s", path, socket_strerror(fd));
	return vfio_user_connected(client, fd, timeout_ms);
}

void vfio_user_disconnect(struct vfio_user_client *client)
{
	if (!client)
		return;
	close(client->fd);
	pthread_mutex_destroy(&client->lock);
	free(client);
}
