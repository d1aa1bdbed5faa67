/* SPDX-License-Identifier: MIT
 *
 * What an assign takes, what it refuses, and what it looks at first.
 */
#define _GNU_SOURCE
#include "trial.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const uint32_t lens[] = { 0, 1, 2, 4, 8 };

static void every_length(struct trial *t)
{
	int fd = new_eventfd(t);

	for (size_t i = 0; i < COUNT_OF(lens); i++) {
		assign(t, port(PORT + 16 * i, lens[i]), fd);
		assign(t, mmio(BAR + 16 * i, lens[i]), fd);
	}
}

static void other_lengths(struct trial *t)
{
	static const uint32_t large[] = { 128, 256, 0x10001, 0x80000000, UINT32_MAX };
	int fd = new_eventfd(t);

	for (uint32_t len = 3; len <= 64; len++) {
		if (len == 4 || len == 8)
			continue;
		assign_gives(t, port(PORT, len), fd, EINVAL);
		assign_gives(t, mmio(BAR, len), fd, EINVAL);
	}
	for (size_t i = 0; i < COUNT_OF(large); i++) {
		assign_gives(t, port(PORT, large[i]), fd, EINVAL);
		assign_gives(t, mmio(BAR, large[i]), fd, EINVAL);
	}
}

static void wrapping_range(struct trial *t)
{
	int fd = new_eventfd(t);

	for (size_t i = 1; i < COUNT_OF(lens); i++)
		for (uint64_t before = 1; before <= lens[i]; before++) {
			assign_gives(t, port(-before, lens[i]), fd, EINVAL);
			assign_gives(t, mmio(-before, lens[i]), fd, EINVAL);
		}
}

static void just_below_the_wrap(struct trial *t)
{
	int fd = new_eventfd(t);

	for (size_t i = 0; i < COUNT_OF(lens); i++) {
		uint64_t addr = UINT64_MAX - lens[i];

		assign(t, port(addr, lens[i]), fd);
		assign(t, mmio(addr, lens[i]), fd);
		deassign(t, port(addr, lens[i]), fd);
		deassign(t, mmio(addr, lens[i]), fd);
	}
}

static void unknown_flags(struct trial *t)
{
	int fd = new_eventfd(t);

	for (unsigned int bit = 5; bit < 32; bit++) {
		struct kvm_ioeventfd io = port(PORT, 1);

		io.flags |= 1u << bit;
		assign_gives(t, io, fd, EINVAL);
	}
}

static void flag_bit_4(struct trial *t)
{
	struct kvm_ioeventfd ports = port(PORT, 2), memory = mmio(BAR, 0);
	int fd = new_eventfd(t);

	ports.flags |= 1u << 4;
	memory.flags |= 1u << 4;
	assign(t, ports, fd);
	assign(t, memory, fd);
	rings(t, out(PORT, 2, 1), fd);
	rings(t, store(BAR, 4, 1), fd);
	deassign(t, port(PORT, 2), fd);
	deassign(t, mmio(BAR, 0), fd);
}

static void any_length_with_a_value(struct trial *t)
{
	int fd = new_eventfd(t);

	assign_gives(t, port_value(PORT, 0, 1), fd, EINVAL);
	assign_gives(t, mmio_value(BAR, 0, 0), fd, EINVAL);
}

/* One that is not open, whatever the process has. */
static int closed_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void closed_fds(struct trial *t)
{
	int bad[] = { -1, INT_MAX, INT_MIN, closed_fd() };

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assign_gives(t, port(PORT, 1), bad[i], EBADF);
		assign_gives(t, mmio(BAR, 0), bad[i], EBADF);
	}
}

static void no_eventfds(struct trial *t)
{
	int fds[] = { open("/dev/null", O_RDWR | O_CLOEXEC), open("/", O_RDONLY | O_CLOEXEC),
		      epoll_create1(EPOLL_CLOEXEC), timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
		      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	int ends[2] = { -1, -1 };

	check(t, pipe2(ends, O_CLOEXEC) == 0, "no pipe: %s", strerror(errno));
	assign_gives(t, port(PORT, 1), ends[0], EINVAL);
	assign_gives(t, port(PORT, 1), ends[1], EINVAL);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		about(t, "fd %zu of the list", i);
		check(t, fds[i] >= 0, "could not be made");
		assign_gives(t, mmio(BAR, 4), fds[i], EINVAL);
		close(fds[i]);
	}
	close(ends[0]);
	close(ends[1]);
}

