/* SPDX-License-Identifier: MIT
 *
 * Doorbell pages under a real guest: each store is seen, or followed by one that is, whatever
 * becomes of the page meanwhile.
 */
#include "vm_world.h"
#include "../lib/bus.h"
#include "../lib/page.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BAR (BAR + 0x100000u)
#define MAX_VCPUS 2u
/* Some tenths of a second: natively, and emulated. */
#define MANY_STORES 300000000u
#define STORES 400000u
#define RACING_BURST 400000u

static struct machine slot_user = { &vm_kvm, 3, BW_PAGE_WAY_SLOT };
static struct machine protect_user = { &vm_kvm, 3, BW_PAGE_WAY_WRITE_PROTECT };
static struct machine slot_kernel = { &vm_kvm, 0, BW_PAGE_WAY_SLOT };

#define ON_EACH(test)                                                                              \
	ON(slot_user, test), ON(protect_user, test), ON(slot_kernel, test), ON(soft_cpu, test)

struct bell {
	struct bw_notifier *n;
	struct bw_ioeventfd *ie;
	uint64_t rings, newest, traps;
	bool went_back; /* a value smaller than one before */
	bool last_trapped;
};

struct stage {
	struct world *w;
	struct bw_region *region;
	struct bw_page *page;
	struct bw_poller *poller;
	struct bell slots[MAX_VCPUS];
	pthread_t vcpus[MAX_VCPUS], consumer;
	uint64_t bursts, burst, period;
	unsigned int running;
};

static void hear(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct bell *s = opaque;
	uint64_t value;

	(void)n;
	s->rings += count;
	s->last_trapped = bw_ioeventfd_value(s->ie, &value) == -ENODATA;
	if (s->last_trapped) {
		s->traps++;
		return;
	}
	s->went_back |= value < s->newest;
	s->newest = value;
}

static uint64_t slot_addr(unsigned int i)
{
	return PAGE_BAR + i * 8;
}

static void open_stage(struct stage *s, void **state, enum bw_page_policy policy)
{
	struct bw_region_opts region = { .size = sizeof(region), .space = BW_MMIO, .len = 0x1000 };
	/* a trap that is said to be dear makes it hot at once */
	struct bw_page_opts page = { .size = sizeof(page), .policy = policy, .exit_ns = 100000000 };

	memset(s, 0, sizeof(*s));
	s->w = make_world(state, note, MAX_VCPUS);
	if (!(bw_bus_caps(s->w->bus) & BW_CAP_PAGE)) {
		free_world(s->w);
		skip(); /* no userfaultfd for us */
	}
	assert_int_equal(bw_poller_new(&s->poller), 0);
	assert_int_equal(bw_region_new(s->w->bus, &s->region, &region), 0);
	assert_int_equal(bw_region_page(s->region, &s->page, &page), 0);
	assert_int_equal(bw_poller_add_page(s->poller, s->page), 0);
	for (unsigned int i = 0; i < MAX_VCPUS; i++) {
		struct bell *slot = &s->slots[i];

		slot->n = make_notifier(NULL);
		assert_int_equal(
			bw_region_doorbell(s->region, &slot->ie, i * 8, of_len(4), slot->n), 0);
		assert_int_equal(bw_poller_add(s->poller, slot->n, hear, slot), 0);
	}
	assert_int_equal(bw_region_map(s->region, PAGE_BAR), 0);
}

static void close_stage(struct stage *s)
{
	bw_poller_free(s->poller);
	free_world(s->w);
	for (unsigned int i = 0; i < MAX_VCPUS; i++)
		bw_notifier_free(s->slots[i].n);
}

static struct bw_page_stats stats_of(struct stage *s)
{
	struct bw_page_stats stats = { .size = sizeof(stats) };

	assert_int_equal(bw_page_stats(s->page, &stats), 0);
	return stats;
}

