/* SPDX-License-Identifier: MIT
 *
 * One message, whole, or a failure that says what became of the peer.
 */
#include "endpoint/vfio_user_transport.h"
#include "endpoint/vfio_user.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_error[256];

const char *vfio_user_last_error(void)
{
	return last_error;
}

int vfio_user_fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last_error, sizeof(last_error), format, args);
	va_end(args);
	return err;
}

static int fail_of_peer(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return vfio_user_fail(err, "the peer does not answer in time");
	case -ENODATA:
	case -ECONNRESET:
	case -EPIPE:
		return vfio_user_fail(err, "the peer has closed the connection");
	case -EPROTO:
		return vfio_user_fail(err, "the peer sent more than %u fds", VFIO_USER_MAX_FDS);
	default:
		return vfio_user_fail(err, "the peer cannot be reached: %s", strerror(-err));
	}
}

int vfio_user_send(int fd, const struct vfio_user_message *message, const int *fds,
		   unsigned int nr_fds, uint64_t deadline)
{
	int err = socket_send(fd, message, message->header.size, fds, nr_fds, deadline);

	return err ? fail_of_peer(err) : 0;
}

int vfio_user_recv(int fd, struct vfio_user_message *message, uint64_t deadline)
{
	const char *why;
	int err;

	message->fds.nr = 0;
	message->fds.max = VFIO_USER_MAX_FDS;
	err = socket_recv(fd, &message->header, sizeof(message->header), &message->fds, deadline);
	if (err)
		return fail_of_peer(err);
	why = vfio_user_check_header(&message->header);
	if (why) {
		socket_close_fds(&message->fds);
		return vfio_user_fail(-EPROTO, "the peer sent %s", why);
	}
	err = socket_recv(fd, message->payload, vfio_user_payload_size(message), &message->fds,
			  deadline);
	return err ? fail_of_peer(err == -ENODATA ? -ECONNRESET : err) : 0;
}
