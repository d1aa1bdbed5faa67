/* SPDX-License-Identifier: MIT
 *
 * What a deassign needs, and what it leaves.
 */
#include "trial.h"

#include <unistd.h>
#include <fcntl.h>

static void stops_the_ring(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 2), fd);
	assign(t, mmio(BAR, 0), fd);
	rings(t, out(PORT, 2, 0), fd);
	rings(t, store(BAR, 8, 0), fd);
	deassign(t, port(PORT, 2), fd);
	deassign(t, mmio(BAR, 0), fd);
	exits(t, out(PORT, 2, 0));
	exits(t, store(BAR, 8, 0));
}

static void same_address(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 2), fd);
	deassign_gives(t, port(PORT + 1, 2), fd, ENOENT);
	deassign_gives(t, port(PORT - 1, 2), fd, ENOENT);
	deassign_gives(t, port(PORT + 0x10000, 2), fd, ENOENT);
	rings(t, out(PORT, 2, 0), fd);
	deassign(t, port(PORT, 2), fd);
}

static void same_length(struct trial *t)
{
	static const uint32_t lens[] = { 0, 1, 2, 4, 8 };
	int fd = new_eventfd(t);

	for (size_t i = 0; i < COUNT_OF(lens); i++) {
		assign(t, mmio(BAR, lens[i]), fd);
		for (size_t k = 0; k < COUNT_OF(lens); k++)
			if (k != i)
				deassign_gives(t, mmio(BAR, lens[k]), fd, ENOENT);
		rings(t, store(BAR, lens[i] ? lens[i] : 4, 0), fd);
		deassign(t, mmio(BAR, lens[i]), fd);
	}
}

static void same_value(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port_value(PORT, 2, 5), fd);
	deassign_gives(t, port_value(PORT, 2, 6), fd, ENOENT);
	deassign_gives(t, port_value(PORT, 2, 0x10005), fd, ENOENT);
	deassign_gives(t, port(PORT, 2), fd, ENOENT);
	rings(t, out(PORT, 2, 5), fd);
	deassign(t, port_value(PORT, 2, 5), fd);
	assign(t, port(PORT, 2), fd);
	deassign_gives(t, port_value(PORT, 2, 0), fd, ENOENT);
	rings(t, out(PORT, 2, 0), fd);
	deassign(t, port(PORT, 2), fd);
}

static void same_space(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(0x600, 2), fd);
	deassign_gives(t, mmio(0x600, 2), fd, ENOENT);
	rings(t, out(0x600, 2, 0), fd);
	deassign(t, port(0x600, 2), fd);
	assign(t, mmio(0x600, 2), fd);
	deassign_gives(t, port(0x600, 2), fd, ENOENT);
	rings(t, store(0x600, 2, 0), fd);
}

static void same_eventfd(struct trial *t)
{
	int fd = new_eventfd(t), other = new_eventfd(t);

	assign(t, port(PORT, 2), fd);
	deassign_gives(t, port(PORT, 2), other, ENOENT);
	assign(t, port(PORT + 4, 2), other);
	deassign_gives(t, port(PORT, 2), other, ENOENT);
	rings(t, out(PORT, 2, 0), fd);
	deassign(t, port(PORT, 2), fd);
	rings(t, out(PORT + 4, 2, 0), other);
}

static void takes_a_dup(struct trial *t)
{
	int fd = new_eventfd(t), copy = dup(fd);

	assign(t, port(PORT, 2), fd);
	deassign(t, port(PORT, 2), copy);
	exits(t, out(PORT, 2, 0));
	assign(t, port(PORT, 2), copy);
	rings(t, out(PORT, 2, 0), fd);
	deassign(t, port(PORT, 2), fd);
	close(copy);
}

static void twice(struct trial *t)
{
	int fd = new_eventfd(t);

	deassign_gives(t, port(PORT, 2), fd, ENOENT);
	assign(t, port(PORT, 2), fd);
	deassign(t, port(PORT, 2), fd);
	deassign_gives(t, port(PORT, 2), fd, ENOENT);
}

static void unchecked_arguments(struct trial *t)
{
	struct kvm_ioeventfd flagged = port(PORT, 2);
	int fd = new_eventfd(t);

	assign(t, port(PORT, 2), fd);
	deassign_gives(t, port(PORT, 3), fd, ENOENT);
	deassign_gives(t, mmio(UINT64_MAX, 8), fd, ENOENT);
	deassign_gives(t, port_value(PORT, 0, 1), fd, ENOENT);
	rings(t, out(PORT, 2, 0), fd);
	flagged.flags |= 0xffffffe0u;
	deassign(t, flagged, fd);
	exits(t, out(PORT, 2, 0));
}

static void bad_fds(struct trial *t)
{
	int fd = new_eventfd(t), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assign(t, port(PORT, 2), fd);
	deassign_gives(t, port(PORT, 2), -1, EBADF);
	deassign_gives(t, port(PORT, 2), null, EINVAL);
	deassign_gives(t, port(PORT + 1, 3), -1, EBADF);
	rings(t, out(PORT, 2, 0), fd);
	close(null);
}

