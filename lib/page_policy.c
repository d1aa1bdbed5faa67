/* SPDX-License-Identifier: MIT
 *
 * A ring into a hot page costs the guest next to nothing, one that traps an exit; a switch costs
 * the host a system call or two, and a hot page somebody who looks. So a page pays to be hot by
 * what its exits have cost: it becomes hot when they have cost as much as a switch, and cold when
 * no ring came for many times the switch's cost and many times the usual gap between rings. As with
 * hiring skis, neither turn can be wrong by more than about what it costs.
 *
 * In between the poller first spins, for about what its own wake-up costs, and then naps: rings
 * that come meanwhile wait for the end of the nap, the guest for nothing.
 */
#include "page_policy.h"

#define US 1000u
#define MS 1000000u

#define DEFAULT_EXIT_NS (3 * US)
#define DEFAULT_SWITCH_NS (50 * US)
#define SPIN_NS (50 * US)
#define MIN_NAP_NS (50 * US)
#define MAX_NAP_NS (200 * US)
#define MIN_IDLE_NS (50 * MS)  /* a vCPU that waits some turns for its CPU is no idle guest */
#define MAX_IDLE_NS (200 * MS) /* who rings less often than this gains nothing that is felt */
#define IDLE_SWITCHES 20
#define IDLE_GAPS 8

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static uint64_t weigh_in(uint64_t average, uint64_t sample)
{
	return average ? (7 * average + sample) / 8 : sample;
}

void policy_init(struct page_policy *policy, const struct bw_page_opts *opts)
{
	*policy = (struct page_policy){
		.kind = opts->policy,
		.exit_ns = opts->exit_ns ? opts->exit_ns : DEFAULT_EXIT_NS,
	};
}

static uint64_t switch_cost(const struct page_policy *policy)
{
	return policy->switch_ns ? policy->switch_ns : DEFAULT_SWITCH_NS;
}

void policy_switched(struct page_policy *policy, uint64_t now, uint64_t took)
{
	policy->switch_ns = weigh_in(policy->switch_ns, took);
	policy->switches++;
	policy->last_ring = now; /* as if: it is to be hot for a while */
	policy->debt_ns = 0;
}

void policy_found(struct page_policy *policy, uint64_t now)
{
	uint64_t gap = since(now, policy->last_ring);

	policy->gap_ns = weigh_in(policy->gap_ns, clamp(gap, 1, MAX_IDLE_NS));
	policy->last_ring = now;
}

void policy_trapped(struct page_policy *policy, uint64_t now, uint64_t count)
{
	/* so long ago: hot, it would have been cold again by now */
	if (since(now, policy->last_ring) > MAX_IDLE_NS)
		policy->debt_ns = 0;
	policy->debt_ns += clamp(count, 0, MS) * policy->exit_ns;
	policy_found(policy, now);
}

void policy_refused(struct page_policy *policy)
{
	policy->debt_ns = 0;
}

bool policy_wants_heat(const struct page_policy *policy)
{
	if (policy->kind != BW_PAGE_ADAPTIVE)
		return policy->kind == BW_PAGE_HOT;
	return policy->debt_ns >= switch_cost(policy);
}

static uint64_t idle_limit(const struct page_policy *policy)
{
	uint64_t limit = IDLE_SWITCHES * switch_cost(policy);

	if (limit < IDLE_GAPS * policy->gap_ns)
		limit = IDLE_GAPS * policy->gap_ns;
	return clamp(limit, MIN_IDLE_NS, MAX_IDLE_NS);
}

enum page_rest policy_rest(const struct page_policy *policy, uint64_t now)
{
	uint64_t idle = since(now, policy->last_ring);

	if (policy->kind == BW_PAGE_HOT || idle < SPIN_NS)
		return REST_SPIN;
	return idle < idle_limit(policy) ? REST_NAP : REST_COLD;
}

uint64_t policy_nap(const struct page_policy *policy, uint64_t now)
{
	return clamp(since(now, policy->last_ring) / 4, MIN_NAP_NS, MAX_NAP_NS);
}