static void a_store_into_a_hot_page_is_no_exit(void **state)
{
	uint64_t before = 0, after = 0;
	struct stage s;
	int counted;

	open_stage(&s, state, BW_PAGE_HOT);
	bw_poller_poll(s.poller, 0);
	assert_true(stats_of(&s).hot);
	play(s.w, store(slot_addr(0), 4, 1));
	counted = vcpu_exits(s.w->vcpu, &before);
	load_ring(s.w->vcpu, store(slot_addr(0), 4, 2), 1000, 0);
	assert_int_equal(vcpu_run(s.w->vcpu), 0);
	if (counted == 0) {
		assert_int_equal(vcpu_exits(s.w->vcpu, &after), 0);
		assert_true(after - before < 100);
	}
	assert_int_equal(s.slots[0].rings, 0);
	assert_int_equal(bw_poller_poll(s.poller, 0), 1);
	assert_int_equal(s.slots[0].rings, 1);
	assert_int_equal(s.slots[0].newest, 2);
	assert_int_equal(play(s.w, load(slot_addr(0), 4)), 0);
	assert_int_equal(s.w->nr_seen, 0);
	close_stage(&s);
}

/* What was hot at one place is at no other, and nothing is left where it was. */
static void a_hot_page_moves(void **state)
{
	struct stage s;

	open_stage(&s, state, BW_PAGE_HOT);
	bw_poller_poll(s.poller, 0);
	play(s.w, store(slot_addr(1), 4, 7));
	assert_int_equal(bw_region_map(s.region, PAGE_BAR + 0x10000), 0);
	bw_poller_poll(s.poller, 0);
	assert_int_equal(s.slots[1].rings, 1);
	assert_int_equal(s.slots[1].newest, 7);
	play(s.w, store(slot_addr(1), 4, 8));
	assert_int_equal(s.w->nr_seen, 1); /* unclaimed */
	play(s.w, store(slot_addr(1) + 0x10000, 4, 9));
	bw_poller_poll(s.poller, 0);
	assert_int_equal(s.slots[1].rings, 2);
	assert_int_equal(s.slots[1].newest, 9);
	close_stage(&s);
}

static uint64_t guest_ticks(struct world *w)
{
	play(w, store(slot_addr(0) + 512, 4, 0));
	return vcpu_mailbox(w->vcpu)->tsc_end;
}

/* ---- stores against switches ---- */

static struct {
	struct stage *stage;
	unsigned int vcpu;
} runs[MAX_VCPUS];

static void *run_vcpu(void *arg)
{
	unsigned int i = *(unsigned int *)arg;
	struct stage *s = runs[i].stage;
	struct vcpu *vcpu = vm_vcpu(s->w->vm, i);
	struct guest_mailbox *mailbox = vcpu_mailbox(vcpu);

	mailbox->op = GUEST_PACE;
	mailbox->ring = store(slot_addr(i), 4, 0);
	mailbox->count = s->bursts;
	mailbox->burst = s->burst;
	mailbox->period = s->period;
	mailbox->sequence = mailbox->trips = mailbox->touch_pages = 0;
	assert_int_equal(vcpu_run(vcpu), 0);
	__atomic_sub_fetch(&s->running, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *consume(void *arg)
{
	struct stage *s = arg;

	assert_int_equal(bw_poller_run(s->poller), 0);
	return NULL;
}

static void start(struct stage *s)
{
	assert_int_equal(pthread_create(&s->consumer, NULL, consume, s), 0);
	s->running = MAX_VCPUS;
	for (unsigned int i = 0; i < MAX_VCPUS; i++) {
		runs[i].stage = s;
		runs[i].vcpu = i;
		assert_int_equal(pthread_create(&s->vcpus[i], NULL, run_vcpu, &runs[i].vcpu), 0);
	}
}

static void finish(struct stage *s)
{
	for (unsigned int i = 0; i < MAX_VCPUS; i++)
		pthread_join(s->vcpus[i], NULL);
	bw_poller_stop(s->poller);
	pthread_join(s->consumer, NULL);
	assert_true(bw_poller_freeze(s->poller) >= 0);
	bw_poller_thaw(s->poller);
	for (unsigned int i = 0; i < 200; i++) /* eventfds are looked at now and then */
		assert_true(bw_poller_poll(s->poller, 0) >= 0);
	for (unsigned int i = 0; i < MAX_VCPUS; i++) {
		struct bell *slot = &s->slots[i];

		assert_true(slot->rings >= 1);
		assert_true(slot->rings <= s->bursts * s->burst);
		assert_false(slot->went_back);
		if (!slot->last_trapped)
			assert_int_equal(slot->newest, s->bursts * s->burst);
	}
}

static bool is_running(struct stage *s)
{
	return __atomic_load_n(&s->running, __ATOMIC_SEQ_CST);
}

static void change_policy_of_nothing(struct stage *s, uint64_t *seed)
{
	(void)seed;
	bw_poller_del_page(s->poller, s->page);
	sched_yield();
	assert_int_equal(bw_poller_add_page(s->poller, s->page), 0);
}

static void freeze_and_thaw(struct stage *s, uint64_t *seed)
{
	(void)seed;
	assert_true(bw_poller_freeze(s->poller) >= 0);
	sched_yield();
	bw_poller_thaw(s->poller);
}

static void cover_and_uncover(struct stage *s, uint64_t *seed)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts), .space = BW_MMIO, .len = 8, .priority = 1
	};
	struct bw_region *cover;

	assert_int_equal(bw_region_new(s->w->bus, &cover, &opts), 0);
	assert_int_equal(bw_region_map(cover, PAGE_BAR + 8 * (1 + random_below(seed, 400))), 0);
	bw_region_free(cover);
}

