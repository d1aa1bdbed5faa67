/* SPDX-License-Identifier: MIT
 *
 * The endpoints that are a thread, by how they wait: each counts every ring, to the last.
 */
#include "endpoint/endpoint.h"
#include "endpoint/uring.h"
#include "world.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#define RINGS 20000u
#define RINGERS 2u

static const char *always(void)
{
	return NULL;
}

struct way {
	int (*start)(struct endpoint **ep, int fd, const struct endpoint_opts *opts);
	const char *(*unavailable)(void);
	int flags;
};

static struct way blocking_read = { endpoint_start_eventfd, always, 0 };
static struct way poll_and_read = { endpoint_start_eventfd, always, EFD_NONBLOCK };
static struct way epoll = { endpoint_start_epoll, always, EFD_NONBLOCK };
static struct way uring_read = { endpoint_start_uring_read, endpoint_uring_read_unavailable,
				 EFD_NONBLOCK };
static struct way uring_poll = { endpoint_start_uring_poll, endpoint_uring_poll_unavailable,
				 EFD_NONBLOCK };

#define BY(way, test)                                                                              \
	{                                                                                          \
#test ", " #way, test, NULL, NULL, &way                                            \
	}
#define BY_ALL(test)                                                                               \
	BY(blocking_read, test), BY(poll_and_read, test), BY(epoll, test), BY(uring_read, test),   \
		BY(uring_poll, test)

static struct endpoint *start(void **state, int *fd, const struct endpoint_opts *opts)
{
	const struct way *way = *state;
	const char *why = way->unavailable();
	struct endpoint *ep;

	if (why) {
		print_message("%s\n", why);
		skip();
	}
	*fd = eventfd(0, EFD_CLOEXEC | way->flags);
	assert_int_equal(way->start(&ep, *fd, opts), 0);
	return ep;
}

static void end(struct endpoint *ep, int fd)
{
	endpoint_stop(ep);
	close(fd);
}

static uint64_t wait_for_count(struct endpoint *ep, uint64_t rings)
{
	const struct timespec pause = { .tv_nsec = 100000 };

	for (int i = 0; endpoint_rings(ep) < rings && i < 200000; i++)
		nanosleep(&pause, NULL);
	return endpoint_rings(ep);
}

static void *ring_many(void *opaque)
{
	for (unsigned int i = 0; i < RINGS; i++)
		endpoint_ring(opaque);
	return NULL;
}

static void rings_of_two_threads_are_all_counted(void **state)
{
	struct endpoint_opts opts = { 0 };
	pthread_t ringers[RINGERS];
	int fd;
	struct endpoint *ep = start(state, &fd, &opts);

	for (unsigned int i = 0; i < RINGERS; i++)
		assert_int_equal(pthread_create(&ringers[i], NULL, ring_many, ep), 0);
	for (unsigned int i = 0; i < RINGERS; i++)
		pthread_join(ringers[i], NULL);
	assert_int_equal(wait_for_count(ep, RINGERS * RINGS), RINGERS * RINGS);
	end(ep, fd);
}

/* One after another, more than there are buffers or entries in any queue. */
static void each_ring_alone_wakes_it(void **state)
{
	struct endpoint_opts opts = { 0 };
	int fd;
	struct endpoint *ep = start(state, &fd, &opts);

	for (uint64_t i = 1; i <= 100; i++) {
		endpoint_ring(ep);
		assert_int_equal(wait_for_count(ep, i), i);
	}
	end(ep, fd);
}

static void what_came_before_it_is_counted(void **state)
{
	struct endpoint_opts opts = { 0 };
	const struct way *way = *state;
	struct endpoint *ep;
	int fd = eventfd(7, EFD_CLOEXEC | way->flags);

	if (way->unavailable()) {
		close(fd);
		skip();
	}
	assert_int_equal(way->start(&ep, fd, &opts), 0);
	assert_int_equal(wait_for_count(ep, 7), 7);
	end(ep, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_ALL(rings_of_two_threads_are_all_counted),
		BY_ALL(each_ring_alone_wakes_it),
		BY_ALL(what_came_before_it_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
