/* SPDX-License-Identifier: MIT
 *
 * Whoever sees a ring sees what the guest stored before it.
 */
#include "trial.h"

#define RINGS 30000u
#define SEQUENCE 0x90000u /* in GUEST_SCRATCH */

/* The guest stores 1, 2, 3, ... and rings after each. */
static void sequence(struct trial *t, struct guest_access access, int fd)
{
	volatile uint64_t *stored = scratch(t, SEQUENCE, sizeof(*stored));
	uint64_t rung = 0;

	start_ringing(t, 0, access, RINGS, GUEST_SCRATCH + SEQUENCE);
	while (rung < RINGS && !is_over(t)) {
		bool last = !is_ringing(t, 0);
		uint64_t seen;

		rung += take(t, fd);
		seen = *stored;
		check(t, seen >= rung, "%llu rings were seen, but only store %llu",
		      (unsigned long long)rung, (unsigned long long)seen);
		check(t, !last || rung == RINGS, "only %llu rings came", (unsigned long long)rung);
	}
	finish_ringing(t, 0);
}

static void of_a_port(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 4), fd);
	sequence(t, out(PORT, 4, 0), fd);
}

static void of_mmio(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, mmio(BAR, 8), fd);
	sequence(t, store(BAR, 8, 0), fd);
}

static void of_any_length(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, mmio(BAR, 0), fd);
	sequence(t, store(BAR, 4, 0), fd);
}

static void look_at_count(void *opaque, const struct seen *seen)
{
	struct trial *t = opaque;

	check(t, take(t, t->eventfds[0]) == seen->value, "at the exit the eventfd had not %llu",
	      (unsigned long long)seen->value);
}

/* The value of the write that exits is how many rings were before it. */
static void before_an_exit(struct trial *t)
{
	struct guest_access accesses[] = { out(PORT, 1, 0),     out(PORT + 1, 1, 1),
					   out(PORT, 1, 0),     store(BAR, 4, 0),
					   out(PORT, 1, 0),     out(PORT + 1, 1, 3),
					   out(PORT + 1, 1, 0), store(BAR, 4, 0),
					   store(BAR + 8, 8, 1) };
	int fd = new_eventfd(t);

	if (is_over(t))
		return;
	t->s->opaque = t;
	t->s->on_exit = look_at_count;
	assign(t, port(PORT, 1), fd);
	assign(t, mmio(BAR, 4), fd);
	play(t, accesses, COUNT_OF(accesses));
	check(t, is_over(t) || subject_nr_seen(t->s) == 4, "there were not 4 exits");
	counted(t, fd, 0);
}

static const struct conform_case cases[] = {
	{ .name = "a_port_rings_after_what_was_stored_before",
	  .says = "30,000 numbered stores with a ring after each: who has seen ring n sees store "
		  "n.",
	  .run = of_a_port },
	{ .name = "mmio_rings_after_what_was_stored_before",
	  .says = "The same with a store of 8 bytes.",
	  .run = of_mmio },
	{ .name = "any_length_rings_after_what_was_stored_before",
	  .says = "The same with length 0.",
	  .run = of_any_length },
	{ .name = "a_ring_is_there_when_a_later_access_exits",
	  .says = "Userspace finds the count of all the rings that came before.",
	  .run = before_an_exit },
};

const struct conform_group group_order = CONFORM_GROUP("order", cases);
