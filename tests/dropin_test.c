/* SPDX-License-Identifier: MIT
 *
 * bw_kvm_ioeventfd() against what it stands in for: one table and one random program, run on a bus
 * and, where there is one, on a VM of /dev/kvm, which needs no vCPU to say yes or no.
 */
#define _GNU_SOURCE
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#define DATAMATCH KVM_IOEVENTFD_FLAG_DATAMATCH
#define PIO KVM_IOEVENTFD_FLAG_PIO
#define DEASSIGN KVM_IOEVENTFD_FLAG_DEASSIGN
#define CCW KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY
#define FAST 16u    /* the kernel's own, taken and ignored */
#define UNKNOWN 32u /* the first that no kernel knows */

/* Who answers: a bus, or the kernel's VM if vm_fd is one. */
struct vm {
	struct bw_bus *bus;
	int vm_fd;
};

static int apply(const struct vm *vm, const struct kvm_ioeventfd *io)
{
	struct kvm_ioeventfd copy = *io;

	if (vm->bus)
		return bw_kvm_ioeventfd(vm->bus, io);
	return ioctl(vm->vm_fd, KVM_IOEVENTFD, &copy) < 0 ? -errno : 0;
}

static void open_kernel(struct vm *vm)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	vm->vm_fd = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm->vm_fd < 0)
		print_message("no VM of /dev/kvm: %s\n", strerror(errno));
	close(kvm);
	if (vm->vm_fd < 0)
		skip();
}

/* ---- the table ---- */

enum fd_kind {
	EVENTFD,
	OTHER, /* eventfd */
	DUP,   /* of EVENTFD */
	SEMAPHORE,
	PIPE,
	TIMERFD,
	EPOLL,
	FILE_FD,
	PATH,         /* O_PATH, of a directory */
	EVENTFD_PATH, /* O_PATH, of EVENTFD */
	CLOSED,
	NEGATIVE,
	NR_FD_KINDS
};

static void open_fds(int fds[NR_FD_KINDS])
{
	char path[32];
	int both[2];

	fds[EVENTFD] = eventfd(0, EFD_NONBLOCK);
	fds[OTHER] = eventfd(0, EFD_NONBLOCK);
	fds[DUP] = dup(fds[EVENTFD]);
	fds[SEMAPHORE] = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK);
	assert_int_equal(pipe(both), 0);
	close(both[0]);
	fds[PIPE] = both[1];
	fds[TIMERFD] = timerfd_create(CLOCK_MONOTONIC, 0);
	fds[EPOLL] = epoll_create1(0);
	fds[FILE_FD] = open("/dev/null", O_RDWR);
	fds[PATH] = open("/", O_PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[EVENTFD]);
	fds[EVENTFD_PATH] = open(path, O_PATH);
	for (unsigned int i = 0; i < CLOSED; i++)
		assert_true(fds[i] >= 0);
	fds[CLOSED] = 1000;
	assert_int_equal(fcntl(fds[CLOSED], F_GETFD), -1);
	fds[NEGATIVE] = -1;
}

static void close_fds(const int fds[NR_FD_KINDS])
{
	for (unsigned int i = 0; i < CLOSED; i++)
		close(fds[i]);
}

