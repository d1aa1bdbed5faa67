/* SPDX-License-Identifier: MIT
 *
 * Which writes ring.
 */
#include "trial.h"

static void port_lengths(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 4; len *= 2) {
		assign(t, port(PORT, len), fd);
		for (uint32_t written = 1; written <= 4; written *= 2)
			if (written == len)
				rings(t, out(PORT, written, 7), fd);
			else
				exits(t, out(PORT, written, 7));
		deassign(t, port(PORT, len), fd);
	}
}

static void mmio_lengths(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 8; len *= 2) {
		assign(t, mmio(BAR, len), fd);
		for (uint32_t written = 1; written <= 8; written *= 2)
			if (written == len)
				rings(t, store(BAR, written, 7), fd);
			else
				exits(t, store(BAR, written, 7));
		deassign(t, mmio(BAR, len), fd);
	}
}

static void any_length(struct trial *t)
{
	uint64_t addr = BAR + 0x20;
	int fd = new_eventfd(t);

	assign(t, port(PORT, 0), fd);
	assign(t, mmio(addr, 0), fd);
	for (uint32_t len = 1; len <= 4; len *= 2)
		rings(t, out(PORT, len, 7), fd);
	for (uint32_t len = 1; len <= 8; len *= 2)
		rings(t, store(addr, len, 7), fd);
	exits(t, out(PORT + 1, 1, 7));
	exits(t, out(PORT - 1, 2, 7));
	exits(t, store(addr + 1, 1, 7));
	exits(t, store(addr - 1, 2, 7));
}

#define WIDE 0xf1f2f3f4f5f6f7f8u

static void value_in_its_length(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 8; len *= 2) {
		uint64_t value = WIDE & (~0ull >> (64 - 8 * len));

		assign(t, mmio_value(BAR, len, value), fd);
		rings(t, store(BAR, len, WIDE), fd);
		exits(t, store(BAR, len, WIDE + 1));
		if (len > 4)
			continue;
		assign(t, port_value(PORT, len, value), fd);
		rings(t, out(PORT, len, WIDE), fd);
		exits(t, out(PORT, len, WIDE + 1));
	}
}

static void every_bit(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, mmio_value(BAR, 8, WIDE), fd);
	for (unsigned int bit = 0; bit < 64; bit++)
		exits(t, store(BAR, 8, WIDE ^ 1ull << bit));
	rings(t, store(BAR, 8, WIDE), fd);
}

static void extreme_values(struct trial *t)
{
	int zero = new_eventfd(t), ones = new_eventfd(t);

	assign(t, mmio_value(BAR, 8, 0), zero);
	assign(t, mmio_value(BAR, 8, UINT64_MAX), ones);
	assign(t, port_value(PORT, 4, 0), zero);
	assign(t, port_value(PORT, 4, UINT32_MAX), ones);
	rings(t, store(BAR, 8, 0), zero);
	rings(t, store(BAR, 8, UINT64_MAX), ones);
	rings(t, out(PORT, 4, 0), zero);
	rings(t, out(PORT, 4, UINT32_MAX), ones);
	exits(t, store(BAR, 8, UINT32_MAX));
	exits(t, out(PORT, 4, UINT16_MAX));
}

static void reads(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 4; len *= 2) {
		assign(t, port(PORT, len), fd);
		exits(t, in(PORT, len));
	}
	for (uint32_t len = 1; len <= 8; len *= 2) {
		assign(t, mmio(BAR, len), fd);
		exits(t, load(BAR, len));
	}
	assign(t, mmio_value(BAR + 16, 4, UINT32_MAX), fd);
	exits(t, load(BAR + 16, 4));
}

static void reads_of_any_length(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 0), fd);
	assign(t, mmio(BAR, 0), fd);
	for (uint32_t len = 1; len <= 4; len *= 2)
		exits(t, in(PORT, len));
	for (uint32_t len = 1; len <= 8; len *= 2) {
		struct guest_access access = load(BAR, len);

		play(t, &access, 1);
		if (!has_shown_fast(t, fd))
			exited_whole(t, &access);
	}
}

static void the_readers_value(struct trial *t)
{
	struct guest_access accesses[] = { in(PORT, 2), load(BAR, 8) };
	int fd = new_eventfd(t);

	assign(t, port(PORT, 2), fd);
	assign(t, mmio(BAR, 8), fd);
	play(t, accesses, COUNT_OF(accesses));
	check(t, accesses[0].result == UINT16_MAX, "the port gave 0x%llx",
	      (unsigned long long)accesses[0].result);
	check(t, accesses[1].result == UINT64_MAX, "MMIO gave 0x%llx",
	      (unsigned long long)accesses[1].result);
	counted(t, fd, 0);
}