static void another_slot(struct stage *s, uint64_t *seed)
{
	struct bw_ioeventfd *ie;

	assert_int_equal(bw_region_doorbell(s->region, &ie, 64 + 8 * random_below(seed, 400),
					    of_len(8), s->slots[0].n),
			 0);
	bw_ioeventfd_deassign(ie);
}

static bool is_native(const struct machine *machine)
{
	return machine->be == &vm_kvm && machine->cpl == 3;
}

static void every_store_is_seen_or_followed_by_one_seen(void **state)
{
	static void (*const changes[])(struct stage *,
				       uint64_t *) = { change_policy_of_nothing, freeze_and_thaw,
						       cover_and_uncover, another_slot };
	uint64_t seed = 20261;
	struct stage s;

	open_stage(&s, state, BW_PAGE_HOT);
	s.bursts = 1;
	s.burst = is_native(*state) ? MANY_STORES : STORES;
	start(&s);
	while (is_running(&s)) {
		changes[random_below(&seed, COUNT_OF(changes))](&s, &seed);
		usleep(random_below(&seed, 1000));
	}
	finish(&s);
	print_message("%llu switches, %llu deliveries, %llu traps\n",
		      (unsigned long long)stats_of(&s).switches,
		      (unsigned long long)stats_of(&s).deliveries,
		      (unsigned long long)(s.slots[0].traps + s.slots[1].traps));
	close_stage(&s);
}

static uint64_t ticks_of_ms(struct stage *s, unsigned int ms)
{
	struct timespec pause = { .tv_nsec = 10000000 };
	uint64_t start = guest_ticks(s->w);

	nanosleep(&pause, NULL);
	return (guest_ticks(s->w) - start) / 10 * ms;
}

static uint64_t switches_of_bursts(void **state, unsigned int ms_apart)
{
	struct stage s;
	uint64_t switches;

	open_stage(&s, state, BW_PAGE_ADAPTIVE);
	s.bursts = 4;
	s.burst = 1000;
	s.period = ticks_of_ms(&s, ms_apart);
	start(&s);
	finish(&s);
	switches = stats_of(&s).switches;
	close_stage(&s);
	return switches;
}

/* Bursts that are further apart than it stays hot: it sleeps in between, and wakes for each. On a
 * machine that stands still at times one vCPU's bursts may come between the other's. */
static void a_page_that_sleeps_between_bursts_loses_nothing(void **state)
{
	uint64_t switches = 0;

	for (unsigned int ms = 300; switches < 4 && ms < 5000; ms *= 2)
		switches = switches_of_bursts(state, ms);
	assert_true(switches >= 4);
}

/* By AUTO, which has begun with the memslot here. All at once: a consumer that switched a memslot
 * would wait for a vCPU that waits for it at a page that is protected. */
