/* SPDX-License-Identifier: MIT
 *
 * usage: doorbell_test [DOORBELL.ko]
 *
 * The kernel module, used and abused. Skipped where it is not loaded; given its file, it is
 * unloaded and loaded again too.
 */
#define _GNU_SOURCE
#include "module/doorbell.h"
#include "eventfd_ringers.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define TURNS 200

static const char *module_file;

static int try_doorbell(void)
{
	int fd = open(DOORBELL_DEVICE, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		print_message("%s: %s: module/doorbell.ko is not loaded\n", DOORBELL_DEVICE,
			      strerror(errno));
		skip();
	}
	return fd;
}

static int new_eventfd(unsigned int count, int flags)
{
	int fd = eventfd(count, EFD_NONBLOCK | EFD_CLOEXEC | flags);

	assert_true(fd >= 0);
	return fd;
}

static uint64_t rings(int doorbell)
{
	uint64_t n;

	assert_int_equal(read(doorbell, &n, sizeof(n)), sizeof(n));
	return n;
}

/* What a call gives: 0 or -errno. */
static int call(int doorbell, unsigned long request, int argument)
{
	return ioctl(doorbell, request, argument) < 0 ? -errno : 0;
}

static bool is_empty(int fd)
{
	eventfd_t left;

	return eventfd_read(fd, &left) < 0 && errno == EAGAIN;
}

static void an_ioctl_rings(void **state)
{
	int doorbell = try_doorbell(), other = try_doorbell();

	(void)state;
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(call(doorbell, DOORBELL_RING, 0), 0);
		assert_int_equal(rings(doorbell), i);
	}
	assert_int_equal(rings(other), 0);
	close(other);
	close(doorbell);
}

static void a_bound_eventfd_rings(void **state)
{
	int doorbell = try_doorbell(), fd = new_eventfd(5, 0);

	(void)state;
	assert_int_equal(call(doorbell, DOORBELL_BIND, fd), 0);
	assert_int_equal(rings(doorbell), 5);
	assert_int_equal(eventfd_write(fd, 1), 0);
	assert_int_equal(rings(doorbell), 6);
	assert_int_equal(eventfd_write(fd, 10), 0);
	assert_int_equal(rings(doorbell), 16);
	assert_int_equal(call(doorbell, DOORBELL_RING, 0), 0);
	assert_int_equal(rings(doorbell), 17);
	assert_true(is_empty(fd));
	close(fd);
	close(doorbell);
}

static void a_semaphore_is_taken_whole(void **state)
{
	int doorbell = try_doorbell(), fd = new_eventfd(3, EFD_SEMAPHORE);

	(void)state;
	assert_int_equal(call(doorbell, DOORBELL_BIND, fd), 0);
	assert_int_equal(eventfd_write(fd, 4), 0);
	assert_int_equal(rings(doorbell), 7);
	assert_true(is_empty(fd));
	close(fd);
	close(doorbell);
}

static void one_eventfd_at_a_time(void **state)
{
	int doorbell = try_doorbell(), first = new_eventfd(0, 0), second = new_eventfd(9, 0);

	(void)state;
	assert_int_equal(call(doorbell, DOORBELL_UNBIND, 0), -ENOENT);
	assert_int_equal(call(doorbell, DOORBELL_BIND, first), 0);
	assert_int_equal(call(doorbell, DOORBELL_BIND, second), -EBUSY);
	assert_int_equal(call(doorbell, DOORBELL_BIND, first), -EBUSY);
	assert_int_equal(rings(doorbell), 0);
	assert_int_equal(call(doorbell, DOORBELL_UNBIND, 0), 0);
	assert_int_equal(eventfd_write(first, 1), 0);
	assert_false(is_empty(first));
	assert_int_equal(call(doorbell, DOORBELL_BIND, second), 0);
	assert_int_equal(rings(doorbell), 9);
	close(second);
	close(first);
	close(doorbell);
}

