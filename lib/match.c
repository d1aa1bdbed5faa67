/* SPDX-License-Identifier: MIT
 *
 * The match table: open addressing with a seeded hash and bounded displacement. See match.h.
 *
 * Readers and the one writer (the bus's control lock is held) meet in a slot's until. A reader
 * loads it first, and looks no further if its own generation is not before it. The writer fills a
 * free slot in the order since, key, until, the last with release: a reader that finds until set
 * anew finds since too, which is beyond its generation, and does not look at the key. A slot is
 * freed after the grace period of the generation that removed it: a reader that may look at the key
 * is gone, and one that comes later stops at until, be it the old one or 0.
 */
#include "match.h"
#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define MIN_SLOTS 16u
#define HUGE_PAGE ((size_t)2 << 20)
#define HYPERV_MAX_CONNECTION_ID 0xffffffu /* KVM_HYPERV_CONN_ID_MASK */

enum { LEN_ANY, LEN_1, LEN_2, LEN_4, LEN_8, LEN_OTHER };
_Static_assert(LEN_OTHER + 1 == NR_LEN_CODES, "all codes are counted");

static const uint8_t len_codes[9] = { LEN_ANY,   LEN_1,     LEN_2,     LEN_OTHER, LEN_4,
				      LEN_OTHER, LEN_OTHER, LEN_OTHER, LEN_8 };

static uint32_t len_code(uint32_t len)
{
	return len < sizeof(len_codes) ? len_codes[len] : LEN_OTHER;
}

uint32_t match_len_code(uint32_t len)
{
	return len_code(len);
}

static uint32_t make_shape(unsigned int space, uint32_t code, bool has_value)
{
	return space * 16 + code * 2 + has_value;
}

int match_check(unsigned int space, uint64_t addr, const struct bw_match *match)
{
	uint64_t end;

	if (space >= NR_SPACES)
		return fail(-EINVAL, "there is no space %u", space);
	if (len_code(match->len) == LEN_OTHER)
		return fail(-EINVAL, "length %u is none of 0, 1, 2, 4 and 8", match->len);
	if (__builtin_add_overflow(addr, match->len, &end))
		return fail(-EINVAL, "address 0x%llx + length %u wraps", (unsigned long long)addr,
			    match->len);
	if (match->len == BW_ANY_LEN && match->has_value)
		return fail(-EINVAL, "a value needs a length: this one has any");
	if (space != BW_HYPERCALL)
		return 0;
	if (match->len != BW_ANY_LEN)
		return fail(-EINVAL, "a hypercall has no length: it must be BW_ANY_LEN");
	if (addr > HYPERV_MAX_CONNECTION_ID)
		return fail(-EINVAL, "connection id 0x%llx is above 0x%x", (unsigned long long)addr,
			    HYPERV_MAX_CONNECTION_ID);
	return 0;
}

bool match_collides(const struct bw_match *a, const struct bw_match *b)
{
	if (a->len == BW_ANY_LEN || b->len == BW_ANY_LEN)
		return true;
	if (a->len != b->len)
		return false;
	return !a->has_value || !b->has_value || a->value == b->value;
}

struct key match_key(unsigned int space, uint64_t addr, const struct bw_match *match)
{
	return (struct key){
		.addr = addr,
		.value = match->has_value ? match->value : 0,
		.shape = make_shape(space, len_code(match->len), match->has_value),
	};
}

static size_t home_of(const struct table *t, const struct key *key)
{
	uint64_t spread = match_mix(key->addr ^ t->seed[0], 0x9e3779b97f4a7c15u ^ key->shape);

	/* values come in sequence: the last multiply keeps their homes from doing so too */
	return (match_mix(spread ^ key->value, t->seed[1]) * 0xd6e8feb86659fd93u >> 32) & t->mask;
}

/* Without a value in the shape the slot keeps there what others write, see count_ring(). */
static bool has_value(const struct slot *s, const struct key *key)
{
	return !shape_has_value(key->shape) || s->value == key->value;
}

static struct slot *probe(struct table *t, uint64_t generation, const struct key *key)
{
	size_t home = home_of(t, key);
	uint32_t reach = __atomic_load_n(&t->slots[home].reach, __ATOMIC_RELAXED);

	for (size_t i = home; i <= home + reach; i++) {
		struct slot *s = &t->slots[i & t->mask];

		/* pairs with the release in table_insert() */
		if (__atomic_load_n(&s->until, __ATOMIC_ACQUIRE) <= generation ||
		    __atomic_load_n(&s->since, __ATOMIC_RELAXED) > generation)
			continue;
		if (s->addr == key->addr && s->shape == key->shape && has_value(s, key))
			return s;
	}
	return NULL;
}

static bool in_use(uint64_t shapes, uint32_t shape)
{
	return shapes >> shape & 1;
}

