/* SPDX-License-Identifier: MIT
 *
 * The consumer's loop while others ring, publish, delete and stop. No ring and no stop may be lost
 * asleep; where one is, a limit far beyond any scheduler's delay ends the test instead of a hang.
 */
#include "consumer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#define LIMIT_S 20
#define KINDS 3u
#define RINGERS 2u
#define RINGS 50000u

/* Whether it was posted before the limit. */
static bool wait_for(sem_t *sem)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += LIMIT_S;
	while (sem_timedwait(sem, &limit))
		if (errno != EINTR)
			return false;
	return true;
}

/* ---- stop ---- */

static void a_stop_before_the_run_ends_it_at_once(void **state)
{
	struct bw_poller *p = make_poller();

	(void)state;
	bw_poller_stop(p);
	assert_int_equal(bw_poller_run(p), 0);
	bw_poller_free(p);
}

static struct bw_poller *to_stop;
static volatile unsigned int stops;

static void stop_on_signal(int signal)
{
	(void)signal;
	stops++;
	bw_poller_stop(to_stop);
}

/* Sweeps the moment of the signal over the whole of a run until it sleeps. Should it sleep on, it
 * is stopped again. With an eventfd to look at, a run makes a system call before it sleeps, too. */
static void no_stop_is_slept_through(void **state)
{
	struct sigaction action = { .sa_handler = stop_on_signal }, before;
	struct itimerspec at = { .it_interval.tv_sec = LIMIT_S }, never = { 0 };
	struct consumer c = { 0 };
	unsigned int most = 0;
	timer_t timer;

	(void)state;
	to_stop = make_poller();
	add_consumer(to_stop, &c, true);
	sigaction(SIGALRM, &action, &before);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
	for (long i = 0; i < 20000 && most <= 1; i++) {
		stops = 0;
		at.it_value.tv_nsec = 1 + i % 2000 * 5;
		timer_settime(timer, 0, &at, NULL);
		assert_int_equal(bw_poller_run(to_stop), 0);
		timer_settime(timer, 0, &never, NULL);
		most = stops > most ? stops : most;
	}
	timer_delete(timer);
	sigaction(SIGALRM, &before, NULL);
	assert_int_equal(most, 1);
	bw_poller_free(to_stop);
	bw_notifier_free(c.n);
}

/* ---- rings ---- */

struct bells {
	struct bw_notifier *n[KINDS]; /* no fd, an fd, an fd in the middle of it */
	uint64_t stored;              /* before each ring, by all ringers */
	uint64_t seen;                /* rings that were delivered */
	unsigned int early;           /* deliveries before what was stored */
	struct bw_poller *p;
};

static void *ring_in_turn(void *opaque)
{
	struct bells *b = opaque;

	for (unsigned int i = 0; i < RINGS; i++) {
		__atomic_add_fetch(&b->stored, 1, __ATOMIC_RELAXED);
		bw_notifier_ring(b->n[i % KINDS]);
		if (!(i % 512)) /* long enough for the consumer to fall asleep */
			nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
	}
	return NULL;
}

static void see(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct bells *b = opaque;

	(void)n;
	b->seen += count;
	b->early += __atomic_load_n(&b->stored, __ATOMIC_RELAXED) < b->seen;
	if (b->seen > RINGS / 2)
		bw_notifier_fd(b->n[2]);
	if (b->seen == RINGERS * RINGS)
		bw_poller_stop(b->p);
}

static void start_ringing(struct bells *b, pthread_t threads[RINGERS])
{
	memset(b, 0, sizeof(*b));
	b->p = make_poller();
	for (unsigned int i = 0; i < KINDS; i++) {
		b->n[i] = make_notifier(NULL);
		assert_int_equal(bw_poller_add(b->p, b->n[i], see, b), 0);
	}
	assert_true(bw_notifier_fd(b->n[1]) >= 0);
	for (unsigned int i = 0; i < RINGERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ring_in_turn, b), 0);
}

static void finish_ringing(struct bells *b, pthread_t threads[RINGERS])
{
	for (unsigned int i = 0; i < RINGERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(b->seen, RINGERS * RINGS);
	assert_int_equal(b->early, 0);
	bw_poller_free(b->p);
	for (unsigned int i = 0; i < KINDS; i++)
		bw_notifier_free(b->n[i]);
}

static void a_loop_of_the_callers_own_loses_no_ring(void **state)
{
	pthread_t threads[RINGERS];
	struct bells b;

	(void)state;
	start_ringing(&b, threads);
	for (unsigned int turn = 0; b.seen < RINGERS * RINGS; turn++) {
		struct pollfd ready = { .fd = bw_poller_arm(b.p), .events = POLLIN };

		if (ready.fd >= 0 && poll(&ready, 1, LIMIT_S * 1000) == 0)
			break;
		bw_poller_poll(b.p, turn % 3);
	}
	finish_ringing(&b, threads);
}

static void a_run_loses_no_ring(void **state)
{
	pthread_t threads[RINGERS];
	struct bells b;

	(void)state;
	start_ringing(&b, threads);
	assert_int_equal(bw_poller_run(b.p), 0);
	finish_ringing(&b, threads);
}

/* ---- a consumer on its own thread ---- */

struct busy {
	struct consumer c;
	pthread_t thread;
	sem_t entered, go_on;
	bool left;
};

static void *run(void *opaque)
{
	bw_poller_run(opaque);
	return NULL;
}

static void be_busy(struct consumer *c)
{
	struct busy *b = (struct busy *)c;

	sem_post(&b->entered);
	sem_wait(&b->go_on);
	__atomic_store_n(&b->left, true, __ATOMIC_RELAXED);
}

static void start_busy(struct busy *b)
{
	memset(b, 0, sizeof(*b));
	b->c.then = be_busy;
	sem_init(&b->entered, 0, 0);
	sem_init(&b->go_on, 0, 0);
	add_consumer(make_poller(), &b->c, false);
	assert_int_equal(pthread_create(&b->thread, NULL, run, b->c.p), 0);
	bw_notifier_ring(b->c.n);
	assert_true(wait_for(&b->entered));
}

static void finish_busy(struct busy *b)
{
	bw_poller_stop(b->c.p);
	pthread_join(b->thread, NULL);
	bw_poller_free(b->c.p);
	bw_notifier_free(b->c.n);
}

static void an_fd_made_while_the_consumer_sleeps_wakes_it(void **state)
{
	struct busy b;

	(void)state;
	start_busy(&b);
	sem_post(&b.go_on);
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL); /* it may sleep, or not yet */
	assert_int_equal(eventfd_write(bw_notifier_fd(b.c.n), 1), 0);
	assert_true(wait_for(&b.entered));
	sem_post(&b.go_on);
	finish_busy(&b);
}

