/* SPDX-License-Identifier: MIT
 *
 * Which ioeventfd takes a write: pure logic, no fd, no lock, no system call.
 *
 * A key is (space, addr, len or any, value or any). What KVM allows beside one another leaves at
 * most one key that fits a write, and it has one of three shapes: any length, that length, that
 * length and that value. So a write is looked up by at most three probes of one hash table, fewer
 * where a shape is not in use. Ranges never enter into it, so nesting cannot hide anything.
 */
#ifndef BELLWIRE_MATCH_H
#define BELLWIRE_MATCH_H

#include "table.h"

#include <string.h>

/* What the access writes, its upper bytes 0. */
static inline uint64_t written_value(const struct bw_access *access)
{
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} v = { .u64 = 0 };

	if (!access->data)
		return 0;
	switch (access->len) {
	case 1:
		memcpy(&v, access->data, 1);
		return v.u8;
	case 2:
		memcpy(&v, access->data, 2);
		return v.u16;
	case 4:
		memcpy(&v, access->data, 4);
		return v.u32;
	case 8:
		memcpy(&v, access->data, 8);
		return v.u64;
	}
	for (uint32_t i = access->len; i--;)
		v.u64 = v.u64 << 8 | ((const uint8_t *)access->data)[i];
	return v.u64;
}

/* A small number for each length that keys may have, and one for all others. */
#define NR_LEN_CODES 6u
uint32_t match_len_code(uint32_t len);

/* -EINVAL and a sentence for what KVM refuses, in KVM's order. */
int match_check(unsigned int space, uint64_t addr, const struct bw_match *match);

/* Both at one address of one space: would KVM answer -EEXIST? */
bool match_collides(const struct bw_match *a, const struct bw_match *b);

struct key match_key(unsigned int space, uint64_t addr, const struct bw_match *match);

/* The slot that takes a write in this generation, or NULL. shapes: a bit for each shape in use. */
struct slot *match_find(struct table *t, uint64_t generation, uint64_t shapes,
			const struct bw_access *access);

/* Those that take any value, at the address of a write that nobody took: of another width, all of
 * them. Returns how many. */
#define MAX_NEAR_WIDTHS 4u
unsigned int match_find_other_widths(struct table *t, uint64_t generation, uint64_t shapes,
				     const struct bw_access *access,
				     struct slot *found[MAX_NEAR_WIDTHS]);

/* Whether any ioeventfd of the space could be nearly missed: none is of a length. */
static inline bool has_near(uint64_t shapes, unsigned int space)
{
	return shapes >> space * 16 & 0xfffe;
}

#endif
