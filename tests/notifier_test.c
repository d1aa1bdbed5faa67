/* SPDX-License-Identifier: MIT
 *
 * Notifiers: a counter until somebody needs the fd, an eventfd from then on, and never a ring less.
 */
#include "world.h"
#include "../lib/notifier.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#define MOST (UINT64_MAX - 1)

static struct bw_notifier *import(int fd)
{
	struct bw_notifier *n;

	assert_int_equal(bw_notifier_import(&n, fd, NULL), 0);
	return n;
}

static void rings_are_counted_until_taken(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);

	(void)state;
	assert_int_equal(bw_notifier_take(n), 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(bw_notifier_ring(n), 0);
	assert_int_equal(bw_notifier_take(n), 3);
	assert_int_equal(bw_notifier_take(n), 0);
	bw_notifier_free(n);
}

static void there_is_no_fd_until_it_is_asked_for(void **state)
{
	unsigned int before = count_fds();
	struct bw_notifier *n = make_notifier(NULL);
	struct bw_bus *bus = make_bus();
	int fd;

	(void)state;
	must_assign(bus, BW_MMIO, 0x1000, any_len(), n);
	write_to(bus, BW_MMIO, 0x1000, 4, 0);
	bw_notifier_take(n);
	assert_int_equal(count_fds(), before);
	fd = bw_notifier_fd(n);
	assert_int_equal(count_fds(), before + 1);
	assert_int_equal(bw_notifier_fd(n), fd);
	bw_bus_free(bus);
	bw_notifier_free(n);
	assert_int_equal(count_fds(), before);
}

static void an_owned_fd_is_non_blocking_and_close_on_exec(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);
	int fd = bw_notifier_fd(n);

	(void)state;
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	bw_notifier_free(n);
}

static void what_was_rung_before_is_in_the_fd(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);
	int fd;

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		bw_notifier_ring(n);
	fd = bw_notifier_fd(n);
	assert_int_equal(drain(fd), 5);
	bw_notifier_ring(n);
	assert_int_equal(drain(fd), 1);
	assert_int_equal(bw_notifier_take(n), 0);
	bw_notifier_free(n);
}

static void take_takes_from_the_fd_too(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);
	int fd = bw_notifier_fd(n);

	(void)state;
	bw_notifier_ring(n);
	assert_int_equal(eventfd_write(fd, 41), 0);
	assert_int_equal(bw_notifier_take(n), 42);
	assert_int_equal(drain(fd), 0);
	bw_notifier_free(n);
}

static void the_count_stops_at_the_most_an_eventfd_holds(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);

	(void)state;
	assert_int_equal(eventfd_write(bw_notifier_fd(n), MOST), 0);
	assert_int_equal(bw_notifier_ring(n), 0);
	assert_int_equal(bw_notifier_take(n), MOST);
	assert_int_equal(bw_notifier_take(n), 0);
	bw_notifier_free(n);
}

/* ---- imported ---- */

