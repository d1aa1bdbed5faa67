/* SPDX-License-Identifier: MIT
 *
 * Stores that are more than one write: across a page, across the end of RAM, wider than 8 bytes.
 */
#include "trial.h"

#define NEXT (BAR + 0x1000)
#define VALUE 0xa8a7a6a5a4a3a2a1u
#define RAM_END ((uint64_t)GUEST_RAM_BASE + GUEST_RAM_MIN)

static void second_piece(struct trial *t)
{
	struct seen first = seen_store(NEXT - 4, 4, VALUE);
	int fd = new_eventfd(t);

	assign(t, mmio(NEXT, 4), fd);
	does(t, store(NEXT - 4, 8, VALUE), fd, 1, &first, 1);
}

static void first_piece(struct trial *t)
{
	struct seen second = seen_store(NEXT, 4, VALUE >> 32);
	int fd = new_eventfd(t);

	assign(t, mmio(NEXT - 4, 4), fd);
	does(t, store(NEXT - 4, 8, VALUE), fd, 1, &second, 1);
}

static void both_pieces(struct trial *t)
{
	int first = new_eventfd(t), second = new_eventfd(t);
	struct guest_access access = store(NEXT - 4, 8, VALUE);

	assign(t, mmio(NEXT - 4, 4), first);
	assign(t, mmio(NEXT, 4), second);
	play(t, &access, 1);
	check(t, take(t, first) == 1, "the first piece did not ring once");
	check(t, take(t, second) == 1, "the second piece did not ring once");
	exited(t, NULL, 0);
}

static void the_whole(struct trial *t)
{
	const struct seen pieces[] = { seen_store(NEXT - 4, 4, VALUE),
				       seen_store(NEXT, 4, VALUE >> 32) };
	int fd = new_eventfd(t);

	assign(t, mmio(NEXT - 4, 8), fd);
	does(t, store(NEXT - 4, 8, VALUE), -1, 0, pieces, COUNT_OF(pieces));
}

static void odd_pieces(struct trial *t)
{
	const struct seen pieces[] = { seen_store(NEXT - 3, 3, VALUE),
				       seen_store(NEXT, 5, VALUE >> 24) };
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 8; len *= 2) {
		assign(t, mmio(NEXT - 3, len), fd);
		assign(t, mmio(NEXT, len), fd);
	}
	does(t, store(NEXT - 3, 8, VALUE), -1, 0, pieces, COUNT_OF(pieces));
}

static void odd_pieces_of_any_length(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, mmio(NEXT - 3, 0), fd);
	assign(t, mmio(NEXT, 0), fd);
	for (uint32_t len = 4; len <= 8; len *= 2) {
		struct guest_access access = store(NEXT - 3, len, VALUE);

		play(t, &access, 1);
		if (has_shown_fast(t, fd))
			continue;
		counted(t, fd, 2);
		exited(t, NULL, 0);
	}
}

static void values_of_pieces(struct trial *t)
{
	struct seen first = seen_store(NEXT - 2, 2, VALUE);
	int fd = new_eventfd(t);

	assign(t, mmio_value(NEXT - 2, 2, (uint16_t)~VALUE), fd);
	assign(t, mmio_value(NEXT, 2, (uint16_t)(VALUE >> 16)), fd);
	does(t, store(NEXT - 2, 4, VALUE), fd, 1, &first, 1);
}

static void sixteen_bytes(struct trial *t)
{
	struct seen second = seen_store(BAR + 8, 8, VALUE);
	int fd = new_eventfd(t);

	assign(t, mmio(BAR, 8), fd);
	does(t, store(BAR, 16, VALUE), fd, 1, &second, 1);
	assign(t, mmio_value(BAR + 8, 8, VALUE), fd);
	does(t, store(BAR, 16, VALUE), fd, 2, NULL, 0);
}

static void second_half_of_sixteen(struct trial *t)
{
	const struct seen halves[] = { seen_store(BAR, 8, VALUE), seen_store(BAR + 8, 8, VALUE) };
	struct guest_access access = store(BAR, 16, VALUE);
	int fd = new_eventfd(t);

	assign(t, mmio(BAR + 8, 8), fd);
	play(t, &access, 1);
	if (has_shown(t, &defect_piece, halves, COUNT_OF(halves)))
		return;
	counted(t, fd, 1);
	exited(t, halves, 1);
}

static void end_of_ram(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, mmio(RAM_END, 4), fd);
	does(t, store(RAM_END - 4, 8, VALUE), fd, 1, NULL, 0);
	assign(t, mmio(GUEST_RAM_BASE - 4, 4), fd);
	does(t, store(GUEST_RAM_BASE - 4, 8, VALUE), fd, 1, NULL, 0);
}

static const struct conform_case cases[] = {
	{ .name = "the_second_piece_of_a_store_across_a_page_rings",
	  .says = "The first one exits, alone.",
	  .run = second_piece },
	{ .name = "the_first_piece_of_a_store_across_a_page_rings",
	  .says = "The second one exits, alone.",
	  .run = first_piece },
	{ .name = "both_pieces_of_a_store_across_a_page_ring",
	  .says = "Two doorbells, and no exit.",
	  .run = both_pieces },
	{ .name = "a_store_across_a_page_does_not_ring_as_a_whole",
	  .says = "8 bytes at its first address are not what is written.",
	  .run = the_whole },
	{ .name = "a_piece_of_3_bytes_matches_no_length",
	  .says = "Nor does one of 5: doorbells of 1, 2, 4 and 8 bytes are silent.",
	  .run = odd_pieces },
	{ .name = "a_piece_of_3_bytes_matches_any_length",
	  .says = "Each piece rings by itself.",
	  .run = odd_pieces_of_any_length },
	{ .name = "a_piece_is_compared_by_its_own_value",
	  .says = "Not by that of the whole store.",
	  .run = values_of_pieces },
	{ .name = "a_store_of_16_bytes_is_two_of_8",
	  .says = "Each of which is compared with a doorbell.",
	  .run = sixteen_bytes },
	{ .name = "the_second_half_of_16_bytes_rings_when_the_first_exits",
	  .says = "Every half is compared, whatever became of the one before.",
	  .run = second_half_of_sixteen,
	  .defect = &defect_piece },
	{ .name = "a_store_across_the_edge_of_ram_rings_outside",
	  .says = "Of the part in RAM nobody hears; the other is a write.",
	  .run = end_of_ram },
};

const struct conform_group group_split = CONFORM_GROUP("split", cases);
