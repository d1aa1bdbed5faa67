/* SPDX-License-Identifier: MIT
 *
 * A bus against the plainest thing that could be right: a list of ioeventfds and a loop over it.
 * Both get the same random program; every result and every count must agree.
 */
#include "world.h"

#include <errno.h>

#define OPERATIONS 20000u
#define ENTRIES 64u
#define NOTIFIERS 8u
#define SPACES 3u

struct entry {
	struct bw_ioeventfd *ie; /* NULL: free */
	enum bw_space space;
	uint64_t addr;
	struct bw_match match;
	unsigned int notifier;
};

struct world {
	struct bw_bus *bus;
	struct bw_notifier *n[NOTIFIERS];
	struct entry entries[ENTRIES];
	uint64_t random;
	unsigned int signalled, missed, refused;
};

static uint32_t choose(struct world *w, uint32_t limit)
{
	return random_below(&w->random, limit);
}

/* Around two boundaries: the space's end, and where ids and ports have theirs. */
static uint64_t choose_addr(struct world *w)
{
	static const uint64_t bases[] = { 0, 0xfff8, 0xfffff8, UINT64_MAX - 11 };

	return bases[choose(w, COUNT_OF(bases))] + choose(w, 12);
}

static struct bw_match choose_match(struct world *w, enum bw_space space)
{
	static const uint32_t lens[] = { 0, 1, 2, 4, 8, 3, 16 };
	struct bw_match match = { 0 };

	if (space == BW_HYPERCALL && choose(w, 4))
		return match;
	match.len = lens[choose(w, choose(w, 8) ? 5 : COUNT_OF(lens))];
	match.has_value = choose(w, 2);
	match.value = choose(w, 3);
	if (!choose(w, 8))
		match.value |= 1ull << choose(w, 64);
	return match;
}

static bool is_natural(uint32_t len)
{
	return len <= 8 && (0x117u >> len & 1);
}

static bool collide(const struct bw_match *a, const struct bw_match *b)
{
	if (!a->len || !b->len)
		return true;
	return a->len == b->len && (!a->has_value || !b->has_value || a->value == b->value);
}

static int modelled_assign(struct world *w, const struct entry *new)
{
	const struct bw_match *m = &new->match;

	if (!is_natural(m->len) || new->addr + m->len < new->addr || (!m->len && m->has_value))
		return -EINVAL;
	if (new->space == BW_HYPERCALL && (m->len || new->addr > 0xffffff))
		return -EINVAL;
	for (struct entry *e = w->entries; e < w->entries + ENTRIES; e++)
		if (e->ie && e->space == new->space && e->addr == new->addr &&collide(&e->match, m))
			return -EEXIST;
	return 0;
}

static void assign(struct world *w, struct entry *room)
{
	struct entry new = { .space = choose(w, SPACES), .addr = choose_addr(w) };
	int expected;

	new.match = choose_match(w, new.space);
	new.notifier = choose(w, NOTIFIERS);
	expected = modelled_assign(w, &new);
	assert_int_equal(bw_ioeventfd_assign(w->bus, &new.ie, new.space, new.addr, new.match,
					     w->n[new.notifier]),
			 expected);
	if (expected)
		w->refused++;
	else
		*room = new;
}

static void assign_or_deassign(struct world *w)
{
	struct entry *e = &w->entries[choose(w, ENTRIES)];

	if (e->ie) {
		bw_ioeventfd_deassign(e->ie);
		e->ie = NULL;
	} else {
		assign(w, e);
	}
}

static struct entry *modelled_write(struct world *w, enum bw_space space, uint64_t addr,
				    uint32_t len, uint64_t value)
{
	uint64_t written = len < 8 ? value & ((1ull << len * 8) - 1) : value;

	for (struct entry *e = w->entries; e < w->entries + ENTRIES; e++)
		if (e->ie && e->space == space && e->addr == addr &&
		    (!e->match.len || e->match.len == len) &&
		    (!e->match.has_value || e->match.value == written))
			return e;
	return NULL;
}

static void write_somewhere(struct world *w)
{
	struct entry *aim = &w->entries[choose(w, ENTRIES)], *hit;
	enum bw_space space = choose(w, SPACES);
	uint64_t addr = choose_addr(w), value = choose(w, 3);
	uint32_t len = 1 + choose(w, 8);

	if (aim->ie && choose(w, 4)) { /* mostly where something is */
		space = aim->space;
		addr = aim->addr;
		len = aim->match.len ? aim->match.len : len;
		value = choose(w, 2) ? aim->match.value : value;
	}
	if (space == BW_HYPERCALL && choose(w, 2))
		len = 0; /* as it comes from the hypervisor */
	hit = modelled_write(w, space, addr, len, value);
	assert_int_equal(write_to(w->bus, space, addr, len, value),
			 hit ? BW_SIGNALLED : BW_UNCLAIMED);
	for (unsigned int i = 0; i < NOTIFIERS; i++)
		assert_int_equal(bw_notifier_take(w->n[i]), hit && hit->notifier == i);
	if (hit)
		w->signalled++;
	else
		w->missed++;
}

static void a_bus_does_what_a_list_does(void **state)
{
	struct world w = { .bus = make_bus(), .random = 42 };

	(void)state;
	for (unsigned int i = 0; i < NOTIFIERS; i++)
		w.n[i] = make_notifier(NULL);
	for (unsigned int i = 0; i < OPERATIONS; i++)
		if (choose(&w, 3))
			write_somewhere(&w);
		else
			assign_or_deassign(&w);
	/* a program in which one of these never happened would have shown little */
	assert_true(w.signalled > 1000 && w.missed > 1000 && w.refused > 100);
	bw_bus_free(w.bus);
	for (unsigned int i = 0; i < NOTIFIERS; i++)
		bw_notifier_free(w.n[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bus_does_what_a_list_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
