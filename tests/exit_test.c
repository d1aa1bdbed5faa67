/* SPDX-License-Identifier: MIT
 *
 * bw_bus_kvm_exit(): what a kvm_run says, and what a broken one must not do. Every run has exactly
 * the memory that it claims, so that the address sanitizer sees a step too far.
 */
#include "world.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>

#define DATA sizeof(struct kvm_run)
#define PORT 0x300
#define HV_SIGNAL_EVENT 0x5du
#define HV_STATUS_INVALID_CONNECTION_ID 0x12u
#define MAX_SEEN 64u

/* A bus whose hook remembers what nobody took, and answers reads with 1, 2, 3... */
struct scene {
	struct bw_bus *bus;
	struct bw_notifier *n;
	unsigned int nr;
	struct bw_access seen[MAX_SEEN];
	uint64_t values[MAX_SEEN];
};

static void remember(void *opaque, struct bw_access *access)
{
	struct scene *s = opaque;

	assert_true(s->nr < MAX_SEEN);
	s->seen[s->nr] = *access;
	if (access->is_write && access->data)
		memcpy(&s->values[s->nr], access->data, access->len);
	s->nr++;
	if (!access->is_write)
		*(uint8_t *)access->data = (uint8_t)s->nr;
}

static void set_scene(struct scene *s)
{
	struct bw_bus_opts opts = { .size = sizeof(opts), .unclaimed = remember, .opaque = s };

	memset(s, 0, sizeof(*s));
	assert_int_equal(bw_bus_new(&s->bus, &opts), 0);
	s->n = make_notifier(NULL);
}

static void clear_scene(struct scene *s)
{
	bw_bus_free(s->bus);
	bw_notifier_free(s->n);
}

/* A kvm_run and so many bytes behind it. */
static struct kvm_run *make_run(size_t bytes, uint32_t exit_reason)
{
	struct kvm_run *run = calloc(1, DATA + bytes);

	assert_non_null(run);
	run->exit_reason = exit_reason;
	return run;
}

static struct kvm_run *make_io(uint8_t direction, uint8_t size, uint32_t count)
{
	struct kvm_run *run = make_run((size_t)size * count, KVM_EXIT_IO);

	run->io.direction = direction;
	run->io.size = size;
	run->io.port = PORT;
	run->io.count = count;
	run->io.data_offset = DATA;
	return run;
}

static int end_run(struct scene *s, struct kvm_run *run, size_t bytes)
{
	int result = bw_bus_kvm_exit(s->bus, run, DATA + bytes, s);

	free(run);
	return result;
}

static void an_out_rings_once(void **state)
{
	static const struct {
		uint8_t size;
		uint64_t value;
	} table[] = { { 1, 0x12 }, { 2, 0x3412 }, { 4, 0x78563412 } };
	struct scene s;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct kvm_run *run = make_io(KVM_EXIT_IO_OUT, table[i].size, 1);

		set_scene(&s);
		must_assign(s.bus, BW_PIO, PORT, of_value(table[i].size, table[i].value), s.n);
		memcpy((char *)run + DATA, "\x12\x34\x56\x78", table[i].size);
		assert_int_equal(end_run(&s, run, table[i].size), BW_SIGNALLED);
		assert_int_equal(bw_notifier_take(s.n), 1);
		assert_int_equal(s.nr, 0);
		clear_scene(&s);
	}
}

static void an_in_is_answered_where_kvm_looks_for_it(void **state)
{
	struct kvm_run *run = make_io(KVM_EXIT_IO_IN, 2, 3);
	static const uint8_t answer[] = { 1, 0xff, 2, 0xff, 3, 0xff };
	struct scene s;

	(void)state;
	set_scene(&s);
	assert_int_equal(bw_bus_kvm_exit(s.bus, run, DATA + 6, NULL), BW_UNCLAIMED);
	assert_memory_equal((char *)run + DATA, answer, sizeof(answer));
	free(run);
	clear_scene(&s);
}

static void the_elements_of_a_string_come_one_by_one_in_order(void **state)
{
	struct kvm_run *run = make_io(KVM_EXIT_IO_OUT, 2, 5);
	struct scene s;

	(void)state;
	set_scene(&s);
	for (uint16_t i = 0; i < 5; i++)
		memcpy((char *)run + DATA + i * 2, &(uint16_t){ (uint16_t)(0x100 + i) }, 2);
	assert_int_equal(end_run(&s, run, 10), BW_UNCLAIMED);
	assert_int_equal(s.nr, 5);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(s.values[i], 0x100 + i);
		assert_int_equal(s.seen[i].space, BW_PIO);
		assert_int_equal(s.seen[i].addr, PORT);
		assert_int_equal(s.seen[i].len, 2);
		assert_true(s.seen[i].is_write);
		assert_ptr_equal(s.seen[i].vcpu, &s);
	}
	clear_scene(&s);
}

static void handle(void *opaque, struct bw_access *access)
{
	(void)opaque;
	(void)access;
}

