/* SPDX-License-Identifier: MIT
 *
 * The hash table of keys: slots in groups of four.
 *
 * Every slot says from which generation of the view it can be seen and until which: a writer may
 * prepare any number of changes while readers go on in the generation they started with.
 *
 * A ring writes to its slot. So that threads which ring different doorbells do not pass lines of
 * cache to and fro, a lookup reads no slot but the one it is after: what it needs to pass the
 * others by, 15 bits of their hash, is in an array of its own, which only changes of the bus write.
 */
#ifndef BELLWIRE_TABLE_H
#define BELLWIRE_TABLE_H

#include "mix.h"
#include "spaces.h"

#include <stddef.h>

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
 * [since, until); how readers can trust it without a lock is argued in table.c. */
struct slot {
	uint64_t until; /* GENERATION_NEVER: not to be removed; 0: the slot is free */
	uint64_t since;
	uint64_t addr;
	uint64_t value; /* of the key; where its shape has none, what the last ring wrote */
	uint16_t shape;
	uint16_t captured; /* by owner->captures[captured - 1]; 0: its values are not kept */
	struct bw_notifier *notifier;
	struct bw_ioeventfd *owner;
	uint64_t elided; /* rings that made no system call */
};
_Static_assert(sizeof(struct slot) == 64, "a slot is one line of cache");

#define GROUP 4u /* slots, whose tags are compared at once */
#define TAG_BITS (64 / GROUP)

#define MAX_REACH 31u /* groups: what a lookup may cost */

struct table {
	size_t mask;   /* slots - 1 */
	size_t in_use; /* slots that are not free */
	uint64_t seed[2];
	/* of each group, behind the slots */
	uint64_t *tags;    /* 16 bits for each slot, the first the lowest; 0: the slot is free */
	uint32_t *reaches; /* how many groups on, round the end, keys whose home it is may lie */
	_Alignas(64) struct slot slots[];
};

static inline bool shape_has_value(uint32_t shape)
{
	return shape & 1;
}

/* Two multipliers that nobody can know: whatever changes by a step, addresses or values, is spread.
 * The last multiply is for the upper bits, where homes and tags are taken from. */
static inline uint64_t key_hash(const struct table *t, const struct key *key)
{
	uint64_t other = key->value ^ key->shape * 0x9e3779b97f4a7c15u;

	return mix(key->addr ^ t->seed[0], other ^ t->seed[1]) * 0xd6e8feb86659fd93u;
}

static inline size_t home_of(const struct table *t, uint64_t hash)
{
	return hash >> 32 & t->mask;
}

/* From other bits than the home. Never 0, which a free slot has. */
static inline uint16_t tag_of(uint64_t hash)
{
	return (uint16_t)(hash >> 16 | 1u << (TAG_BITS - 1));
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
