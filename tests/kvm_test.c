/* SPDX-License-Identifier: MIT
 *
 * What the offload asks of KVM, and what it makes of the answers: a KVM that has everything, lacks
 * something, or is full. The real one is asked in conform/. Linked with --wrap=ioctl.
 */
#include "world.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#define MAX_ASKED 16u

struct asked {
	unsigned long request; /* KVM_IOEVENTFD or KVM_HYPERV_EVENTFD */
	uint32_t flags;
	uint64_t addr; /* or connection id */
	uint32_t len;
	uint64_t datamatch;
};

/* The KVM: what it has, and how it answers an assign. */
static struct {
	bool any_length, hypercalls, is_vm;
	int slots;
	int err;
	struct asked asked[MAX_ASKED];
	unsigned int nr;
} kvm;

int __wrap_ioctl(int fd, unsigned long request, void *arg);

static int answer(int err)
{
	errno = err;
	return err ? -1 : 0;
}

static int check_extension(unsigned int extension)
{
	if (extension == KVM_CAP_NR_MEMSLOTS)
		return kvm.slots;
	return extension == KVM_CAP_IOEVENTFD ||
	       (extension == KVM_CAP_IOEVENTFD_ANY_LENGTH && kvm.any_length) ||
	       (extension == KVM_CAP_HYPERV_EVENTFD && kvm.hypercalls);
}

static int keep(struct asked asked, bool deassign)
{
	assert_true(kvm.nr < MAX_ASKED);
	kvm.asked[kvm.nr++] = asked;
	return answer(deassign ? 0 : kvm.err);
}

static int set_ioeventfd(const struct kvm_ioeventfd *io)
{
	struct asked asked = { KVM_IOEVENTFD, io->flags, io->addr, io->len, io->datamatch };

	if (io->fd < 0)
		return answer(EBADF);
	return keep(asked, io->flags & KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static int set_hyperv(const struct kvm_hyperv_eventfd *io)
{
	struct asked asked = { KVM_HYPERV_EVENTFD, io->flags, io->conn_id, 0, 0 };

	return keep(asked, io->flags & KVM_HYPERV_EVENTFD_DEASSIGN);
}

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return check_extension((unsigned int)(uintptr_t)arg);
	case KVM_IOEVENTFD:
		return kvm.is_vm ? set_ioeventfd(arg) : answer(ENOTTY);
	case KVM_HYPERV_EVENTFD:
		return set_hyperv(arg);
	default:
		return answer(ENOTTY);
	}
}

static struct bw_bus *make_offloaded(bool any_length, bool hypercalls)
{
	struct bw_kvm_opts opts = { .size = sizeof(opts), .vm_fd = STDOUT_FILENO };
	struct bw_bus *bus = make_bus();

	memset(&kvm, 0, sizeof(kvm));
	kvm.is_vm = true;
	kvm.any_length = any_length;
	kvm.hypercalls = hypercalls;
	assert_int_equal(bw_bus_offload_kvm(bus, &opts), 0);
	return bus;
}

static void assert_asked(unsigned int i, struct asked wanted)
{
	assert_true(i < kvm.nr);
	assert_int_equal(kvm.asked[i].request, wanted.request);
	assert_int_equal(kvm.asked[i].flags, wanted.flags);
	assert_int_equal(kvm.asked[i].addr, wanted.addr);
	assert_int_equal(kvm.asked[i].len, wanted.len);
	if (wanted.flags & KVM_IOEVENTFD_FLAG_DATAMATCH)
		assert_int_equal(kvm.asked[i].datamatch, wanted.datamatch);
}

/* Assigned, and deassigned by the same key. */
static void assert_carried(enum bw_space space, uint64_t addr, struct bw_match match,
			   struct asked wanted)
{
	struct bw_bus *bus = make_offloaded(true, true);
	struct bw_notifier *n = make_notifier(NULL);

