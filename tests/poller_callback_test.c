/* SPDX-License-Identifier: MIT
 *
 * The consumer's loop on one thread: what callbacks may do, and what is left behind.
 */
#include "consumer.h"

#include <errno.h>
#include <sys/eventfd.h>

static void del_self_and_free(struct consumer *c)
{
	bw_poller_del(c->p, c->n);
	bw_notifier_free(c->n);
}

static void del_other(struct consumer *c)
{
	bw_poller_del(c->p, c->other);
}

static void del_and_add_again(struct consumer *c)
{
	bw_poller_del(c->p, c->n);
	c->result = bw_poller_add(c->p, c->n, consume, c);
}

static void synchronize(struct consumer *c)
{
	c->result = bw_bus_synchronize(c->bus);
}

static void ring_and_deassign(struct consumer *c)
{
	c->result = write_to(c->bus, BW_MMIO, 0x1000, 4, 0);
	bw_ioeventfd_deassign(c->ie);
}

static void a_callback_may_delete_and_free_its_own(void **state)
{
	(void)state;
	for (int published = 0; published < 2; published++) {
		struct bw_poller *p = make_poller();
		struct consumer c = { .then = del_self_and_free };

		add_consumer(p, &c, published);
		bw_notifier_ring(c.n);
		assert_int_equal(bw_poller_poll(p, 0), 1);
		assert_int_equal(bw_poller_poll(p, 0), 0);
		bw_poller_free(p);
	}
}

static void what_a_callback_deletes_is_not_delivered_behind_it(void **state)
{
	(void)state;
	for (int published = 0; published < 2; published++) {
		struct bw_poller *p = make_poller();
		struct consumer c = { .then = del_other }, victim = { 0 };

		add_consumer(p, &c, published);
		add_consumer(p, &victim, published);
		c.other = victim.n;
		bw_notifier_ring(c.n);
		bw_notifier_ring(victim.n);
		assert_int_equal(bw_poller_poll(p, 0), 1);
		assert_int_equal(victim.calls, 0);
		assert_int_equal(bw_notifier_take(victim.n), 1);
		bw_poller_free(p);
		bw_notifier_free(c.n);
		bw_notifier_free(victim.n);
	}
}

/* It lies behind the budget still, and must not be forgotten too early. */
static void what_is_deleted_behind_a_budget_is_not_delivered(void **state)
{
	struct bw_poller *p = make_poller();
	struct consumer c[4] = { 0 };

	(void)state;
	for (unsigned int i = 0; i < COUNT_OF(c); i++) {
		add_consumer(p, &c[i], false);
		bw_notifier_ring(c[i].n);
	}
	assert_int_equal(bw_poller_poll(p, 1), 1);
	bw_poller_del(p, c[3].n);
	assert_int_equal(bw_poller_poll(p, 1), 1);
	assert_int_equal(bw_poller_poll(p, 0), 1);
	assert_int_equal(c[3].calls, 0);
	bw_poller_free(p);
	for (unsigned int i = 0; i < COUNT_OF(c); i++)
		bw_notifier_free(c[i].n);
}

static void a_callback_may_add_its_own_again(void **state)
{
	struct bw_poller *p = make_poller();
	struct consumer c = { .then = del_and_add_again };

	(void)state;
	add_consumer(p, &c, false);
	for (unsigned int i = 1; i <= 3; i++) {
		bw_notifier_ring(c.n);
		assert_int_equal(bw_poller_poll(p, 0), 1);
		assert_int_equal(c.result, 0);
		assert_int_equal(c.calls, i);
	}
	bw_poller_free(p);
	bw_notifier_free(c.n);
}

static void a_callback_may_use_the_bus_but_not_wait_for_it(void **state)
{
	struct bw_poller *p = make_poller();
	struct consumer c = { .bus = make_bus(), .then = ring_and_deassign };

	(void)state;
	add_consumer(p, &c, false);
	c.ie = must_assign(c.bus, BW_MMIO, 0x1000, any_len(), c.n);
	assert_int_equal(write_to(c.bus, BW_MMIO, 0x1000, 4, 0), BW_SIGNALLED);
	assert_int_equal(bw_poller_poll(p, 0), 1);
	assert_int_equal(c.result, BW_SIGNALLED);
	assert_int_equal(write_to(c.bus, BW_MMIO, 0x1000, 4, 0), BW_UNCLAIMED);
	c.then = synchronize;
	assert_int_equal(bw_poller_poll(p, 0), 1);
	assert_int_equal(c.rings, 2);
	assert_int_equal(c.result, -EDEADLK);
	assert_int_equal(bw_bus_synchronize(c.bus), 0);
	bw_poller_free(p);
	bw_bus_free(c.bus);
	bw_notifier_free(c.n);
}

static void del_leaves_what_is_pending_in_the_notifier(void **state)
{
	(void)state;
	for (int published = 0; published < 2; published++) {
		struct bw_poller *p = make_poller();
		struct consumer c = { 0 };

		add_consumer(p, &c, published);
		bw_notifier_ring(c.n);
		bw_poller_del(p, c.n);
		assert_int_equal(bw_poller_poll(p, 0), 0);
		assert_int_equal(c.calls, 0);
		assert_int_equal(bw_notifier_take(c.n), 1);
		bw_poller_free(p);
		bw_notifier_free(c.n);
	}
}

static void a_poller_keeps_its_notifiers_and_returns_them(void **state)
{
	unsigned int before = count_fds();
	struct bw_poller *p = make_poller();
	struct consumer c = { 0 };
	int fd;

	(void)state;
	add_consumer(p, &c, true);
	fd = bw_notifier_fd(c.n);
	bw_notifier_free(c.n);
	assert_int_equal(eventfd_write(fd, 7), 0);
	assert_int_equal(bw_poller_poll(p, 0), 1);
	assert_int_equal(c.rings, 7);
	bw_poller_free(p);
	bw_poller_free(NULL);
	assert_int_equal(count_fds(), before);
}

static void freeing_a_poller_leaves_what_is_pending(void **state)
{
	struct bw_poller *p = make_poller();
	struct consumer c = { 0 };

	(void)state;
	add_consumer(p, &c, false);
	bw_notifier_ring(c.n);
	bw_poller_free(p);
	bw_notifier_ring(c.n);
	assert_int_equal(bw_notifier_take(c.n), 2);
	bw_notifier_free(c.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_callback_may_delete_and_free_its_own),
		cmocka_unit_test(what_a_callback_deletes_is_not_delivered_behind_it),
		cmocka_unit_test(what_is_deleted_behind_a_budget_is_not_delivered),
		cmocka_unit_test(a_callback_may_add_its_own_again),
		cmocka_unit_test(a_callback_may_use_the_bus_but_not_wait_for_it),
		cmocka_unit_test(del_leaves_what_is_pending_in_the_notifier),
		cmocka_unit_test(a_poller_keeps_its_notifiers_and_returns_them),
		cmocka_unit_test(freeing_a_poller_leaves_what_is_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
