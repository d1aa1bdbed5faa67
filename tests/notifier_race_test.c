/* SPDX-License-Identifier: MIT
 *
 * Notifiers between threads: the sum is exact, whatever becomes of the fd meanwhile, and a ring
 * brings along what was stored before it.
 */
#include "world.h"
#include "../lib/notifier.h"

#include <pthread.h>
#include <sched.h>

#define RINGERS 2
#define RINGS 20000u

static void *ring_many(void *opaque)
{
	struct bw_notifier *n = opaque;

	for (unsigned int i = 0; i < RINGS; i++)
		bw_notifier_ring(n);
	return NULL;
}

static void start(pthread_t threads[RINGERS], struct bw_notifier *n)
{
	for (unsigned int i = 0; i < RINGERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ring_many, n), 0);
}

static void finish(pthread_t threads[RINGERS])
{
	for (unsigned int i = 0; i < RINGERS; i++)
		pthread_join(threads[i], NULL);
}

#define ROUNDS 5000u

/* One notifier after another, rung by all until its fd is there. */
struct round {
	struct bw_notifier *n;
	unsigned int nr, published, done;
	uint64_t rings;
};

static void *ring_each_round(void *opaque)
{
	struct round *r = opaque;

	for (unsigned int nr = 1; nr <= ROUNDS; nr++) {
		uint64_t rings = 0;

		while (__atomic_load_n(&r->nr, __ATOMIC_ACQUIRE) < nr)
			sched_yield();
		do {
			bw_notifier_ring(r->n);
			rings++;
		} while (__atomic_load_n(&r->published, __ATOMIC_RELAXED) < nr);
		__atomic_add_fetch(&r->rings, rings, __ATOMIC_RELAXED);
		__atomic_add_fetch(&r->done, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Whatever did not go into the fd stays behind in the count. */
static void every_ring_is_in_the_fd_once_there_is_one(void **state)
{
	pthread_t threads[RINGERS];
	struct round r = { 0 };
	uint64_t seen = 0;

	(void)state;
	for (unsigned int i = 0; i < RINGERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ring_each_round, &r), 0);
	for (unsigned int nr = 1; nr <= ROUNDS; nr++) {
		bool made;

		r.n = make_notifier(NULL);
		__atomic_store_n(&r.nr, nr, __ATOMIC_RELEASE);
		/* as an offload does: bw_notifier_fd() would pick up what was left behind */
		assert_int_equal(notifier_publish(r.n, NULL, &made), 0);
		__atomic_store_n(&r.published, nr, __ATOMIC_RELAXED);
		while (__atomic_load_n(&r.done, __ATOMIC_ACQUIRE) < nr * RINGERS)
			sched_yield();
		seen += drain(r.n->fd);
		bw_notifier_free(r.n);
	}
	for (unsigned int i = 0; i < RINGERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(seen, r.rings);
}

/* As failing offloads do it: the fd comes, and goes again because nothing came of it. */
static void no_ring_is_lost_while_the_fd_comes_and_goes(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);
	unsigned int before = count_fds();
	pthread_t threads[RINGERS];
	uint64_t sum = 0;
	bool made;

	(void)state;
	start(threads, n);
	for (unsigned int i = 0; i < 500; i++) {
		assert_int_equal(notifier_publish(n, NULL, &made), 0);
		assert_true(made);
		sum += bw_notifier_take(n);
		notifier_unpublish(n);
		sum += bw_notifier_take(n);
	}
	finish(threads);
	assert_int_equal(sum + bw_notifier_take(n), RINGERS * RINGS);
	assert_int_equal(count_fds(), before);
	bw_notifier_free(n);
}

/* ---- order ---- */

struct stores {
	struct bw_notifier *n;
	uint64_t stored;
};

/* The store is relaxed: what orders it must be the ring. */
static void *store_and_ring(void *opaque)
{
	struct stores *s = opaque;

	for (uint64_t i = 1; i <= RINGS; i++) {
		__atomic_store_n(&s->stored, i, __ATOMIC_RELAXED);
		bw_notifier_ring(s->n);
	}
	return NULL;
}

static void check_order(struct bw_notifier *n)
{
	struct stores s = { .n = n };
	uint64_t sum = 0, early = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, store_and_ring, &s), 0);
	while (sum < RINGS) {
		uint64_t count = bw_notifier_take(n);

		if (!count)
			sched_yield();
		sum += count;
		early += __atomic_load_n(&s.stored, __ATOMIC_RELAXED) < sum;
	}
	pthread_join(thread, NULL);
	assert_int_equal(sum, RINGS);
	assert_int_equal(early, 0);
}

static void who_takes_a_ring_sees_what_was_stored_before_it(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);

	(void)state;
	check_order(n);
	assert_true(bw_notifier_fd(n) >= 0);
	check_order(n);
	bw_notifier_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ring_is_in_the_fd_once_there_is_one),
		cmocka_unit_test(no_ring_is_lost_while_the_fd_comes_and_goes),
		cmocka_unit_test(who_takes_a_ring_sees_what_was_stored_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