static void slots_that_were_found_slow_are_given_up(void **state)
{
	struct bw_region_opts region = { .size = sizeof(region), .space = BW_MMIO, .len = 0x1000 };
	struct bw_page_opts opts = { .size = sizeof(opts), .policy = BW_PAGE_HOT };
	struct bw_page_stats other_stats = { .size = sizeof(other_stats) };
	struct bw_region *other;
	struct bw_page *page;
	struct stage s;

	open_stage(&s, state, BW_PAGE_HOT);
	assert_int_equal(bw_region_new(s.w->bus, &other, &region), 0);
	assert_int_equal(bw_region_page(other, &page, &opts), 0);
	assert_int_equal(bw_region_map(other, PAGE_BAR + 0x10000), 0);
	assert_int_equal(bw_poller_add_page(s.poller, page), 0);
	bw_poller_poll(s.poller, 0);
	if (s.w->be == &vm_kvm && strcmp(stats_of(&s).way, "slot") == 0) {
		s.page->bus->slot_is_slow = true;
		assert_int_equal(bw_region_map(s.region, PAGE_BAR), 0);
		assert_string_equal(stats_of(&s).way, "write-protect");
		assert_int_equal(bw_page_stats(page, &other_stats), 0);
		assert_string_equal(other_stats.way, "write-protect");
		bw_poller_poll(s.poller, 0);
		play(s.w, store(slot_addr(0), 4, 7));
		bw_poller_poll(s.poller, 0);
		assert_int_equal(s.slots[0].newest, 7);
	}
	close_stage(&s);
}

static void *run_alone(void *arg)
{
	struct stage *s = arg;

	assert_int_equal(vcpu_run(s->w->vcpu), 0);
	return NULL;
}

static void cool_down(struct stage *s)
{
	struct timespec pause = { .tv_nsec = 1000000 };

	do {
		assert_true(bw_poller_poll(s->poller, 0) >= 0);
		bw_poller_arm(s->poller);
		nanosleep(&pause, NULL);
	} while (stats_of(s).hot);
	assert_true(bw_poller_poll(s->poller, 0) >= 0);
}

/* KVM changes no memslot while a vCPU waits in a fault, nor is it to wait for a poll of ours. */
static void a_change_lets_stores_into_other_pages_in(void **state)
{
	struct bw_region_opts region = { .size = sizeof(region), .space = BW_MMIO, .len = 0x1000 };
	struct bw_page_opts opts = { .size = sizeof(opts), .policy = BW_PAGE_HOT };
	struct pollfd armed = { .events = POLLIN };
	struct bw_region *other;
	struct bw_page *page;
	struct stage s;

	open_stage(&s, state, BW_PAGE_ADAPTIVE);
	assert_int_equal(bw_region_new(s.w->bus, &other, &region), 0);
	assert_int_equal(bw_region_page(other, &page, &opts), 0);
	cool_down(&s);
	armed.fd = bw_poller_arm(s.poller);
	assert_true(armed.fd >= 0);
	load_ring(s.w->vcpu, store(slot_addr(0), 4, 1), 1, 0);
	assert_int_equal(pthread_create(&s.vcpus[0], NULL, run_alone, &s), 0);
	assert_int_equal(poll(&armed, 1, 10000), 1);
	alarm(30); /* what hangs is killed */
	assert_int_equal(bw_region_map(other, PAGE_BAR + 0x10000), 0);
	assert_int_equal(bw_poller_add_page(s.poller, page), 0);
	for (unsigned int i = 0; i < 200; i++)
		assert_true(bw_poller_poll(s.poller, 0) >= 0);
	pthread_join(s.vcpus[0], NULL);
	alarm(0);
	for (unsigned int i = 0; i < 200; i++)
		assert_true(bw_poller_poll(s.poller, 0) >= 0);
	assert_int_equal(s.slots[0].rings, 1);
	close_stage(&s);
}

static void wait_for_the_bus(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct stage *s = opaque;

	(void)n, (void)count;
	__atomic_store_n(&s->running, 1, __ATOMIC_SEQ_CST);
	assert_int_equal(bw_bus_begin(s->w->bus), 0);
	assert_int_equal(bw_bus_commit(s->w->bus), 0);
}

static void *poll_once(void *arg)
{
	struct stage *s = arg;

	assert_true(bw_poller_poll(s->poller, 0) >= 0);
	return NULL;
}

