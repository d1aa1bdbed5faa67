/* SPDX-License-Identifier: MIT
 *
 * A consumer in another process, forked before there was anything to inherit: it is sent an eventfd
 * and the capture's memory by a socket, and has nothing else.
 */
#define _GNU_SOURCE
#include "capture_world.h"
#include "endpoint/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define PATIENCE_MS 20000
#define RINGS 20000u

struct consumer {
	int socket;
	pid_t pid;
};

/* What it finds wrong is its exit status. */
typedef int consume_fn(int eventfd, int memory, int socket);

static void run_child(int socket, consume_fn *consume)
{
	struct socket_fds fds = { .max = 2 };
	char c;

	if (socket_recv(socket, &c, 1, &fds, socket_deadline(PATIENCE_MS)) || fds.nr != 2)
		end_child(100);
	end_child(consume(fds.fd[0], fds.fd[1], socket));
}

static struct consumer start(consume_fn *consume)
{
	struct consumer consumer;
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	consumer.socket = sockets[0];
	consumer.pid = fork();
	if (!consumer.pid) {
		close(sockets[0]);
		run_child(sockets[1], consume);
	}
	assert_true(consumer.pid > 0);
	close(sockets[1]);
	return consumer;
}

static void send_to(const struct consumer *consumer, const struct captured_world *w)
{
	int fds[] = { bw_notifier_fd(w->n), bw_capture_fd(w->c) };

	assert_int_equal(socket_send(consumer->socket, "", 1, fds, 2, socket_deadline(PATIENCE_MS)),
			 0);
}

