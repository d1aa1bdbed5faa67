/* SPDX-License-Identifier: MIT
 *
 * The table of keys: bounded displacement, growth, and what each generation sees of random
 * transactions, against lists.
 */
#include "world.h"
#include "../lib/match.h"

#include <stdlib.h>

#define ALL_SHAPES UINT64_MAX

/* Who owns a slot is not looked at here. */
static struct slot *enter(struct table *t, const struct key *key, uint64_t since, bool force)
{
	return table_insert(t, key, since, NULL, NULL, force);
}

static struct slot *enter_nth(struct table *t, uint64_t n, bool force)
{
	struct bw_match match = of_len(4);
	struct key key = match_key(BW_MMIO, n * 4096, &match);

	return enter(t, &key, 1, force);
}

static struct slot *find_nth(struct table *t, uint64_t n)
{
	uint64_t value = 0;
	struct bw_access access = { BW_MMIO, true, 4, n * 4096, 0, &value, NULL };

	return match_find(t, 1, ALL_SHAPES, &access);
}

static uint32_t greatest_reach(const struct table *t)
{
	uint32_t reach = 0;

	for (size_t i = 0; i <= t->mask / GROUP; i++)
		if (t->reaches[i] > reach)
			reach = t->reaches[i];
	return reach;
}

/* However full it is: what cannot be held near its home is refused, and the rest still found. */
static void a_table_refuses_rather_than_look_far(void **state)
{
	(void)state;
	for (size_t keys = 1; keys <= 10000; keys *= 10) {
		struct table *t = table_new(keys);
		uint64_t n = 0;

		while (enter_nth(t, n, false))
			n++;
		assert_true(n > 0 && n <= t->mask + 1);
		assert_true(greatest_reach(t) <= MAX_REACH);
		for (uint64_t i = 0; i < n; i++)
			assert_non_null(find_nth(t, i));
		table_free(t);
	}
}

static void a_table_can_be_filled_to_the_last_slot_by_force(void **state)
{
	struct table *t = table_new(100);

	(void)state;
	for (uint64_t n = 0; n <= t->mask; n++)
		assert_non_null(enter_nth(t, n, true));
	for (uint64_t n = 0; n <= t->mask; n++)
		assert_non_null(find_nth(t, n));
	assert_null(find_nth(t, t->mask + 1));
	assert_null(enter_nth(t, t->mask + 1, true));
	table_free(t);
}

/* Whatever the seed: with less than a third of its slots in use none should be far from home. */
static void many_values_on_one_address_are_spread(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 400; seed++) {
		struct table *t = table_new(1200);

		for (uint64_t value = 0; value < t->mask / 7 * 2; value++) {
			struct bw_match match = of_value(2, value);
			struct key key = match_key(BW_PIO, 0x300, &match);

			assert_non_null(enter(t, &key, 1, false));
		}
		assert_true(greatest_reach(t) < 8);
		table_free(t);
	}
}

/* What comes and goes leaves nothing behind that later lookups would pay for. */
static void an_empty_table_looks_no_farther_than_a_new_one(void **state)
{
	struct table *t = table_new(1000);
	struct slot *slots[1000];

	(void)state;
	for (uint64_t round = 0; round < 50; round++) {
		for (uint64_t n = 0; n < 1000; n++)
			slots[n] = enter_nth(t, round * 1000 + n, true);
		for (uint64_t n = 0; n < 1000; n++)
			table_remove(t, slots[(n * 7 + round) % 1000]);
	}
	assert_int_equal(greatest_reach(t), 0);
	table_free(t);
}

static void a_shape_that_is_not_in_use_is_not_looked_for(void **state)
{
	struct table *t = table_new(1);
	uint64_t value = 0, bit = UINT64_C(1) << enter_nth(t, 1, false)->shape;
	struct bw_access access = { BW_MMIO, true, 4, 4096, 0, &value, NULL };

	(void)state;
	assert_null(match_find(t, 1, ~bit, &access));
	assert_non_null(match_find(t, 1, bit, &access));
	table_free(t);
}

/* ---- random transactions, against a list for each address ---- */

#define ADDRESSES 2048u
#define PER_ADDRESS 8u
#define OPERATIONS 100000u
#define KINDS 6u

struct entry {
	struct bw_match match;
	uint64_t since, until;
	struct slot *slot;
};

struct model {
	struct table *table;
	uint64_t generation, random;
	struct entry entries[ADDRESSES][PER_ADDRESS]; /* until 0: free */
	size_t live, most;
};

static uint64_t address_of(size_t i)
{
	return 0xfe000000 + i * 2; /* close neighbours, some of them unaligned */
}

