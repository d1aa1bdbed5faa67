/* SPDX-License-Identifier: MIT
 *
 * Which eventfd is meant: the drop-in is given numbers, but KVM tells eventfds apart by what they
 * are. What the bus holds open for them, and what is left where a sandbox forbids to ask.
 */
#define _GNU_SOURCE
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#ifndef SYS_readlink /* architectures that came later have the other only */
#define SYS_readlink SYS_readlinkat
#endif

#define NO_SECCOMP 255

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int assign(struct bw_bus *bus, uint64_t addr, int fd)
{
	struct kvm_ioeventfd io = { .addr = addr, .len = 4, .fd = fd };

	return bw_kvm_ioeventfd(bus, &io);
}

static int deassign(struct bw_bus *bus, uint64_t addr, int fd)
{
	struct kvm_ioeventfd io = {
		.addr = addr, .len = 4, .fd = fd, .flags = KVM_IOEVENTFD_FLAG_DEASSIGN
	};

	return bw_kvm_ioeventfd(bus, &io);
}

static void a_write_signals_the_callers_eventfd(void **state)
{
	struct kvm_ioeventfd io = { .addr = 0x300,
				    .len = 2,
				    .datamatch = 5,
				    .flags =
					    KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH };
	struct bw_bus *bus = make_bus();

	(void)state;
	io.fd = new_eventfd();
	assert_int_equal(bw_kvm_ioeventfd(bus, &io), 0);
	assert_int_equal(write_to(bus, BW_PIO, 0x300, 2, 5), BW_SIGNALLED);
	assert_int_equal(write_to(bus, BW_PIO, 0x300, 2, 6), BW_UNCLAIMED);
	assert_int_equal(write_to(bus, BW_MMIO, 0x300, 2, 5), BW_UNCLAIMED);
	assert_int_equal(drain(io.fd), 1);
	bw_bus_free(bus);
	close(io.fd);
}

static void virtio_ccw_is_a_space_of_its_own(void **state)
{
	struct kvm_ioeventfd io = { .addr = 0x300, .flags = KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY };
	struct bw_bus *bus = make_bus();

	(void)state;
	io.fd = new_eventfd();
	assert_int_equal(bw_kvm_ioeventfd(bus, &io), 0);
	for (enum bw_space space = BW_MMIO; space <= BW_HYPERCALL; space++)
		assert_int_equal(write_to(bus, space, 0x300, 4, 0), BW_UNCLAIMED);
	assert_int_equal(drain(io.fd), 0);
	bw_bus_free(bus);
	close(io.fd);
}

static void deassign_stops_the_signals(void **state)
{
	struct bw_bus *bus = make_bus();
	int fd = new_eventfd();

	(void)state;
	assert_int_equal(assign(bus, 0x1000, fd), 0);
	assert_int_equal(deassign(bus, 0x1000, fd), 0);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1000, 4, 0), BW_UNCLAIMED);
	assert_int_equal(drain(fd), 0);
	bw_bus_free(bus);
	close(fd);
}

static void the_caller_may_close_what_it_assigned(void **state)
{
	struct bw_bus *bus = make_bus();
	int fd = new_eventfd(), kept = dup(fd);

	(void)state;
	assert_int_equal(assign(bus, 0x1000, fd), 0);
	close(fd);
	assert_int_equal(write_to(bus, BW_MMIO, 0x1000, 4, 0), BW_SIGNALLED);
	assert_int_equal(drain(kept), 1);
	assert_int_equal(deassign(bus, 0x1000, kept), 0);
	bw_bus_free(bus);
	close(kept);
}

/* The number says nothing: another eventfd may have got it since. */
static void a_number_used_again_is_another_eventfd(void **state)
{
	struct bw_bus *bus = make_bus();
	int fd = new_eventfd(), first = dup(fd), second = new_eventfd();

	(void)state;
	assert_int_equal(assign(bus, 0x1000, fd), 0);
	assert_int_equal(dup2(second, fd), fd);
	assert_int_equal(deassign(bus, 0x1000, fd), -ENOENT);
	assert_int_equal(assign(bus, 0x2000, fd), 0);
	assert_int_equal(write_to(bus, BW_MMIO, 0x2000, 4, 0), BW_SIGNALLED);
	assert_int_equal(drain(first), 0);
	assert_int_equal(drain(second), 1);
	bw_bus_free(bus);
	close(fd);
	close(first);
	close(second);
}

