/* SPDX-License-Identifier: MIT
 *
 * A commit weighs the doorbell pages near what it changes, and no others: what those cost, and,
 * after random transactions, that to weigh all of them finds nothing more to change.
 */
#include "world.h"
#include "../lib/offloading.h"
#include "../lib/pages.h"

#include <errno.h>
#include <time.h>

#define BASE 0xd0000000u
#define FAR_AWAY 0x700000000000u
#define REGIONS 4u
#define PAGES 12u
#define DOORBELLS 24u
#define PLAIN 6u
#define WINDOW 32u /* pages of memory in which all that happens */
#define STEPS 3000u
#define FAILS 8u
#define SLOW_NS 4000000
#define SWITCHES 16u /* more than enough to find it slow */

/* A hypervisor that can fail, or be slow, and counts how often it is asked for a way. */
struct hypervisor {
	unsigned int asked;
	unsigned int fails; /* at one call in so many; 0: at none */
	bool is_slow;
	uint64_t random;
};

static struct page_way quicker; /* where memslots are slow */

static const char *refuses(void *state, const struct offload_claim *claim)
{
	(void)state, (void)claim;
	return NULL;
}

static bool fails(struct hypervisor *h)
{
	return h->fails && !random_below(&h->random, h->fails);
}

static int assign(void *state, const struct offload_claim *claim, const char **why)
{
	(void)claim, (void)why;
	return fails(state) ? -EIO : 0;
}

static void deassign(void *state, const struct offload_claim *claim)
{
	(void)state, (void)claim;
}

static const struct page_way *page_way(void *state, bool slot_is_slow, const char **why_not)
{
	struct hypervisor *h = state;

	h->asked++;
	*why_not = NULL;
	return slot_is_slow ? &quicker : &page_way_slot;
}

static int map(void *state, uint64_t gpa, void *memory, unsigned int *place)
{
	struct hypervisor *h = state;

	(void)gpa, (void)memory;
	*place = 0;
	if (h->is_slow)
		nanosleep(&(struct timespec){ .tv_nsec = SLOW_NS }, NULL);
	return fails(h) ? -ENOSPC : 0;
}

static void unmap(void *state, uint64_t gpa, unsigned int place)
{
	(void)state, (void)gpa, (void)place;
}

static unsigned int caps(void *state)
{
	(void)state;
	return BW_CAP_PAGE;
}

static void leave(void *state)
{
	(void)state;
}

static const struct offload_ops ops = { .name = "a test's",
					.refuses = refuses,
					.assign = assign,
					.deassign = deassign,
					.page_way = page_way,
					.map = map,
					.unmap = unmap,
					.caps = caps,
					.free = leave };

static struct bw_region *new_region(struct bw_bus *bus, uint64_t pages, int priority)
{
	struct bw_region_opts opts = { .size = sizeof(opts),
				       .space = BW_MMIO,
				       .len = pages * BW_PAGE_SIZE,
				       .priority = priority };
	struct bw_region *region;

	assert_int_equal(bw_region_new(bus, &region, &opts), 0);
	return region;
}

static struct bw_page *new_page(struct bw_region *region, unsigned int nth)
{
	struct bw_page_opts opts = { .size = sizeof(opts),
				     .offset = (uint64_t)nth * BW_PAGE_SIZE,
				     .policy = BW_PAGE_HOT };
	struct bw_page *page;

	return bw_region_page(region, &page, &opts) ? NULL : page;
}

/* ---- what it costs ---- */

struct stage {
	struct hypervisor hypervisor;
	struct bw_bus *bus;
	struct bw_notifier *n;
	struct bw_region *region, *other; /* region has ten pages */
	struct bw_page *page;             /* the last */
};

static void open_stage(struct stage *s)
{
	memset(s, 0, sizeof(*s));
	s->bus = make_bus();
	s->n = make_notifier("kick");
	assert_int_equal(bus_offload(s->bus, &ops, &s->hypervisor), 0);
	s->region = new_region(s->bus, 10, 0);
	s->other = new_region(s->bus, 2, 1);
	assert_int_equal(bw_region_map(s->region, BASE), 0);
	for (unsigned int i = 0; i < 10; i++)
		s->page = new_page(s->region, i);
	assert_non_null(s->page);
	s->hypervisor.asked = 0;
}

static void close_stage(struct stage *s)
{
	bw_bus_free(s->bus);
	bw_notifier_free(s->n);
}

static unsigned int asked(struct stage *s)
{
	unsigned int asked = s->hypervisor.asked;

	s->hypervisor.asked = 0;
	return asked;
}