struct slot *match_find(struct table *t, uint64_t generation, uint64_t shapes,
			const struct bw_access *access)
{
	uint32_t code = len_code(access->len);
	uint32_t any = make_shape(access->space, LEN_ANY, false);
	uint32_t sized = make_shape(access->space, code, false);
	uint32_t valued = make_shape(access->space, code, true);
	struct key key = { .addr = access->addr, .shape = any };
	struct slot *found = in_use(shapes, any) ? probe(t, generation, &key) : NULL;

	if (found || code == LEN_OTHER || code == LEN_ANY)
		return found;
	if (in_use(shapes, sized)) {
		key.shape = sized;
		found = probe(t, generation, &key);
	}
	if (!found && in_use(shapes, valued)) {
		key.shape = valued;
		key.value = written_value(access);
		found = probe(t, generation, &key);
	}
	return found;
}

unsigned int match_find_other_widths(struct table *t, uint64_t generation, uint64_t shapes,
				     const struct bw_access *access,
				     struct slot *found[MAX_NEAR_WIDTHS])
{
	struct key key = { .addr = access->addr };
	unsigned int nr = 0;

	for (uint32_t code = LEN_1; code <= LEN_8; code++) {
		key.shape = make_shape(access->space, code, false);
		if (code == len_code(access->len) || !in_use(shapes, key.shape))
			continue;
		found[nr] = probe(t, generation, &key);
		nr += found[nr] != NULL;
	}
	return nr;
}

/* A quarter of the slots in use, in a small table an eighth: a key that is not at home costs a
 * mispredicted branch, as much as all else, and those assigned last pay it. */
static bool too_full(size_t keys, size_t slots)
{
	return keys > slots / (slots * sizeof(struct slot) > HUGE_PAGE ? 4 : 8);
}

struct table *table_new(size_t keys)
{
	size_t slots = MIN_SLOTS, bytes;
	struct table *t;

	while (too_full(keys, slots))
		slots *= 2;
	bytes = sizeof(*t) + slots * sizeof(struct slot);
	if (bytes < HUGE_PAGE) {
		t = aligned_alloc(64, bytes);
	} else {
		bytes = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
		t = aligned_alloc(HUGE_PAGE, bytes);
	}
	if (!t)
		return NULL;
	if (bytes >= HUGE_PAGE)
		madvise(t, bytes,
			MADV_HUGEPAGE); /* one TLB miss less a lookup, where there are any */
	t->mask = slots - 1;
	t->in_use = 0;
	/* A guest chooses where its BARs lie: without the seed it could choose them to collide. */
	if (getrandom(t->seed, sizeof(t->seed), GRND_NONBLOCK) != sizeof(t->seed))
		t->seed[0] = t->seed[1] = (uintptr_t)t ^ 0xff51afd7ed558ccdu;
	t->seed[1] |= 1;
	memset(t->slots, 0, slots * sizeof(struct slot));
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
	__builtin_prefetch(&t->slots[home_of(t, key)], 1);
}

struct slot *table_insert(struct table *t, const struct key *key, uint64_t since,
			  struct bw_ioeventfd *owner, struct bw_notifier *notifier, bool force)
{
	size_t home = home_of(t, key);
	size_t limit = force ? t->mask : MAX_REACH;

	for (size_t i = 0; i <= limit && i <= t->mask; i++) {
		struct slot *s = &t->slots[(home + i) & t->mask];

		if (s->until)
			continue;
		__atomic_store_n(&s->since, since, __ATOMIC_RELAXED);
		s->addr = key->addr;
		s->value = key->value;
		s->shape = (uint16_t)key->shape;
		s->captured = 0;
		s->notifier = notifier;
		s->owner = owner;
		s->elided = 0;
		if (t->slots[home].reach < i)
			__atomic_store_n(&t->slots[home].reach, (uint32_t)i, __ATOMIC_RELAXED);
		/* pairs with the acquire in probe() */
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

static size_t home_of_slot(const struct table *t, const struct slot *s)
{
	return home_of(t, &(struct key){ s->addr, slot_key_value(s), s->shape });
}

/* Without this lookups get slower with every change, as reach would only ever grow. */
static void shorten_reach(struct table *t, size_t home)
{
	uint32_t reach = t->slots[home].reach;

	for (; reach; reach--) {
		const struct slot *s = &t->slots[(home + reach) & t->mask];

		if (s->until && home_of_slot(t, s) == home)
			break;
	}
	__atomic_store_n(&t->slots[home].reach, reach, __ATOMIC_RELAXED);
}

void table_remove(struct table *t, struct slot *slot)
{
	size_t home = home_of_slot(t, slot);

	__atomic_store_n(&slot->until, 0, __ATOMIC_RELAXED);
	t->in_use--;
	if ((((size_t)(slot - t->slots) - home) & t->mask) == t->slots[home].reach)
		shorten_reach(t, home);
}
