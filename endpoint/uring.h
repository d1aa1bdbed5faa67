/* SPDX-License-Identifier: MIT
 *
 * An endpoint that waits in an io_uring; liburing is optional.
 */
#ifndef BELLWIRE_ENDPOINT_URING_H
#define BELLWIRE_ENDPOINT_URING_H

#include "endpoint/endpoint.h"

/* NULL if it can be started here, or why not. */
const char *endpoint_uring_read_unavailable(void);
const char *endpoint_uring_poll_unavailable(void);

/* By multishot read. The eventfd, non-blocking, is borrowed until endpoint_stop(). */
int endpoint_start_uring_read(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts);

/* By multishot poll, and a read(2) for each completion. */
int endpoint_start_uring_poll(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts);

#endif
