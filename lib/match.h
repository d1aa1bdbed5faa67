/* SPDX-License-Identifier: MIT
 *
 * Which ioeventfd takes a write: pure logic, no fd, no lock, no system call.
 *
 * A key is (space, addr, len or any, value or any). What KVM allows beside one another leaves at
 * most one key that fits a write, and it has one of three shapes: any length, that length, that
 * length and that value. So a write is looked up by at most three probes of one hash table, fewer
 * where a shape is not in use. Ranges never enter into it, so nesting cannot hide anything.
 *
 * Every slot says from which generation of the view it can be seen and until which: a writer may
 * prepare any number of changes while readers go on in the generation they started with.
 */
#ifndef BELLWIRE_MATCH_H
#define BELLWIRE_MATCH_H

#include "spaces.h"

#include <stddef.h>
#include <string.h>

struct bw_notifier;
struct bw_ioeventfd;

/* Space, length and whether there is a value, in one number below NR_SHAPES. */
#define NR_SHAPES (NR_SPACES * 16)

struct key {
	uint64_t addr;
	uint64_t value; /* 0 where the shape has none */
	uint32_t shape;
};

#define GENERATION_NEVER UINT64_MAX

/* One line of cache: all that a write needs before it signals. Seen by the generations in
 * [since, until); how readers can trust it without a lock is argued in match.c. */
struct slot {
	uint64_t until; /* GENERATION_NEVER: not to be removed; 0: the slot is free */
	uint64_t since;
	uint64_t addr;
	uint64_t value; /* of the key; where its shape has none, what the last ring wrote */
	uint16_t shape;
	uint16_t captured; /* by owner->captures[captured - 1]; 0: its values are not kept */
	uint32_t reach; /* not of the key here: how far from this slot keys that hash to it may lie
			 */
	struct bw_notifier *notifier;
	struct bw_ioeventfd *owner;
	uint64_t elided; /* rings that made no system call */
};
_Static_assert(sizeof(struct slot) == 64, "a slot is one line of cache");

#define MAX_REACH 127u /* slots from its home to where a key may lie: what a lookup may cost */

struct table {
	size_t mask;   /* slots - 1 */
	size_t in_use; /* slots that are not free */
	uint64_t seed[2];
	_Alignas(64) struct slot slots[];
};

static inline bool shape_has_value(uint32_t shape)
{
	return shape & 1;
}

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

/* A multiply that keeps all 128 bits spreads any change of a key over the whole result. */
static inline uint64_t match_mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
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

/* An empty table with room for at least this many keys. NULL: no memory. */
struct table *table_new(size_t keys);
void table_free(struct table *t);

/* Whether this many keys in all are not too many for the table as it is. */
bool table_fits(const struct table *t, size_t keys);

/* The key's slot is about to be looked for. */
void table_fetch(const struct table *t, const struct key *key);

/* Takes a free slot for the key, to be seen from the given generation on. NULL: none is within the
 * displacement that lookups are held to, the table must grow. force: takes the next free one. */
struct slot *table_insert(struct table *t, const struct key *key, uint64_t since,
			  struct bw_ioeventfd *owner, struct bw_notifier *notifier, bool force);

/* The key's, 0 where the shape has none. */
uint64_t slot_key_value(const struct slot *slot);

/* Frees a slot that no reader can see. */
void table_remove(struct table *t, struct slot *slot);

#endif
