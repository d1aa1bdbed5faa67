/* SPDX-License-Identifier: MIT
 *
 * An endpoint in another process: it counts, it answers, and killed at any moment it loses nothing.
 */
#define _GNU_SOURCE
#include "endpoint/message.h"
#include "endpoint/process.h"
#include "endpoint/server.h"
#include "endpoint/socket.h"
#include "eventfd_ringers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS 100
#define PATIENCE_MS 20000
#define MEMORY 0x2000u
#define ANSWER 0x1008u

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int new_memory(void)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, MEMORY), 0);
	return fd;
}

static struct endpoint *start(int fd, bool spin, int call, int memory)
{
	struct endpoint_opts opts = { .cpu = 0, .spin = spin };
	struct endpoint_reach reach = { .call = call, .memory = memory, .answer = ANSWER };
	struct endpoint *ep;

	assert_int_equal(endpoint_start_process(&ep, fd, &opts, &reach), 0);
	return ep;
}

/* What it has counted once that is at least so much, or when patience ends. */
static uint64_t wait_for_count(struct endpoint *ep, uint64_t rings)
{
	uint64_t end = socket_deadline(PATIENCE_MS), counted;

	while ((counted = endpoint_rings(ep)) < rings && socket_deadline(0) < end)
		pause_us(50);
	return counted;
}

static void every_ring_is_counted(void **state)
{
	int fd = new_eventfd();

	(void)state;
	for (int spin = 0; spin < 2; spin++) {
		struct endpoint *ep = start(fd, spin, -1, -1);

		for (int i = 0; i < 1000; i++)
			endpoint_ring(ep);
		assert_int_equal(wait_for_count(ep, 1000), 1000);
		assert_true(endpoint_cpu_ns(ep) > 0);
		endpoint_stop(ep);
	}
	close(fd);
}

static void answers_by_a_word_and_a_call(void **state)
{
	int fd = new_eventfd(), call = new_eventfd(), memory = new_memory();
	uint8_t *p = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	const _Atomic uint64_t *word = (const _Atomic uint64_t *)(p + ANSWER);
	struct endpoint *ep = start(fd, false, call, memory);
	struct pollfd pfd = { .fd = call, .events = POLLIN };

	(void)state;
	for (uint64_t i = 1; i <= 3; i++) {
		eventfd_t calls;

		endpoint_ring(ep);
		assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
		assert_int_equal(eventfd_read(call, &calls), 0);
		assert_int_equal(calls, 1);
		assert_int_equal(atomic_load(word), i);
		assert_true(endpoint_process_answers(ep)->heard_ns[i - 1] > 0);
	}
	endpoint_stop(ep);
	munmap(p, MEMORY);
	close(memory);
	close(call);
	close(fd);
}

/* Killed between the count and the answer: the guest would wait for ever. */
static void the_next_one_answers_what_was_counted(void **state)
{
	int fd = new_eventfd(), call = new_eventfd();
	struct endpoint *ep = start(fd, false, call, -1);
	struct pollfd pfd = { .fd = call, .events = POLLIN };
	eventfd_t calls;

	(void)state;
	endpoint_ring(ep);
	assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
	assert_int_equal(eventfd_read(call, &calls), 0);
	kill(endpoint_process_pid(ep), SIGKILL);
	while (poll(&pfd, 1, 10) == 0)
		assert_int_equal(endpoint_rings(ep), 1);
	endpoint_stop(ep);
	close(call);
	close(fd);
}

static void killed_a_hundred_times_under_load_it_loses_nothing(void **state)
{
	static struct ringers ringers;
	int fd = new_eventfd();
	struct endpoint *ep = start(fd, false, -1, -1);
	uint64_t rung, counted = 0;
	unsigned int killed = 0;
	eventfd_t left;

	(void)state;
	start_ringers(&ringers, fd);
	/* Only one that is at work is killed, some time into it. */
	for (; killed < KILLS; killed++) {
		uint64_t more = wait_for_count(ep, counted + 1);

		assert_true(more > counted);
		counted = more;
		pause_us(random() % 1000);
		assert_int_equal(kill(endpoint_process_pid(ep), SIGKILL), 0);
	}
	rung = stop_ringers(&ringers);
	counted = wait_for_count(ep, rung);
	assert_int_equal(counted, rung);
	assert_true(eventfd_read(fd, &left) < 0 && errno == EAGAIN);
	endpoint_stop(ep);
	close(fd);
}

/* ---- what a server refuses ---- */

struct peer {
	pid_t pid;
	int conn;
};