static void bad_arguments_are_refused(void **state)
{
	int doorbell = try_doorbell(), closed = dup(doorbell);
	uint32_t half;

	(void)state;
	close(closed);
	assert_int_equal(call(doorbell, DOORBELL_BIND, -1), -EBADF);
	assert_int_equal(call(doorbell, DOORBELL_BIND, closed), -EBADF);
	assert_int_equal(call(doorbell, DOORBELL_BIND, doorbell), -EINVAL);
	assert_int_equal(call(doorbell, DOORBELL_BIND, STDERR_FILENO), -EINVAL);
	assert_int_equal(call(doorbell, _IO('D', 0x6f), 0), -ENOTTY);
	assert_int_equal(read(doorbell, &half, sizeof(half)), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(syscall(SYS_read, doorbell, NULL, 8), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(rings(doorbell), 0);
	close(doorbell);
}

/* The module holds the eventfd, and nobody else is left who could ring it. */
static void the_fd_may_be_closed_while_bound(void **state)
{
	int doorbell = try_doorbell(), fd = new_eventfd(0, 0), last = dup(fd);

	(void)state;
	assert_int_equal(call(doorbell, DOORBELL_BIND, fd), 0);
	close(fd);
	assert_int_equal(eventfd_write(last, 1), 0);
	close(last);
	assert_int_equal(rings(doorbell), 1);
	assert_int_equal(call(doorbell, DOORBELL_UNBIND, 0), 0);
	assert_int_equal(rings(doorbell), 1);
	close(doorbell);
}

/* ---- while others ring ---- */

static void bound_and_unbound_under_load_it_loses_nothing(void **state)
{
	static struct ringers ringers;
	int doorbell = try_doorbell(), fd = new_eventfd(0, 0);
	uint64_t counted = 0, rung;
	eventfd_t left = 0;

	(void)state;
	close(doorbell);
	start_ringers(&ringers, fd);
	for (int i = 0; i < TURNS; i++) {
		doorbell = try_doorbell();
		assert_int_equal(call(doorbell, DOORBELL_BIND, fd), 0);
		pause_us(i);
		assert_int_equal(call(doorbell, DOORBELL_UNBIND, 0), 0);
		counted += rings(doorbell);
		close(doorbell);
	}
	rung = stop_ringers(&ringers);
	eventfd_read(fd, &left);
	assert_int_equal(counted + left, rung);
	close(fd);
}

/* Two take turns by chance: each ring goes to one of them. */
static void an_eventfd_bound_to_two_rings_one_at_a_time(void **state)
{
	static struct ringers ringers;
	int a = try_doorbell(), b = try_doorbell(), fd = new_eventfd(0, 0);
	uint64_t rung;

	(void)state;
	assert_int_equal(call(a, DOORBELL_BIND, fd), 0);
	assert_int_equal(call(b, DOORBELL_BIND, fd), 0);
	start_ringers(&ringers, fd);
	pause_us(20000);
	rung = stop_ringers(&ringers);
	assert_int_equal(rings(a) + rings(b), rung);
	close(fd);
	close(b);
	close(a);
}

static void closed_while_bound_and_rung(void **state)
{
	static struct ringers ringers;
	int doorbell = try_doorbell(), fd = new_eventfd(0, 0);

	(void)state;
	close(doorbell);
	start_ringers(&ringers, fd);
	for (int i = 0; i < TURNS; i++) {
		doorbell = try_doorbell();
		assert_int_equal(call(doorbell, DOORBELL_BIND, fd), 0);
		pause_us(i);
		close(doorbell);
	}
	stop_ringers(&ringers);
	doorbell = try_doorbell();
	assert_int_equal(call(doorbell, DOORBELL_BIND, fd), 0);
	assert_true(is_empty(fd));
	close(doorbell);
	close(fd);
}

static int unload(void)
{
	return syscall(SYS_delete_module, "doorbell", O_NONBLOCK) < 0 ? -errno : 0;
}

static int load(void)
{
	int fd = open(module_file, O_RDONLY | O_CLOEXEC), err;

	assert_true(fd >= 0);
	err = syscall(SYS_finit_module, fd, "", 0) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static void unloaded_while_it_is_rung(void **state)
{
	static struct ringers ringers;
	int doorbell = try_doorbell(), fd = new_eventfd(0, 0);
	uint64_t rung, counted;
	eventfd_t left = 0;

	(void)state;
	if (!module_file) {
		print_message("the module's file is not given\n");
		close(doorbell);
		close(fd);
		skip();
	}
	assert_int_equal(call(doorbell, DOORBELL_BIND, fd), 0);
	start_ringers(&ringers, fd);
	for (int i = 0; i < TURNS; i++)
		assert_int_equal(unload(), -EAGAIN);
	assert_int_equal(call(doorbell, DOORBELL_UNBIND, 0), 0);
	counted = rings(doorbell);
	close(doorbell);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(unload(), 0);
		assert_int_equal(load(), 0);
		doorbell = try_doorbell();
		assert_int_equal(call(doorbell, DOORBELL_BIND, fd), 0);
		pause_us(100);
		assert_int_equal(call(doorbell, DOORBELL_UNBIND, 0), 0);
		counted += rings(doorbell);
		close(doorbell);
	}
	rung = stop_ringers(&ringers);
	eventfd_read(fd, &left);
	assert_int_equal(counted + left, rung);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ioctl_rings),
		cmocka_unit_test(a_bound_eventfd_rings),
		cmocka_unit_test(a_semaphore_is_taken_whole),
		cmocka_unit_test(one_eventfd_at_a_time),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(the_fd_may_be_closed_while_bound),
		cmocka_unit_test(bound_and_unbound_under_load_it_loses_nothing),
		cmocka_unit_test(an_eventfd_bound_to_two_rings_one_at_a_time),
		cmocka_unit_test(closed_while_bound_and_rung),
		cmocka_unit_test(unloaded_while_it_is_rung),
	};

	module_file = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
