/* SPDX-License-Identifier: MIT
 *
 * The hash table of keys: open addressing with a seeded hash and bounded displacement. See table.h.
 *
 * Readers and the one writer (the bus's control lock is held) meet in a slot's until. A reader
 * loads it first, and looks no further if its own generation is not before it. The writer fills a
 * free slot in the order since, key, until, the last with release: a reader that finds until set
 * anew finds since too, which is beyond its generation, and does not look at the key. A slot is
 * freed after the grace period of the generation that removed it: a reader that may look at the key
 * is gone, and one that comes later stops at until, be it the old one or 0.
 *
 * Tags and reaches are hints, right for each reader that needs them: they are set before the
 * generation that needs them is published, and taken back after the grace period of the last one.
 * Another reader may find either value; at worst it looks at a slot for nothing.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define MIN_SLOTS 16u
#define CACHE_LINE ((size_t)64)
#define HUGE_PAGE ((size_t)2 << 20)

/* Half of the slots in use: one key in thirty finds its group full. */
static bool too_full(size_t keys, size_t slots)
{
	return keys > slots / 2;
}

static size_t table_bytes(size_t slots)
{
	return sizeof(struct table) + slots * sizeof(struct slot) +
	       slots / GROUP * (sizeof(uint64_t) + sizeof(uint32_t));
}

/* A large one asks for huge pages: one TLB miss less a lookup, where there are any. */
static void *table_alloc(size_t bytes)
{
	void *memory;

	if (posix_memalign(&memory, bytes < HUGE_PAGE ? CACHE_LINE : HUGE_PAGE, bytes))
		return NULL;
	if (bytes >= HUGE_PAGE)
		madvise(memory, bytes, MADV_HUGEPAGE);
	return memset(memory, 0, bytes);
}

struct table *table_new(size_t keys)
{
	size_t slots = MIN_SLOTS;
	struct table *t;

	while (too_full(keys, slots))
		slots *= 2;
	t = table_alloc(table_bytes(slots));
	if (!t)
		return NULL;
	t->mask = slots - 1;
	t->tags = (uint64_t *)(t->slots + slots);
	t->reaches = (uint32_t *)(t->tags + slots / GROUP);
	/* A guest chooses where its BARs lie: without the seed it could choose them to collide. */
	if (getrandom(t->seed, sizeof(t->seed), GRND_NONBLOCK) != sizeof(t->seed))
		t->seed[0] = t->seed[1] = (uintptr_t)t ^ 0xff51afd7ed558ccdu;
	return t;
}

void table_free(struct table *t)
{
	free(t);
}

bool table_fits(const struct table *t, size_t keys)
{
	return !too_full(keys, t->mask + 1);
}

void table_fetch(const struct table *t, const struct key *key)
{
	__builtin_prefetch(&t->slots[home_of(t, key_hash(t, key))], 1);
}

static void set_tag(struct table *t, size_t at, uint16_t tag)
{
	uint64_t *tags = &t->tags[at / GROUP];
	unsigned int shift = at % GROUP * TAG_BITS;

	__atomic_store_n(tags, (*tags & ~((uint64_t)UINT16_MAX << shift)) | (uint64_t)tag << shift,
			 __ATOMIC_RELAXED);
}

static void set_reach(struct table *t, size_t home, size_t reach)
{
	__atomic_store_n(&t->reaches[home], (uint32_t)reach, __ATOMIC_RELAXED);
}

/* The first of a group is the one at home: neighbours in memory should not be the rule. */
static struct slot *free_slot(struct table *t, size_t home, size_t groups_on)
{
	size_t first = (home + groups_on * GROUP) & t->mask;

	for (size_t i = first; i < first + GROUP; i++) {
		struct slot *s = &t->slots[first / GROUP * GROUP + i % GROUP];

		if (!s->until)
			return s;
	}
	return NULL;
}

struct slot *table_insert(struct table *t, const struct key *key, uint64_t since,
			  struct bw_ioeventfd *owner, struct bw_notifier *notifier, bool force)
{
	uint64_t hashed = key_hash(t, key);
	size_t home = home_of(t, hashed);
	size_t limit = force ? t->mask / GROUP : MAX_REACH;

	for (size_t i = 0; i <= limit && i <= t->mask / GROUP; i++) {
		struct slot *s = free_slot(t, home, i);

		if (!s)
			continue;
		__atomic_store_n(&s->since, since, __ATOMIC_RELAXED);
		s->addr = key->addr;
		s->value = key->value;
		s->shape = (uint16_t)key->shape;
		s->captured = 0;
		s->notifier = notifier;
		s->owner = owner;
		s->elided = 0;
		set_tag(t, (size_t)(s - t->slots), tag_of(hashed));
		if (t->reaches[home / GROUP] < i)
			set_reach(t, home / GROUP, i);
		/* pairs with the acquire in match.c */
		__atomic_store_n(&s->until, GENERATION_NEVER, __ATOMIC_RELEASE);
		t->in_use++;
		return s;
	}
	return NULL;
}

uint64_t slot_key_value(const struct slot *s)
{
	return shape_has_value(s->shape) ? s->value : 0;
}

static size_t home_group(const struct table *t, const struct slot *s)
{
	struct key key = { s->addr, slot_key_value(s), s->shape };

	return home_of(t, key_hash(t, &key)) / GROUP;
}

static bool is_home_of_any(const struct table *t, size_t home, size_t group)
{
	for (size_t i = group * GROUP; i < (group + 1) * GROUP; i++)
		if (t->slots[i].until && home_group(t, &t->slots[i]) == home)
			return true;
	return false;
}

/* Without this lookups get slower with every change, as reach would only ever grow. */
static void shorten_reach(struct table *t, size_t home)
{
	size_t reach = t->reaches[home];

	while (reach && !is_home_of_any(t, home, (home + reach) & t->mask / GROUP))
		reach--;
	set_reach(t, home, reach);
}

void table_remove(struct table *t, struct slot *slot)
{
	size_t at = (size_t)(slot - t->slots), home = home_group(t, slot);

	__atomic_store_n(&slot->until, 0, __ATOMIC_RELAXED);
	set_tag(t, at, 0);
	t->in_use--;
	if (((at / GROUP - home) & t->mask / GROUP) == t->reaches[home])
		shorten_reach(t, home);
}