static void what_happens_elsewhere_weighs_no_page(void **state)
{
	struct bw_ioeventfd *ie;
	struct stage s;

	(void)state;
	open_stage(&s);
	assert_int_equal(bw_region_map(s.other, FAR_AWAY), 0);
	assert_int_equal(bw_region_map(s.other, BASE - 2 * BW_PAGE_SIZE), 0);
	assert_int_equal(bw_region_map(s.other, BASE + 10 * BW_PAGE_SIZE), 0);
	assert_int_equal(bw_region_doorbell(s.other, &ie, 0, of_len(4), s.n), 0);
	bw_ioeventfd_deassign(ie);
	bw_region_free(s.other);
	bw_ioeventfd_deassign(must_assign(s.bus, BW_MMIO, FAR_AWAY, of_len(4), s.n));
	bw_ioeventfd_deassign(must_assign(s.bus, BW_PIO, 0x10, of_len(4), s.n));
	assert_int_equal(asked(&s), 0);
	close_stage(&s);
}

static void what_happens_to_a_page_weighs_that_one(void **state)
{
	struct bw_ioeventfd *ie;
	struct stage s;

	(void)state;
	open_stage(&s);
	assert_int_equal(bw_region_doorbell(s.region, &ie, 0x3000, of_len(4), s.n), 0);
	assert_int_equal(asked(&s), 1);
	bw_ioeventfd_deassign(ie);
	assert_int_equal(asked(&s), 1);
	ie = must_assign(s.bus, BW_MMIO, BASE + 0x3000, of_len(4), s.n);
	assert_int_equal(asked(&s), 0); /* it is that ioeventfd which keeps the page away */
	bw_ioeventfd_deassign(ie);
	assert_int_equal(asked(&s), 1);
	close_stage(&s);
}

/* ---- what happens to a page between commits ---- */

static void make_it_slow(struct stage *s, struct bw_poller *poller)
{
	quicker = page_way_slot;
	assert_int_equal(bw_poller_add_page(poller, s->page), 0);
	s->hypervisor.is_slow = true;
	for (unsigned int i = 0; !s->bus->slot_is_slow; i++) {
		assert_true(i < SWITCHES);
		assert_int_equal(bw_region_map(s->region, BASE + i % 2 * BW_PAGE_SIZE), 0);
		bw_poller_poll(poller, 0);
	}
	s->hypervisor.is_slow = false;
}

static void a_slow_page_takes_another_way_once_a_commit_succeeds(void **state)
{
	struct bw_poller *poller;
	struct bw_ioeventfd *ie;
	struct stage s;

	(void)state;
	open_stage(&s);
	assert_int_equal(bw_poller_new(&poller), 0);
	make_it_slow(&s, poller);
	s.hypervisor.fails = 1;
	assert_int_equal(bw_ioeventfd_assign(s.bus, &ie, BW_MMIO, FAR_AWAY, of_len(4), s.n), -EIO);
	assert_ptr_equal(s.page->plan.way, &page_way_slot);
	s.hypervisor.fails = 0;
	bw_ioeventfd_deassign(must_assign(s.bus, BW_MMIO, FAR_AWAY, of_len(4), s.n));
	assert_ptr_equal(s.page->plan.way, &quicker);
	bw_bus_free(s.bus);
	bw_poller_free(poller);
	bw_notifier_free(s.n);
}

/* ---- random transactions ---- */

struct handles {
	struct bw_region *regions[REGIONS];
	struct bw_page *pages[PAGES];
	struct bw_ioeventfd *doorbells[DOORBELLS];
	struct bw_ioeventfd *plain[PLAIN];
};

struct world {
	struct hypervisor hypervisor;
	struct bw_bus *bus;
	struct bw_notifier *n;
	struct bw_poller *poller;
	struct handles now;
	uint64_t random;
	unsigned int hot, kept_away; /* seen of pages */
};

static uint32_t below(struct world *w, uint32_t limit)
{
	return random_below(&w->random, limit);
}

static void change_region(struct world *w)
{
	struct bw_region **region = &w->now.regions[below(w, REGIONS)];
	struct handles *h = &w->now;

	if (*region && below(w, 8)) {
		if (below(w, 4))
			bw_region_map(*region, BASE + below(w, 2 * WINDOW) * 0x800);
		else
			bw_region_unmap(*region);
		return;
	}
	for (unsigned int i = 0; *region && i < PAGES; i++)
		if (h->pages[i] && h->pages[i]->region == *region)
			h->pages[i] = NULL;
	for (unsigned int i = 0; *region && i < DOORBELLS; i++)
		if (h->doorbells[i] && h->doorbells[i]->region == *region)
			h->doorbells[i] = NULL;
	bw_region_free(*region);
	*region = new_region(w->bus, 1u << below(w, 4), (int)below(w, 3));
}

static void change_page(struct world *w)
{
	struct bw_page **page = &w->now.pages[below(w, PAGES)];
	struct bw_region *region = w->now.regions[below(w, REGIONS)];

	if (*page) {
		bw_page_free(*page);
		*page = NULL;
	} else if (region) {
		*page = new_page(region, below(w, 8));
		if (*page)
			assert_int_equal(bw_poller_add_page(w->poller, *page), 0);
	}
}

