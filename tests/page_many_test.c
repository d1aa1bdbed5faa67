/* SPDX-License-Identifier: MIT
 *
 * A region with many doorbell pages: each access finds its page, however many there are, and while
 * others come and go.
 */
#include "world.h"
#include "../lib/pages.h"

#include <pthread.h>

#define BASE 0x100000000000u
#define STRIDE 0x11000u /* pages do not touch */
#define MANY 1000u
#define REPLACEMENTS 60u
#define LONG_CHAIN 16u /* of a hash with as many chains: one in 10^10 runs has one */

struct stage {
	struct bw_bus *bus;
	struct bw_region *region;
	struct bw_page *pages[MANY];
	uint64_t handled;
	bool stop;
};

static void count_handled(void *opaque, struct bw_access *access)
{
	struct stage *s = opaque;

	(void)access;
	__atomic_add_fetch(&s->handled, 1, __ATOMIC_RELAXED);
}

static void open_stage(struct stage *s)
{
	struct bw_region_opts opts = { .size = sizeof(opts),
				       .name = "bar",
				       .space = BW_MMIO,
				       .len = (uint64_t)MANY * STRIDE,
				       .handler = count_handled,
				       .opaque = s };

	memset(s, 0, sizeof(*s));
	s->bus = make_bus();
	assert_int_equal(bw_region_new(s->bus, &s->region, &opts), 0);
	assert_int_equal(bw_region_map(s->region, BASE), 0);
}

static void declare(struct stage *s, unsigned int i)
{
	struct bw_page_opts opts = { .size = sizeof(opts), .offset = (uint64_t)i * STRIDE };

	assert_int_equal(bw_region_page(s->region, &s->pages[i], &opts), 0);
}

static void declare_all(struct stage *s)
{
	assert_int_equal(bw_bus_begin(s->bus), 0);
	for (unsigned int i = 0; i < MANY; i++)
		declare(s, i);
	assert_int_equal(bw_bus_commit(s->bus), 0);
}

static void give_back(struct stage *s, unsigned int i)
{
	bw_page_free(s->pages[i]);
	s->pages[i] = NULL;
}

/* The handler hears of an access if and only if no page has all of it. */
static bool is_in_a_page(struct stage *s, uint64_t addr)
{
	uint64_t value, before = __atomic_load_n(&s->handled, __ATOMIC_RELAXED);

	assert_int_equal(read_from(s->bus, BW_MMIO, addr, 8, &value), BW_HANDLED);
	return __atomic_load_n(&s->handled, __ATOMIC_RELAXED) == before;
}

static void check_all(struct stage *s)
{
	for (unsigned int i = 0; i < MANY; i++) {
		uint64_t start = BASE + (uint64_t)i * STRIDE;

		assert_int_equal(is_in_a_page(s, start), s->pages[i] != NULL);
		assert_int_equal(is_in_a_page(s, start + BW_PAGE_SIZE - 8), s->pages[i] != NULL);
		assert_false(is_in_a_page(s, start + BW_PAGE_SIZE - 4));
		assert_false(is_in_a_page(s, start + BW_PAGE_SIZE));
	}
}

static void each_page_is_found_and_nothing_beside_it(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	check_all(&s);
	declare_all(&s);
	check_all(&s);
	for (unsigned int i = 0; i < MANY; i += 3)
		give_back(&s, i);
	check_all(&s);
	for (unsigned int i = 0; i < MANY; i += 6)
		declare(&s, i);
	check_all(&s);
	bw_bus_free(s.bus);
}

static void pages_of_an_aborted_transaction_are_not_found(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	declare(&s, 7);
	assert_int_equal(bw_bus_begin(s.bus), 0);
	for (unsigned int i = 100; i < MANY; i++)
		declare(&s, i);
	assert_false(is_in_a_page(&s, BASE + (uint64_t)100 * STRIDE));
	bw_bus_abort(s.bus);
	memset(&s.pages[100], 0, (MANY - 100) * sizeof(s.pages[0]));
	check_all(&s);
	bw_bus_free(s.bus);
}

