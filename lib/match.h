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
	uint64_t value;
	uint32_t shape;
	uint32_t reach; /* not of the key here: how far from this slot keys that hash to it may lie
			 */
	struct bw_notifier *notifier;
	struct bw_ioeventfd *owner;
	uint64_t reserved;
};
_Static_assert(sizeof(struct slot) == 64, "a slot is one line of cache");

#define MAX_REACH 127u /* slots from its home to where a key may lie: what a lookup may cost */

struct table {
	size_t mask;   /* slots - 1 */
	size_t in_use; /* slots that are not free */
	uint64_t seed[2];
	_Alignas(64) struct slot slots[];
};

/* -EINVAL and a sentence for what KVM refuses, in KVM's order. */
int match_check(unsigned int space, uint64_t addr, const struct bw_match *match);

/* Both at one address of one space: would KVM answer -EEXIST? */
bool match_collides(const struct bw_match *a, const struct bw_match *b);

struct key match_key(unsigned int space, uint64_t addr, const struct bw_match *match);

/* The slot that takes a write in this generation, or NULL. shapes: a bit for each shape in use. */
struct slot *match_find(struct table *t, uint64_t generation, uint64_t shapes,
			const struct bw_access *access);

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

/* Frees a slot that no reader can see. */
void table_remove(struct table *t, struct slot *slot);

#endif