static void *del(void *opaque)
{
	struct busy *b = opaque;
	bool *left_before = malloc(sizeof(*left_before));

	bw_poller_del(b->c.p, b->c.n);
	*left_before = __atomic_load_n(&b->left, __ATOMIC_RELAXED);
	return left_before;
}

static void del_waits_for_the_running_callback(void **state)
{
	pthread_t thread;
	struct busy b;
	void *left;

	(void)state;
	start_busy(&b);
	assert_int_equal(pthread_create(&thread, NULL, del, &b), 0);
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL); /* for a del that does not */
	sem_post(&b.go_on);
	pthread_join(thread, &left);
	assert_true(*(bool *)left);
	free(left);
	finish_busy(&b);
}

struct watch {
	bool added;
	unsigned int late;
};

static void watch(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct watch *w = opaque;

	(void)n;
	(void)count;
	w->late += !__atomic_load_n(&w->added, __ATOMIC_RELAXED);
}

static void *ring_until_told(void *opaque)
{
	struct bells *b = opaque;

	while (!__atomic_load_n(&b->seen, __ATOMIC_RELAXED))
		for (unsigned int i = 0; i < 2; i++)
			bw_notifier_ring(b->n[i]);
	return NULL;
}

static void no_callback_comes_after_del(void **state)
{
	struct bells b = { .p = make_poller(), .n = { make_notifier(NULL), make_notifier(NULL) } };
	pthread_t consumer, ringer;
	struct watch w = { 0 };

	(void)state;
	assert_true(bw_notifier_fd(b.n[1]) >= 0);
	assert_int_equal(pthread_create(&consumer, NULL, run, b.p), 0);
	assert_int_equal(pthread_create(&ringer, NULL, ring_until_told, &b), 0);
	for (unsigned int i = 0; i < 500; i++) {
		__atomic_store_n(&w.added, true, __ATOMIC_RELAXED);
		assert_int_equal(bw_poller_add(b.p, b.n[i % 2], watch, &w), 0);
		sched_yield();
		bw_poller_del(b.p, b.n[i % 2]);
		__atomic_store_n(&w.added, false, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&b.seen, 1, __ATOMIC_RELAXED);
	pthread_join(ringer, NULL);
	bw_poller_stop(b.p);
	pthread_join(consumer, NULL);
	assert_int_equal(w.late, 0);
	bw_poller_free(b.p);
	bw_notifier_free(b.n[0]);
	bw_notifier_free(b.n[1]);
}

/* ---- elision ---- */

/* System calls of this thread that write, as the kernel counts them; -1: it does not. */
static long long writes_so_far(void)
{
	FILE *io = fopen("/proc/thread-self/io", "re");
	char line[64];
	long long writes = -1;

	while (io && fgets(line, sizeof(line), io))
		sscanf(line, "syscw: %lld", &writes);
	if (io)
		fclose(io);
	return writes;
}

static void rings_to_a_busy_consumer_cost_no_system_call(void **state)
{
	long long before, elided, written;
	struct busy b;

	(void)state;
	if (writes_so_far() < 0) {
		print_message(
			"this kernel does not count system calls (CONFIG_TASK_IO_ACCOUNTING)\n");
		skip();
	}
	start_busy(&b);
	before = writes_so_far();
	for (unsigned int i = 0; i < 1000; i++)
		bw_notifier_ring(b.c.n);
	elided = writes_so_far();
	bw_notifier_fd(b.c.n);
	for (unsigned int i = 0; i < 1000; i++)
		bw_notifier_ring(b.c.n);
	written = writes_so_far();
	sem_post(&b.go_on);
	assert_true(wait_for(&b.entered));
	sem_post(&b.go_on);
	finish_busy(&b);
	assert_int_equal(b.c.rings, 2001);
	assert_int_equal(elided - before, 0);
	assert_true(written - elided >= 1000); /* so the kernel does count them */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_before_the_run_ends_it_at_once),
		cmocka_unit_test(no_stop_is_slept_through),
		cmocka_unit_test(a_loop_of_the_callers_own_loses_no_ring),
		cmocka_unit_test(a_run_loses_no_ring),
		cmocka_unit_test(an_fd_made_while_the_consumer_sleeps_wakes_it),
		cmocka_unit_test(del_waits_for_the_running_callback),
		cmocka_unit_test(no_callback_comes_after_del),
		cmocka_unit_test(rings_to_a_busy_consumer_cost_no_system_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
