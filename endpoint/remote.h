/* SPDX-License-Identifier: MIT
 *
 * An endpoint that is the device model itself, in a process of its own: it is rung by a message of
 * vfio-user, or by its own ioeventfds.
 */
#ifndef BELLWIRE_ENDPOINT_REMOTE_H
#define BELLWIRE_ENDPOINT_REMOTE_H

#include "endpoint/endpoint.h"
#include "endpoint/vfio_user.h"

#include <sys/types.h>

/*
 * Forks the doorbell device (endpoint/doorbell_device.h) and connects to it. memory is given to it,
 * and its fd and host are borrowed until endpoint_stop(); word is where in the guest's memory it
 * stores what it has counted, 8 bytes, aligned. opts->rang is not for another process, and ignored.
 * -errno: vfio_user_last_error().
 */
int endpoint_start_remote(struct endpoint **ep, const struct endpoint_opts *opts,
			  const struct vfio_user_memory *memory, uint64_t word);

/* To make regions of. They are gone before endpoint_stop(). */
struct vfio_user_client *endpoint_remote_client(const struct endpoint *ep);

pid_t endpoint_remote_pid(const struct endpoint *ep);

#endif
