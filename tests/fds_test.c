/* SPDX-License-Identifier: MIT
 *
 * Nothing leaks an fd and nothing closes one that is not its own: whatever was done, afterwards the
 * process has the fds that it had, and the caller's own still work.
 */
#include "fake_offload.h"
#include "world.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/eventfd.h>

static void count_ring(void *opaque, struct bw_notifier *n, uint64_t count)
{
	(void)n;
	*(uint64_t *)opaque += count;
}

static void a_bus(void)
{
	bw_bus_free(make_bus());
}

static void an_owned_notifier(void)
{
	struct bw_notifier *n = make_notifier("owned");
	struct bw_bus *bus = make_bus();

	must_assign(bus, BW_PIO, 0x60, of_len(1), n);
	assert_true(bw_notifier_fd(n) >= 0);
	bw_notifier_free(n); /* the ioeventfd holds it */
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_SIGNALLED);
	bw_bus_free(bus);
}

static void an_imported_notifier(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n;

	assert_int_equal(bw_notifier_import(&n, fd, "imported"), 0);
	must_assign(bus, BW_PIO, 0x60, of_len(1), n);
	write_to(bus, BW_PIO, 0x60, 1, 0);
	bw_bus_free(bus);
	bw_notifier_free(n);
	assert_int_equal(drain(fd), 1); /* it is still ours */
	close(fd);
}

static void a_notifier_shared_by_many(void)
{
	struct bw_notifier *n = make_notifier("shared");
	struct bw_bus *bus = make_bus();
	unsigned int fds;

	assert_true(bw_notifier_fd(n) >= 0);
	fds = count_fds();
	for (uint64_t port = 0; port < 100; port++)
		must_assign(bus, BW_PIO, port, of_len(1), n);
	assert_int_equal(count_fds(), fds);
	bw_bus_free(bus);
	assert_int_equal(count_fds(), fds);
	bw_notifier_free(n);
}

static void the_drop_in(void)
{
	struct kvm_ioeventfd io = { .flags = KVM_IOEVENTFD_FLAG_PIO, .len = 1 };
	struct bw_bus *bus = make_bus();

	for (unsigned int i = 0; i < 8; i++) {
		io.fd = eventfd(0, 0);
		for (io.addr = 16 * i; io.addr < 16 * i + 4; io.addr++)
			assert_int_equal(bw_kvm_ioeventfd(bus, &io), 0);
		if (i % 2) {
			io.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
			for (io.addr = 16 * i; io.addr < 16 * i + 4; io.addr++)
				assert_int_equal(bw_kvm_ioeventfd(bus, &io), 0);
			io.flags &= ~(unsigned int)KVM_IOEVENTFD_FLAG_DEASSIGN;
		}
		close(io.fd);
	}
	bw_bus_free(bus);
}

static void a_poller(void)
{
	struct bw_notifier *owned = make_notifier("owned"), *plain = make_notifier("plain");
	struct bw_poller *p;
	uint64_t rings = 0;

	assert_int_equal(bw_poller_new(&p), 0);
	assert_int_equal(bw_poller_add(p, owned, count_ring, &rings), 0);
	assert_int_equal(bw_poller_add(p, plain, count_ring, &rings), 0);
	assert_true(bw_notifier_fd(owned) >= 0);
	bw_notifier_ring(owned);
	bw_notifier_ring(plain);
	assert_int_equal(bw_poller_poll(p, 0), 2);
	bw_poller_del(p, plain);
	bw_notifier_free(owned); /* the poller holds it */
	bw_poller_free(p);
	bw_notifier_free(plain);
}

