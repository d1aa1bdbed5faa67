/* SPDX-License-Identifier: MIT
 *
 * When a doorbell page is hot, with a clock of our own.
 */
#include "lib/page_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define US 1000u
#define MS 1000000u
#define SECOND 1000000000u

#define EXIT_NS (4 * US)
#define SWITCH_NS (60 * US)

/* A poller with one page and no guest but ring(). */
struct world {
	struct page_policy policy;
	uint64_t now;
	bool hot;
	uint64_t looks, trapped;
};

static struct world make_world(enum bw_page_policy kind)
{
	struct bw_page_opts opts = { .size = sizeof(opts), .policy = kind, .exit_ns = EXIT_NS };
	struct world w = { .now = SECOND };

	policy_init(&w.policy, &opts);
	return w;
}

static void change(struct world *w)
{
	w->hot = !w->hot;
	w->now += SWITCH_NS;
	policy_switched(&w->policy, w->now, SWITCH_NS);
}

static void ring(struct world *w)
{
	if (w->hot) {
		policy_found(&w->policy, w->now);
		return;
	}
	w->trapped++;
	policy_trapped(&w->policy, w->now, 1);
	if (policy_wants_heat(&w->policy))
		change(w);
}

/* What the poller does while nothing comes. */
static void wait(struct world *w, uint64_t ns)
{
	uint64_t end = w->now + ns;

	while (w->now < end) {
		enum page_rest rest = w->hot ? policy_rest(&w->policy, w->now) : REST_COLD;
		uint64_t step = end - w->now;

		if (w->hot && rest == REST_COLD) {
			change(w);
			continue;
		}
		if (w->hot && rest == REST_NAP && policy_nap(&w->policy, w->now) < step)
			step = policy_nap(&w->policy, w->now);
		if (rest == REST_SPIN && step > US)
			step = US;
		w->looks += w->hot;
		w->now += step;
	}
	w->now = end;
}

static void ring_every(struct world *w, uint64_t ns, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		ring(w);
		wait(w, ns);
	}
}

static void a_page_that_nobody_rings_stays_cold(void **state)
{
	struct world w = make_world(BW_PAGE_ADAPTIVE);

	(void)state;
	assert_false(policy_wants_heat(&w.policy));
	ring(&w);
	assert_false(w.hot);
}

static void it_is_heated_when_traps_have_cost_a_switch(void **state)
{
	struct world w = make_world(BW_PAGE_ADAPTIVE);

	(void)state;
	policy_switched(&w.policy, w.now, SWITCH_NS);
	while (!w.hot) {
		ring(&w);
		w.now += 10 * US;
	}
	assert_int_equal(w.trapped, SWITCH_NS / EXIT_NS);
}

static void a_dearer_switch_takes_more_traps(void **state)
{
	struct world w = make_world(BW_PAGE_ADAPTIVE);

	(void)state;
	policy_switched(&w.policy, w.now, 5 * MS);
	for (unsigned int i = 0; i < 5 * MS / EXIT_NS - 1; i++)
		ring(&w);
	assert_false(w.hot);
	ring(&w);
	assert_true(w.hot);
}

/* Hot, it would have been cold again by now, and each ring would have cost a switch. */
static void traps_that_are_far_apart_never_add_up(void **state)
{
	struct world w = make_world(BW_PAGE_ADAPTIVE);

	(void)state;
	ring_every(&w, SECOND, 1000);
	assert_int_equal(w.trapped, 1000);
	assert_int_equal(w.policy.switches, 0);
}

static void one_that_is_idle_becomes_cold_and_costs_nothing(void **state)
{
	struct world w = make_world(BW_PAGE_ADAPTIVE);
	uint64_t looks;

	(void)state;
	ring_every(&w, 20 * US, 1000);
	assert_true(w.hot);
	wait(&w, 200 * MS);
	assert_false(w.hot);
	looks = w.looks;
	wait(&w, SECOND);
	assert_int_equal(w.looks, looks);
}