static void an_eventfd_is_held_once_until_its_last_deassign(void **state)
{
	struct bw_bus *bus = make_bus();
	int fd = new_eventfd(), copy = dup(fd);
	unsigned int before = count_fds();

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(assign(bus, i * 8, i % 2 ? fd : copy), 0);
	assert_int_equal(count_fds(), before + 1);
	for (uint64_t i = 0; i < 99; i++)
		assert_int_equal(deassign(bus, i * 8, fd), 0);
	assert_int_equal(count_fds(), before + 1);
	assert_int_equal(deassign(bus, 99 * 8, copy), 0);
	assert_int_equal(count_fds(), before);
	bw_bus_free(bus);
	close(fd);
	close(copy);
}

static void what_is_refused_holds_no_fd(void **state)
{
	struct bw_bus *bus = make_bus();
	int fd = new_eventfd(), other = new_eventfd();
	unsigned int before;

	(void)state;
	assert_int_equal(assign(bus, 0x1000, fd), 0);
	before = count_fds();
	assert_int_equal(assign(bus, 0x1000, other), -EEXIST);
	assert_int_equal(assign(bus, 0x1000, fd), -EEXIST);
	assert_int_equal(assign(bus, UINT64_MAX, other), -EINVAL);
	assert_int_equal(deassign(bus, 0x1000, other), -ENOENT);
	assert_int_equal(count_fds(), before);
	assert_int_equal(deassign(bus, 0x1000, fd), 0);
	bw_bus_free(bus);
	close(fd);
	close(other);
}

static void freeing_the_bus_closes_what_the_caller_lost(void **state)
{
	unsigned int before = count_fds();
	struct bw_bus *bus = make_bus();
	int fd = new_eventfd();

	(void)state;
	assert_int_equal(assign(bus, 0x1000, fd), 0);
	close(fd);
	bw_bus_free(bus);
	assert_int_equal(count_fds(), before);
}

/* One world: what a handle holds is in the drop-in's way, but not its to deassign. */
static void handles_and_the_drop_in_share_the_bus(void **state)
{
	struct bw_bus *bus = make_bus();
	struct bw_notifier *n = make_notifier(NULL);
	struct bw_ioeventfd *ie = must_assign(bus, BW_MMIO, 0x1000, of_len(4), n), *none;
	int fd = bw_notifier_fd(n);

	(void)state;
	assert_int_equal(assign(bus, 0x1000, fd), -EEXIST);
	assert_int_equal(deassign(bus, 0x1000, fd), -ENOENT);
	bw_ioeventfd_deassign(ie);
	assert_int_equal(assign(bus, 0x1000, fd), 0);
	assert_int_equal(bw_ioeventfd_assign(bus, &none, BW_MMIO, 0x1000, any_len(), n), -EEXIST);
	bw_bus_free(bus);
	bw_notifier_free(n);
}

/* ---- in a sandbox ---- */

/* From now on these system calls fail with EPERM. */
static void forbid(const long *calls, unsigned int nr)
{
	struct sock_filter load =
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	struct sock_filter filter[16] = { load };
	struct sock_fprog program = { .filter = filter };

	for (unsigned int i = 0; i < nr; i++) /* each jumps to the last */
		filter[1 + i] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], (uint8_t)(nr - i), 0);
	filter[1 + nr] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[2 + nr] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	program.len = (unsigned short)(nr + 3);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program))
		_exit(NO_SECCOMP);
}

/* A child has to make its own bus. What it makes is left to its end. */
static struct bw_bus *sandboxed_bus(const long *calls, unsigned int nr)
{
	struct bw_bus *bus;

	if (bw_bus_new(&bus, NULL))
		_exit(254);
	forbid(calls, nr);
	return bus;
}

struct sandbox {
	long calls[4];
	unsigned int nr;
};

static const struct sandbox without_kcmp = { { SYS_kcmp }, 1 };
static const struct sandbox without_fdinfo = { { SYS_openat }, 1 };
static const struct sandbox without_both = { { SYS_kcmp, SYS_openat }, 2 };
static const struct sandbox without_proc = { { SYS_openat, SYS_readlinkat, SYS_readlink }, 3 };