/* What an access costs, said without a clock. */
static void few_pages_are_looked_at_on_the_way_to_one(void **state)
{
	struct stage s;
	const struct chains *c;

	(void)state;
	open_stage(&s);
	declare_all(&s);
	c = s.region->pages;
	assert_true(c->mask + 1 >= MANY);
	for (size_t i = 0; i <= c->mask; i++) {
		const struct chain_link *link = c->first[i];
		unsigned int steps = 0;

		for (; link; link = link->next[c->turn])
			steps++;
		assert_true(steps < LONG_CHAIN);
	}
	bw_bus_free(s.bus);
}

static void *keep_reading(void *opaque)
{
	struct stage *s = opaque;
	uint64_t value;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		read_from(s->bus, BW_MMIO, BASE, 8, &value);
	return NULL;
}

/* Each in its own commit; the hash of pages grows some times. */
static void a_page_is_found_while_others_come_and_go(void **state)
{
	struct stage s;
	pthread_t reader;

	(void)state;
	for (unsigned int round = 0; round < 5; round++) {
		open_stage(&s);
		declare(&s, 0);
		assert_int_equal(pthread_create(&reader, NULL, keep_reading, &s), 0);
		for (unsigned int i = 1; i < 200; i++)
			declare(&s, i);
		for (unsigned int i = 1; i < 200; i++)
			give_back(&s, i);
		__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
		pthread_join(reader, NULL);
		assert_int_equal(s.handled, 0);
		bw_bus_free(s.bus);
	}
}

/* Others in their places, in one transaction: there is never none. */
static void a_page_is_found_while_all_are_replaced(void **state)
{
	struct stage s;
	pthread_t reader;

	(void)state;
	open_stage(&s);
	declare_all(&s);
	assert_int_equal(pthread_create(&reader, NULL, keep_reading, &s), 0);
	for (unsigned int round = 0; round < REPLACEMENTS; round++) {
		assert_int_equal(bw_bus_begin(s.bus), 0);
		for (unsigned int i = 0; i < MANY; i++)
			give_back(&s, i);
		declare_all(&s);
		assert_int_equal(bw_bus_commit(s.bus), 0);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(reader, NULL);
	assert_int_equal(s.handled, 0);
	bw_bus_free(s.bus);
}

/* A page that is not the first in its chain. */
static unsigned int find_one_behind(const struct stage *s)
{
	unsigned int i = 0;

	while (chain_first(s->region->pages, s->pages[i]->link.key) == &s->pages[i]->link)
		i++;
	return i;
}

/* An access that a slow vCPU had begun before: the link where it stands is none that goes. */
static void who_is_on_the_way_to_a_page_meets_the_one_in_its_place(void **state)
{
	const struct chain_link *link;
	struct stage s;
	unsigned int i;

	(void)state;
	open_stage(&s);
	declare_all(&s);
	i = find_one_behind(&s);
	link = chain_first(s.region->pages, s.pages[i]->link.key);
	assert_int_equal(bw_bus_begin(s.bus), 0);
	give_back(&s, i);
	declare(&s, i);
	assert_int_equal(bw_bus_commit(s.bus), 0);
	while (link && link->key != s.pages[i]->link.key)
		link = chain_next(s.region->pages, link);
	assert_ptr_equal(link, &s.pages[i]->link);
	bw_bus_free(s.bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_page_is_found_and_nothing_beside_it),
		cmocka_unit_test(pages_of_an_aborted_transaction_are_not_found),
		cmocka_unit_test(few_pages_are_looked_at_on_the_way_to_one),
		cmocka_unit_test(a_page_is_found_while_others_come_and_go),
		cmocka_unit_test(a_page_is_found_while_all_are_replaced),
		cmocka_unit_test(who_is_on_the_way_to_a_page_meets_the_one_in_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