static struct bw_match random_match(uint64_t *random)
{
	static const struct bw_match kinds[KINDS] = { { 0, false, 0 }, { 1, false, 0 },
						      { 4, true, 0 },  { 4, true, 1 },
						      { 8, true, 1 },  { 2, false, 0 } };

	return kinds[random_below(random, KINDS)];
}

static bool sees(const struct entry *e, uint64_t generation)
{
	return e->since <= generation && generation < e->until;
}

static struct entry *modelled(struct entry *at, uint64_t generation, uint32_t len, uint64_t value)
{
	for (struct entry *e = at; e < at + PER_ADDRESS; e++)
		if (sees(e, generation) && (!e->match.len || e->match.len == len) &&
		    (!e->match.has_value || e->match.value == value))
			return e;
	return NULL;
}

static void grow(struct model *m)
{
	struct table *bigger = table_new(m->table->mask + 1);

	assert_non_null(bigger);
	for (size_t i = 0; i < ADDRESSES; i++)
		for (struct entry *e = m->entries[i]; e < m->entries[i] + PER_ADDRESS; e++) {
			struct key key = match_key(BW_MMIO, address_of(i), &e->match);

			if (!e->until)
				continue;
			e->slot = enter(bigger, &key, e->since, false);
			assert_non_null(e->slot);
			e->slot->until = e->until;
		}
	table_free(m->table);
	m->table = bigger;
}

static void insert(struct model *m, size_t i, struct bw_match match)
{
	struct entry *at = m->entries[i], *room = NULL;
	struct key key = match_key(BW_MMIO, address_of(i), &match);

	for (struct entry *e = at; e < at + PER_ADDRESS; e++) {
		if (!e->until)
			room = e;
		else if (e->until == GENERATION_NEVER && match_collides(&e->match, &match))
			return;
	}
	if (!room)
		return;
	if (!table_fits(m->table, m->table->in_use + 1))
		grow(m);
	while (!(room->slot = enter(m->table, &key, m->generation + 1, false)))
		grow(m);
	room->match = match;
	room->since = m->generation + 1;
	room->until = GENERATION_NEVER;
	if (++m->live > m->most)
		m->most = m->live;
}

static void remove_one(struct model *m, size_t i)
{
	struct entry *e = &m->entries[i][random_below(&m->random, PER_ADDRESS)];

	if (e->until != GENERATION_NEVER || e->since > m->generation)
		return;
	e->until = e->slot->until = m->generation + 1;
}

static void commit(struct model *m)
{
	m->generation++;
	for (size_t i = 0; i < ADDRESSES; i++)
		for (struct entry *e = m->entries[i]; e < m->entries[i] + PER_ADDRESS; e++) {
			if (!e->until || e->until > m->generation)
				continue;
			table_remove(m->table, e->slot);
			e->until = 0;
			m->live--;
		}
}

/* The generation that readers are in, and the one that is being prepared. */
static void compare(struct model *m, size_t i)
{
	uint32_t len = 1 + random_below(&m->random, 8);
	uint64_t value = random_below(&m->random, 3);
	struct bw_access access = { BW_MMIO, true, len, address_of(i), 0, &value, NULL };

	for (uint64_t g = m->generation; g <= m->generation + 1; g++) {
		struct entry *expected = modelled(m->entries[i], g, len, value);
		struct slot *found = match_find(m->table, g, ALL_SHAPES, &access);

		assert_ptr_equal(found, expected ? expected->slot : NULL);
	}
}

static void every_generation_finds_what_a_list_finds(void **state)
{
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	assert_non_null(m);
	m->table = table_new(0);
	m->random = 1;
	for (unsigned int op = 0; op < OPERATIONS; op++) {
		size_t i = random_below(&m->random, ADDRESSES);

		if (random_below(&m->random, 8) < 5)
			insert(m, i, random_match(&m->random));
		else
			remove_one(m, i);
		compare(m, i);
		compare(m, random_below(&m->random, ADDRESSES));
		if (!random_below(&m->random, 500))
			commit(m);
	}
	assert_true(m->most > 2500);
	assert_int_equal(m->table->in_use, m->live);
	assert_true(greatest_reach(m->table) <= MAX_REACH);
	table_free(m->table);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_refuses_rather_than_look_far),
		cmocka_unit_test(a_table_can_be_filled_to_the_last_slot_by_force),
		cmocka_unit_test(many_values_on_one_address_are_spread),
		cmocka_unit_test(an_empty_table_looks_no_farther_than_a_new_one),
		cmocka_unit_test(a_shape_that_is_not_in_use_is_not_looked_for),
		cmocka_unit_test(every_generation_finds_what_a_list_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
