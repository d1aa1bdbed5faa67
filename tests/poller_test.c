/* SPDX-License-Identifier: MIT
 *
 * The consumer's loop on one thread: what is delivered, and when.
 */
#include "consumer.h"

#include <errno.h>
#include <sys/eventfd.h>

#define MANY 200u

static void rings_are_delivered_with_their_count(void **state)
{
	(void)state;
	for (int published = 0; published < 2; published++) {
		struct bw_poller *p = make_poller();
		struct consumer c = { 0 };

		add_consumer(p, &c, published);
		assert_int_equal(bw_poller_poll(p, 0), 0);
		for (unsigned int i = 0; i < 3; i++)
			bw_notifier_ring(c.n);
		assert_int_equal(bw_poller_poll(p, 0), 1);
		assert_int_equal(c.calls, 1);
		assert_int_equal(c.rings, 3);
		assert_int_equal(bw_poller_poll(p, 0), 0);
		bw_poller_free(p);
		bw_notifier_free(c.n);
	}
}

static void what_is_pending_at_add_is_delivered(void **state)
{
	(void)state;
	for (int published = 0; published < 2; published++) {
		struct bw_poller *p = make_poller();
		struct consumer c = { .n = make_notifier(NULL) };

		bw_notifier_ring(c.n);
		add_consumer(p, &c, published);
		assert_int_equal(bw_poller_poll(p, 0), 1);
		assert_int_equal(c.rings, 1);
		bw_poller_free(p);
		bw_notifier_free(c.n);
	}
}

static void a_notifier_is_in_one_poller_at_most(void **state)
{
	struct bw_poller *p = make_poller(), *other = make_poller();
	struct consumer c = { 0 };

	(void)state;
	add_consumer(p, &c, false);
	assert_int_equal(bw_poller_add(p, c.n, consume, &c), -EBUSY);
	assert_int_equal(bw_poller_add(other, c.n, consume, &c), -EBUSY);
	bw_poller_del(other, c.n); /* not there: nothing happens */
	bw_notifier_ring(c.n);
	assert_int_equal(bw_poller_poll(p, 0), 1);
	bw_poller_del(p, c.n);
	assert_int_equal(bw_poller_add(other, c.n, consume, &c), 0);
	bw_poller_free(p);
	bw_poller_free(other);
	bw_notifier_free(c.n);
}

static void an_fd_made_later_is_watched(void **state)
{
	struct bw_poller *p = make_poller();
	struct consumer c = { 0 };

	(void)state;
	add_consumer(p, &c, false);
	bw_notifier_ring(c.n);
	assert_int_equal(eventfd_write(bw_notifier_fd(c.n), 2), 0);
	while (bw_poller_poll(p, 0))
		;
	assert_int_equal(c.rings, 3);
	bw_notifier_ring(c.n);
	assert_int_equal(bw_poller_poll(p, 0), 1);
	bw_poller_free(p);
	bw_notifier_free(c.n);
}

/* ---- many notifiers, half of them with an fd ---- */

static struct bw_poller *add_many(struct consumer c[MANY])
{
	struct bw_poller *p = make_poller();

	memset(c, 0, MANY * sizeof(c[0]));
	for (unsigned int i = 0; i < MANY; i++)
		add_consumer(p, &c[i], i % 2);
	for (unsigned int i = 0; i < MANY; i++)
		bw_notifier_ring(c[i].n);
	return p;
}

static void free_many(struct bw_poller *p, struct consumer c[MANY])
{
	bw_poller_free(p);
	for (unsigned int i = 0; i < MANY; i++)
		bw_notifier_free(c[i].n);
}

static void poll_delivers_at_most_its_budget_and_loses_nothing(void **state)
{
	struct consumer c[MANY];
	struct bw_poller *p = add_many(c);

	(void)state;
	for (unsigned int left = MANY; left; left -= 8)
		assert_int_equal(bw_poller_poll(p, 8), 8);
	assert_int_equal(bw_poller_poll(p, 8), 0);
	for (unsigned int i = 0; i < MANY; i++)
		assert_int_equal(c[i].calls, 1);
	free_many(p, c);
}

static void poll_without_a_budget_delivers_all(void **state)
{
	struct consumer c[MANY];
	struct bw_poller *p = add_many(c);

	(void)state;
	assert_int_equal(bw_poller_poll(p, 0), MANY);
	free_many(p, c);
}

static void ring_again(struct consumer *c)
{
	bw_notifier_ring(c->n);
}

static void one_that_always_rings_starves_no_other(void **state)
{
	(void)state;
	for (int published = 0; published < 2; published++) {
		struct bw_poller *p = make_poller();
		struct consumer noisy = { .then = ring_again }, quiet = { 0 };

		add_consumer(p, &noisy, published);
		add_consumer(p, &quiet, published);
		bw_notifier_ring(noisy.n);
		bw_poller_poll(p, 1);
		bw_notifier_ring(quiet.n);
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(bw_poller_poll(p, 1), 1);
		assert_int_equal(quiet.calls, 1);
		bw_poller_free(p);
		bw_notifier_free(noisy.n);
		bw_notifier_free(quiet.n);
	}
}

/* ---- arm ---- */

static bool is_readable(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	return poll(&ready, 1, 0) == 1;
}

static void arm_gives_an_fd_that_wakes(void **state)
{
	(void)state;
	for (int published = 0; published < 2; published++) {
		struct bw_poller *p = make_poller();
		struct consumer c = { 0 };
		int fd;

		add_consumer(p, &c, published);
		for (unsigned int i = 0; i < 3; i++) {
			fd = bw_poller_arm(p);
			assert_true(fd >= 0);
			assert_false(is_readable(fd));
			bw_notifier_ring(c.n);
			assert_true(is_readable(fd));
			assert_int_equal(bw_poller_poll(p, 0), 1);
		}
		bw_poller_free(p);
		bw_notifier_free(c.n);
	}
}

static void arm_says_that_something_came(void **state)
{
	struct bw_poller *p = make_poller();
	struct consumer c[2] = { 0 };

	(void)state;
	add_consumer(p, &c[0], false);
	add_consumer(p, &c[1], false);
	bw_notifier_ring(c[0].n);
	bw_notifier_ring(c[1].n);
	assert_int_equal(bw_poller_arm(p), -EAGAIN);
	assert_int_equal(bw_poller_poll(p, 1), 1);
	assert_int_equal(bw_poller_arm(p), -EAGAIN); /* the budget left one */
	assert_int_equal(bw_poller_poll(p, 1), 1);
	assert_true(bw_poller_arm(p) >= 0);
	bw_poller_free(p);
	bw_notifier_free(c[0].n);
	bw_notifier_free(c[1].n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_are_delivered_with_their_count),
		cmocka_unit_test(what_is_pending_at_add_is_delivered),
		cmocka_unit_test(a_notifier_is_in_one_poller_at_most),
		cmocka_unit_test(an_fd_made_later_is_watched),
		cmocka_unit_test(poll_delivers_at_most_its_budget_and_loses_nothing),
		cmocka_unit_test(poll_without_a_budget_delivers_all),
		cmocka_unit_test(one_that_always_rings_starves_no_other),
		cmocka_unit_test(arm_gives_an_fd_that_wakes),
		cmocka_unit_test(arm_says_that_something_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