static void arguments_before_the_fd(struct trial *t)
{
	struct kvm_ioeventfd flagged = port(PORT, 1);
	int bad = closed_fd();

	flagged.flags |= 1u << 5;
	assign_gives(t, port(PORT, 3), bad, EINVAL);
	assign_gives(t, mmio(UINT64_MAX, 1), bad, EINVAL);
	assign_gives(t, flagged, bad, EINVAL);
	assign_gives(t, port_value(PORT, 0, 1), bad, EINVAL);
}

static void arguments_before_a_collision(struct trial *t)
{
	struct kvm_ioeventfd flagged = port(PORT, 1);
	int fd = new_eventfd(t);

	flagged.flags |= 1u << 5;
	assign(t, port(PORT, 0), fd);
	assign_gives(t, port(PORT, 3), fd, EINVAL);
	assign_gives(t, flagged, fd, EINVAL);
	assign_gives(t, port_value(PORT, 0, 1), fd, EINVAL);
	assign_gives(t, port(PORT, 1), fd, EEXIST);
}

static void the_fd_before_a_collision(struct trial *t)
{
	int fd = new_eventfd(t), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assign(t, port(PORT, 1), fd);
	assign_gives(t, port(PORT, 1), closed_fd(), EBADF);
	assign_gives(t, port(PORT, 1), null, EINVAL);
	close(null);
}

static void refused_assigns(struct trial *t)
{
	int fd = new_eventfd(t), other = new_eventfd(t);

	assign(t, port(PORT, 2), fd);
	assign_gives(t, port(PORT, 2), other, EEXIST);
	assign_gives(t, port(PORT, 0), other, EEXIST);
	assign_gives(t, port_value(PORT, 2, 7), other, EEXIST);
	assign_gives(t, port(PORT + 4, 3), other, EINVAL);
	assign_gives(t, port(PORT + 4, 2), -1, EBADF);
	rings(t, out(PORT, 2, 7), fd);
	exits(t, out(PORT, 1, 7));
	exits(t, out(PORT + 4, 2, 7));
	deassign(t, port(PORT, 2), fd);
	exits(t, out(PORT, 2, 7));
}

static void padding(struct trial *t)
{
	struct kvm_ioeventfd io = port(PORT, 1);
	int fd = new_eventfd(t);

	memset(io.pad, 0xff, sizeof(io.pad));
	assign(t, io, fd);
	rings(t, out(PORT, 1, 0), fd);
	deassign(t, io, fd);
}

static void a_value_without_its_flag(struct trial *t)
{
	struct kvm_ioeventfd io = port(PORT, 1);
	int fd = new_eventfd(t);

	io.datamatch = 5;
	assign(t, io, fd);
	rings(t, out(PORT, 1, 4), fd);
	io.datamatch = 6;
	deassign(t, io, fd);
}

static void ports_beyond_the_last(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(0x10000 + PORT, 1), fd);
	assign(t, port(0x10000, 1), fd);
	assign(t, port(0x100000000 + PORT, 1), fd);
	assign(t, port(0xffff, 2), fd);
	exits(t, out(PORT, 1, 0));
	exits(t, out(0xffff, 1, 0));
	deassign(t, port(0x10000 + PORT, 1), fd);
}

static void ports_of_8_bytes(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 8), fd);
	for (uint32_t len = 1; len <= 4; len *= 2)
		exits(t, out(PORT, len, 0));
	assign(t, port_value(PORT + 8, 8, 1), fd);
	exits(t, out(PORT + 8, 4, 1));
}

static void unaligned(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint64_t skew = 1; skew < 8; skew++)
		for (size_t i = 0; i < COUNT_OF(lens); i++) {
			assign(t, port(0x1000 + 64 * skew + 8 * i + skew, lens[i]), fd);
			assign(t, mmio(BAR + 64 * skew + 8 * i + skew, lens[i]), fd);
		}
}

static void values_too_wide(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port_value(PORT, 1, 0x105), fd);
	assign(t, mmio_value(BAR, 2, 0x10005), fd);
	assign(t, mmio_value(BAR, 4, 0x8000000000000005), fd);
	exits(t, out(PORT, 1, 0x105));
	exits(t, store(BAR, 2, 0x10005));
	exits(t, store(BAR, 4, 0x8000000000000005));
}

static void virtio_ccw(struct trial *t)
{
	struct kvm_ioeventfd ccw = mmio(BAR, 4), both = port(PORT, 1);
	int fd = new_eventfd(t), other = new_eventfd(t);

	ccw.flags |= KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY;
	both.flags |= KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY;
	assign(t, ccw, fd);
	exits(t, store(BAR, 4, 0));
	assign(t, mmio(BAR, 4), other);
	rings(t, store(BAR, 4, 0), other);
	deassign(t, ccw, fd);
	rings(t, store(BAR, 4, 0), other);
	assign(t, both, fd);
	rings(t, out(PORT, 1, 0), fd);
}

