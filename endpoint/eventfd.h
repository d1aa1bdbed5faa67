/* SPDX-License-Identifier: MIT
 *
 * What the endpoints that are a thread behind an eventfd share, however they wait for it.
 */
#ifndef BELLWIRE_ENDPOINT_EVENTFD_H
#define BELLWIRE_ENDPOINT_EVENTFD_H

#include "endpoint/thread.h"

/* First in each kind's own struct. */
struct eventfd_endpoint {
	struct endpoint base;
	int eventfd;
	atomic_bool stopping; /* its loop is to end */
};

void eventfd_endpoint_init(struct eventfd_endpoint *ep, int eventfd);
bool eventfd_endpoint_runs(struct eventfd_endpoint *ep);

/* Operations. */
void eventfd_endpoint_ring(struct endpoint *base);
void eventfd_endpoint_stop(struct endpoint *base);

#endif