	bw_ioeventfd_deassign(must_assign(bus, space, addr, match, n));
	assert_int_equal(kvm.nr, 2);
	assert_asked(0, wanted);
	wanted.flags |= wanted.request == KVM_IOEVENTFD ? KVM_IOEVENTFD_FLAG_DEASSIGN
							: KVM_HYPERV_EVENTFD_DEASSIGN;
	assert_asked(1, wanted);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void each_kind_is_asked_for_as_kvm_knows_it(void **state)
{
	(void)state;
	assert_carried(BW_MMIO, 0xfe000000, of_len(4),
		       (struct asked){ KVM_IOEVENTFD, 0, 0xfe000000, 4, 0 });
	assert_carried(BW_PIO, 0x300, of_value(2, 7),
		       (struct asked){ KVM_IOEVENTFD,
				       KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH, 0x300,
				       2, 7 });
	assert_carried(BW_MMIO, UINT64_MAX, any_len(),
		       (struct asked){ KVM_IOEVENTFD, 0, UINT64_MAX, 0, 0 });
	assert_carried(BW_HYPERCALL, 0xffffff, any_len(),
		       (struct asked){ KVM_HYPERV_EVENTFD, 0, 0xffffff, 0, 0 });
}

static void a_ccw_notification_of_the_drop_in_keeps_its_space(void **state)
{
	struct bw_bus *bus = make_offloaded(true, false);
	struct kvm_ioeventfd io = { .addr = 3, .len = 8, .fd = eventfd(0, EFD_CLOEXEC) };

	(void)state;
	io.flags = KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY | KVM_IOEVENTFD_FLAG_DATAMATCH;
	io.datamatch = 5;
	assert_int_equal(bw_kvm_ioeventfd(bus, &io), 0);
	assert_asked(0, (struct asked){ KVM_IOEVENTFD, io.flags, 3, 8, 5 });
	bw_bus_free(bus);
	close(io.fd);
}

/* It is not asked, the assign succeeds, and the bus signals. */
static void assert_left_to_the_bus(struct bw_bus *bus, enum bw_space space, uint64_t addr,
				   struct bw_match match, uint32_t written)
{
	struct bw_notifier *n = make_notifier(NULL);

