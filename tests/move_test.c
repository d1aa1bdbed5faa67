/* SPDX-License-Identifier: MIT
 *
 * A real guest rings while regions move: with the kernel signalling where there is KVM. Every write
 * is signalled, handled or unclaimed, once, and at the right times.
 */
#include "vm_world.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#define BELL 8u      /* offset of the doorbell */
#define REGISTER 16u /* offset of what a guest writes to move its BAR */
#define PLACE(i) (BAR + (i)*0x1000u)
#define PLAYS 1500u
#define MAX_BARS 6u

struct device {
	struct bw_region *region;
	struct bw_notifier *n;
	pthread_mutex_t lock; /* held over a move, as a device's lock may be */
	uint64_t other_place; /* where a write to REGISTER moves it; they change places */
	uint64_t here;
};

/* What the unclaimed hook and the handlers count, on whichever vCPU's thread. */
struct counts {
	uint64_t unclaimed, handled;
	bool unclaimed_is_wrong, wrong;
};

struct stage {
	struct world *w;
	struct device devices[MAX_BARS];
	unsigned int nr_devices;
	unsigned int running; /* vCPUs */
	unsigned int writes;  /* in a list */
	pthread_t threads[2];
};

static struct counts counts;

static void count_unclaimed(void *opaque, struct bw_access *access)
{
	(void)opaque;
	(void)access;
	__atomic_add_fetch(&counts.unclaimed, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&counts.unclaimed_is_wrong, __ATOMIC_SEQ_CST))
		__atomic_store_n(&counts.wrong, true, __ATOMIC_SEQ_CST);
}

static void move_on_write(void *opaque, struct bw_access *access)
{
	struct device *d = opaque;
	uint64_t old;

	__atomic_add_fetch(&counts.handled, 1, __ATOMIC_SEQ_CST);
	if (access->offset != REGISTER)
		return;
	pthread_mutex_lock(&d->lock);
	old = d->here;
	if (!bw_region_map(d->region, d->other_place)) {
		d->here = d->other_place;
		d->other_place = old;
	}
	pthread_mutex_unlock(&d->lock);
}

static void add_device(struct stage *s, uint64_t here, uint64_t other_place)
{
	struct device *d = &s->devices[s->nr_devices++];
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = "bar",
		.len = 0x100,
		.handler = move_on_write,
		.opaque = d,
	};
	struct bw_ioeventfd *bell;

	pthread_mutex_init(&d->lock, NULL);
	d->here = here;
	d->other_place = other_place;
	d->n = make_notifier("bell");
	assert_int_equal(bw_region_new(s->w->bus, &d->region, &opts), 0);
	assert_int_equal(bw_region_doorbell(d->region, &bell, BELL, of_len(4), d->n), 0);
	assert_int_equal(bw_region_map(d->region, here), 0);
}

static void open_stage(struct stage *s, void **state)
{
	memset(s, 0, sizeof(*s));
	memset(&counts, 0, sizeof(counts));
	s->w = make_world(state, count_unclaimed, 2);
}

static void close_stage(struct stage *s)
{
	free_world(s->w);
	while (s->nr_devices)
		bw_notifier_free(s->devices[--s->nr_devices].n);
}

struct player {
	struct stage *s;
	struct vcpu *vcpu;
};

static void *play_all(void *opaque)
{
	struct player *p = opaque;
	intptr_t err = vcpu_run(p->vcpu);

	__atomic_sub_fetch(&p->s->running, 1, __ATOMIC_SEQ_CST);
	return (void *)err;
}

/* Both vCPUs write 4 bytes to each address in turn, plays times. */
static void start_guest(struct stage *s, const uint64_t *addrs, unsigned int nr, uint64_t plays)
{
	static struct player players[2];

	s->running = 2;
	s->writes = nr;
	for (unsigned int i = 0; i < 2; i++) {
		struct vcpu *vcpu = vm_vcpu(s->w->vm, i);
		struct guest_mailbox *mailbox = vcpu_mailbox(vcpu);
		uint64_t at = GUEST_SCRATCH + i * 0x1000;
		struct guest_access *list = vm_memory(s->w->vm, at, 0x1000);

		for (unsigned int j = 0; j < nr; j++)
			list[j] = store(addrs[j], 4, 1);
		mailbox->op = GUEST_PLAY;
		mailbox->nr_accesses = nr;
		mailbox->accesses = at;
		mailbox->count = plays;
		players[i] = (struct player){ s, vcpu };
		assert_int_equal(pthread_create(&s->threads[i], NULL, play_all, &players[i]), 0);
	}
}