/* One after another, on one VM. */
static const struct step {
	uint32_t flags;
	uint64_t addr;
	uint32_t len;
	enum fd_kind fd;
	int expected;
	uint64_t datamatch;
} steps[] = {
	/* what is wrong, alone and together: the first that the kernel looks at decides */
	{ 0, 0x1000, 3, EVENTFD, -EINVAL, 0 },
	{ 0, 0x1000, 9, CLOSED, -EINVAL, 0 },
	{ 0, UINT64_MAX, 1, EVENTFD, -EINVAL, 0 },
	{ 0, UINT64_MAX - 7, 8, CLOSED, -EINVAL, 0 },
	{ UNKNOWN, 0x1000, 4, EVENTFD, -EINVAL, 0 },
	{ UNKNOWN, 0x1000, 4, CLOSED, -EINVAL, 0 },
	{ 1u << 31, 0x1000, 4, EVENTFD, -EINVAL, 0 },
	{ DATAMATCH, 0x1000, 0, EVENTFD, -EINVAL, 0 },
	{ DATAMATCH, 0x1000, 0, NEGATIVE, -EINVAL, 0 },
	{ UNKNOWN | DATAMATCH, UINT64_MAX, 3, PIPE, -EINVAL, 0 },
	{ 0, 0x1000, 4, CLOSED, -EBADF, 0 },
	{ 0, 0x1000, 4, NEGATIVE, -EBADF, 0 },
	{ 0, 0x1000, 4, PIPE, -EINVAL, 0 },
	{ 0, 0x1000, 4, TIMERFD, -EINVAL, 0 },
	{ 0, 0x1000, 4, EPOLL, -EINVAL, 0 },
	{ 0, 0x1000, 4, FILE_FD, -EINVAL, 0 },
	{ 0, 0x1000, 4, PATH, -EBADF, 0 },
	{ 0, 0x1000, 4, EVENTFD_PATH, -EBADF, 0 },
	{ DEASSIGN, 0x1000, 4, EVENTFD, -ENOENT, 0 },
	/* what is right, however odd */
	{ 0, UINT64_MAX, 0, EVENTFD, 0, 0 },
	{ DEASSIGN, UINT64_MAX, 0, EVENTFD, 0, 0 },
	{ PIO, 0x12345, 8, EVENTFD, 0, 0 },
	{ 0, 0x2001, 8, SEMAPHORE, 0, 0 },
	{ DATAMATCH, 0x3000, 1, EVENTFD, 0, 0x100 },
	{ FAST, 0x4000, 4, EVENTFD, 0, 0 },
	/* collisions: the eventfd is not part of the key */
	{ DATAMATCH, 0x1000, 4, EVENTFD, 0, 1 },
	{ DATAMATCH, 0x1000, 4, EVENTFD, -EEXIST, 1 },
	{ DATAMATCH, 0x1000, 4, OTHER, -EEXIST, 1 },
	{ 0, 0x1000, 4, OTHER, -EEXIST, 0 },
	{ 0, 0x1000, 0, OTHER, -EEXIST, 0 },
	{ FAST, 0x1000, 4, OTHER, -EEXIST, 0 },
	{ DATAMATCH, 0x1000, 4, CLOSED, -EBADF, 1 },
	{ DATAMATCH, 0x1000, 4, PIPE, -EINVAL, 1 },
	{ DATAMATCH, 0x1000, 4, OTHER, 0, 2 },
	{ DATAMATCH, 0x1000, 2, OTHER, 0, 1 },
	{ 0, 0x1000, 8, OTHER, 0, 0 },
	{ PIO, 0x1000, 0, OTHER, 0, 0 },
	{ CCW, 0x1000, 0, OTHER, 0, 0 },
	{ PIO | CCW, 0x1000, 4, OTHER, -EEXIST, 0 },
	/* deassign: the same eventfd, space, address, length and value, or none */
	{ DEASSIGN | DATAMATCH, 0x1000, 4, OTHER, -ENOENT, 1 },
	{ DEASSIGN | DATAMATCH, 0x1000, 8, EVENTFD, -ENOENT, 1 },
	{ DEASSIGN | DATAMATCH, 0x1000, 4, EVENTFD, -ENOENT, 3 },
	{ DEASSIGN | DATAMATCH, 0x1004, 4, EVENTFD, -ENOENT, 1 },
	{ DEASSIGN, 0x1000, 4, EVENTFD, -ENOENT, 1 },
	{ DEASSIGN | DATAMATCH | PIO, 0x1000, 4, EVENTFD, -ENOENT, 1 },
	{ DEASSIGN | DATAMATCH | CCW, 0x1000, 4, EVENTFD, -ENOENT, 1 },
	{ DEASSIGN | DATAMATCH, 0x1000, 4, SEMAPHORE, -ENOENT, 1 },
	{ DEASSIGN | DATAMATCH, 0x1000, 4, CLOSED, -EBADF, 1 },
	{ DEASSIGN | DATAMATCH, 0x1000, 4, PIPE, -EINVAL, 1 },
	{ DEASSIGN | DATAMATCH, 0x1000, 4, EVENTFD_PATH, -EBADF, 1 },
	{ DEASSIGN | UNKNOWN, 0x1000, 3, EPOLL, -EINVAL, 0 },
	{ DEASSIGN | UNKNOWN, UINT64_MAX, 3, EVENTFD, -ENOENT, 0 },
	{ DEASSIGN | DATAMATCH | UNKNOWN | FAST, 0x1000, 4, DUP, 0, 1 },
	{ DEASSIGN | DATAMATCH, 0x1000, 4, EVENTFD, -ENOENT, 1 },
	{ DEASSIGN, 0x1000, 8, OTHER, 0, 77 },
	{ DEASSIGN | CCW, 0x1000, 0, OTHER, 0, 0 },
	{ DEASSIGN | CCW, 0x1000, 0, OTHER, -ENOENT, 0 },
	{ DEASSIGN | PIO | CCW, 0x1000, 0, OTHER, 0, 0 },
	{ DEASSIGN, 0x4000, 4, EVENTFD, 0, 0 },
	{ DEASSIGN | PIO, 0x12345, 8, DUP, 0, 0 },
	{ DEASSIGN, 0x2001, 8, SEMAPHORE, 0, 0 },
};

