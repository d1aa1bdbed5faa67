/* SPDX-License-Identifier: MIT
 *
 * Threads that write an eventfd without pause, and how often they did.
 */
#ifndef TESTS_EVENTFD_RINGERS_H
#define TESTS_EVENTFD_RINGERS_H

#include "world.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#define RINGERS 2u

struct ringer {
	pthread_t thread;
	int fd;
	_Atomic bool *stop;
	uint64_t rings;
};

static inline void *ring_on(void *opaque)
{
	struct ringer *r = opaque;

	while (!*r->stop)
		if (eventfd_write(r->fd, 1) == 0)
			r->rings++;
	return NULL;
}

struct ringers {
	struct ringer each[RINGERS];
	_Atomic bool stop;
};

static inline void start_ringers(struct ringers *r, int fd)
{
	r->stop = false;
	for (unsigned int i = 0; i < RINGERS; i++) {
		r->each[i] = (struct ringer){ .fd = fd, .stop = &r->stop };
		assert_int_equal(pthread_create(&r->each[i].thread, NULL, ring_on, &r->each[i]), 0);
	}
}

static inline uint64_t stop_ringers(struct ringers *r)
{
	uint64_t rung = 0;

	r->stop = true;
	for (unsigned int i = 0; i < RINGERS; i++) {
		pthread_join(r->each[i].thread, NULL);
		rung += r->each[i].rings;
	}
	return rung;
}

static inline void pause_us(long us)
{
	const struct timespec t = { .tv_nsec = us * 1000 };

	nanosleep(&t, NULL);
}

#endif