static bool guest_runs(struct stage *s)
{
	return __atomic_load_n(&s->running, __ATOMIC_SEQ_CST);
}

static void finish_guest(struct stage *s)
{
	for (unsigned int i = 0; i < 2; i++) {
		void *err;

		pthread_join(s->threads[i], &err);
		assert_int_equal((intptr_t)err, 0);
	}
}

static uint64_t take_all(struct stage *s)
{
	uint64_t taken = 0;

	for (unsigned int i = 0; i < s->nr_devices; i++)
		taken += bw_notifier_take(s->devices[i].n);
	return taken;
}

static void check_sum(struct stage *s, uint64_t taken, uint64_t plays)
{
	assert_int_equal(taken + take_all(s) + counts.unclaimed + counts.handled,
			 2 * plays * s->writes);
	assert_false(counts.wrong);
}

static void every_ring_at_either_place_is_accounted_for(void **state)
{
	const uint64_t addrs[] = { PLACE(0) + BELL, PLACE(1) + BELL };
	unsigned int moves = 0;
	struct stage s;

	open_stage(&s, state);
	add_device(&s, PLACE(0), 0);
	start_guest(&s, addrs, 2, PLAYS);
	for (; guest_runs(&s) || moves < 10; moves++)
		assert_int_equal(bw_region_map(s.devices[0].region, PLACE(moves % 2 ? 0 : 1)), 0);
	finish_guest(&s);
	check_sum(&s, 0, PLAYS);
	close_stage(&s);
}

static void wait_for_unclaimed(struct stage *s, uint64_t more)
{
	uint64_t until = __atomic_load_n(&counts.unclaimed, __ATOMIC_SEQ_CST) + more;

	while (__atomic_load_n(&counts.unclaimed, __ATOMIC_SEQ_CST) < until && guest_runs(s))
		sched_yield();
}

/* Unclaimed before the move begins, or signalled after it has returned, would be wrong. */
static void the_old_place_rings_until_the_move_and_never_after(void **state)
{
	const uint64_t addrs[] = { PLACE(0) + BELL };
	uint64_t taken = 0, rung;
	struct stage s;

	open_stage(&s, state);
	add_device(&s, PLACE(0), 0);
	for (unsigned int round = 0; round < 20; round++) {
		counts.unclaimed_is_wrong = true;
		start_guest(&s, addrs, 1, 100);
		while (!(rung = bw_notifier_take(s.devices[0].n)))
			sched_yield();
		__atomic_store_n(&counts.unclaimed_is_wrong, false, __ATOMIC_SEQ_CST);
		assert_int_equal(bw_region_map(s.devices[0].region, PLACE(1)), 0);
		taken += rung + bw_notifier_take(s.devices[0].n);
		wait_for_unclaimed(&s, 20);
		assert_int_equal(bw_notifier_take(s.devices[0].n), 0);
		finish_guest(&s);
		assert_int_equal(bw_region_map(s.devices[0].region, PLACE(0)), 0);
	}
	check_sum(&s, taken, 20 * 100);
	close_stage(&s);
}

/* The guest writes its BAR, on one vCPU or on both at once, and rings where it was and is. */
static void a_handler_moves_the_region_it_serves(void **state)
{
	const uint64_t addrs[] = { PLACE(0) + BELL, PLACE(0) + REGISTER, PLACE(0) + BELL,
				   PLACE(1) + BELL, PLACE(1) + REGISTER, PLACE(1) + BELL };
	struct stage s;

	open_stage(&s, state);
	add_device(&s, PLACE(0), PLACE(1));
	start_guest(&s, addrs, 6, 300);
	finish_guest(&s);
	assert_true(counts.handled > 0);
	check_sum(&s, 0, 300);
	close_stage(&s);
}