#define MANY 1200u /* KVM allows 1000 devices on a bus, but ioeventfds are not counted */

static void more_than_1000(struct trial *t)
{
	int first = new_eventfd(t), fd = new_eventfd(t), last = new_eventfd(t);

	assign(t, mmio(BAR, 4), first);
	for (uint64_t i = 1; i < MANY; i++)
		assign(t, mmio(BAR + 4 * i, 4), fd);
	assign(t, mmio(BAR + 4 * MANY, 4), last);
	rings(t, store(BAR, 4, 0), first);
	rings(t, store(BAR + 4 * (MANY / 2), 4, 0), fd);
	rings(t, store(BAR + 4 * MANY, 4, 0), last);
}

static const struct conform_case cases[] = {
	{ .name = "every_length_is_assigned",
	  .says = "Lengths 0, 1, 2, 4 and 8 are fine, for ports and for MMIO.",
	  .run = every_length },
	{ .name = "assign_of_any_other_length_is_EINVAL",
	  .says = "No other length is: 3, 5, 16, 2^32-1.",
	  .run = other_lengths },
	{ .name = "assign_of_a_wrapping_range_is_EINVAL",
	  .says = "The sum of address and length must not wrap; address 2^64-1 with length 1 does.",
	  .run = wrapping_range },
	{ .name = "assign_just_below_the_wrap_is_fine",
	  .says = "The last address that a length allows is assigned, and length 0 at 2^64-1.",
	  .run = just_below_the_wrap },
	{ .name = "assign_with_an_unknown_flag_is_EINVAL",
	  .says = "Each of the flag bits 5 to 31 is refused.",
	  .run = unknown_flags },
	{ .name = "flag_bit_4_is_accepted_and_ignored",
	  .says = "Bit 4, which KVM has for itself, changes nothing and is no part of the key.",
	  .run = flag_bit_4 },
	{ .name = "assign_of_any_length_with_a_value_is_EINVAL",
	  .says = "A value needs a length.",
	  .run = any_length_with_a_value },
	{ .name = "assign_of_a_closed_fd_is_EBADF",
	  .says = "An fd that is not open is refused.",
	  .run = closed_fds },
	{ .name = "assign_of_what_is_no_eventfd_is_EINVAL",
	  .says = "A pipe, a file, an epoll set, a timer or a socket is no eventfd.",
	  .run = no_eventfds },
	{ .name = "the_arguments_are_checked_before_the_fd",
	  .says = "With wrong arguments and a closed fd the answer is EINVAL, not EBADF.",
	  .run = arguments_before_the_fd },
	{ .name = "the_arguments_are_checked_before_a_collision",
	  .says = "With wrong arguments at a taken address the answer is EINVAL, not EEXIST.",
	  .run = arguments_before_a_collision },
	{ .name = "the_fd_is_checked_before_a_collision",
	  .says = "With a bad fd at a taken address the answer is EBADF or EINVAL, not EEXIST.",
	  .run = the_fd_before_a_collision },
	{ .name = "a_refused_assign_changes_nothing",
	  .says = "After refusals for every reason, what rang rings and what exited exits.",
	  .run = refused_assigns },
	{ .name = "padding_is_ignored",
	  .says = "What is in the pad of struct kvm_ioeventfd does not matter.",
	  .run = padding },
	{ .name = "a_value_without_its_flag_is_ignored",
	  .says = "Without DATAMATCH the datamatch field neither matches nor is part of the key.",
	  .run = a_value_without_its_flag },
	{ .name = "a_port_above_0xffff_is_accepted_and_never_rings",
	  .says = "Such an address is not cut down to 16 bits.",
	  .run = ports_beyond_the_last },
	{ .name = "a_port_of_length_8_is_accepted_and_never_rings",
	  .says = "No instruction writes 8 bytes to it.",
	  .run = ports_of_8_bytes },
	{ .name = "an_unaligned_address_is_accepted",
	  .says = "Every address is, with every length.",
	  .run = unaligned },
	{ .name = "a_value_wider_than_the_length_never_rings",
	  .says = "It is accepted, and not cut down to the length.",
	  .run = values_too_wide },
	{ .name = "virtio_ccw_is_a_space_of_its_own",
	  .says = "With VIRTIO_CCW_NOTIFY an ioeventfd neither collides with MMIO nor is rung by "
		  "it; with "
		  "PIO too it is a port.",
	  .run = virtio_ccw },
	{ .name = "more_than_1000_ioeventfds_fit",
	  .says = "1,201 on one bus: ioeventfds are not counted.",
	  .run = more_than_1000 },
};

const struct conform_group group_assign = CONFORM_GROUP("assign", cases);
