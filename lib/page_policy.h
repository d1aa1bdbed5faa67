/* SPDX-License-Identifier: MIT
 *
 * When a doorbell page is worth being hot, and being looked at: pure logic, told what time it is.
 */
#ifndef BELLWIRE_PAGE_POLICY_H
#define BELLWIRE_PAGE_POLICY_H

#include <bellwire.h>

/* All times in nanoseconds. */
struct page_policy {
	enum bw_page_policy kind;
	uint64_t exit_ns;
	uint64_t switch_ns; /* weighted, 0: none yet */
	uint64_t switches;
	uint64_t last_ring; /* when */
	uint64_t gap_ns;    /* between deliveries, weighted */
	uint64_t debt_ns;   /* what traps have cost that would have been none in a hot page */
};

enum page_rest {
	REST_SPIN, /* look again at once */
	REST_NAP,  /* look again after policy_nap() */
	REST_COLD,
};

void policy_init(struct page_policy *policy, const struct bw_page_opts *opts);

/* A switch took so long, and is over. */
void policy_switched(struct page_policy *policy, uint64_t now, uint64_t took);

/* A sweep found something; or count rings trapped. */
void policy_found(struct page_policy *policy, uint64_t now);
void policy_trapped(struct page_policy *policy, uint64_t now, uint64_t count);

/* There was no place for it to be hot. */
void policy_refused(struct page_policy *policy);

/* Whether a cold page is to be hot. */
bool policy_wants_heat(const struct page_policy *policy);

/* What a hot page's poller may do that has nothing else to look at. */
enum page_rest policy_rest(const struct page_policy *policy, uint64_t now);
uint64_t policy_nap(const struct page_policy *policy, uint64_t now);

#endif
