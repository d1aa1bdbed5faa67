/* SPDX-License-Identifier: MIT
 *
 * Counting near misses. See near.h.
 *
 * Readers walk a chain of the hash of addresses inside their RCU section; what is unlinked is freed
 * a grace period later. Each struct near has two links that take turns when the hash grows, so
 * that a walk through the old one never strays into the new one.
 */
#include "near.h"
#include "probe.h"
#include "rcu.h"

#include <stdlib.h>

#define FIRST_CHAINS 64u
#define MAX_STEPS                                                                                  \
	64u /* along a chain: the hash is seeded, so that is a matter of bad luck only             \
	     */

struct near {
	struct near *next[2];
	uint64_t addr;
	unsigned int space;
	unsigned int members, leaving;
	uint64_t missed[NR_LEN_CODES]; /* by the width of the write */
};

struct near_map {
	size_t mask;        /* chains - 1 */
	unsigned int links; /* which of the two: 0 or 1 */
	uint64_t seed;
	struct near *chains[];
};

static struct near **chain_of(struct near_map *map, unsigned int space, uint64_t addr)
{
	return &map->chains[match_mix(addr ^ map->seed, 0x9e3779b97f4a7c15u + space) & map->mask];
}

static struct near *find(struct near_map *map, unsigned int space, uint64_t addr)
{
	/* pairs with the releases in link_in() and unlink() */
	struct near *near = __atomic_load_n(chain_of(map, space, addr), __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; near && i < MAX_STEPS; i++) {
		if (near->addr == addr && near->space == space)
			return near;
		near = __atomic_load_n(&near->next[map->links], __ATOMIC_ACQUIRE);
	}
	return NULL;
}

void near_miss(struct bw_bus *bus, const struct view *view, const struct bw_access *a)
{
	/* pairs with the release in use_map() */
	struct near_map *map = __atomic_load_n(&bus->near, __ATOMIC_ACQUIRE);
	struct near *near = map ? find(map, a->space, a->addr) : NULL;
	struct slot *found[MAX_NEAR_WIDTHS];
	unsigned int nr =
		match_find_other_widths(view->table, view->generation, view->shapes, a, found);

	for (unsigned int i = 0; i < nr; i++)
		__atomic_add_fetch(&found[i]->owner->near_width, 1, __ATOMIC_RELAXED);
	if (near)
		__atomic_add_fetch(&near->missed[match_len_code(a->len)], 1, __ATOMIC_RELAXED);
	if (near || nr)
		PROBE_NEAR_MISS(bus, a->space, a->addr, a->len, a->data);
}

/* ---- the control side ---- */

static void link_in(struct near_map *map, struct near *near)
{
	struct near **chain = chain_of(map, near->space, near->addr);

	near->next[map->links] = *chain;
	/* pairs with the load in find() */
	__atomic_store_n(chain, near, __ATOMIC_RELEASE);
}

static void unlink_from(struct near_map *map, const struct near *near)
{
	struct near **at = chain_of(map, near->space, near->addr);

	while (*at != near)
		at = &(*at)->next[map->links];
	__atomic_store_n(at, near->next[map->links], __ATOMIC_RELEASE);
}

static struct near_map *new_map(const struct bw_bus *bus, size_t chains)
{
	struct near_map *map = calloc(1, sizeof(*map) + chains * sizeof(struct near *));

	if (!map)
		return NULL;
	map->mask = chains - 1;
	map->seed = bus->table->seed[0];
	return map;
}

static void use_map(struct bw_bus *bus, struct near_map *map)
{
	struct near_map *old = bus->near;

	/* pairs with the load in near_miss() */
	__atomic_store_n(&bus->near, map, __ATOMIC_RELEASE);
	if (!old)
		return;
	rcu_wait();
	free(old);
}

static void grow(struct bw_bus *bus)
{
	struct near_map *old = bus->near, *map = new_map(bus, 2 * (old->mask + 1));

	if (!map)
		return; /* longer chains will do */
	map->links = !old->links;
	for (size_t i = 0; i <= old->mask; i++)
		for (struct near *near = old->chains[i]; near; near = near->next[old->links])
			link_in(map, near);
	use_map(bus, map);
}

static struct near *add(struct bw_bus *bus, unsigned int space, uint64_t addr)
{
	struct near *near = calloc(1, sizeof(*near));

	if (!near)
		return NULL;
	near->space = space;
	near->addr = addr;
	if (bus->nr_near++ > bus->near->mask)
		grow(bus);
	link_in(bus->near, near);
	return near;
}

struct near *near_join(struct bw_ioeventfd *ie, uint64_t addr)
{
	struct bw_bus *bus = ie->bus;
	struct near *near;

	if (!ie->match.has_value)
		return NULL;
	if (!bus->near) {
		struct near_map *map = new_map(bus, FIRST_CHAINS);

		if (!map)
			return NULL;
		use_map(bus, map);
	}
	near = find(bus->near, ie->space, addr);
	if (!near)
		near = add(bus, ie->space, addr);
	if (near)
		near->members++;
	return near;
}

static void unlink_near(struct bw_bus *bus, struct near *near)
{
	unlink_from(bus->near, near);
	bus->nr_near--;
}

void near_leaving(struct bw_ioeventfd *ie)
{
	if (ie->near && ++ie->near->leaving == ie->near->members)
		unlink_near(ie->bus, ie->near);
}

static void forget(struct near *near)
{
	if (!--near->members)
		free(near);
}

static uint64_t missed(const struct near *near, uint32_t code)
{
	return __atomic_load_n(&near->missed[code], __ATOMIC_RELAXED);
}

static uint64_t all_but(const struct near *near, uint32_t code)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < NR_LEN_CODES; i++)
		sum += i == code ? 0 : missed(near, i);
	return sum;
}

uint64_t near_width_misses(const struct bw_ioeventfd *ie)
{
	uint64_t own = __atomic_load_n(&ie->near_width, __ATOMIC_RELAXED);

	return ie->near ? own + all_but(ie->near, match_len_code(ie->match.len)) : own;
}

uint64_t near_value_misses(const struct bw_ioeventfd *ie)
{
	return ie->near ? ie->near_value + missed(ie->near, match_len_code(ie->match.len))
			: ie->near_value;
}

/* What ie keeps is modulo 2^64: what it found on coming is taken off here, and is in what it adds
 * on leaving. Nobody else counts there, for it has a value. */
void near_settle(struct bw_ioeventfd *ie)
{
	uint32_t code = match_len_code(ie->match.len);
	struct near *left = ie->near;

	if (!left && !ie->next_near)
		return;
	ie->near_width = near_width_misses(ie);
	ie->near_value = near_value_misses(ie);
	ie->near = ie->next_near;
	ie->next_near = NULL;
	if (ie->near) {
		ie->near_width -= all_but(ie->near, code);
		ie->near_value -= missed(ie->near, code);
	}
	if (!left)
		return;
	left->leaving--;
	forget(left);
}

void near_unjoin(struct bw_ioeventfd *ie)
{
	struct near *near = ie->next_near;

	ie->next_near = NULL;
	if (!near)
		return;
	if (near->members == 1) {
		unlink_near(ie->bus, near);
		rcu_wait();
	}
	forget(near);
}

void near_fini(struct bw_bus *bus)
{
	struct near_map *map = bus->near;

	for (size_t i = 0; map && i <= map->mask; i++)
		for (struct near *near = map->chains[i], *next; near; near = next) {
			next = near->next[map->links];
			free(near);
		}
	free(map);
}
