/* SPDX-License-Identifier: MIT
 *
 * Doorbells beside and inside one another, in every order of assigning: no order may matter.
 */
#include "trial.h"

#include <stdio.h>

#define MAX_FAMILY 4u

struct family {
	struct kvm_ioeventfd members[MAX_FAMILY];
	unsigned int nr;
	bool shrinks; /* take the first out again and look at the others */
};

static struct guest_access write_of(const struct kvm_ioeventfd *io)
{
	uint32_t len = io->len ? io->len : 1;

	return io->flags & KVM_IOEVENTFD_FLAG_PIO ? out(io->addr, len, io->datamatch)
						  : store(io->addr, len, io->datamatch);
}

static void all_ring(struct trial *t, const struct family *f, const int *fds, unsigned int but)
{
	for (unsigned int i = 0; i < f->nr; i++)
		if (i != but)
			rings(t, write_of(&f->members[i]), fds[i]);
}

static void about_order(struct trial *t, const unsigned int *order, unsigned int nr)
{
	char text[64];
	int len = 0;

	for (unsigned int i = 0; i < nr; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, " %u", order[i]);
	about(t, "assigned in the order%s", text);
}

static void one_order(struct trial *t, const struct family *f, const int *fds,
		      const unsigned int *order)
{
	about_order(t, order, f->nr);
	for (unsigned int i = 0; i < f->nr; i++)
		assign(t, f->members[order[i]], fds[order[i]]);
	all_ring(t, f, fds, f->nr);
	if (f->shrinks) {
		deassign(t, f->members[order[0]], fds[order[0]]);
		exits(t, write_of(&f->members[order[0]]));
		all_ring(t, f, fds, order[0]);
		assign(t, f->members[order[0]], fds[order[0]]);
	}
	for (unsigned int i = 0; i < f->nr; i++)
		deassign(t, f->members[i], fds[i]);
}

/* Every order of those from position on. */
static void permute(struct trial *t, const struct family *f, const int *fds, unsigned int *order,
		    unsigned int position)
{
	if (position == f->nr)
		one_order(t, f, fds, order);
	for (unsigned int i = position; i < f->nr && !is_over(t); i++) {
		unsigned int chosen = order[i];

		order[i] = order[position];
		order[position] = chosen;
		permute(t, f, fds, order, position + 1);
		order[position] = order[i];
		order[i] = chosen;
	}
}

static void every_order(struct trial *t, const struct family *f)
{
	unsigned int order[MAX_FAMILY];
	int fds[MAX_FAMILY];

	for (unsigned int i = 0; i < f->nr; i++) {
		order[i] = i;
		fds[i] = new_eventfd(t);
	}
	permute(t, f, fds, order, 0);
}

static void neighbours(struct trial *t)
{
	every_order(t, &(struct family){ { port(PORT, 1), port(PORT + 1, 1), port(PORT + 2, 2),
					   port(PORT + 4, 4) },
					 4,
					 true });
	every_order(t, &(struct family){ { mmio(BAR, 8), mmio(BAR + 8, 4), mmio(BAR + 12, 2),
					   mmio(BAR + 14, 1) },
					 4,
					 true });
}

static void same_address(struct trial *t)
{
	every_order(t, &(struct family){ { mmio(BAR, 1), mmio(BAR, 2), mmio(BAR, 4), mmio(BAR, 8) },
					 4,
					 true });
}

static void same_address_and_length(struct trial *t)
{
	every_order(t, &(struct family){ { port_value(PORT, 2, 1), port_value(PORT, 2, 2),
					   port_value(PORT, 2, 3), port(PORT, 4) },
					 4,
					 true });
}

static void nested_ports(struct trial *t)
{
	every_order(t, &(struct family){
			       { port(0x300, 1), port(0x402, 1), port(0x400, 4), port(0x401, 1) },
			       4,
			       false });
}

static void nested_mmio(struct trial *t)
{
	every_order(t, &(struct family){ { mmio(BAR, 8), mmio(BAR + 2, 4), mmio(BAR + 3, 1),
					   mmio(BAR - 0x100, 4) },
					 4,
					 false });
}

static void overlapping(struct trial *t)
{
	every_order(t, &(struct family){ { mmio(BAR, 4), mmio(BAR + 1, 4), mmio(BAR + 2, 4),
					   mmio(BAR + 5, 8) },
					 4,
					 false });
}

static void any_length_inside(struct trial *t)
{
	every_order(t, &(struct family){ { mmio(BAR, 8), mmio(BAR + 4, 0), mmio(BAR + 2, 4),
					   mmio(BAR + 3, 0) },
					 4,
					 false });
}

static void values_inside(struct trial *t)
{
	every_order(t, &(struct family){ { port(PORT, 4), port_value(PORT + 2, 2, 1),
					   port_value(PORT + 2, 2, 2), port(PORT - 0x200, 1) },
					 4,
					 false });
}

static void shrinking(struct trial *t)
{
	every_order(t, &(struct family){
			       { port(0x300, 1), port(0x402, 1), port(0x400, 4), port(0x402, 2) },
			       4,
			       true });
}