static void an_offload_that_fails_half_way(void)
{
	struct fake_offload *fake = calloc(1, sizeof(*fake));
	struct bw_bus *bus = make_bus();

	for (uint64_t port = 0; port < 4; port++) {
		struct bw_notifier *n = make_notifier(NULL);

		must_assign(bus, BW_PIO, port, of_len(1), n);
		bw_notifier_free(n);
	}
	fake->fail_at = 3;
	fake->fail_with = -ENOMEM;
	assert_int_equal(bus_offload(bus, &fake_ops, fake), -ENOMEM);
	assert_int_equal(bus_offload(bus, &fake_ops, fake), 0);
	bw_bus_free(bus);
	free(fake);
}

static void regions_and_a_transaction_that_is_aborted(void)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .len = 0x100 };
	struct bw_notifier *n = make_notifier("bell");
	struct bw_bus *bus = make_bus();
	struct bw_region *region;
	struct bw_ioeventfd *ie;

	assert_true(bw_notifier_fd(n) >= 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(bw_bus_begin(bus), 0);
		assert_int_equal(bw_region_new(bus, &region, &opts), 0);
		assert_int_equal(bw_region_doorbell(region, &ie, 8, of_len(4), n), 0);
		assert_int_equal(bw_region_map(region, 0x1000), 0);
		if (i)
			bw_bus_abort(bus);
		else
			assert_int_equal(bw_bus_commit(bus), 0);
	}
	bw_notifier_free(n);
	bw_bus_free(bus);
}

static void assigns_that_fail(void)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n;
	int both[2];

	assert_int_equal(pipe(both), 0);
	assert_int_equal(bw_notifier_import(&n, both[0], NULL), -EINVAL);
	assert_int_equal(bw_notifier_import(&n, -1, NULL), -EBADF);
	for (uint32_t len = 0; len < 10; len++) {
		struct kvm_ioeventfd io = { .addr = UINT64_MAX, .len = len, .fd = both[1] };

		assert_true(bw_kvm_ioeventfd(bus, &io) < 0);
	}
	close(both[0]);
	close(both[1]);
	bw_bus_free(bus);
}

static const struct scene {
	const char *name;
	void (*play)(void);
} scenes[] = {
	{ "a bus", a_bus },
	{ "an owned notifier", an_owned_notifier },
	{ "an imported notifier", an_imported_notifier },
	{ "a notifier shared by many", a_notifier_shared_by_many },
	{ "the drop-in", the_drop_in },
	{ "a poller", a_poller },
	{ "an offload that fails half-way", an_offload_that_fails_half_way },
	{ "regions, and an aborted transaction", regions_and_a_transaction_that_is_aborted },
	{ "assigns that fail", assigns_that_fail },
};

static void every_scene_leaves_the_fds_as_they_were(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(scenes); i++) {
		unsigned int before = count_fds(), after;

		scenes[i].play();
		after = count_fds();
		if (after != before)
			fail_msg("%s: %u fds before, %u after", scenes[i].name, before, after);
	}
}

/* A child has copies of all of them; what it closes is closed for it alone. */
static int free_in_the_child(void *arg)
{
	unsigned int before = count_fds();

	bw_bus_free(arg);
	return (int)(before - count_fds());
}

static void a_child_closes_its_copies_and_the_parent_rings_on(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);
	struct kvm_ioeventfd io = { .flags = KVM_IOEVENTFD_FLAG_PIO, .addr = 0x60, .len = 1 };
	struct bw_bus *bus = make_bus();

	(void)state;
	io.fd = fd;
	assert_int_equal(bw_kvm_ioeventfd(bus, &io), 0);
	io.addr = 0x61;
	io.fd = other;
	assert_int_equal(bw_kvm_ioeventfd(bus, &io), 0);
	assert_int_equal(in_child(free_in_the_child, bus), 2);
	assert_int_equal(write_to(bus, BW_PIO, 0x60, 1, 0), BW_SIGNALLED);
	assert_int_equal(drain(fd), 1);
	bw_bus_free(bus);
	close(fd);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_scene_leaves_the_fds_as_they_were),
		cmocka_unit_test(a_child_closes_its_copies_and_the_parent_rings_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
