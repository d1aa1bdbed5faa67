/* SPDX-License-Identifier: MIT
 *
 * Who is rung: an endpoint counts rings on a thread of its own, or beyond this process (process.h).
 * Results are >= 0 or -errno.
 */
#ifndef BELLWIRE_ENDPOINT_H
#define BELLWIRE_ENDPOINT_H

#include <bellwire.h>

struct endpoint;

struct endpoint_opts {
	int cpu;   /* where its thread is pinned */
	bool spin; /* looks again and again instead of sleeping */
	/* Called on its thread whenever it has counted, with endpoint_rings(). May be NULL. */
	void (*rang)(void *opaque, uint64_t rings);
	void *opaque;
};

/* Reads an eventfd, borrowed until endpoint_stop(): sleeps in read(2) if it is a blocking one, else
 * in poll(2). */
int endpoint_start_eventfd(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts);

/* The same, but waits in epoll_wait(2). */
int endpoint_start_epoll(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts);

/* Waits in a bw_poller, without the notifier's fd. n is borrowed until endpoint_stop(). */
int endpoint_start_poller(struct endpoint **ep, struct bw_notifier *n,
			  const struct endpoint_opts *opts);

/* The same with a doorbell page, whose slots' notifier n is: it never sleeps while the page is hot,
 * and therefore works only between endpoint_resume() and endpoint_pause(). The page is borrowed
 * too, and may be freed before endpoint_stop(). */
int endpoint_start_page(struct endpoint **ep, struct bw_notifier *n, struct bw_page *page,
			const struct endpoint_opts *opts);

/* Endpoints that sleep by themselves take no notice. Returns once it is at work. */
void endpoint_resume(struct endpoint *ep);
void endpoint_pause(struct endpoint *ep);

/* Ends it. Nobody may ring any more. NULL is fine. */
void endpoint_stop(struct endpoint *ep);

/* Rings once by a call, as the first harness did by an ioctl: write(2) where it has an eventfd. Any
 * thread. */
void endpoint_ring(struct endpoint *ep);

/* How many rings it has counted: any thread, one at a time if it is beyond this process. */
uint64_t endpoint_rings(struct endpoint *ep);

/* Its CPU time so far. */
uint64_t endpoint_cpu_ns(struct endpoint *ep);

#endif