static void run_steps(const struct vm *vm)
{
	int fds[NR_FD_KINDS];

	open_fds(fds);
	for (const struct step *s = steps; s < steps + COUNT_OF(steps); s++) {
		struct kvm_ioeventfd io = { .flags = s->flags,
					    .addr = s->addr,
					    .len = s->len,
					    .fd = fds[s->fd],
					    .datamatch = s->datamatch };
		int err = apply(vm, &io);

		if (err != s->expected)
			print_error("step %zu\n", (size_t)(s - steps));
		assert_int_equal(err, s->expected);
	}
	close_fds(fds);
}

static void every_errno_is_as_written_here(void **state)
{
	struct vm vm = { .bus = make_bus() };

	(void)state;
	run_steps(&vm);
	bw_bus_free(vm.bus);
}

static void every_errno_written_here_is_the_kernels(void **state)
{
	struct vm vm = { 0 };

	(void)state;
	open_kernel(&vm);
	run_steps(&vm);
	close(vm.vm_fd);
}

/* ---- the random program ---- */

#define OPERATIONS 2000u

static struct kvm_ioeventfd choose_request(uint64_t *random, const int fds[NR_FD_KINDS])
{
	static const uint32_t lens[] = { 0, 1, 2, 4, 8, 4, 4, 3 };
	static const uint32_t rare[] = { FAST, UNKNOWN, CCW };
	struct kvm_ioeventfd io = {
		.flags = random_below(random, 8), /* DATAMATCH, PIO, DEASSIGN */
		.addr = 0x1000 + random_below(random, 3),
		.len = lens[random_below(random, COUNT_OF(lens))],
		.fd = fds[random_below(random, PIPE)],
		.datamatch = random_below(random, 2),
	};

	if (!random_below(random, 8))
		io.flags |= rare[random_below(random, COUNT_OF(rare))];
	if (!random_below(random, 16))
		io.fd = fds[random_below(random, NR_FD_KINDS)];
	if (!random_below(random, 16))
		io.addr = UINT64_MAX - random_below(random, 4);
	return io;
}

static void a_bus_and_the_kernel_answer_the_same(void **state)
{
	struct vm kernel = { 0 }, vm = { 0 };
	unsigned int seen[4096] = { 0 };
	uint64_t random = 7;
	int fds[NR_FD_KINDS];

	(void)state;
	open_kernel(&kernel);
	vm.bus = make_bus();
	open_fds(fds);
	for (unsigned int i = 0; i < OPERATIONS; i++) {
		struct kvm_ioeventfd io = choose_request(&random, fds);
		int expected = apply(&kernel, &io);

		assert_int_equal(apply(&vm, &io), expected);
		seen[-expected]++;
	}
	assert_true(seen[0] > 100 && seen[EEXIST] && seen[ENOENT] && seen[EINVAL] && seen[EBADF]);
	close_fds(fds);
	bw_bus_free(vm.bus);
	close(kernel.vm_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_errno_is_as_written_here),
		cmocka_unit_test(every_errno_written_here_is_the_kernels),
		cmocka_unit_test(a_bus_and_the_kernel_answer_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
