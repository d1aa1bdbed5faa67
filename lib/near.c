/* SPDX-License-Identifier: MIT
 *
 * Counting near misses. See near.h.
 *
 * Readers walk a chain of the hash of addresses inside their RCU section; what is unlinked is freed
 * a grace period later.
 */
#include "near.h"
#include "chains.h"
#include "probe.h"
#include "rcu.h"

#include <stdlib.h>

#define MAX_STEPS                                                                                  \
	64u /* along a chain: the hash is seeded, so that is a matter of bad luck only             \
	     */

struct near {
	struct chain_link link; /* by address */
	unsigned int space;
	unsigned int members, leaving;
	uint64_t missed[NR_LEN_CODES]; /* by the width of the write */
};

static struct near *find(const struct chains *c, unsigned int space, uint64_t addr)
{
	struct chain_link *link = chain_first(c, addr);

	for (unsigned int i = 0; link && i < MAX_STEPS; i++) {
		struct near *near = (struct near *)link;

		if (link->key == addr && near->space == space)
			return near;
		link = chain_next(c, link);
	}
	return NULL;
}

void near_miss(struct bw_bus *bus, const struct view *view, const struct bw_access *a)
{
	const struct chains *chains = chains_in(&bus->near);
	struct near *near = chains ? find(chains, a->space, a->addr) : NULL;
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

static struct near *add(struct bw_bus *bus, unsigned int space, uint64_t addr)
{
	struct near *near = calloc(1, sizeof(*near));

	if (!near)
		return NULL;
	near->link.key = addr;
	near->space = space;
	if (!chains_add(&bus->near, &near->link, bus->table->seed[0]))
		return near;
	free(near);
	return NULL;
}

struct near *near_join(struct bw_ioeventfd *ie, uint64_t addr)
{
	struct bw_bus *bus = ie->bus;
	struct near *near;

	if (!ie->match.has_value)
		return NULL;
	near = bus->near ? find(bus->near, ie->space, addr) : NULL;
	if (!near)
		near = add(bus, ie->space, addr);
	if (near)
		near->members++;
	return near;
}

void near_leaving(struct bw_ioeventfd *ie)
{
	if (ie->near && ++ie->near->leaving == ie->near->members)
		chains_remove(ie->bus->near, &ie->near->link);
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
		chains_remove(ie->bus->near, &near->link);
		rcu_wait();
	}
	forget(near);
}

void near_fini(struct bw_bus *bus)
{
	struct chains *c = bus->near;

	for (size_t i = 0; c && i <= c->mask; i++)
		for (struct chain_link *link = c->first[i], *next; link; link = next) {
			next = link->next[c->turn];
			free(link);
		}
	free(c);
}
