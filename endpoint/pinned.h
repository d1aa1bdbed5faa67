/* SPDX-License-Identifier: MIT
 *
 * A thread that is where it belongs before it begins.
 */
#ifndef BELLWIRE_ENDPOINT_PINNED_H
#define BELLWIRE_ENDPOINT_PINNED_H

#include <pthread.h>

/* As pthread_create(), on this CPU and no other. -errno. */
int pinned_thread(pthread_t *thread, int cpu, void *(*fn)(void *opaque), void *opaque);

#endif
