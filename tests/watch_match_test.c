/* SPDX-License-Identifier: MIT
 *
 * Which way an access took, from the events of one thread: the orders in which Linux's KVM traces
 * them (arch/x86/kvm/x86.c).
 */
#include "cli/watch_account.h"

#include "world.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>

#define GPA UINT64_C(0xfe003000)
#define EXIT_AT(t)                                                                                 \
	{                                                                                          \
		WATCH_BEGIN, t,                                                                    \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define ENTRY_AT(t)                                                                                \
	{                                                                                          \
		WATCH_ENTRY, t,                                                                    \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define RUN_AT(t)                                                                                  \
	{                                                                                          \
		WATCH_RUN, t,                                                                      \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define LEAVE_AT(t, why)                                                                           \
	{                                                                                          \
		WATCH_USERSPACE, t,                                                                \
		{                                                                                  \
			why, 0                                                                     \
		}                                                                                  \
	}
#define SIGNAL_AT(t)                                                                               \
	{                                                                                          \
		WATCH_USERSPACE, t,                                                                \
		{                                                                                  \
			KVM_EXIT_INTR, (uint32_t)-EINTR                                            \
		}                                                                                  \
	}
#define OUT_AT(t, port)                                                                            \
	{                                                                                          \
		WATCH_PIO, t,                                                                      \
		{                                                                                  \
			1, port, 2, 7                                                              \
		}                                                                                  \
	}
#define IN_AT(t, port)                                                                             \
	{                                                                                          \
		WATCH_PIO, t,                                                                      \
		{                                                                                  \
			0, port, 2, 7                                                              \
		}                                                                                  \
	}
#define MMIO_AT(t, type, gpa)                                                                      \
	{                                                                                          \
		WATCH_MMIO, t,                                                                     \
		{                                                                                  \
			type, 4, gpa, 7                                                            \
		}                                                                                  \
	}

static struct watch_account *match_all(const struct watch_event *events, size_t nr)
{
	static struct watch_account account;
	struct watch_vcpu vcpu = {};

	memset(&account, 0, sizeof(account));
	for (size_t i = 0; i < nr; i++)
		watch_match(&vcpu, &events[i], &account);
	return &account;
}

#define MATCH(...)                                                                                 \
	match_all((const struct watch_event[]){ __VA_ARGS__ },                                     \
		  COUNT_OF(((const struct watch_event[]){ __VA_ARGS__ })))

/* The one way that the account's at-th address was accessed. */
static void assert_way(const struct watch_account *account, unsigned int at, uint64_t addr,
		       bool slow, uint64_t writes, uint64_t reads, uint64_t ns)
{
	const struct watch_address *address = &account->addresses[at];
	const struct watch_path *way = slow ? &address->slow : &address->light;

	assert_true(at < account->nr);
	assert_int_equal(address->addr, addr);
	assert_int_equal(way->writes, writes);
	assert_int_equal(way->reads, reads);
	assert_int_equal(way->ns, ns);
	assert_int_equal(watch_path_count(slow ? &address->light : &address->slow), 0);
}

static void a_write_that_leaves_for_userspace_is_slow(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), OUT_AT(110, 0x510), LEAVE_AT(120, KVM_EXIT_IO), ENTRY_AT(900));
	assert_int_equal(a->nr, 1);
	assert_way(a, 0, 0x510, true, 1, 0, 800);
	a = MATCH(EXIT_AT(100), MMIO_AT(110, MMIO_WRITE, GPA), LEAVE_AT(120, KVM_EXIT_MMIO),
		  ENTRY_AT(900));
	assert_int_equal(a->nr, 1);
	assert_way(a, 0, GPA, true, 1, 0, 800);
}

static void a_write_after_which_the_guest_goes_on_is_light(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), OUT_AT(110, 0x510), ENTRY_AT(140));
	assert_way(a, 0, 0x510, false, 1, 0, 40);
	a = MATCH(EXIT_AT(100), MMIO_AT(110, MMIO_WRITE, GPA), ENTRY_AT(140));
	assert_way(a, 0, GPA, false, 1, 0, 40);
	assert_int_equal(a->other_light, 0);
}

static void a_port_that_userspace_reads_has_its_event_afterwards(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), LEAVE_AT(120, KVM_EXIT_IO), IN_AT(800, 0x510), ENTRY_AT(900));
	assert_int_equal(a->nr, 1);
	assert_way(a, 0, 0x510, true, 0, 1, 800);
}

static void a_port_that_the_kernel_reads_is_light(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), IN_AT(110, 0x21), ENTRY_AT(130));
	assert_way(a, 0, 0x21, false, 0, 1, 30);
}