	must_assign(bus, space, addr, match, n);
	assert_int_equal(write_to(bus, space, addr, written, 0), BW_SIGNALLED);
	assert_int_equal(bw_notifier_take(n), 1);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void a_kvm_without_any_length_is_not_asked_for_it(void **state)
{
	(void)state;
	assert_left_to_the_bus(make_offloaded(false, false), BW_MMIO, 0x1000, any_len(), 4);
	assert_int_equal(kvm.nr, 0);
}

static void a_kvm_without_hypercalls_is_not_asked_for_them(void **state)
{
	struct bw_bus *bus = make_offloaded(true, false);

	(void)state;
	assert_int_equal(bw_bus_caps(bus), BW_CAP_MMIO | BW_CAP_PIO);
	assert_left_to_the_bus(bus, BW_HYPERCALL, 3, any_len(), 0);
	assert_int_equal(kvm.nr, 0);
	bus = make_offloaded(true, true);
	assert_int_equal(bw_bus_caps(bus), BW_CAP_MMIO | BW_CAP_PIO | BW_CAP_HYPERCALL);
	bw_bus_free(bus);
}

static void a_full_kvm_bus_leaves_it_to_ours(void **state)
{
	struct bw_bus *bus = make_offloaded(true, true);

	(void)state;
	kvm.err = ENOSPC;
	assert_left_to_the_bus(bus, BW_PIO, 0x60, of_len(1), 1);
	assert_int_equal(kvm.nr, 1); /* what KVM did not take is not taken from it either */
}

static void what_kvm_answers_is_what_assign_answers(void **state)
{
	static const int errors[] = { EEXIST, EIO, ENOMEM, EINVAL };
	struct bw_bus *bus = make_offloaded(true, true);
	struct bw_notifier *n = make_notifier(NULL);
	struct bw_ioeventfd *ie;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		kvm.err = errors[i];
		assert_int_equal(bw_ioeventfd_assign(bus, &ie, BW_PIO, 0x60, of_len(1), n),
				 -errors[i]);
		assert_non_null(strstr(bw_last_error(), "0x60"));
		assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_UNCLAIMED);
	}
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void an_fd_that_is_no_vm_is_refused(void **state)
{
	struct bw_kvm_opts opts = { .size = sizeof(opts), .vm_fd = STDOUT_FILENO };
	struct bw_bus *bus = make_bus();

	(void)state;
	memset(&kvm, 0, sizeof(kvm)); /* like /dev/kvm itself: it has extensions, and is no VM */
	assert_int_equal(bw_bus_offload_kvm(bus, &opts), -ENOTTY);
	opts.vm_fd = -1;
	assert_int_equal(bw_bus_offload_kvm(bus, &opts), -EBADF);
	assert_int_equal(bw_bus_caps(bus), 0);
	bw_bus_free(bus);
}

static void a_second_offload_is_refused(void **state)
{
	struct bw_kvm_opts opts = { .size = sizeof(opts), .vm_fd = STDOUT_FILENO };
	struct bw_bus *bus = make_offloaded(true, true);

	(void)state;
	assert_int_equal(bw_bus_offload_kvm(bus, &opts), -EBUSY);
	bw_bus_free(bus);
}

/* Elsewhere a guest's stores may go past the cache: they would be lost. */
static void doorbell_pages_may_be_hot_on_x86_alone(void **state)
{
	struct bw_kvm_opts opts = { .size = sizeof(opts),
				    .vm_fd = STDOUT_FILENO,
				    .nr_slots = 1,
				    .page_way = BW_PAGE_WAY_SLOT };
	struct bw_bus *bus = make_bus();
	bool is_x86 = false;

	(void)state;
#ifdef __x86_64__
	is_x86 = true;
#endif
	memset(&kvm, 0, sizeof(kvm));
	kvm.is_vm = true;
	kvm.slots = 1;
	assert_int_equal(bw_bus_offload_kvm(bus, &opts), 0);
	assert_int_equal(bw_bus_caps(bus) & BW_CAP_PAGE, is_x86 ? BW_CAP_PAGE : 0);
	bw_bus_free(bus);
}

/* Whether it warns of a write of so many bytes. */
static bool warns(struct bw_bus *bus, enum bw_space space, uint64_t addr, uint32_t len)
{
	uint64_t value = 0;
	struct bw_access access = { space, true, len, addr, 0, &value, NULL };
	bool found;
	char *text;

	assert_int_equal(bw_bus_explain(bus, &access, &text), BW_SIGNALLED);
	assert_non_null(strstr(text, "offloaded: kvm signals it"));
	found = strstr(text, "known defect");
	free(text);
	return found;
}

static void explain_knows_which_ranges_kvm_mixes_up(void **state)
{
	struct bw_bus *bus = make_offloaded(true, true);
	struct bw_notifier *n = make_notifier("n");

	(void)state;
	must_assign(bus, BW_PIO, 0x400, of_len(4), n);
	must_assign(bus, BW_PIO, 0x404, of_len(4), n);
	must_assign(bus, BW_MMIO, 0x402, of_len(1), n);
	must_assign(bus, BW_PIO, 0x3fe, of_len(4), n);
	assert_false(warns(bus, BW_PIO, 0x400, 4));
	must_assign(bus, BW_PIO, 0x402, of_len(1), n);
	assert_true(warns(bus, BW_PIO, 0x400, 4));
	assert_true(warns(bus, BW_PIO, 0x402, 1));
	assert_false(warns(bus, BW_PIO, 0x3fe, 4));
	assert_false(warns(bus, BW_MMIO, 0x402, 1));
	bw_bus_free(bus);
	bw_notifier_free(n);
}

static void explain_knows_that_any_length_may_take_reads(void **state)
{
	struct bw_bus *bus = make_offloaded(true, true);
	struct bw_notifier *n = make_notifier("n");

	(void)state;
	must_assign(bus, BW_MMIO, 0x1000, any_len(), n);
	must_assign(bus, BW_PIO, 0x1000, any_len(), n);
	assert_true(warns(bus, BW_MMIO, 0x1000, 4));
	assert_false(warns(bus, BW_PIO, 0x1000, 4));
	bw_bus_free(bus);
	bw_notifier_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_asked_for_as_kvm_knows_it),
		cmocka_unit_test(a_ccw_notification_of_the_drop_in_keeps_its_space),
		cmocka_unit_test(a_kvm_without_any_length_is_not_asked_for_it),
		cmocka_unit_test(a_kvm_without_hypercalls_is_not_asked_for_them),
		cmocka_unit_test(a_full_kvm_bus_leaves_it_to_ours),
		cmocka_unit_test(what_kvm_answers_is_what_assign_answers),
		cmocka_unit_test(an_fd_that_is_no_vm_is_refused),
		cmocka_unit_test(a_second_offload_is_refused),
		cmocka_unit_test(doorbell_pages_may_be_hot_on_x86_alone),
		cmocka_unit_test(explain_knows_which_ranges_kvm_mixes_up),
		cmocka_unit_test(explain_knows_that_any_length_may_take_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
