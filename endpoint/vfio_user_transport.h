/* SPDX-License-Identifier: MIT
 *
 * Messages of vfio-user over a socket, and the last failure in words.
 */
#ifndef BELLWIRE_ENDPOINT_VFIO_USER_TRANSPORT_H
#define BELLWIRE_ENDPOINT_VFIO_USER_TRANSPORT_H

#include "endpoint/vfio_user_wire.h"

/* Remembers the sentence for this thread and returns err, a negative errno. */
int vfio_user_fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* Sends what header.size covers. Fails as socket_send() does. */
int vfio_user_send(int fd, const struct vfio_user_message *message, const int *fds,
		   unsigned int nr_fds, uint64_t deadline);

/* Receives one message, with at most VFIO_USER_MAX_FDS fds, the caller's to close. Fails as
 * socket_recv() does, or with -EPROTO. */
int vfio_user_recv(int fd, struct vfio_user_message *message, uint64_t deadline);

#endif