static void an_mmio_read_in_userspace_has_two_events_and_counts_once(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), MMIO_AT(110, MMIO_READ_UNSATISFIED, GPA),
		  LEAVE_AT(120, KVM_EXIT_MMIO), MMIO_AT(800, MMIO_READ, GPA), ENTRY_AT(900));
	assert_int_equal(a->nr, 1);
	assert_way(a, 0, GPA, true, 0, 1, 800);
}

static void an_mmio_read_in_the_kernel_is_light(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), MMIO_AT(110, MMIO_READ, GPA), ENTRY_AT(130));
	assert_way(a, 0, GPA, false, 0, 1, 30);
}

/* An instruction that reads and writes: one exit, and userspace twice. */
static void two_accesses_of_one_exit_share_its_time(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), MMIO_AT(110, MMIO_READ_UNSATISFIED, GPA),
		  LEAVE_AT(120, KVM_EXIT_MMIO), MMIO_AT(500, MMIO_READ, GPA),
		  MMIO_AT(510, MMIO_WRITE, GPA), LEAVE_AT(520, KVM_EXIT_MMIO), ENTRY_AT(900));
	assert_int_equal(a->nr, 1);
	assert_way(a, 0, GPA, true, 1, 1, 800);
}

/* rep outs: only the last one that was looked up can be what userspace is asked for. */
static void of_a_string_only_what_leaves_is_slow(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), OUT_AT(110, 0x510), OUT_AT(120, 0x510), OUT_AT(130, 0x518),
		  LEAVE_AT(140, KVM_EXIT_IO), ENTRY_AT(900));
	assert_int_equal(a->nr, 2);
	assert_way(a, 0, 0x510, false, 2, 0, 30);
	assert_way(a, 1, 0x518, true, 1, 0, 770);
}

/* 16 bytes go to userspace as two exits. */
static void an_access_in_pieces_counts_once(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), MMIO_AT(110, MMIO_WRITE, GPA), LEAVE_AT(120, KVM_EXIT_MMIO),
		  LEAVE_AT(500, KVM_EXIT_MMIO), ENTRY_AT(900));
	assert_way(a, 0, GPA, true, 1, 0, 800);
	assert_int_equal(a->unnamed, 0);
}

static void a_signal_after_a_light_write_does_not_make_it_slow(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), OUT_AT(110, 0x510), SIGNAL_AT(120));
	assert_way(a, 0, 0x510, false, 1, 0, 20);
	assert_int_equal(a->interrupted, 1);
	assert_int_equal(a->reasons[KVM_EXIT_INTR], 0);
}

static void an_exit_for_something_else_does_not_make_it_slow(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), OUT_AT(110, 0x510), LEAVE_AT(120, KVM_EXIT_HLT));
	assert_way(a, 0, 0x510, false, 1, 0, 20);
	assert_int_equal(a->reasons[KVM_EXIT_HLT], 1);
	a = MATCH(EXIT_AT(100), OUT_AT(110, 0x510), LEAVE_AT(120, KVM_EXIT_MMIO), ENTRY_AT(130));
	assert_way(a, 0, 0x510, false, 1, 0, 30);
	assert_int_equal(a->unnamed, 1);
}

/* After a value was given the port may be another's: the two do not mix. */
static void a_light_write_before_a_slow_read_stays_light(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), OUT_AT(110, 0x70), ENTRY_AT(120), EXIT_AT(200),
		  LEAVE_AT(210, KVM_EXIT_IO), IN_AT(600, 0x71), ENTRY_AT(700));
	assert_int_equal(a->nr, 2);
	assert_way(a, 0, 0x70, false, 1, 0, 20);
	assert_way(a, 1, 0x71, true, 0, 1, 500);
}

static void fast_mmio_is_light_and_of_unknown_width(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), { WATCH_FAST_MMIO, 110, { GPA } }, ENTRY_AT(130));
	assert_way(a, 0, GPA, false, 1, 0, 30);
	assert_int_equal(a->addresses[0].widths, 1);
}

static void exits_without_an_access_are_counted_apart(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), ENTRY_AT(110), EXIT_AT(200), ENTRY_AT(210), EXIT_AT(300),
		  LEAVE_AT(310, KVM_EXIT_HLT), ENTRY_AT(400), EXIT_AT(500),
		  LEAVE_AT(510, WATCH_REASONS), ENTRY_AT(600));
	assert_int_equal(a->nr, 0);
	assert_int_equal(a->other_light, 2);
	assert_int_equal(a->reasons[KVM_EXIT_HLT], 1);
	assert_int_equal(a->reasons_beyond, 1);
}