static void the_other_space(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(0x600, 0), fd);
	exits(t, store(0x600, 2, 0));
	deassign(t, port(0x600, 0), fd);
	assign(t, mmio(0x600, 0), fd);
	exits(t, out(0x600, 2, 0));
}

/* Every write that touches or neighbours it. */
static void neighbours(struct trial *t)
{
	uint64_t addr = BAR + 0x20;
	int fd = new_eventfd(t);

	assign(t, mmio(addr, 4), fd);
	for (uint64_t at = addr - 8; at <= addr + 8; at++)
		for (uint32_t len = 1; len <= 8; len *= 2)
			if (at != addr || len != 4)
				exits(t, store(at, len, 0));
	rings(t, store(addr, 4, 0), fd);
	addr = PORT + 0x20;
	assign(t, port(addr, 2), fd);
	for (uint64_t at = addr - 4; at <= addr + 4; at++)
		for (uint32_t len = 1; len <= 4; len *= 2)
			if (at != addr || len != 2)
				exits(t, out(at, len, 0));
	rings(t, out(addr, 2, 0), fd);
}

static void unaligned(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint64_t skew = 1; skew < 8; skew++) {
		for (uint32_t len = 2; len <= 8; len *= 2) {
			assign(t, mmio(BAR + skew, len), fd);
			rings(t, store(BAR + skew, len, 0), fd);
			deassign(t, mmio(BAR + skew, len), fd);
		}
		for (uint32_t len = 2; len <= 4; len *= 2) {
			assign(t, port(PORT + skew, len), fd);
			rings(t, out(PORT + skew, len, 0), fd);
			deassign(t, port(PORT + skew, len), fd);
		}
	}
}

static void far_apart(struct trial *t)
{
	static const uint64_t addrs[] = { 0x1000,     0x10001000, 0x20001000,
					  0x80001000, 0xd0001000, 0xf0001000 };
	int fds[COUNT_OF(addrs)];

	for (size_t i = 0; i < COUNT_OF(addrs); i++) {
		fds[i] = new_eventfd(t);
		assign(t, mmio(addrs[i], 4), fds[i]);
	}
	for (size_t i = 0; i < COUNT_OF(addrs); i++) {
		rings(t, store(addrs[i], 4, 0), fds[i]);
		exits(t, store(addrs[i] + 0x1000, 4, 0));
	}
}

static const struct conform_case cases[] = {
	{ .name = "a_port_write_of_exactly_the_length_rings",
	  .says = "1, 2 and 4 bytes against 1, 2 and 4.",
	  .run = port_lengths },
	{ .name = "an_mmio_write_of_exactly_the_length_rings",
	  .says = "1 to 8 bytes against 1 to 8.",
	  .run = mmio_lengths },
	{ .name = "length_0_takes_every_length",
	  .says = "At its own address only, touched is not enough.",
	  .run = any_length },
	{ .name = "a_value_is_compared_in_its_length",
	  .says = "What the register holds above does not matter, one bit within does.",
	  .run = value_in_its_length },
	{ .name = "every_bit_of_a_value_of_8_bytes_is_compared",
	  .says = "Each of 64 flipped bits exits.",
	  .run = every_bit },
	{ .name = "no_value_is_special",
	  .says = "0 and all ones match only themselves.",
	  .run = extreme_values },
	{ .name = "a_read_does_not_ring",
	  .says = "Of any length, and not where a value is asked for.",
	  .run = reads },
	{ .name = "a_read_of_an_any_length_address_does_not_ring",
	  .says = "Length 0 matches any length, but only writes.",
	  .run = reads_of_any_length },
	{ .name = "a_read_gets_userspaces_answer",
	  .says = "Where a doorbell is, too.",
	  .run = the_readers_value },
	{ .name = "a_write_to_the_other_space_does_not_ring",
	  .says = "A port's number in MMIO, and the reverse.",
	  .run = the_other_space },
	{ .name = "a_write_that_only_touches_the_doorbell_exits",
	  .says = "Every address within 8 bytes of it with every length.",
	  .run = neighbours },
	{ .name = "an_unaligned_doorbell_rings",
	  .says = "At every skew with every length.",
	  .run = unaligned },
	{ .name = "doorbells_all_over_the_address_space_ring",
	  .says = "Six of them, from 4 KiB to 3.75 GiB.",
	  .run = far_apart },
};

const struct conform_group group_match = CONFORM_GROUP("match", cases);
