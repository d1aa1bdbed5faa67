/* SPDX-License-Identifier: MIT
 *
 * Keys, and the lookup of a write by them. See match.h.
 */
#include "match.h"
#include "error.h"

#include <errno.h>

#define HYPERV_MAX_CONNECTION_ID 0xffffffu /* KVM_HYPERV_CONN_ID_MASK */

enum { LEN_ANY, LEN_1, LEN_2, LEN_4, LEN_8, LEN_OTHER };
/* Values are put together from bytes: see written_value(). */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(void *) == 8,
	       "libbellwire is for 64-bit little-endian hosts");
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

/* The top bit of each of the tags that is this one, and perhaps of one above it that is not. */
static uint64_t with_tag(uint64_t tags, uint16_t tag)
{
	const uint64_t ones = UINT64_MAX / UINT16_MAX;
	uint64_t differ = tags ^ ones * tag;

	return (differ - ones) & ~differ & ones << (TAG_BITS - 1);
}

/* Without a value in the shape the slot keeps there what others write, see count_ring(). */
static bool has_value(const struct slot *s, const struct key *key)
{
	return !shape_has_value(key->shape) || s->value == key->value;
}

static bool takes(const struct slot *s, uint64_t generation, const struct key *key)
{
	/* pairs with the release in table_insert() */
	if (__atomic_load_n(&s->until, __ATOMIC_ACQUIRE) <= generation ||
	    __atomic_load_n(&s->since, __ATOMIC_RELAXED) > generation)
		return false;
	return s->addr == key->addr && s->shape == key->shape && has_value(s, key);
}

/* Which slot of a group to look at is computed and not branched to: a processor that guessed would
 * read the slot it guessed, and take that line of cache from the thread that counts in it. */
static inline struct slot *look(struct table *t, uint64_t generation, const struct key *key,
				uint64_t hash, size_t group)
{
	uint64_t tags = __atomic_load_n(&t->tags[group], __ATOMIC_RELAXED);
	uint64_t fits = with_tag(tags, tag_of(hash));

	for (; fits; fits &= fits - 1) {
		struct slot *s =
			&t->slots[group * GROUP + (size_t)__builtin_ctzll(fits) / TAG_BITS];

		if (takes(s, generation, key))
			return s;
	}
	return NULL;
}

/* In the groups behind its home, which was full when it came: one key in thirty. */
static __attribute__((noinline)) struct slot *
look_farther(struct table *t, uint64_t generation, uint64_t addr, uint32_t shape, uint64_t value)
{
	struct key key = { addr, value, shape };
	uint64_t hash = key_hash(t, &key);
	size_t home = home_of(t, hash) / GROUP;
	size_t reach = __atomic_load_n(&t->reaches[home], __ATOMIC_RELAXED);
	struct slot *found = NULL;

	for (size_t i = 1; i <= reach && !found; i++)
		found = look(t, generation, &key, hash, (home + i) & t->mask / GROUP);
	return found;
}

/* The key by its parts: they stay in registers. */
static struct slot *probe(struct table *t, uint64_t generation, uint64_t addr, uint32_t shape,
			  uint64_t value)
{
	struct key key = { addr, value, shape };
	uint64_t hash = key_hash(t, &key);
	size_t home = home_of(t, hash) / GROUP;
	struct slot *found = look(t, generation, &key, hash, home);

	if (found || !__atomic_load_n(&t->reaches[home], __ATOMIC_RELAXED))
		return found;
	return look_farther(t, generation, addr, shape, value);
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
	struct slot *found = NULL;

	if (in_use(shapes, any))
		found = probe(t, generation, access->addr, any, 0);
	if (found || code == LEN_OTHER || code == LEN_ANY)
		return found;
	if (in_use(shapes, sized))
		found = probe(t, generation, access->addr, sized, 0);
	if (!found && in_use(shapes, valued))
		found = probe(t, generation, access->addr, valued, written_value(access));
	return found;
}

unsigned int match_find_other_widths(struct table *t, uint64_t generation, uint64_t shapes,
				     const struct bw_access *access,
				     struct slot *found[MAX_NEAR_WIDTHS])
{
	unsigned int nr = 0;

	for (uint32_t code = LEN_1; code <= LEN_8; code++) {
		uint32_t shape = make_shape(access->space, code, false);

		if (code == len_code(access->len) || !in_use(shapes, shape))
			continue;
		found[nr] = probe(t, generation, access->addr, shape, 0);
		nr += found[nr] != NULL;
	}
	return nr;
}