static struct peer start_server(void)
{
	struct peer peer;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peer.pid = fork();
	if (peer.pid == 0) {
		close(pair[0]);
		_exit(-endpoint_serve(pair[1]));
	}
	close(pair[1]);
	peer.conn = pair[0];
	return peer;
}

static int end_server(struct peer *peer)
{
	int status;

	close(peer->conn);
	assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

/* Sends a message to a server of its own; the error it replies. */
static int ask(uint32_t flags, uint64_t answer, const int *fds, unsigned int nr_fds)
{
	struct endpoint_attach attach = { ENDPOINT_MAGIC, ENDPOINT_VERSION, flags, ENDPOINT_ANY_CPU,
					  answer };
	struct peer peer = start_server();
	struct endpoint_reply reply;
	struct socket_fds none = { .max = 0 };
	uint64_t deadline = socket_deadline(PATIENCE_MS);

	assert_int_equal(socket_send(peer.conn, &attach, sizeof(attach), fds, nr_fds, deadline), 0);
	assert_int_equal(socket_recv(peer.conn, &reply, sizeof(reply), &none, deadline), 0);
	assert_int_equal(endpoint_reply_check(&reply), 0);
	assert_int_equal(end_server(&peer), -reply.error);
	return -reply.error;
}

static void bad_fds_are_refused(void **state)
{
	struct endpoint_record *record;
	int good = new_eventfd(), blocking = eventfd(0, EFD_CLOEXEC), memory = new_memory();
	int memfd;

	(void)state;
	assert_int_equal(record_new(&record, &memfd), 0);
	assert_int_equal(ask(0, 0, (int[]){ good, memfd }, 2), 0);
	assert_int_equal(ask(0, 0, (int[]){ good, memfd, memfd }, 3), -EPROTO);
	assert_int_equal(ask(0, 0, (int[]){ blocking, memfd }, 2), -EINVAL);
	assert_int_equal(ask(0, 0, (int[]){ memfd, good }, 2), -EINVAL);
	assert_int_equal(ask(0, 0, (int[]){ good, good }, 2), -EINVAL);
	assert_int_equal(ask(ENDPOINT_CALL, 0, (int[]){ good, memfd, memory }, 3), -EINVAL);
	assert_int_equal(ask(ENDPOINT_MEMORY, MEMORY - 8, (int[]){ good, memfd, memory }, 3), 0);
	assert_int_equal(ask(ENDPOINT_MEMORY, MEMORY, (int[]){ good, memfd, memory }, 3), -ERANGE);
	assert_int_equal(ask(ENDPOINT_MEMORY, 0, (int[]){ good, memfd, good }, 3), -ERANGE);
	record_unmap(record);
	close(memfd);
	close(memory);
	close(blocking);
	close(good);
}

static void more_fds_than_there_can_be_end_the_connection(void **state)
{
	struct endpoint_attach attach = { ENDPOINT_MAGIC, ENDPOINT_VERSION, 0, 0, 0 };
	struct peer peer = start_server();
	int fd = new_eventfd(), fds[] = { fd, fd, fd, fd, fd };
	uint64_t deadline = socket_deadline(PATIENCE_MS);

	(void)state;
	assert_int_equal(socket_send(peer.conn, &attach, sizeof(attach), fds, 5, deadline), 0);
	assert_int_equal(end_server(&peer), -EPROTO);
	close(fd);
}

static void half_a_message_ends_the_connection(void **state)
{
	struct peer peer = start_server();

	(void)state;
	assert_int_equal(write(peer.conn, "BWEP", 4), 4);
	assert_int_equal(end_server(&peer), -ECONNRESET);
}

static void nobody_listens(void **state)
{
	struct endpoint_opts opts = { 0 };
	struct endpoint_reach reach = { .socket = "/nonexistent/socket", .call = -1, .memory = -1 };
	struct endpoint *ep;
	int fd = new_eventfd();

	(void)state;
	assert_int_equal(endpoint_start_process(&ep, fd, &opts, &reach), -ENOENT);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ring_is_counted),
		cmocka_unit_test(answers_by_a_word_and_a_call),
		cmocka_unit_test(the_next_one_answers_what_was_counted),
		cmocka_unit_test(killed_a_hundred_times_under_load_it_loses_nothing),
		cmocka_unit_test(bad_fds_are_refused),
		cmocka_unit_test(more_fds_than_there_can_be_end_the_connection),
		cmocka_unit_test(half_a_message_ends_the_connection),
		cmocka_unit_test(nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