/* What was seen first: an unrelated port decides whether another one works. */
static void unrelated_port(struct trial *t)
{
	int unrelated = new_eventfd(t), inner = new_eventfd(t), outer = new_eventfd(t);

	assign(t, port(0x300, 1), unrelated);
	assign(t, port(0x402, 1), inner);
	assign(t, port(0x400, 4), outer);
	rings(t, out(0x400, 4, 1), outer);
	deassign(t, port(0x300, 1), unrelated);
	rings(t, out(0x400, 4, 1), outer);
}

/* Even the order that keeps KVM's array sorted: then it depends on where the search lands, and that
 * on how many others there are. */
static void outside_in(struct trial *t)
{
	int outer = new_eventfd(t), inner = new_eventfd(t), last = new_eventfd(t);

	for (unsigned int others = 0; others < 8; others++) {
		about(t, "%u others", others);
		if (others > 0)
			assign(t, port(0x200 + 0x10 * others, 1), inner);
		assign(t, port(0x500, 4), outer);
		assign(t, port(0x501, 1), inner);
		assign(t, port(0x502, 2), last);
		rings(t, out(0x500, 4, 1), outer);
		rings(t, out(0x501, 1, 1), inner);
		rings(t, out(0x502, 2, 1), last);
		deassign(t, port(0x502, 2), last);
		deassign(t, port(0x501, 1), inner);
		deassign(t, port(0x500, 4), outer);
	}
}

/* All lengths at all offsets of 16 bytes, in some hundred orders. */
static void crowd(struct trial *t)
{
	enum { NR = 4 * 13 };
	struct kvm_ioeventfd members[NR];
	int fds[4];
	uint64_t random = 1;

	for (unsigned int i = 0; i < 4; i++)
		fds[i] = new_eventfd(t);
	for (unsigned int i = 0; i < NR; i++)
		members[i] = mmio(BAR + i / 4, 1u << i % 4);
	for (unsigned int round = 0; round < 20; round++) {
		about(t, "order %u", round);
		for (unsigned int i = NR - 1; i > 0; i--) {
			struct kvm_ioeventfd last = members[i];
			unsigned int k;

			random = random * 6364136223846793005u + 1442695040888963407u;
			k = (unsigned int)(random >> 33) % (i + 1);
			members[i] = members[k];
			members[k] = last;
		}
		for (unsigned int i = 0; i < NR; i++)
			assign(t, members[i], fds[i % 4]);
		for (unsigned int i = 0; i < NR; i++)
			rings(t, write_of(&members[i]), fds[i % 4]);
		for (unsigned int i = 0; i < NR; i++)
			deassign(t, members[i], fds[i % 4]);
	}
}

static const struct conform_case cases[] = {
	{ .name = "neighbours_ring_in_every_order",
	  .says = "Four ports, and four MMIO doorbells, that touch but do not overlap: 24 orders "
		  "each.",
	  .run = neighbours },
	{ .name = "lengths_at_one_address_ring_in_every_order",
	  .says = "1, 2, 4 and 8 bytes: 24 orders.",
	  .run = same_address },
	{ .name = "values_at_one_address_ring_in_every_order",
	  .says = "Three values and another length: 24 orders.",
	  .run = same_address_and_length },
	{ .name = "overlapping_doorbells_ring_in_every_order",
	  .says = "Four, none of which holds another: 24 orders.",
	  .run = overlapping },
	{ .name = "an_unrelated_port_hides_nothing",
	  .says = "Ports 0x300/1, 0x402/1 and 0x400/4: the last one rings, with the first and "
		  "without.",
	  .run = unrelated_port,
	  .defect = &defect_nested },
	{ .name = "nested_ports_ring_in_every_order",
	  .says = "4 bytes with two single ones inside, and one elsewhere: 24 orders.",
	  .run = nested_ports,
	  .defect = &defect_nested },
	{ .name = "nested_mmio_rings_in_every_order",
	  .says = "8 bytes that hold 4 that hold 1, and one elsewhere: 24 orders.",
	  .run = nested_mmio,
	  .defect = &defect_nested },
	{ .name = "any_length_inside_rings_in_every_order",
	  .says = "Length 0 at two addresses inside 8 and 4 bytes: 24 orders.",
	  .run = any_length_inside,
	  .defect = &defect_nested },
	{ .name = "values_inside_ring_in_every_order",
	  .says = "Two values inside 4 bytes: 24 orders.",
	  .run = values_inside,
	  .defect = &defect_nested },
	{ .name = "nested_ports_ring_after_one_is_gone",
	  .says = "24 orders, and in each the first one is taken out and put back.",
	  .run = shrinking,
	  .defect = &defect_nested },
	{ .name = "nested_ports_ring_when_assigned_from_the_outside_in",
	  .says = "4 bytes, then 1 and 2 inside, with up to seven others elsewhere.",
	  .run = outside_in,
	  .defect = &defect_nested },
	{ .name = "a_crowd_of_nested_doorbells_rings",
	  .says = "Every length at 13 addresses in a row, in 20 random orders.",
	  .run = crowd,
	  .defect = &defect_nested },
};

const struct conform_group group_nesting = CONFORM_GROUP("nesting", cases);
