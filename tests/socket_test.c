/* SPDX-License-Identifier: MIT
 *
 * The sockets of endpoints: whose they are, what they carry, and that no wait is without bound.
 */
#define _GNU_SOURCE
#include "world.h"
#include "endpoint/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PATIENCE_MS 10000u /* for what comes at once */

static char directory[] = "/tmp/bellwire-socket-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static uint64_t soon(void)
{
	return socket_deadline(PATIENCE_MS);
}

static void pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void close_pair(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void only_its_owner_may_use_it(void **state)
{
	struct socket_listener listener;
	mode_t old = umask(0);
	struct stat st;

	(void)state;
	assert_int_equal(socket_listen(&listener, path), 0);
	umask(old);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	socket_unlisten(&listener);
}

static void it_is_removed_at_the_end(void **state)
{
	unsigned int before = count_fds();
	struct socket_listener listener;

	(void)state;
	assert_int_equal(socket_listen(&listener, path), 0);
	socket_unlisten(&listener);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(count_fds(), before);
}

static void what_exists_is_left_alone(void **state)
{
	struct socket_listener listener;
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(socket_listen(&listener, path), -EADDRINUSE);
	assert_non_null(strstr(socket_strerror(-EADDRINUSE), "exists"));
	assert_int_equal(unlink(path), 0);
}

static void a_successor_at_the_path_is_left_alone(void **state)
{
	struct socket_listener first, second;

	(void)state;
	assert_int_equal(socket_listen(&first, path), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(socket_listen(&second, path), 0);
	socket_unlisten(&first);
	assert_int_equal(access(path, F_OK), 0);
	socket_unlisten(&second);
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
	struct socket_listener listener;
	char longer[200] = {};

	(void)state;
	memset(longer, 'x', 108);
	assert_int_equal(socket_listen(&listener, longer), -ENAMETOOLONG);
	assert_int_equal(socket_connect(longer, PATIENCE_MS), -ENAMETOOLONG);
	assert_int_equal(socket_listen(&listener, ""), -ENOENT);
	assert_int_equal(socket_connect("", PATIENCE_MS), -ENOENT);
}

static void nobody_listens(void **state)
{
	struct socket_listener listener;

	(void)state;
	assert_int_equal(socket_connect(path, PATIENCE_MS), -ENOENT);
	assert_int_equal(socket_listen(&listener, path), 0);
	socket_disown(&listener);
	assert_int_equal(socket_connect(path, PATIENCE_MS), -ECONNREFUSED);
	assert_int_equal(unlink(path), 0);
}

static void a_listener_that_does_not_accept_is_not_waited_for(void **state)
{
	struct socket_listener listener;
	int connected[64], nr = 0, err;

	(void)state;
	assert_int_equal(socket_listen(&listener, path), 0);
	do {
		err = socket_connect(path, 20);
		if (err >= 0)
			connected[nr++] = err;
	} while (err >= 0 && nr < 64);
	assert_int_equal(err, -ETIMEDOUT);
	while (nr)
		close(connected[--nr]);
	socket_unlisten(&listener);
}

static void nobody_connects(void **state)
{
	struct socket_listener listener;

	(void)state;
	assert_int_equal(socket_listen(&listener, path), 0);
	assert_int_equal(socket_accept(&listener, socket_deadline(10)), -ETIMEDOUT);
	socket_unlisten(&listener);
}

static void a_message_brings_its_fds(void **state)
{
	struct socket_fds fds = { .max = 2 };
	struct socket_listener listener;
	int client, server, event = eventfd(0, 0);
	char data[4];

	(void)state;
	assert_int_equal(socket_listen(&listener, path), 0);
	client = socket_connect(path, PATIENCE_MS);
	assert_true(client >= 0);
	server = socket_accept(&listener, soon());
	assert_true(server >= 0);

	assert_int_equal(socket_send(client, "ring", 4, &event, 1, soon()), 0);
	assert_int_equal(socket_recv(server, data, 4, &fds, soon()), 0);
	assert_memory_equal(data, "ring", 4);
	assert_int_equal(fds.nr, 1);
	assert_int_equal(fcntl(fds.fd[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(eventfd_write(fds.fd[0], 3), 0);
	assert_int_equal(drain(event), 3);

	socket_close_fds(&fds);
	close(event);
	close(client);
	close(server);
	socket_unlisten(&listener);
}

static void a_reader_that_takes_part_of_it_gets_the_fds_with_the_first(void **state)
{
	struct socket_fds fds = { .max = 1 };
	int ends[2], event = eventfd(0, 0);
	char data[3];

	(void)state;
	pair(ends);
	assert_int_equal(socket_send(ends[0], "header", 6, &event, 1, soon()), 0);
	assert_int_equal(socket_recv(ends[1], data, 3, &fds, soon()), 0);
	assert_int_equal(fds.nr, 1);
	assert_int_equal(socket_recv(ends[1], data, 3, &fds, soon()), 0);
	assert_memory_equal(data, "der", 3);
	assert_int_equal(fds.nr, 1);
	socket_close_fds(&fds);
	close(event);
	close_pair(ends);
}

static void an_fd_too_many_is_an_error_and_leaks_nothing(void **state)
{
	struct socket_fds fds = { .max = 1 };
	int ends[2], sent[2] = { eventfd(0, 0), eventfd(0, 0) };
	unsigned int before;
	char data[4];

	(void)state;
	pair(ends);
	before = count_fds();
	assert_int_equal(socket_send(ends[0], "ring", 4, sent, 2, soon()), 0);
	assert_int_equal(socket_recv(ends[1], data, 4, &fds, soon()), -EPROTO);
	assert_int_equal(fds.nr, 0);
	assert_int_equal(count_fds(), before);
	close_pair(sent);
	close_pair(ends);
}

static void the_fds_of_half_a_message_are_closed(void **state)
{
	struct socket_fds fds = { .max = 1 };
	int ends[2], event = eventfd(0, 0);
	unsigned int before;
	char data[4];

	(void)state;
	pair(ends);
	before = count_fds();
	assert_int_equal(socket_send(ends[0], "ri", 2, &event, 1, soon()), 0);
	close(ends[0]);
	assert_int_equal(socket_recv(ends[1], data, 4, &fds, soon()), -ECONNRESET);
	assert_int_equal(fds.nr, 0);
	assert_int_equal(count_fds(), before - 1);
	close(event);
	close(ends[1]);
}

static void as_many_fds_as_the_kernel_lets_through(void **state)
{
	struct socket_fds fds = { .max = SOCKET_MAX_FDS };
	int ends[2], sent[SOCKET_MAX_FDS + 1];
	unsigned int before = count_fds();
	char data;

	(void)state;
	pair(ends);
	for (unsigned int i = 0; i <= SOCKET_MAX_FDS; i++)
		sent[i] = ends[0];
	assert_int_equal(socket_send(ends[0], "!", 1, sent, SOCKET_MAX_FDS, soon()), 0);
	assert_int_equal(socket_recv(ends[1], &data, 1, &fds, soon()), 0);
	assert_int_equal(fds.nr, SOCKET_MAX_FDS);
	assert_int_equal(socket_send(ends[0], "!", 1, sent, SOCKET_MAX_FDS + 1, soon()), -EINVAL);
	socket_close_fds(&fds);
	close_pair(ends);
	assert_int_equal(count_fds(), before);
}

static void silence_and_farewell_are_told_apart(void **state)
{
	struct socket_fds fds = {};
	int ends[2];
	char data;

	(void)state;
	pair(ends);
	assert_int_equal(socket_recv(ends[1], &data, 1, &fds, socket_deadline(10)), -ETIMEDOUT);
	close(ends[0]);
	assert_int_equal(socket_recv(ends[1], &data, 1, &fds, soon()), -ENODATA);
	assert_int_equal(socket_send(ends[1], "!", 1, NULL, 0, soon()), -EPIPE);
	close(ends[1]);
}

static void a_peer_that_does_not_read_is_not_waited_for(void **state)
{
	static char much[4 << 20];
	int ends[2];

	(void)state;
	pair(ends);
	assert_int_equal(socket_send(ends[0], much, sizeof(much), NULL, 0, socket_deadline(10)),
			 -ETIMEDOUT);
	close_pair(ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_its_owner_may_use_it),
		cmocka_unit_test(it_is_removed_at_the_end),
		cmocka_unit_test(what_exists_is_left_alone),
		cmocka_unit_test(a_successor_at_the_path_is_left_alone),
		cmocka_unit_test(a_path_that_does_not_fit_is_refused),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_listener_that_does_not_accept_is_not_waited_for),
		cmocka_unit_test(nobody_connects),
		cmocka_unit_test(a_message_brings_its_fds),
		cmocka_unit_test(a_reader_that_takes_part_of_it_gets_the_fds_with_the_first),
		cmocka_unit_test(an_fd_too_many_is_an_error_and_leaks_nothing),
		cmocka_unit_test(the_fds_of_half_a_message_are_closed),
		cmocka_unit_test(as_many_fds_as_the_kernel_lets_through),
		cmocka_unit_test(silence_and_farewell_are_told_apart),
		cmocka_unit_test(a_peer_that_does_not_read_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