static int in_sandbox(int (*fn)(void *arg), const struct sandbox *s)
{
	int result = in_child(fn, (void *)s);

	if (result == NO_SECCOMP) {
		print_message("no seccomp filter can be set here\n");
		skip();
	}
	return result;
}

static int deassign_by_dup(void *arg)
{
	const struct sandbox *s = arg;
	struct bw_bus *bus = sandboxed_bus(s->calls, s->nr);
	int fd = eventfd(0, 0);

	if (assign(bus, 0x1000, fd))
		return 253;
	return -deassign(bus, 0x1000, dup(fd));
}

static int deassign_by_number(void *arg)
{
	const struct sandbox *s = arg;
	struct bw_bus *bus = sandboxed_bus(s->calls, s->nr);
	int fd = eventfd(0, 0);

	if (assign(bus, 0x1000, fd))
		return 253;
	return -deassign(bus, 0x1000, fd);
}

static void kcmp_or_fdinfo_is_enough_to_know_a_dup(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(deassign_by_dup, &without_kcmp), 0);
	assert_int_equal(in_sandbox(deassign_by_dup, &without_fdinfo), 0);
}

static void without_both_only_the_number_is_known(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(deassign_by_dup, &without_both), ENOENT);
	assert_int_equal(in_sandbox(deassign_by_number, &without_both), 0);
}

/* Which of two eventfds was signalled, that had the same number one after the other. */
static int reuse_number(void *arg)
{
	const struct sandbox *s = arg;
	struct bw_bus *bus = sandboxed_bus(s->calls, s->nr);
	int fd = eventfd(0, EFD_NONBLOCK), first = dup(fd), second = eventfd(0, EFD_NONBLOCK);

	if (assign(bus, 0x1000, fd) || dup2(second, fd) != fd || assign(bus, 0x2000, fd))
		return 253;
	write_to(bus, BW_MMIO, 0x2000, 4, 0);
	return (drain(first) ? 1 : 0) + (drain(second) ? 2 : 0);
}

static void a_number_used_again_never_signals_the_old_eventfd(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(reuse_number, &without_both), 2);
}

/* Bits for what was taken for an eventfd; the first two are, of which one is full. A VM is an
 * anonymous inode too, and the likeliest to be mistaken; without /dev/kvm it is -1. */
static int what_is_an_eventfd(void *arg)
{
	const struct itimerspec soon = { .it_value.tv_nsec = 1 };
	int kvm = open("/dev/kvm", O_RDWR), taken = 0;
	int fds[] = { eventfd(0, 0),
		      eventfd(0, 0),
		      timerfd_create(CLOCK_MONOTONIC, 0),
		      epoll_create1(0),
		      inotify_init(),
		      ioctl(kvm, KVM_CREATE_VM, 0),
		      open("/dev/null", O_RDWR) };
	const struct sandbox *s = arg;
	struct bw_bus *bus = sandboxed_bus(s->calls, s->nr);

	eventfd_write(fds[1], UINT64_MAX - 1);
	timerfd_settime(fds[2], 0, &soon, NULL);
	poll(&(struct pollfd){ .fd = fds[2], .events = POLLIN }, 1, -1); /* has something to read */
	for (unsigned int i = 0; i < COUNT_OF(fds); i++)
		taken |= !assign(bus, 0x1000 * i, fds[i]) << i;
	return taken;
}

static void an_eventfd_is_known_without_proc(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(what_is_an_eventfd, &without_proc), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_signals_the_callers_eventfd),
		cmocka_unit_test(virtio_ccw_is_a_space_of_its_own),
		cmocka_unit_test(deassign_stops_the_signals),
		cmocka_unit_test(the_caller_may_close_what_it_assigned),
		cmocka_unit_test(a_number_used_again_is_another_eventfd),
		cmocka_unit_test(an_eventfd_is_held_once_until_its_last_deassign),
		cmocka_unit_test(what_is_refused_holds_no_fd),
		cmocka_unit_test(freeing_the_bus_closes_what_the_caller_lost),
		cmocka_unit_test(handles_and_the_drop_in_share_the_bus),
		cmocka_unit_test(kcmp_or_fdinfo_is_enough_to_know_a_dup),
		cmocka_unit_test(without_both_only_the_number_is_known),
		cmocka_unit_test(a_number_used_again_never_signals_the_old_eventfd),
		cmocka_unit_test(an_eventfd_is_known_without_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