/* 1 rings, 2 rings, what is left is handled or not. */
static void a_string_is_worth_its_least_served_element(void **state)
{
	static const struct {
		const char *bytes;
		bool handled;
		int expected;
		unsigned int rings;
	} table[] = {
		{ "\1\2\1", false, BW_SIGNALLED, 3 }, { "\3\1\2", false, BW_UNCLAIMED, 2 },
		{ "\1\2\3", false, BW_UNCLAIMED, 2 }, { "\1\3\1", true, BW_HANDLED, 2 },
		{ "\3\3\3", true, BW_HANDLED, 0 },    { "\1\1\1", true, BW_SIGNALLED, 3 },
		{ "\3\3\3", false, BW_UNCLAIMED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct kvm_run *run = make_io(KVM_EXIT_IO_OUT, 1, 3);
		struct bw_region_opts opts = {
			.size = sizeof(opts), .space = BW_PIO, .len = 8, .handler = handle
		};
		struct bw_region *region;
		struct scene s;

		set_scene(&s);
		assert_int_equal(bw_region_new(s.bus, &region, &opts), 0);
		if (table[i].handled)
			assert_int_equal(bw_region_map(region, PORT), 0);
		must_assign(s.bus, BW_PIO, PORT, of_value(1, 1), s.n);
		must_assign(s.bus, BW_PIO, PORT, of_value(1, 2), s.n);
		memcpy((char *)run + DATA, table[i].bytes, 3);
		assert_int_equal(end_run(&s, run, 3), table[i].expected);
		assert_int_equal(bw_notifier_take(s.n), table[i].rings);
		clear_scene(&s);
	}
}

static void an_io_exit_that_cannot_be_is_refused(void **state)
{
	static const struct {
		uint8_t size;
		uint32_t count;
		uint64_t data_offset; /* beside DATA + 8 bytes of memory */
		int expected;
	} table[] = {
		{ 4, 2, DATA, BW_UNCLAIMED },
		{ 4, 2, DATA + 1, -EINVAL },
		{ 4, 3, DATA, -EINVAL },
		{ 4, 1, DATA + 8, -EINVAL },
		{ 1, 1, DATA + 7, BW_UNCLAIMED },
		{ 1, 1, UINT64_MAX, -EINVAL },
		{ 4, 1, UINT64_MAX - 3, -EINVAL },
		{ 4, 2, UINT64_MAX - 6, -EINVAL },
		{ 1, UINT32_MAX, DATA, -EINVAL },
		{ 255, UINT32_MAX, DATA, -EINVAL },
		{ 4, 0x40000000, DATA, -EINVAL },
		{ 0, 1, DATA, -EINVAL },
		{ 1, 0, DATA, -EINVAL },
		{ 0, 0, UINT64_MAX, -EINVAL },
		{ 16, 1, 0, -EINVAL },
		{ 9, 1, 0, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++)
		for (uint8_t direction = 0; direction < 2; direction++) {
			struct kvm_run *run = make_run(8, KVM_EXIT_IO);
			struct scene s;

			set_scene(&s);
			run->io.direction = direction;
			run->io.size = table[i].size;
			run->io.count = table[i].count;
			run->io.data_offset = table[i].data_offset;
			assert_int_equal(end_run(&s, run, 8), table[i].expected);
			assert_true(table[i].expected >= 0 || !s.nr);
			clear_scene(&s);
		}
}

static void a_run_shorter_than_its_struct_is_refused(void **state)
{
	const size_t size = offsetof(struct kvm_run, exit_reason) + 16;
	void *run = calloc(1, size); /* all there is of it */
	struct scene s;

	(void)state;
	assert_non_null(run);
	set_scene(&s);
	assert_int_equal(bw_bus_kvm_exit(s.bus, run, size, NULL), -EINVAL);
	assert_int_equal(bw_bus_kvm_exit(s.bus, run, 0, NULL), -EINVAL);
	free(run);
	clear_scene(&s);
}

/* Reads are answered over the exit itself: it must not be looked at again. */
static void data_that_lies_over_the_exit_changes_nothing(void **state)
{
	struct kvm_run *run = make_run(0, KVM_EXIT_IO);
	struct scene s;

	(void)state;
	set_scene(&s);
	run->io.direction = KVM_EXIT_IO_IN;
	run->io.size = 4;
	run->io.count = MAX_SEEN;
	run->io.port = PORT;
	assert_int_equal(end_run(&s, run, 0), BW_UNCLAIMED);
	assert_int_equal(s.nr, MAX_SEEN);
	for (unsigned int i = 0; i < s.nr; i++) {
		assert_int_equal(s.seen[i].addr, PORT);
		assert_int_equal(s.seen[i].len, 4);
		assert_false(s.seen[i].is_write);
	}
	clear_scene(&s);
}

static struct kvm_run *make_mmio(bool is_write, uint32_t len)
{
	struct kvm_run *run = make_run(0, KVM_EXIT_MMIO);

	run->mmio.phys_addr = 0xfe000000;
	run->mmio.is_write = is_write;
	run->mmio.len = len;
	memcpy(run->mmio.data, "\1\2\3\4\5\6\7\10", 8);
	return run;
}

static void an_mmio_write_rings_and_a_read_is_answered(void **state)
{
	struct kvm_run *run = make_mmio(false, 4);
	struct scene s;

	(void)state;
	set_scene(&s);
	must_assign(s.bus, BW_MMIO, 0xfe000000, of_value(4, 0x04030201), s.n);
	assert_int_equal(bw_bus_kvm_exit(s.bus, run, DATA, NULL), BW_UNCLAIMED);
	assert_memory_equal(run->mmio.data, "\1\xff\xff\xff\5\6\7\10", 8);
	free(run);
	assert_int_equal(end_run(&s, make_mmio(true, 4), 0), BW_SIGNALLED);
	assert_int_equal(end_run(&s, make_mmio(true, 8), 0), BW_UNCLAIMED);
	assert_int_equal(s.values[1], 0x0807060504030201);
	assert_int_equal(bw_notifier_take(s.n), 1);
	clear_scene(&s);
}

static void an_mmio_exit_has_one_to_eight_bytes(void **state)
{
	static const uint32_t bad[] = { 0, 9, 16, 255, UINT32_MAX };
	struct scene s;

	(void)state;
	set_scene(&s);
	for (uint32_t len = 1; len <= 8; len++)
		assert_int_equal(end_run(&s, make_mmio(len % 2, len), 0), BW_UNCLAIMED);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		for (int is_write = 0; is_write < 2; is_write++)
			assert_int_equal(end_run(&s, make_mmio(is_write, bad[i]), 0), -EINVAL);
	assert_int_equal(s.nr, 8);
	clear_scene(&s);
}

static struct kvm_run *make_hyperv(uint64_t input, uint64_t connection)
{
	struct kvm_run *run = make_run(0, KVM_EXIT_HYPERV);

	run->hyperv.type = KVM_EXIT_HYPERV_HCALL;
	run->hyperv.u.hcall.input = input;
	run->hyperv.u.hcall.params[0] = connection;
	run->hyperv.u.hcall.result = 0x55;
	return run;
}

static void a_signalled_event_tells_the_guest_whether_it_arrived(void **state)
{
	static const struct {
		uint64_t input, connection;
		int expected;
		uint64_t status;
	} table[] = {
		{ HV_SIGNAL_EVENT, 3, BW_SIGNALLED, 0 },
		{ HV_SIGNAL_EVENT | 1 << 16, 3, BW_SIGNALLED, 0 }, /* the fast form */
		{ HV_SIGNAL_EVENT, 4, BW_UNCLAIMED, HV_STATUS_INVALID_CONNECTION_ID },
		/* flag number 1 of connection 3 */
		{ HV_SIGNAL_EVENT, 1ull << 32 | 3, BW_UNCLAIMED, HV_STATUS_INVALID_CONNECTION_ID },
		{ 0x5c, 3, -ENOMSG, 0x55 }, /* HvCallPostMessage */
	};
	struct scene s;

	(void)state;
	set_scene(&s);
	must_assign(s.bus, BW_HYPERCALL, 3, any_len(), s.n);
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct kvm_run *run = make_hyperv(table[i].input, table[i].connection);

		assert_int_equal(bw_bus_kvm_exit(s.bus, run, DATA, NULL), table[i].expected);
		assert_int_equal(run->hyperv.u.hcall.result, table[i].status);
		assert_int_equal(bw_notifier_take(s.n), table[i].expected == BW_SIGNALLED);
		free(run);
	}
	clear_scene(&s);
}

static void an_exit_that_is_no_io_is_the_callers(void **state)
{
	static const uint32_t reasons[] = { KVM_EXIT_UNKNOWN, KVM_EXIT_HLT, KVM_EXIT_SHUTDOWN,
					    KVM_EXIT_FAIL_ENTRY, UINT32_MAX };
	struct kvm_run *run = make_hyperv(HV_SIGNAL_EVENT, 3);
	struct scene s;

	(void)state;
	set_scene(&s);
	for (size_t i = 0; i < COUNT_OF(reasons); i++)
		assert_int_equal(end_run(&s, make_run(0, reasons[i]), 0), -ENOMSG);
	run->hyperv.type = KVM_EXIT_HYPERV_SYNIC;
	assert_int_equal(end_run(&s, run, 0), -ENOMSG);
	assert_int_equal(s.nr, 0);
	clear_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_out_rings_once),
		cmocka_unit_test(an_in_is_answered_where_kvm_looks_for_it),
		cmocka_unit_test(the_elements_of_a_string_come_one_by_one_in_order),
		cmocka_unit_test(a_string_is_worth_its_least_served_element),
		cmocka_unit_test(an_io_exit_that_cannot_be_is_refused),
		cmocka_unit_test(a_run_shorter_than_its_struct_is_refused),
		cmocka_unit_test(data_that_lies_over_the_exit_changes_nothing),
		cmocka_unit_test(an_mmio_write_rings_and_a_read_is_answered),
		cmocka_unit_test(an_mmio_exit_has_one_to_eight_bytes),
		cmocka_unit_test(a_signalled_event_tells_the_guest_whether_it_arrived),
		cmocka_unit_test(an_exit_that_is_no_io_is_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