static int status_of(const struct consumer *consumer)
{
	int status;

	assert_int_equal(waitpid(consumer->pid, &status, 0), consumer->pid);
	close(consumer->socket);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool sleep_for_a_ring(int eventfd)
{
	struct pollfd ready = { .fd = eventfd, .events = POLLIN };
	uint64_t count;

	return poll(&ready, 1, PATIENCE_MS) == 1 &&
	       read(eventfd, &count, sizeof(count)) == sizeof(count);
}

/* ---- a queue ---- */

static int take_all(int eventfd, int memory, int socket)
{
	struct bw_captured v[7];
	struct bw_capture *c;
	uint64_t taken = 0;

	(void)socket;
	if (bw_capture_open(&c, memory))
		return 1;
	close(memory);
	while (taken < RINGS) {
		int got = bw_capture_take(c, v, 7);

		if (!got && !sleep_for_a_ring(eventfd))
			return 2;
		for (int i = 0; i < got; i++)
			if (v[i].sequence != ++taken || v[i].value != taken * 3 || v[i].len != 4)
				return 3;
	}
	bw_capture_free(c);
	return 0;
}

static void each_value_reaches_another_process_in_order(void **state)
{
	struct consumer consumer = start(take_all);
	struct captured_world w = make_captured(make_queue(1u << 15));

	(void)state;
	send_to(&consumer, &w);
	for (uint64_t i = 1; i <= RINGS; i++)
		assert_int_equal(write_to(w.bus, BW_MMIO, DOORBELL, 4, i * 3), BW_SIGNALLED);
	assert_int_equal(status_of(&consumer), 0);
	assert_int_equal(bw_capture_dropped(w.c), 0);
	free_captured(&w);
}

/* Takes one, says so, and waits for its end. */
static int take_one(int eventfd, int memory, int socket)
{
	struct bw_captured v;
	struct bw_capture *c;

	if (bw_capture_open(&c, memory) || !sleep_for_a_ring(eventfd))
		return 1;
	if (bw_capture_take(c, &v, 1) != 1 ||
	    socket_send(socket, &v.value, sizeof(v.value), NULL, 0, socket_deadline(PATIENCE_MS)))
		return 2;
	for (;;)
		pause();
}

static void the_next_one_goes_on_where_a_dead_one_was(void **state)
{
	struct captured_world w = make_captured(make_queue(16));
	struct socket_fds none = { .max = 0 };

	(void)state;
	for (uint64_t i = 1; i <= 10; i++)
		write_to(w.bus, BW_MMIO, DOORBELL, 8, i);
	for (uint64_t i = 1; i <= 10; i++) {
		struct consumer consumer = start(take_one);
		uint64_t value = 0;

		bw_notifier_ring(w.n);
		send_to(&consumer, &w);
		assert_int_equal(socket_recv(consumer.socket, &value, sizeof(value), &none,
					     socket_deadline(PATIENCE_MS)),
				 0);
		assert_int_equal(value, i);
		kill(consumer.pid, SIGKILL);
		assert_int_equal(status_of(&consumer), -1);
	}
	free_captured(&w);
}

/* ---- the last value ---- */

static int see_the_last(int eventfd, int memory, int socket)
{
	struct bw_captured v = { .sequence = 0 };
	struct bw_capture *c;

	(void)socket;
	if (bw_capture_open(&c, memory))
		return 1;
	while (v.sequence < RINGS) {
		if (!sleep_for_a_ring(eventfd))
			return 2;
		if (bw_capture_last(c, &v))
			return 3;
		if (v.value != (v.sequence << 32 | v.sequence))
			return 4;
	}
	bw_capture_free(c);
	return 0;
}

/* One vCPU: nobody else can be in the middle of a store for long. */
static void another_process_sees_the_last_value(void **state)
{
	struct consumer consumer = start(see_the_last);
	struct captured_world w = make_captured(make_last());

	(void)state;
	send_to(&consumer, &w);
	for (uint64_t i = 1; i <= RINGS; i++)
		write_to(w.bus, BW_MMIO, DOORBELL, 8, i << 32 | i);
	assert_int_equal(status_of(&consumer), 0);
	free_captured(&w);
}

/* ---- one that means ill ---- */

/* All that can be done with the fd and the memory, from when it has said so until the other end of
 * the socket is closed. */
static int do_harm(int eventfd, int memory, int socket)
{
	struct pollfd gone = { .fd = socket, .events = POLLIN };
	size_t size = 192 + 8 * 32, words = size / sizeof(uint64_t);
	uint64_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	uint64_t seed = 7;

	(void)eventfd;
	if (at == MAP_FAILED)
		return 1;
	if (socket_send(socket, "", 1, NULL, 0, socket_deadline(PATIENCE_MS)))
		return 4;
	while (poll(&gone, 1, 0) == 0) {
		for (int i = 0; i < 1000; i++)
			__atomic_store_n(&at[random_below(&seed, (uint32_t)words)],
					 next_random(&seed) >> random_below(&seed, 64),
					 __ATOMIC_RELAXED);
		if (ftruncate(memory, 0) != -1 || ftruncate(memory, 1 << 20) != -1)
			return 2;
		if (fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE) != -1)
			return 3;
		fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
	}
	return 0;
}

static void a_hostile_process_harms_only_its_own_values(void **state)
{
	struct consumer consumer = start(do_harm);
	struct captured_world w = make_captured(make_queue(8));
	struct socket_fds none = { .max = 0 };
	struct bw_captured v;
	char c;

	(void)state;
	send_to(&consumer, &w);
	assert_int_equal(socket_recv(consumer.socket, &c, 1, &none, socket_deadline(PATIENCE_MS)),
			 0);
	for (uint64_t i = 1; i <= RINGS; i++) {
		assert_int_equal(write_to(w.bus, BW_MMIO, DOORBELL, 4, i), BW_SIGNALLED);
		assert_in_range(bw_capture_take(w.c, &v, 1), 0, 1);
	}
	assert_int_equal(drain(bw_notifier_fd(w.n)), RINGS);
	shutdown(consumer.socket, SHUT_RDWR);
	assert_int_equal(status_of(&consumer), 0);
	free_captured(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_reaches_another_process_in_order),
		cmocka_unit_test(the_next_one_goes_on_where_a_dead_one_was),
		cmocka_unit_test(another_process_sees_the_last_value),
		cmocka_unit_test(a_hostile_process_harms_only_its_own_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