static void one_of_several(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint64_t value = 1; value <= 3; value++)
		assign(t, port_value(PORT, 4, value), fd);
	assign(t, port(PORT, 2), fd);
	deassign(t, port_value(PORT, 4, 2), fd);
	rings(t, out(PORT, 4, 1), fd);
	exits(t, out(PORT, 4, 2));
	rings(t, out(PORT, 4, 3), fd);
	rings(t, out(PORT, 2, 2), fd);
}

static void again_and_again(struct trial *t)
{
	int fds[2] = { new_eventfd(t), new_eventfd(t) };

	for (unsigned int i = 0; i < 50; i++) {
		assign(t, mmio(BAR, 4), fds[i % 2]);
		rings(t, store(BAR, 4, i), fds[i % 2]);
		deassign(t, mmio(BAR, 4), fds[i % 2]);
		exits(t, store(BAR, 4, i));
	}
}

static void keeps_the_count(struct trial *t)
{
	struct guest_access twice_rung[2] = { out(PORT, 2, 0), out(PORT, 2, 1) };
	int fd = new_eventfd(t);

	assign(t, port(PORT, 2), fd);
	play(t, twice_rung, COUNT_OF(twice_rung));
	deassign(t, port(PORT, 2), fd);
	counted(t, fd, 2);
}

static void deassign_on_exit(void *opaque, const struct seen *seen)
{
	struct trial *t = opaque;

	if (seen->addr == PORT + 1)
		deassign(t, port(PORT, 1), t->eventfds[0]);
	else if (seen->addr == PORT + 2)
		assign(t, port(PORT, 1), t->eventfds[1]);
}

static void by_the_device_model(struct trial *t)
{
	struct guest_access accesses[] = { out(PORT, 1, 1), out(PORT + 1, 1, 2), out(PORT, 1, 3),
					   out(PORT + 2, 1, 4), out(PORT, 1, 5) };
	struct seen seen[] = { seen_out(PORT + 1, 1, 2), seen_out(PORT, 1, 3),
			       seen_out(PORT + 2, 1, 4) };
	int fd = new_eventfd(t), other = new_eventfd(t);

	if (is_over(t))
		return;
	t->s->opaque = t;
	t->s->on_exit = deassign_on_exit;
	assign(t, port(PORT, 1), fd);
	play(t, accesses, COUNT_OF(accesses));
	exited(t, seen, COUNT_OF(seen));
	check(t, take(t, fd) == 1, "the first did not ring once");
	check(t, take(t, other) == 1, "the second did not ring once");
}

static const struct conform_case cases[] = {
	{ .name = "deassign_stops_the_ring",
	  .says = "The next write reaches userspace.",
	  .run = stops_the_ring },
	{ .name = "deassign_needs_the_same_address",
	  .says = "ENOENT for a neighbour, and for 64 KiB beyond.",
	  .run = same_address },
	{ .name = "deassign_needs_the_same_length",
	  .says = "ENOENT for each other length, 0 too.",
	  .run = same_length },
	{ .name = "deassign_needs_the_same_value",
	  .says = "ENOENT for another value, for none, and the reverse.",
	  .run = same_value },
	{ .name = "deassign_needs_the_same_space",
	  .says = "ENOENT for MMIO where a port is, and the reverse.",
	  .run = same_space },
	{ .name = "deassign_needs_the_same_eventfd",
	  .says = "ENOENT for another, even one that is assigned.",
	  .run = same_eventfd },
	{ .name = "deassign_takes_a_dup",
	  .says = "A duplicate is the same eventfd, in both directions.",
	  .run = takes_a_dup },
	{ .name = "deassign_twice_is_ENOENT",
	  .says = "And so it is before anything was assigned.",
	  .run = twice },
	{ .name = "deassign_checks_neither_length_nor_flags",
	  .says = "A wrong length is ENOENT, not EINVAL; unknown flags do not matter.",
	  .run = unchecked_arguments },
	{ .name = "deassign_checks_the_fd_first",
	  .says = "A closed fd is EBADF, what is no eventfd EINVAL, before ENOENT.",
	  .run = bad_fds },
	{ .name = "deassign_takes_one_of_several",
	  .says = "Beside it, other values and lengths go on ringing.",
	  .run = one_of_several },
	{ .name = "assign_and_deassign_again_and_again",
	  .says = "50 times, on two eventfds by turns: each takes effect at once.",
	  .run = again_and_again },
	{ .name = "deassign_keeps_the_count",
	  .says = "What has rung before stays in the eventfd.",
	  .run = keeps_the_count },
	{ .name = "the_device_model_assigns_and_deassigns_in_an_exit",
	  .says = "While it serves an access, and the guest's next access sees it.",
	  .run = by_the_device_model },
};

const struct conform_group group_deassign = CONFORM_GROUP("deassign", cases);
