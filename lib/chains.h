/* SPDX-License-Identifier: MIT
 *
 * A hash of what readers look for by a number, and walk to inside their RCU section while others
 * come and go, and while it grows. What is to be found begins with a struct chain_link.
 */
#ifndef BELLWIRE_CHAINS_H
#define BELLWIRE_CHAINS_H

#include "mix.h"

#include <stddef.h>

struct chain_link {
	struct chain_link *next[2]; /* see chains.c */
	uint64_t key;
};

struct chains {
	size_t mask;       /* chains - 1 */
	size_t nr;         /* links in them */
	unsigned int turn; /* which next of a link is ours: 0 or 1 */
	uint64_t seed;
	struct chain_link *first[];
};

static inline size_t chain_of(const struct chains *c, uint64_t key)
{
	return mix(key ^ c->seed, 0x9e3779b97f4a7c15u) & c->mask;
}

/* For readers, and with the control lock held: all links of key, and perhaps others, the newest
 * last; NULL after it. So a walk that finds one gone meets what was added before it went. */
static inline struct chain_link *chain_first(const struct chains *c, uint64_t key)
{
	/* pairs with the releases in link_in() and chains_remove() */
	return __atomic_load_n(&c->first[chain_of(c, key)], __ATOMIC_ACQUIRE);
}

static inline struct chain_link *chain_next(const struct chains *c, const struct chain_link *link)
{
	return __atomic_load_n(&link->next[c->turn], __ATOMIC_ACQUIRE);
}

/* For readers: NULL as long as nothing was added. */
static inline const struct chains *chains_in(struct chains *const *at)
{
	/* pairs with the release in use() */
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/*
 * With the control lock held. Makes *at with the first link, where seed is any secret, and may
 * replace it, and wait for a grace period. -ENOMEM: only where there was none.
 */
int chains_add(struct chains **at, struct chain_link *link, uint64_t seed);

/* It may be freed or added anew after a grace period. */
void chains_remove(struct chains *c, const struct chain_link *link);

#endif
