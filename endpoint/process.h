/* SPDX-License-Identifier: MIT
 *
 * An endpoint that is another process: forked here, or whoever listens on a socket.
 */
#ifndef BELLWIRE_ENDPOINT_PROCESS_H
#define BELLWIRE_ENDPOINT_PROCESS_H

#include "endpoint/endpoint.h"
#include "endpoint/record.h"

#include <sys/types.h>

struct endpoint_reach {
	const char *socket; /* where it listens, borrowed; NULL: a process is forked */
	/* How it answers. -1: not in this way. Both are borrowed until endpoint_stop(). */
	int call;        /* an eventfd, non-blocking */
	int memory;      /* the memfd of the guest's memory, */
	uint64_t answer; /* and where in it the word is: 8 bytes, aligned */
};

/*
 * Hands it the eventfd, which must be non-blocking and is borrowed until endpoint_stop().
 * opts->rang is not for another process, and ignored. An endpoint that was killed is replaced,
 * forked anew or connected to again, by endpoint_rings(), if it can be.
 */
int endpoint_start_process(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts,
			   const struct endpoint_reach *reach);

/* Of such an endpoint. */
struct answers *endpoint_process_answers(struct endpoint *ep);

/* The process that counts, the last one if it is gone. */
pid_t endpoint_process_pid(const struct endpoint *ep);

#endif