static void what_was_lost_matches_nothing_around_it(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), OUT_AT(110, 0x510), { WATCH_LOST, 0, { 5 } },
		  LEAVE_AT(900, KVM_EXIT_IO), ENTRY_AT(950), EXIT_AT(1000), OUT_AT(1010, 0x512),
		  ENTRY_AT(1020));
	assert_int_equal(a->nr, 1);
	assert_way(a, 0, 0x512, false, 1, 0, 20);
	assert_int_equal(a->lost, 5);
	assert_int_equal(a->unnamed, 0);
}

/* It may have been served already: nobody has seen by whom. */
static void an_access_that_the_watch_begins_in_does_not_count(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(IN_AT(110, 0x510), ENTRY_AT(900));
	assert_int_equal(a->nr, 0);
	a = MATCH(LEAVE_AT(90, KVM_EXIT_IO), IN_AT(110, 0x510), EXIT_AT(900));
	assert_int_equal(a->nr, 0);
}

/* Where an exit was lost too. */
static void an_access_without_its_exit_has_no_time(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(ENTRY_AT(100), OUT_AT(110, 0x510), LEAVE_AT(120, KVM_EXIT_IO), ENTRY_AT(900));
	assert_way(a, 0, 0x510, true, 1, 0, 0);
	assert_int_equal(a->addresses[0].slow.timed, 0);
}

/* A hypervisor in software has no entry: the time ends where userspace has done. */
static void without_an_entry_time_ends_with_kvm_run(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), OUT_AT(110, 0x510), LEAVE_AT(120, KVM_EXIT_IO), RUN_AT(600),
		  EXIT_AT(5000), LEAVE_AT(5010, KVM_EXIT_IO), RUN_AT(5200), IN_AT(5210, 0x512),
		  EXIT_AT(9000), MMIO_AT(9010, MMIO_WRITE, GPA), LEAVE_AT(9020, KVM_EXIT_MMIO),
		  RUN_AT(9100), LEAVE_AT(9110, KVM_EXIT_MMIO), RUN_AT(9300), EXIT_AT(9900));
	assert_int_equal(a->nr, 3);
	assert_way(a, 0, 0x510, true, 1, 0, 500);
	assert_way(a, 1, 0x512, true, 0, 1, 200);
	assert_way(a, 2, GPA, true, 1, 0, 300);
}

static void without_an_entry_light_accesses_have_no_time(void **state)
{
	struct watch_account *a;

	(void)state;
	a = MATCH(EXIT_AT(100), OUT_AT(110, 0x510), EXIT_AT(5000), LEAVE_AT(5010, KVM_EXIT_IO),
		  RUN_AT(5200), IN_AT(5210, 0x512), EXIT_AT(9000));
	assert_int_equal(a->nr, 2);
	assert_way(a, 0, 0x510, false, 1, 0, 0);
	assert_way(a, 1, 0x512, true, 0, 1, 200);
	assert_int_equal(a->addresses[0].light.timed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_that_leaves_for_userspace_is_slow),
		cmocka_unit_test(a_write_after_which_the_guest_goes_on_is_light),
		cmocka_unit_test(a_port_that_userspace_reads_has_its_event_afterwards),
		cmocka_unit_test(a_port_that_the_kernel_reads_is_light),
		cmocka_unit_test(an_mmio_read_in_userspace_has_two_events_and_counts_once),
		cmocka_unit_test(an_mmio_read_in_the_kernel_is_light),
		cmocka_unit_test(two_accesses_of_one_exit_share_its_time),
		cmocka_unit_test(of_a_string_only_what_leaves_is_slow),
		cmocka_unit_test(an_access_in_pieces_counts_once),
		cmocka_unit_test(a_signal_after_a_light_write_does_not_make_it_slow),
		cmocka_unit_test(an_exit_for_something_else_does_not_make_it_slow),
		cmocka_unit_test(a_light_write_before_a_slow_read_stays_light),
		cmocka_unit_test(fast_mmio_is_light_and_of_unknown_width),
		cmocka_unit_test(exits_without_an_access_are_counted_apart),
		cmocka_unit_test(what_was_lost_matches_nothing_around_it),
		cmocka_unit_test(an_access_that_the_watch_begins_in_does_not_count),
		cmocka_unit_test(an_access_without_its_exit_has_no_time),
		cmocka_unit_test(without_an_entry_time_ends_with_kvm_run),
		cmocka_unit_test(without_an_entry_light_accesses_have_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