static void change_doorbell(struct world *w)
{
	struct bw_ioeventfd **ie = &w->now.doorbells[below(w, DOORBELLS)];
	struct bw_region *region = w->now.regions[below(w, REGIONS)];

	if (*ie)
		bw_ioeventfd_deassign(*ie);
	*ie = NULL;
	if (region)
		bw_region_doorbell(region, ie, below(w, 0x1000) * 8, of_len(4), w->n);
}

static void change_plain(struct world *w)
{
	struct bw_ioeventfd **ie = &w->now.plain[below(w, PLAIN)];
	uint64_t addr = BASE + below(w, WINDOW * 8) * 0x200;

	if (*ie) {
		bw_ioeventfd_deassign(*ie);
		*ie = NULL;
	} else {
		bw_ioeventfd_assign(w->bus, ie, BW_MMIO, addr, of_len(4), w->n);
	}
}

static void change_something(struct world *w)
{
	static void (*const change[])(struct world * w) = { change_region, change_page,
							    change_doorbell, change_plain };

	change[below(w, 4)](w);
}

static void commit_something(struct world *w)
{
	struct handles before = w->now;

	assert_int_equal(bw_bus_begin(w->bus), 0);
	for (unsigned int changes = 1 + below(w, 3); changes; changes--)
		change_something(w);
	if (!below(w, 8))
		bw_bus_abort(w->bus);
	else if (!bw_bus_commit(w->bus))
		return;
	w->now = before;
}

static unsigned int count_slots(const struct bw_page *page)
{
	const struct bw_ioeventfd *ie;
	unsigned int slots = 0;

	row_for_each (ie, &page->region->doorbells)
		slots += ie->active && ie->addr - page->offset < BW_PAGE_SIZE;
	return slots;
}

static void touch_mmio(struct world *w)
{
	bw_ioeventfd_deassign(must_assign(w->bus, BW_MMIO, FAR_AWAY, of_len(4), w->n));
}

/* Each page's plan is what it is if all are weighed, and its slots are those that there are. */
static void check_plans(struct world *w)
{
	struct page_plan plans[PAGES];
	struct bw_page **pages = w->now.pages;

	w->hypervisor.fails = 0;
	for (unsigned int i = 0; i < PAGES; i++)
		if (pages[i])
			plans[i] = pages[i]->plan;
	__atomic_store_n(&w->bus->unsettled, true, __ATOMIC_RELAXED);
	touch_mmio(w);
	for (unsigned int i = 0; i < PAGES; i++) {
		if (!pages[i])
			continue;
		assert_ptr_equal(pages[i]->plan.why_not, plans[i].why_not);
		assert_ptr_equal(pages[i]->plan.way, plans[i].way);
		assert_int_equal(pages[i]->plan.gpa, plans[i].gpa);
		assert_int_equal(pages[i]->nr_slots, count_slots(pages[i]));
		w->hot += pages[i]->state == PAGE_HOT;
		w->kept_away += pages[i]->plan.why_not != NULL;
	}
	w->hypervisor.fails = FAILS;
}

/* What could not be placed is tried again by the next commit in MMIO, wherever that is. */
static void check_failed(struct world *w)
{
	touch_mmio(w);
	for (unsigned int i = 0; i < PAGES; i++)
		assert_true(!w->now.pages[i] || !w->now.pages[i]->failed);
}

static void ignore(void *opaque, struct bw_notifier *n, uint64_t count)
{
	(void)opaque, (void)n, (void)count;
}

static void to_weigh_all_pages_changes_nothing_more(void **state)
{
	struct world w = { .random = 20261122, .hypervisor.random = 7 };

	(void)state;
	w.bus = make_bus();
	w.n = make_notifier("kick");
	assert_int_equal(bw_poller_new(&w.poller), 0);
	assert_int_equal(bw_poller_add(w.poller, w.n, ignore, NULL), 0);
	assert_int_equal(bus_offload(w.bus, &ops, &w.hypervisor), 0);
	for (unsigned int step = 0; step < STEPS; step++) {
		commit_something(&w);
		check_plans(&w);
		bw_poller_poll(w.poller, 0);
		w.hypervisor.fails = 0;
		check_failed(&w);
		w.hypervisor.fails = FAILS;
		bw_poller_poll(w.poller, 0);
	}
	assert_true(w.hot > STEPS / 10);
	assert_true(w.kept_away > STEPS / 10);
	bw_bus_free(w.bus);
	bw_poller_free(w.poller);
	bw_notifier_free(w.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happens_elsewhere_weighs_no_page),
		cmocka_unit_test(what_happens_to_a_page_weighs_that_one),
		cmocka_unit_test(a_slow_page_takes_another_way_once_a_commit_succeeds),
		cmocka_unit_test(to_weigh_all_pages_changes_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