/* Nor is it to wait for a poller whose callback waits for the lock that the change holds. */
static void a_change_waits_for_no_callback(void **state)
{
	struct bw_region_opts region = { .size = sizeof(region), .space = BW_MMIO, .len = 0x1000 };
	struct bw_page_opts opts = { .size = sizeof(opts), .policy = BW_PAGE_HOT };
	struct timespec pause = { .tv_nsec = 100000000 };
	struct bw_notifier *n = make_notifier(NULL);
	struct bw_poller *elsewhere;
	struct bw_region *other;
	struct bw_page *page;
	struct stage s;

	open_stage(&s, state, BW_PAGE_ADAPTIVE);
	assert_int_equal(bw_poller_new(&elsewhere), 0);
	assert_int_equal(bw_region_new(s.w->bus, &other, &region), 0);
	assert_int_equal(bw_region_page(other, &page, &opts), 0);
	assert_int_equal(bw_poller_add_page(elsewhere, page), 0);
	assert_int_equal(bw_poller_add(s.poller, n, wait_for_the_bus, &s), 0);
	cool_down(&s);
	alarm(30); /* what hangs is killed */
	assert_int_equal(bw_bus_begin(s.w->bus), 0);
	bw_notifier_ring(n);
	assert_int_equal(pthread_create(&s.consumer, NULL, poll_once, &s), 0);
	while (!is_running(&s))
		sched_yield();
	load_ring(s.w->vcpu, store(slot_addr(0), 4, 1), 1, 0);
	assert_int_equal(pthread_create(&s.vcpus[0], NULL, run_alone, &s), 0);
	nanosleep(&pause, NULL); /* it waits in the fault, where there is one */
	assert_int_equal(bw_region_map(other, PAGE_BAR + 0x10000), 0);
	assert_int_equal(bw_bus_commit(s.w->bus), 0);
	pthread_join(s.consumer, NULL);
	pthread_join(s.vcpus[0], NULL);
	alarm(0);
	for (unsigned int i = 0; i < 200; i++)
		assert_true(bw_poller_poll(s.poller, 0) >= 0);
	assert_int_equal(s.slots[0].rings, 1);
	bw_poller_free(elsewhere);
	close_stage(&s);
	bw_notifier_free(n);
}

static void race(void **state, unsigned int tenths_of_ms, uint64_t bursts)
{
	struct stage s;

	open_stage(&s, state, BW_PAGE_ADAPTIVE);
	s.burst = is_native(*state) ? RACING_BURST : RACING_BURST / 20; /* longer than a nap */
	s.bursts = bursts;
	s.period = ticks_of_ms(&s, tenths_of_ms) / 10;
	start(&s);
	finish(&s);
	print_message("%llu stores, %llu switches, %llu deliveries, %llu traps\n",
		      (unsigned long long)(MAX_VCPUS * s.bursts * s.burst),
		      (unsigned long long)stats_of(&s).switches,
		      (unsigned long long)stats_of(&s).deliveries,
		      (unsigned long long)(s.slots[0].traps + s.slots[1].traps));
	close_stage(&s);
}

/* Bursts about as far apart as a page without rings stays hot, which depends on what a switch takes
 * here: the one that makes it cold and the next burst race, and by write-protection stores wait for
 * the poller. BELLWIRE_STORES, of each vCPU: for longer. */
static void stores_that_race_with_cooling_are_seen(void **state)
{
	static const unsigned int tenths_of_ms[] = { 506, 550, 2100 };
	const char *stores = getenv("BELLWIRE_STORES");
	uint64_t bursts = stores ? strtoull(stores, NULL, 10) / RACING_BURST : 20;

	for (size_t i = 0; i < COUNT_OF(tenths_of_ms); i++)
		race(state, tenths_of_ms[i], bursts / COUNT_OF(tenths_of_ms));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH(a_store_into_a_hot_page_is_no_exit),
		ON_EACH(a_hot_page_moves),
		ON(kvm_user, slots_that_were_found_slow_are_given_up),
		ON_EACH(a_change_lets_stores_into_other_pages_in),
		ON_EACH(a_change_waits_for_no_callback),
		ON_EACH(a_page_that_sleeps_between_bursts_loses_nothing),
		ON_EACH(every_store_is_seen_or_followed_by_one_seen),
		ON_EACH(stores_that_race_with_cooling_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
