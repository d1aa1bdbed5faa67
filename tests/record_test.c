/* SPDX-License-Identifier: MIT
 *
 * The count that outlives who counts.
 */
#define _GNU_SOURCE
#include "endpoint/record.h"
#include "world.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct counted {
	struct endpoint_record *record;
	int memfd, eventfd;
};

static struct counted make_counted(void)
{
	struct counted c = { .eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };

	assert_int_equal(record_new(&c.record, &c.memfd), 0);
	assert_true(c.eventfd >= 0);
	return c;
}

static void free_counted(struct counted *c)
{
	record_unmap(c->record);
	close(c->memfd);
	close(c->eventfd);
}

static void ring_and_take(struct counted *c, uint64_t rings)
{
	assert_int_equal(eventfd_write(c->eventfd, rings), 0);
	assert_int_equal(record_take(c->record, c->eventfd), 0);
}

static void takes_add_up(void **state)
{
	struct counted c = make_counted();

	(void)state;
	assert_int_equal(record_take(c.record, c.eventfd), -EAGAIN);
	assert_int_equal(record_rings(c.record), 0);
	for (uint64_t i = 1; i <= 5; i++) {
		ring_and_take(&c, i);
		assert_int_equal(record_rings(c.record), i * (i + 1) / 2);
		assert_int_equal(record_take(c.record, c.eventfd), -EAGAIN);
	}
	free_counted(&c);
}

/* As if killed right after the read(2), when nothing is published yet. */
static void what_was_taken_is_counted_by_the_next_one(void **state)
{
	struct counted c = make_counted();
	struct endpoint_record *next;

	(void)state;
	ring_and_take(&c, 3);
	assert_int_equal(record_take(c.record, c.eventfd), -EAGAIN); /* makes room */
	assert_int_equal(eventfd_write(c.eventfd, 4), 0);
	assert_int_equal(read(c.eventfd, &c.record->half[c.record->generation & 1].taken, 8), 8);
	assert_int_equal(record_rings(c.record), 3);
	assert_int_equal(record_open(&next, c.memfd), 0);
	assert_int_equal(record_rings(next), 7);
	assert_int_equal(record_rings(c.record), 7);
	record_unmap(next);
	free_counted(&c);
}

/* As if killed right before the other half is put to use. */
static void half_made_room_counts_nothing_twice(void **state)
{
	struct counted c = make_counted();
	struct endpoint_record *next;
	uint64_t other;

	(void)state;
	ring_and_take(&c, 3);
	other = ~c.record->generation & 1;
	c.record->half[other].before = 3;
	c.record->half[other].taken = 0;
	assert_int_equal(record_open(&next, c.memfd), 0);
	assert_int_equal(record_rings(next), 3);
	record_unmap(next);
	ring_and_take(&c, 1);
	assert_int_equal(record_rings(c.record), 4);
	free_counted(&c);
}

/* The exit status of a process that opens it: the errno. */
static int open_in_child(int memfd)
{
	struct endpoint_record *record;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(-record_open(&record, memfd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void one_process_counts_at_a_time(void **state)
{
	struct counted c = make_counted();
	struct endpoint_record *mine;

	(void)state;
	assert_int_equal(open_in_child(c.memfd), 0);
	assert_int_equal(record_open(&mine, c.memfd), 0);
	assert_int_equal(open_in_child(c.memfd), EBUSY);
	record_unmap(mine);
	free_counted(&c);
}

static void what_is_no_record_is_refused(void **state)
{
	struct counted c = make_counted();
	struct endpoint_record *record;
	int small = memfd_create("small", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(small, (off_t)sizeof(*record) - 1), 0);
	assert_int_equal(record_open(&record, small), -EINVAL);
	assert_int_equal(record_open(&record, c.eventfd), -EINVAL);
	assert_int_equal(record_open(&record, -1), -EBADF);
	close(small);
	free_counted(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_add_up),
		cmocka_unit_test(what_was_taken_is_counted_by_the_next_one),
		cmocka_unit_test(half_made_room_counts_nothing_twice),
		cmocka_unit_test(one_process_counts_at_a_time),
		cmocka_unit_test(what_is_no_record_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
