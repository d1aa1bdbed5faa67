/* SPDX-License-Identifier: MIT
 *
 * A forked child and its parent's objects: it may free its copies, and nothing else; the parent's
 * must not notice.
 */
#include "world.h"

#include <errno.h>
#include <linux/kvm.h>

struct family {
	struct bw_bus *bus;
	struct bw_region *region;
	struct bw_ioeventfd *ie;
	struct bw_notifier *n;
	struct bw_poller *p;
	unsigned int call;
};

static void make_family(struct family *f)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .len = 0x1000 };

	memset(f, 0, sizeof(*f));
	f->bus = make_bus();
	f->n = make_notifier(NULL);
	f->ie = must_assign(f->bus, BW_MMIO, 0x1000, of_len(4), f->n);
	assert_int_equal(bw_region_new(f->bus, &f->region, &opts), 0);
	assert_int_equal(bw_poller_new(&f->p), 0);
}

static void free_family(struct family *f)
{
	bw_poller_free(f->p);
	bw_bus_free(f->bus);
	bw_notifier_free(f->n);
}

/* With what would be right, wrong and in the way in the parent. */
static int control_call(void *arg)
{
	struct family *f = arg;
	struct bw_region_opts opts = { .size = sizeof(opts), .len = 1 };
	struct kvm_ioeventfd io = { .len = 3, .fd = -1 };
	struct bw_ioeventfd *ie;
	struct bw_region *region;

	switch (f->call) {
	case 0:
		return -bw_ioeventfd_assign(f->bus, &ie, BW_MMIO, 0x2000, of_len(4), f->n);
	case 1:
		return -bw_ioeventfd_assign(f->bus, &ie, BW_MMIO, 0x1000, of_len(4), f->n);
	case 2:
		return -bw_ioeventfd_assign(f->bus, &ie, BW_MMIO, 0x2000, of_len(3), f->n);
	case 3:
		return -bw_kvm_ioeventfd(f->bus, &io);
	case 4:
		return -bw_region_new(f->bus, &region, &opts);
	case 5:
		return -bw_region_map(f->region, 0x1000);
	case 6:
		return -bw_region_map(f->region, UINT64_MAX);
	case 7:
		return -bw_region_unmap(f->region);
	case 8:
		return -bw_region_doorbell(f->region, &ie, 0, of_len(4), f->n);
	case 9:
		return -bw_region_doorbell(f->region, &ie, 0x1000, of_len(4), f->n);
	case 10:
		return -bw_bus_begin(f->bus);
	case 11:
		return -bw_bus_commit(f->bus);
	case 12:
		return -bw_bus_synchronize(f->bus);
	case 13:
		return -bw_bus_offload_kvm(f->bus, NULL);
	default:
		return 0;
	}
}

static void every_control_call_of_a_child_fails_with_eio(void **state)
{
	struct family f;
	int err;

	(void)state;
	make_family(&f);
	while ((err = in_child(control_call, &f))) {
		if (err != EIO)
			print_error("call %u: %s\n", f.call, strerror(err));
		assert_int_equal(err, EIO);
		f.call++;
	}
	assert_int_equal(f.call, 14);
	free_family(&f);
}

static int call_what_cannot_fail(void *arg)
{
	struct family *f = arg;

	bw_ioeventfd_deassign(f->ie);
	bw_region_free(f->region);
	bw_bus_abort(f->bus);
	return bw_bus_caps(f->bus) || bw_region_at(f->bus, BW_MMIO, 0x4000);
}

static void calls_of_a_child_that_cannot_fail_do_nothing(void **state)
{
	struct family f;

	(void)state;
	make_family(&f);
	assert_int_equal(bw_region_map(f.region, 0x4000), 0);
	assert_int_equal(in_child(call_what_cannot_fail, &f), 0);
	free_family(&f);
}

static int free_bus(void *arg)
{
	struct family *f = arg;
	unsigned int fds = count_fds();

	bw_bus_free(f->bus);
	bw_notifier_free(f->n);
	return (int)(fds - count_fds());
}

static void freeing_a_bus_in_a_child_closes_the_childs_fds_only(void **state)
{
	struct family f;
	int fd;

	(void)state;
	make_family(&f);
	fd = bw_notifier_fd(f.n);
	assert_int_equal(in_child(free_bus, &f), 1);
	assert_int_equal(write_to(f.bus, BW_MMIO, 0x1000, 4, 0), BW_SIGNALLED);
	assert_int_equal(drain(fd), 1);
	free_family(&f);
}

static void count_rings(void *opaque, struct bw_notifier *n, uint64_t count)
{
	(void)n;
	*(uint64_t *)opaque += count;
}

static int free_poller(void *arg)
{
	struct family *f = arg;
	unsigned int fds = count_fds();

	bw_poller_free(f->p);
	return (int)(fds - count_fds());
}

static int change_the_set(void *arg)
{
	struct family *f = arg;
	struct bw_notifier *other;

	bw_poller_del(f->p, f->n);
	if (bw_notifier_new(&other, "other") || bw_notifier_fd(other) < 0)
		return 1;
	return bw_poller_add(f->p, other, count_rings, NULL) == -EIO ? 0 : 2;
}

/* An epoll set is shared with the parent: what the child removes from it is gone for both. */
static void leaves_the_parents_watching(int (*what)(void *), int status)
{
	struct family f;
	uint64_t rings = 0;

	make_family(&f);
	assert_true(bw_notifier_fd(f.n) >= 0);
	assert_int_equal(bw_poller_add(f.p, f.n, count_rings, &rings), 0);
	assert_int_equal(in_child(what, &f), status);
	bw_notifier_ring(f.n);
	assert_int_equal(bw_poller_poll(f.p, 0), 1);
	assert_int_equal(rings, 1);
	free_family(&f);
}

static void freeing_a_poller_in_a_child_leaves_the_parents_watching(void **state)
{
	(void)state;
	leaves_the_parents_watching(free_poller, 2);
}

static void a_child_takes_nothing_out_of_its_parents_poller(void **state)
{
	(void)state;
	leaves_the_parents_watching(change_the_set, 0);
}

static int ask_for_an_fd(void *arg)
{
	struct family *f = arg;
	unsigned int fds = count_fds();

	if (bw_notifier_fd(f->n) != -EIO)
		return 1;
	return count_fds() == fds ? 0 : 2;
}

/* The parent's consumer would be woken by an fd that it does not have. */
static void an_fd_that_a_child_asks_for_does_not_enter_its_parents_poller(void **state)
{
	struct family f;
	uint64_t rings = 0;

	(void)state;
	make_family(&f);
	assert_int_equal(bw_poller_add(f.p, f.n, count_rings, &rings), 0);
	assert_int_equal(in_child(ask_for_an_fd, &f), 0);
	assert_int_equal(bw_poller_poll(f.p, 0), 0);
	free_family(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_control_call_of_a_child_fails_with_eio),
		cmocka_unit_test(calls_of_a_child_that_cannot_fail_do_nothing),
		cmocka_unit_test(freeing_a_bus_in_a_child_closes_the_childs_fds_only),
		cmocka_unit_test(freeing_a_poller_in_a_child_leaves_the_parents_watching),
		cmocka_unit_test(a_child_takes_nothing_out_of_its_parents_poller),
		cmocka_unit_test(an_fd_that_a_child_asks_for_does_not_enter_its_parents_poller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
