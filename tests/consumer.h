/* SPDX-License-Identifier: MIT
 *
 * A poller, and somebody who is rung through it.
 */
#ifndef TESTS_CONSUMER_H
#define TESTS_CONSUMER_H

#include "world.h"

/* What one notifier's callbacks got, and what they do. */
struct consumer {
	struct bw_poller *p;
	struct bw_bus *bus;
	struct bw_notifier *n, *other;
	struct bw_ioeventfd *ie;
	unsigned int calls;
	uint64_t rings;
	void (*then)(struct consumer *c);
	int result; /* of what they did */
};

static inline void consume(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct consumer *c = opaque;

	assert_true(count > 0);
	assert_true(!c->n || c->n == n);
	c->calls++;
	c->rings += count;
	if (c->then)
		c->then(c);
}

static inline struct bw_poller *make_poller(void)
{
	struct bw_poller *p;

	assert_int_equal(bw_poller_new(&p), 0);
	return p;
}

/* Makes the notifier, unless there is one, and its fd if it is to be published. */
static inline void add_consumer(struct bw_poller *p, struct consumer *c, bool published)
{
	c->p = p;
	if (!c->n)
		c->n = make_notifier(NULL);
	if (published)
		assert_true(bw_notifier_fd(c->n) >= 0);
	assert_int_equal(bw_poller_add(p, c->n, consume, c), 0);
}

#endif
