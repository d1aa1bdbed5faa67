/* SPDX-License-Identifier: MIT
 *
 * What an endpoint is, and what those that are a thread share: the thread, where it runs, and its
 * count.
 */
#ifndef BELLWIRE_ENDPOINT_THREAD_H
#define BELLWIRE_ENDPOINT_THREAD_H

#include "endpoint/endpoint.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct endpoint_ops {
	void (*loop)(struct endpoint *ep); /* counts until stop() is called; NULL: no thread does */
	void (*ring)(struct endpoint *ep);
	void (*resume)(struct endpoint *ep), (*pause)(struct endpoint *ep); /* NULL: it sleeps */
	uint64_t (*rings)(struct endpoint *ep);  /* NULL: the thread's count */
	uint64_t (*cpu_ns)(struct endpoint *ep); /* NULL: the thread's */
	void (*stop)(struct endpoint *ep);
	void (*free)(struct endpoint *ep); /* after the thread has ended */
};

/* First in each kind's own struct. */
struct endpoint {
	const struct endpoint_ops *ops;
	struct endpoint_opts opts;
	pthread_t thread;
	clockid_t cpu_clock;
	/* Written by the thread alone. A line of its own: the vCPU's thread reads what is above. */
	_Alignas(64) _Atomic uint64_t rings;
};

int endpoint_start(struct endpoint *ep, const struct endpoint_ops *ops,
		   const struct endpoint_opts *opts);
void endpoint_count(struct endpoint *ep, uint64_t rings);

#endif