/* At either place there is always a doorbell: no write may find none. */
static void two_bars_change_places_and_no_write_finds_neither(void **state)
{
	const uint64_t addrs[] = { PLACE(0) + BELL, PLACE(1) + BELL };
	struct stage s;

	open_stage(&s, state);
	add_device(&s, PLACE(0), 0);
	add_device(&s, PLACE(1), 0);
	counts.unclaimed_is_wrong = true;
	start_guest(&s, addrs, 2, PLAYS);
	for (unsigned int swaps = 0; guest_runs(&s) || swaps < 10; swaps++) {
		assert_int_equal(bw_bus_begin(s.w->bus), 0);
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(
				bw_region_map(s.devices[i].region, PLACE((swaps + i + 1) % 2)), 0);
		assert_int_equal(bw_bus_commit(s.w->bus), 0);
	}
	finish_guest(&s);
	assert_int_equal(counts.unclaimed + counts.handled, 0);
	check_sum(&s, 0, PLAYS);
	close_stage(&s);
}

static void set_decoding(struct stage *s, bool on)
{
	assert_int_equal(bw_bus_begin(s->w->bus), 0);
	for (unsigned int i = 0; i < s->nr_devices; i++)
		assert_int_equal(on ? bw_region_map(s->devices[i].region, PLACE(i))
				    : bw_region_unmap(s->devices[i].region),
				 0);
	assert_int_equal(bw_bus_commit(s->w->bus), 0);
}

/* As by one write to PCI COMMAND. */
static void six_bars_are_turned_off_by_one_commit(void **state)
{
	uint64_t addrs[MAX_BARS], taken = 0;
	unsigned int turns = 0;
	struct stage s;

	open_stage(&s, state);
	for (unsigned int i = 0; i < MAX_BARS; i++) {
		add_device(&s, PLACE(i), 0);
		addrs[i] = PLACE(i) + BELL;
	}
	start_guest(&s, addrs, MAX_BARS, PLAYS / 3);
	for (; guest_runs(&s) || turns < 5; turns++) {
		set_decoding(&s, false);
		taken += take_all(&s);
		wait_for_unclaimed(&s, 20);
		assert_int_equal(take_all(&s), 0);
		set_decoding(&s, true);
	}
	finish_guest(&s);
	check_sum(&s, taken, PLAYS / 3);
	close_stage(&s);
}

/* Where a guest puts its BAR, sizing it: KVM takes no ioeventfd that ends at 2^64. */
static void a_bar_at_the_top_of_memory_can_be_mapped(void **state)
{
	struct stage s;

	open_stage(&s, state);
	add_device(&s, PLACE(0), 0);
	assert_int_equal(bw_region_map(s.devices[0].region, 0 - (uint64_t)BELL - 4), -EINVAL);
	bw_region_free(s.devices[0].region);
	assert_int_equal(bw_region_new(s.w->bus, &s.devices[0].region,
				       &(struct bw_region_opts){
					       .size = sizeof(struct bw_region_opts),
					       .len = BELL + 4,
				       }),
			 0);
	assert_int_equal(bw_region_doorbell(s.devices[0].region, &(struct bw_ioeventfd *){ NULL },
					    BELL, of_len(4), s.devices[0].n),
			 0);
	assert_int_equal(bw_region_map(s.devices[0].region, 0 - (uint64_t)BELL - 4), 0);
	assert_int_equal(write_to(s.w->bus, BW_MMIO, UINT64_MAX - 3, 4, 0), BW_SIGNALLED);
	assert_int_equal(take_all(&s), 1);
	close_stage(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL(every_ring_at_either_place_is_accounted_for),
		ON_ALL(the_old_place_rings_until_the_move_and_never_after),
		ON_ALL(a_handler_moves_the_region_it_serves),
		ON_ALL(two_bars_change_places_and_no_write_finds_neither),
		ON_ALL(a_bar_at_the_top_of_memory_can_be_mapped),
		ON_ALL(six_bars_are_turned_off_by_one_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
