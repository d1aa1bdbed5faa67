/* SPDX-License-Identifier: MIT
 *
 * Chains that are walked while they grow: as soon as there are more links than chains, all go into
 * twice as many. Each link has two nexts, which take turns: readers of the old chains follow the
 * one while the new chains are made of the other, so that a walk never strays from the ones into
 * the others. A grace period later nobody is in the old ones, and the next time it is their turn.
 *
 * What is new comes last, also in chains that have grown: whoever is on the way to a link when that
 * is replaced, however slow, meets the new one behind it. model/chains.pml has all orders.
 */
#include "chains.h"
#include "rcu.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_CHAINS 16u

static struct chains *new_chains(size_t nr, unsigned int turn, uint64_t seed)
{
	struct chains *c = calloc(1, sizeof(*c) + nr * sizeof(c->first[0]));

	if (!c)
		return NULL;
	c->mask = nr - 1;
	c->turn = turn;
	c->seed = seed;
	return c;
}

static void link_in(struct chains *c, struct chain_link *link)
{
	struct chain_link **at = &c->first[chain_of(c, link->key)];

	while (*at)
		at = &(*at)->next[c->turn];
	link->next[c->turn] = NULL;
	/* pairs with the loads in chain_first() and chain_next() */
	__atomic_store_n(at, link, __ATOMIC_RELEASE);
	c->nr++;
}

static void use(struct chains **at, struct chains *c)
{
	struct chains *old = *at;

	/* pairs with the load in chains_in() */
	__atomic_store_n(at, c, __ATOMIC_RELEASE);
	if (!old)
		return;
	rcu_wait();
	free(old);
}

static void grow(struct chains **at)
{
	const struct chains *old = *at;
	struct chains *c = new_chains(2 * (old->mask + 1), !old->turn, old->seed);

	if (!c)
		return; /* longer chains will do */
	for (size_t i = 0; i <= old->mask; i++)
		for (struct chain_link *link = old->first[i]; link; link = link->next[old->turn])
			link_in(c, link);
	use(at, c);
}

int chains_add(struct chains **at, struct chain_link *link, uint64_t seed)
{
	if (!*at) {
		struct chains *c = new_chains(FIRST_CHAINS, 0, seed);

		if (!c)
			return -ENOMEM;
		use(at, c);
	}
	if ((*at)->nr > (*at)->mask)
		grow(at);
	link_in(*at, link);
	return 0;
}

void chains_remove(struct chains *c, const struct chain_link *link)
{
	struct chain_link **at = &c->first[chain_of(c, link->key)];

	while (*at != link)
		at = &(*at)->next[c->turn];
	/* pairs with the same loads */
	__atomic_store_n(at, link->next[c->turn], __ATOMIC_RELEASE);
	c->nr--;
}
