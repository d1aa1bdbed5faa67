/* SPDX-License-Identifier: MIT
 *
 * The sentence that goes with every failure, and the structs of options that may grow.
 */
#include "world.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdlib.h>

struct later_opts {
	struct bw_bus_opts opts;
	uint64_t unknown[2];
};

static int new_bus(struct later_opts *later, size_t size)
{
	struct bw_bus *bus;
	int err;

	later->opts.size = size;
	err = bw_bus_new(&bus, &later->opts);
	assert_int_equal(!bus, err < 0);
	bw_bus_free(bus);
	return err;
}

static void options_without_a_size_are_refused(void **state)
{
	struct later_opts later = { 0 };

	(void)state;
	assert_int_equal(new_bus(&later, 0), -EINVAL);
	assert_int_equal(new_bus(&later, sizeof(size_t) - 1), -EINVAL);
}

/* A program built against a later library works with this one, unless it asks for what is not here.
 */
static void longer_options_are_taken_if_the_rest_is_zero(void **state)
{
	struct later_opts later = { 0 };

	(void)state;
	assert_int_equal(new_bus(&later, sizeof(later)), 0);
	later.unknown[1] = 1ull << 63;
	assert_int_equal(new_bus(&later, sizeof(later)), -E2BIG);
	assert_int_equal(new_bus(&later, sizeof(later) - 1), 0); /* its last byte is not ours */
}

static void count_access(void *opaque, struct bw_access *access)
{
	(void)access;
	++*(unsigned int *)opaque;
}

/* What an earlier header did not have is zero, whatever lies behind it in the caller's memory. */
static void shorter_options_leave_the_rest_zero(void **state)
{
	unsigned int seen = 0;
	struct bw_bus_opts opts = { .size = offsetof(struct bw_bus_opts, unclaimed),
				    .unclaimed = count_access,
				    .opaque = &seen };
	struct bw_bus *bus;

	(void)state;
	assert_int_equal(bw_bus_new(&bus, &opts), 0);
	assert_int_equal(write_to(bus, BW_PIO, 0, 1, 0), BW_UNCLAIMED);
	assert_int_equal(seen, 0);
	bw_bus_free(bus);
}

static void every_options_struct_is_checked(void **state)
{
	struct bw_region_opts region_opts = { 0 };
	struct bw_kvm_opts kvm_opts = { .vm_fd = -1 };
	struct bw_bus *bus = make_bus();
	struct bw_region *region;

	(void)state;
	assert_int_equal(bw_region_new(bus, &region, &region_opts), -EINVAL);
	assert_null(region);
	assert_int_equal(bw_region_new(bus, &region, NULL), -EINVAL);
	assert_int_equal(bw_bus_offload_kvm(bus, &kvm_opts), -EINVAL);
	assert_int_equal(bw_bus_offload_kvm(bus, NULL), -EINVAL);
	bw_bus_free(bus);
}

/* ---- the last error ---- */

static int fail_with_options(struct bw_bus *bus)
{
	struct bw_bus_opts opts = { 0 };
	struct bw_bus *none;

	(void)bus;
	return bw_bus_new(&none, &opts);
}

static int fail_with_an_access(struct bw_bus *bus)
{
	return write_to(bus, BW_MMIO, 0, 9, 0);
}

static int fail_with_an_exit(struct bw_bus *bus)
{
	static struct kvm_run run = { .exit_reason = KVM_EXIT_HLT };

	return bw_bus_kvm_exit(bus, &run, sizeof(run), NULL);
}

static int fail_with_a_short_run(struct bw_bus *bus)
{
	static struct kvm_run run;

	return bw_bus_kvm_exit(bus, &run, 1, NULL);
}

static int fail_with_a_length(struct bw_bus *bus)
{
	struct bw_ioeventfd *ie;

	return bw_ioeventfd_assign(bus, &ie, BW_MMIO, 0, of_len(3), NULL);
}

static int fail_with_a_flag(struct bw_bus *bus)
{
	struct kvm_ioeventfd io = { .flags = 1u << 31 };

	return bw_kvm_ioeventfd(bus, &io);
}

static int fail_with_a_closed_fd(struct bw_bus *bus)
{
	struct kvm_ioeventfd io = { .fd = -1 };

	return bw_kvm_ioeventfd(bus, &io);
}

static int fail_with_an_import(struct bw_bus *bus)
{
	struct bw_notifier *n;

	(void)bus;
	return bw_notifier_import(&n, -2, NULL);
}

static int fail_with_a_region(struct bw_bus *bus)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .space = BW_HYPERCALL, .len = 1 };
	struct bw_region *region;

	return bw_region_new(bus, &region, &opts);
}

static int fail_with_a_vm(struct bw_bus *bus)
{
	struct bw_kvm_opts opts = { .size = sizeof(opts), .vm_fd = -1 };

	return bw_bus_offload_kvm(bus, &opts);
}

static int (*const failures[])(struct bw_bus *bus) = {
	fail_with_options,  fail_with_an_access, fail_with_an_exit,     fail_with_a_short_run,
	fail_with_a_length, fail_with_a_flag,    fail_with_a_closed_fd, fail_with_an_import,
	fail_with_a_region, fail_with_a_vm,
};

/* One sentence: something in it, a new one each time, no full stop, one line. */
static void every_failure_says_what_it_was(void **state)
{
	struct bw_bus *bus = make_bus();
	char before[512] = "";

	(void)state;
	for (size_t i = 0; i < COUNT_OF(failures); i++) {
		const char *said;

		assert_true(failures[i](bus) < 0);
		said = bw_last_error();
		assert_true(strlen(said) > 5 && strlen(said) < sizeof(before));
		assert_string_not_equal(said, before);
		assert_true(said[strlen(said) - 1] != '.' && !strchr(said, '\n'));
		strcpy(before, said);
	}
	bw_bus_free(bus);
}

static void a_success_leaves_the_last_error(void **state)
{
	struct bw_bus *bus = make_bus();
	char *before;

	(void)state;
	assert_true(fail_with_a_length(bus) < 0);
	before = strdup(bw_last_error());
	assert_int_equal(write_to(bus, BW_MMIO, 0, 4, 0), BW_UNCLAIMED);
	assert_string_equal(bw_last_error(), before);
	free(before);
	bw_bus_free(bus);
}

struct thread {
	struct bw_bus *bus;
	bool silent_at_first, said;
};

static void *fail_elsewhere(void *opaque)
{
	struct thread *t = opaque;

	t->silent_at_first = !bw_last_error()[0];
	fail_with_an_import(t->bus);
	t->said = bw_last_error()[0];
	return NULL;
}

static void each_thread_has_its_own_last_error(void **state)
{
	struct thread t = { .bus = make_bus() };
	pthread_t thread;
	char *before;

	(void)state;
	assert_true(fail_with_a_length(t.bus) < 0);
	before = strdup(bw_last_error());
	assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &t), 0);
	pthread_join(thread, NULL);
	assert_true(t.silent_at_first && t.said);
	assert_string_equal(bw_last_error(), before);
	free(before);
	bw_bus_free(t.bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_without_a_size_are_refused),
		cmocka_unit_test(longer_options_are_taken_if_the_rest_is_zero),
		cmocka_unit_test(shorter_options_leave_the_rest_zero),
		cmocka_unit_test(every_options_struct_is_checked),
		cmocka_unit_test(every_failure_says_what_it_was),
		cmocka_unit_test(a_success_leaves_the_last_error),
		cmocka_unit_test(each_thread_has_its_own_last_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
