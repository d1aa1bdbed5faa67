/* SPDX-License-Identifier: MIT
 *
 * An endpoint that waits in an io_uring; liburing is optional.
 */
#ifndef BELLWIRE_ENDPOINT_URING_H
#define BELLWIRE_ENDPOINT_URING_H

#include "endpoint/endpoint.h"

/* NULL if it can be started here, with read by multishot read, else by multishot poll and read(2);
 * or why not. */
const char *endpoint_uring_unavailable(bool read);

/* The eventfd, non-blocking, is borrowed until endpoint_stop(). */
int endpoint_start_uring(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts,
			 bool read);

#endif