/* At each rate that is worth it: hot once, and then for good. */
static void it_does_not_flap_at_a_steady_rate(void **state)
{
	static const uint64_t gaps[] = { 1 * US, 20 * US, 100 * US, 1 * MS,
					 5 * MS, 10 * MS, 15 * MS,  20 * MS };

	(void)state;
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		struct world w = make_world(BW_PAGE_ADAPTIVE);
		uint64_t switches;

		ring_every(&w, gaps[i], 100);
		assert_true(w.hot);
		switches = w.policy.switches;
		ring_every(&w, gaps[i], 5000);
		assert_true(w.hot);
		assert_int_equal(w.policy.switches, switches);
	}
}

/* Whoever comes back from flat out learns the new gap in a few turns. */
static void it_settles_when_a_fast_guest_becomes_slow(void **state)
{
	struct world w = make_world(BW_PAGE_ADAPTIVE);
	uint64_t switches;

	(void)state;
	ring_every(&w, US, 10000);
	ring_every(&w, 10 * MS, 100);
	assert_true(w.hot);
	assert_true(w.policy.switches <= 5);
	switches = w.policy.switches;
	ring_every(&w, 10 * MS, 1000);
	assert_int_equal(w.policy.switches, switches);
}

static void naps_are_bounded(void **state)
{
	struct world w = make_world(BW_PAGE_ADAPTIVE);

	(void)state;
	policy_found(&w.policy, w.now);
	for (uint64_t idle = 0; idle < SECOND; idle += 37 * US) {
		uint64_t nap = policy_nap(&w.policy, w.now + idle);

		assert_in_range(nap, 50 * US, 200 * US);
	}
}

/* A ring that comes soon after another waits for no nap. */
static void it_spins_before_it_naps_and_naps_before_it_is_cold(void **state)
{
	struct world w = make_world(BW_PAGE_ADAPTIVE);

	(void)state;
	policy_found(&w.policy, w.now);
	assert_int_equal(policy_rest(&w.policy, w.now), REST_SPIN);
	assert_int_equal(policy_rest(&w.policy, w.now + 49 * US), REST_SPIN);
	assert_int_equal(policy_rest(&w.policy, w.now + 50 * US), REST_NAP);
	assert_int_equal(policy_rest(&w.policy, w.now + 9 * MS), REST_NAP);
	assert_int_equal(policy_rest(&w.policy, w.now + 200 * MS), REST_COLD);
}

/* A switch takes time in which rings do not arrive: it is no reason to be cold again. */
static void it_stays_hot_for_many_switches_worth(void **state)
{
	struct world w = make_world(BW_PAGE_ADAPTIVE);

	(void)state;
	policy_switched(&w.policy, w.now, 5 * MS);
	assert_int_equal(policy_rest(&w.policy, w.now + 90 * MS), REST_NAP);
	assert_int_equal(policy_rest(&w.policy, w.now + 100 * MS), REST_COLD);
}

static void a_clock_that_steps_back_is_no_long_pause(void **state)
{
	struct world w = make_world(BW_PAGE_ADAPTIVE);

	(void)state;
	policy_found(&w.policy, w.now);
	assert_int_equal(policy_rest(&w.policy, w.now - MS), REST_SPIN);
}

static void fixed_policies_do_not_learn(void **state)
{
	struct world hot = make_world(BW_PAGE_HOT), cold = make_world(BW_PAGE_COLD);

	(void)state;
	assert_true(policy_wants_heat(&hot.policy));
	assert_int_equal(policy_rest(&hot.policy, hot.now + 100ull * SECOND), REST_SPIN);
	ring_every(&cold, US, 100000);
	assert_int_equal(cold.trapped, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_that_nobody_rings_stays_cold),
		cmocka_unit_test(it_is_heated_when_traps_have_cost_a_switch),
		cmocka_unit_test(a_dearer_switch_takes_more_traps),
		cmocka_unit_test(traps_that_are_far_apart_never_add_up),
		cmocka_unit_test(one_that_is_idle_becomes_cold_and_costs_nothing),
		cmocka_unit_test(it_does_not_flap_at_a_steady_rate),
		cmocka_unit_test(it_settles_when_a_fast_guest_becomes_slow),
		cmocka_unit_test(naps_are_bounded),
		cmocka_unit_test(it_spins_before_it_naps_and_naps_before_it_is_cold),
		cmocka_unit_test(it_stays_hot_for_many_switches_worth),
		cmocka_unit_test(a_clock_that_steps_back_is_no_long_pause),
		cmocka_unit_test(fixed_policies_do_not_learn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
