/* SPDX-License-Identifier: MIT
 *
 * Which ioeventfds may be beside one another, and that each then takes its own.
 */
#include "trial.h"

struct shape {
	uint32_t len;
	bool has_value;
	uint64_t value;
};

#define FAR (1ull << 63 | 1) /* from 1, by the one bit at the other end */

static const struct shape shapes[] = {
	{ 0, false, 0 }, { 1, false, 0 },  { 1, true, 1 },   { 1, true, 2 },   { 1, true, FAR },
	{ 2, false, 0 }, { 2, true, 1 },   { 2, true, 2 },   { 2, true, FAR }, { 4, false, 0 },
	{ 4, true, 1 },  { 4, true, 2 },   { 4, true, FAR }, { 8, false, 0 },  { 8, true, 1 },
	{ 8, true, 2 },  { 8, true, FAR },
};

/* The rule, as the kernel's ioeventfd_check_collision() has it. */
static bool collide(const struct shape *a, const struct shape *b)
{
	if (!a->len || !b->len)
		return true;
	return a->len == b->len && (!a->has_value || !b->has_value || a->value == b->value);
}

static struct kvm_ioeventfd at(struct kvm_ioeventfd io, const struct shape *shape)
{
	io.len = shape->len;
	io.datamatch = shape->value;
	if (shape->has_value)
		io.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
	return io;
}

static void matrix(struct trial *t, struct kvm_ioeventfd io)
{
	int fd = new_eventfd(t), other = new_eventfd(t);

	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		assign(t, at(io, &shapes[i]), fd);
		for (size_t k = 0; k < COUNT_OF(shapes); k++) {
			bool collides = collide(&shapes[i], &shapes[k]);

			about(t, "shape %zu beside shape %zu", k, i);
			assign_gives(t, at(io, &shapes[k]), other, collides ? EEXIST : 0);
			if (!collides)
				deassign(t, at(io, &shapes[k]), other);
		}
		deassign(t, at(io, &shapes[i]), fd);
	}
}

static void matrix_of_ports(struct trial *t)
{
	matrix(t, port(PORT, 0));
}

static void matrix_of_mmio(struct trial *t)
{
	matrix(t, mmio(BAR, 0));
}

static void the_eventfd(struct trial *t)
{
	int fd = new_eventfd(t), other = new_eventfd(t);

	assign(t, port_value(PORT, 2, 1), fd);
	assign_gives(t, port_value(PORT, 2, 1), other, EEXIST);
	assign_gives(t, port_value(PORT, 2, 1), fd, EEXIST);
	rings(t, out(PORT, 2, 1), fd);
}

static void the_space(struct trial *t)
{
	int ports = new_eventfd(t), memory = new_eventfd(t);

	assign(t, port(0x600, 2), ports);
	assign(t, mmio(0x600, 2), memory);
	rings(t, out(0x600, 2, 1), ports);
	rings(t, store(0x600, 2, 1), memory);
	deassign(t, port(0x600, 2), ports);
	exits(t, out(0x600, 2, 1));
	rings(t, store(0x600, 2, 1), memory);
}

static void lengths_apart(struct trial *t)
{
	int fds[4];

	for (unsigned int i = 0; i < 4; i++) {
		fds[i] = new_eventfd(t);
		assign(t, mmio(BAR, 1u << i), fds[i]);
	}
	for (unsigned int i = 0; i < 3; i++)
		assign(t, port(PORT, 1u << i), fds[i]);
	for (unsigned int i = 0; i < 4; i++)
		rings(t, store(BAR, 1u << i, 0), fds[i]);
	for (unsigned int i = 0; i < 3; i++)
		rings(t, out(PORT, 1u << i, 0), fds[i]);
}

static void values_apart(struct trial *t)
{
	enum { VALUES = 24 };
	int fds[VALUES];

	for (unsigned int i = 0; i < VALUES; i++) {
		fds[i] = new_eventfd(t);
		assign(t, port_value(PORT, 2, i * 3), fds[i]);
	}
	for (unsigned int i = 0; i < VALUES; i++)
		rings(t, out(PORT, 2, i * 3), fds[i]);
	exits(t, out(PORT, 2, 1));
	exits(t, out(PORT, 2, VALUES * 3));
}

static void a_value_beside_other_lengths(struct trial *t)
{
	int value = new_eventfd(t), shorter = new_eventfd(t), longer = new_eventfd(t);

	assign(t, mmio_value(BAR, 4, 9), value);
	assign(t, mmio(BAR, 2), shorter);
	assign(t, mmio(BAR, 8), longer);
	rings(t, store(BAR, 4, 9), value);
	rings(t, store(BAR, 2, 9), shorter);
	rings(t, store(BAR, 8, 9), longer);
	exits(t, store(BAR, 4, 8));
	exits(t, store(BAR, 1, 9));
}

static void overlapping_neighbours(struct trial *t)
{
	static const uint32_t lens[] = { 1, 2, 4, 8 };
	int fd = new_eventfd(t), other = new_eventfd(t);

	assign(t, mmio(BAR + 8, 8), fd);
	for (uint64_t addr = BAR + 1; addr < BAR + 16; addr++)
		for (size_t i = 0; i < COUNT_OF(lens) && addr != BAR + 8; i++)
			assign(t, mmio(addr, lens[i]), other);
	assign_gives(t, mmio(BAR + 8, 8), other, EEXIST);
	deassign(t, mmio(BAR + 8, 8), fd);
}

static void room_again(struct trial *t)
{
	int fd = new_eventfd(t), other = new_eventfd(t);

	assign(t, port(PORT, 0), fd);
	assign_gives(t, port(PORT, 4), other, EEXIST);
	deassign(t, port(PORT, 0), fd);
	assign(t, port(PORT, 4), other);
	rings(t, out(PORT, 4, 0), other);
	exits(t, out(PORT, 2, 0));
}

static const struct conform_case cases[] = {
	{ .name = "the_collision_matrix_of_ports",
	  .says = "17 shapes in pairs: EEXIST if either has length 0, or the lengths are equal and "
		  "either "
		  "has no value or the values are equal.",
	  .run = matrix_of_ports },
	{ .name = "the_collision_matrix_of_mmio",
	  .says = "The same for MMIO.",
	  .run = matrix_of_mmio },
	{ .name = "the_eventfd_is_no_part_of_the_key",
	  .says = "The same address, length and value collide, on another eventfd and on the same "
		  "one.",
	  .run = the_eventfd },
	{ .name = "ports_and_mmio_do_not_collide",
	  .says = "One number in both spaces: two ioeventfds.",
	  .run = the_space },
	{ .name = "lengths_beside_one_another_each_take_their_own",
	  .says = "1, 2, 4 and 8 bytes at one address ring four eventfds.",
	  .run = lengths_apart },
	{ .name = "values_beside_one_another_each_take_their_own",
	  .says = "24 values at one port ring 24 eventfds, and other values exit.",
	  .run = values_apart },
	{ .name = "a_value_beside_other_lengths_takes_its_own",
	  .says = "A value of 4 bytes between any 2 and any 8 bytes.",
	  .run = a_value_beside_other_lengths },
	{ .name = "overlapping_neighbours_do_not_collide",
	  .says = "Around 8 bytes every address but theirs takes every length.",
	  .run = overlapping_neighbours },
	{ .name = "deassign_makes_room",
	  .says = "What collided before is assigned afterwards.",
	  .run = room_again },
};

const struct conform_group group_collision = CONFORM_GROUP("collision", cases);