static void an_import_has_its_own_fd_of_the_same_eventfd(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK), kept = dup(fd);
	unsigned int before = count_fds();
	struct bw_notifier *n = import(fd);

	(void)state;
	assert_int_equal(count_fds(), before + 1);
	assert_int_not_equal(bw_notifier_fd(n), fd);
	assert_true(fcntl(bw_notifier_fd(n), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(count_fds(), before + 1);
	close(fd);
	bw_notifier_ring(n);
	assert_int_equal(drain(kept), 1);
	bw_notifier_free(n);
	close(kept);
	assert_int_equal(count_fds(), before - 2);
}

static void an_import_leaves_the_callers_flags(void **state)
{
	int fd = eventfd(0, 0);
	struct bw_notifier *n = import(fd);

	(void)state;
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	bw_notifier_free(n);
	close(fd);
}

static void only_an_eventfd_can_be_imported(void **state)
{
	struct bw_notifier *n = (struct bw_notifier *)state;
	int both[2], timer = timerfd_create(CLOCK_MONOTONIC, 0), epoll = epoll_create1(0);
	int null = open("/dev/null", O_RDWR);
	unsigned int before;

	assert_int_equal(pipe(both), 0);
	before = count_fds();
	assert_int_equal(bw_notifier_import(&n, both[0], NULL), -EINVAL);
	assert_null(n);
	assert_int_equal(bw_notifier_import(&n, both[1], NULL), -EINVAL);
	assert_int_equal(bw_notifier_import(&n, timer, NULL), -EINVAL);
	assert_int_equal(bw_notifier_import(&n, epoll, NULL), -EINVAL);
	assert_int_equal(bw_notifier_import(&n, null, NULL), -EINVAL);
	assert_int_equal(count_fds(), before);
	close(both[0]);
	close(both[1]);
	close(timer);
	close(epoll);
	close(null);
	assert_int_equal(bw_notifier_import(&n, null, NULL), -EBADF);
	assert_int_equal(bw_notifier_import(&n, -1, NULL), -EBADF);
	assert_null(n);
}

/* These would hang. */
static void a_blocking_eventfd_at_its_most_blocks_no_ring(void **state)
{
	int fd = eventfd(0, 0);
	struct bw_notifier *n = import(fd);
	struct bw_bus *bus = make_bus();

	(void)state;
	must_assign(bus, BW_MMIO, 0x1000, any_len(), n);
	assert_int_equal(eventfd_write(fd, MOST), 0);
	bw_notifier_ring(n);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1000, 4, 0), BW_SIGNALLED);
	assert_int_equal(bw_notifier_take(n), MOST);
	bw_notifier_ring(n);
	assert_int_equal(bw_notifier_take(n), 1);
	bw_bus_free(bus);
	bw_notifier_free(n);
	close(fd);
}

static void take_from_an_empty_blocking_eventfd_does_not_block(void **state)
{
	int fd = eventfd(0, 0);
	struct bw_notifier *n = import(fd);

	(void)state;
	assert_int_equal(bw_notifier_take(n), 0);
	bw_notifier_free(n);
	close(fd);
}

static void errno_is_left_alone(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);
	int fd = bw_notifier_fd(n);

	(void)state;
	errno = ENOTRECOVERABLE;
	bw_notifier_take(n); /* EAGAIN */
	assert_int_equal(eventfd_write(fd, MOST), 0);
	bw_notifier_ring(n); /* EAGAIN */
	assert_int_equal(errno, ENOTRECOVERABLE);
	bw_notifier_free(n);
}

/* ---- references ---- */

static void an_ioeventfd_keeps_its_notifier(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct bw_notifier *n = import(fd);
	struct bw_bus *bus = make_bus();
	struct bw_ioeventfd *ie = must_assign(bus, BW_MMIO, 0x1000, any_len(), n);
	unsigned int before = count_fds();

	(void)state;
	bw_notifier_free(n);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1000, 4, 0), BW_SIGNALLED);
	assert_int_equal(drain(fd), 1);
	assert_int_equal(count_fds(), before);
	bw_ioeventfd_deassign(ie);
	assert_int_equal(count_fds(), before - 1);
	bw_bus_free(bus);
	close(fd);
}

static void an_fd_that_was_handed_out_stays(void **state)
{
	struct bw_notifier *n = make_notifier(NULL);
	bool made;
	int fd;

	(void)state;
	assert_int_equal(notifier_publish(n, NULL, &made), 0);
	fd = bw_notifier_fd(n);
	notifier_unpublish(n);
	bw_notifier_ring(n);
	assert_int_equal(drain(fd), 1);
	bw_notifier_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_are_counted_until_taken),
		cmocka_unit_test(there_is_no_fd_until_it_is_asked_for),
		cmocka_unit_test(an_owned_fd_is_non_blocking_and_close_on_exec),
		cmocka_unit_test(what_was_rung_before_is_in_the_fd),
		cmocka_unit_test(take_takes_from_the_fd_too),
		cmocka_unit_test(the_count_stops_at_the_most_an_eventfd_holds),
		cmocka_unit_test(an_import_has_its_own_fd_of_the_same_eventfd),
		cmocka_unit_test(an_import_leaves_the_callers_flags),
		cmocka_unit_test(only_an_eventfd_can_be_imported),
		cmocka_unit_test(a_blocking_eventfd_at_its_most_blocks_no_ring),
		cmocka_unit_test(take_from_an_empty_blocking_eventfd_does_not_block),
		cmocka_unit_test(errno_is_left_alone),
		cmocka_unit_test(an_ioeventfd_keeps_its_notifier),
		cmocka_unit_test(an_fd_that_was_handed_out_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
