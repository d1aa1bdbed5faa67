/* SPDX-License-Identifier: MIT
 *
 * Captures with several vCPUs at once: each value exactly once and in order, none ever torn, and
 * somebody who scribbles over all of the shared memory. Bounded by numbers of rings, not by time.
 */
#include "capture_world.h"
#include "../lib/capture.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define VCPUS 3u
#define RINGS 20000u

/* A value that tells whose it is, which, and, by its halves, whether it is all of one. */
static uint64_t value_of(unsigned int vcpu, uint32_t i)
{
	return (uint64_t)(i ^ 0x5a5a5a5a) << 32 | i << 2 | vcpu;
}

static bool is_of_one(uint64_t value, unsigned int *vcpu, uint32_t *i)
{
	*vcpu = value & 3;
	*i = (uint32_t)value >> 2;
	return value == value_of(*vcpu, *i);
}

struct vcpu {
	struct captured_world *w;
	unsigned int nr;
	unsigned int *running;
	uint64_t signalled, handled, bad;
	pthread_t thread;
};

static void *ring(void *opaque)
{
	struct vcpu *v = opaque;

	for (uint32_t i = 1; i <= RINGS; i++)
		switch (write_to(v->w->bus, BW_MMIO, DOORBELL, 8, value_of(v->nr, i))) {
		case BW_SIGNALLED:
			v->signalled++;
			break;
		case BW_HANDLED:
			v->handled++;
			break;
		default:
			v->bad++;
		}
	__atomic_sub_fetch(v->running, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void start(struct vcpu *vcpus, unsigned int nr, struct captured_world *w,
		  unsigned int *running)
{
	*running = nr;
	for (unsigned int i = 0; i < nr; i++) {
		vcpus[i] = (struct vcpu){ .w = w, .nr = i, .running = running };
		assert_int_equal(pthread_create(&vcpus[i].thread, NULL, ring, &vcpus[i]), 0);
	}
}

static struct vcpu finish(struct vcpu *vcpus, unsigned int nr)
{
	struct vcpu sum = { .nr = 0 };

	for (unsigned int i = 0; i < nr; i++) {
		pthread_join(vcpus[i].thread, NULL);
		sum.signalled += vcpus[i].signalled;
		sum.handled += vcpus[i].handled;
		sum.bad += vcpus[i].bad;
	}
	assert_int_equal(sum.bad, 0);
	assert_int_equal(sum.signalled + sum.handled, nr * RINGS);
	return sum;
}

/* No cell was given to two, and none is forgotten. */
static void room_is_what_was_given_back(const struct bw_capture *c)
{
	assert_int_equal((uint64_t)c->room + c->tail - c->freed, c->mask + 1);
}

/* What the consumer has heard: sequences without a gap, each vCPU's values upwards. */
struct heard {
	uint64_t values;
	uint32_t newest[4];
	bool wrong;
};

static int take_some(struct bw_capture *c, struct heard *heard)
{
	struct bw_captured v[5];
	int got = bw_capture_take(c, v, 5);

	for (int i = 0; i < got; i++) {
		unsigned int vcpu;
		uint32_t nr;

		heard->wrong |= !is_of_one(v[i].value, &vcpu, &nr) || nr <= heard->newest[vcpu] ||
				v[i].sequence != ++heard->values || v[i].tag != 7 || v[i].len != 8;
		heard->newest[vcpu] = nr;
	}
	return got;
}

static void count(void *opaque, struct bw_access *access)
{
	(void)access;
	__atomic_add_fetch((uint64_t *)opaque, 1, __ATOMIC_RELAXED);
}

/* What is signalled is in the queue, the rest with the handler or counted: nothing else. */
static void each_value_arrives_once_and_in_order(struct captured_world *w)
{
	struct heard heard = { 0 };
	struct vcpu vcpus[VCPUS], sum;
	unsigned int running;
	uint64_t rings = 0;
	int got;

	start(vcpus, VCPUS, w, &running);
	do {
		bool ended = !__atomic_load_n(&running, __ATOMIC_ACQUIRE);
		uint64_t told = bw_notifier_take(w->n);

		rings += told;
		got = take_some(w->c, &heard);
		/* whoever sees the ring sees the value, unless that was dropped */
		heard.wrong |= heard.values + bw_capture_dropped(w->c) > VCPUS * RINGS;
		if (!got && ended)
			break;
		if (!got)
			sched_yield();
	} while (!heard.wrong);
	sum = finish(vcpus, VCPUS);
	assert_false(heard.wrong);
	assert_int_equal(rings + bw_notifier_take(w->n), sum.signalled);
	assert_int_equal(heard.values + bw_capture_dropped(w->c), sum.signalled);
	room_is_what_was_given_back(w->c);
}

static void in_a_queue_that_overflows(void **state)
{
	struct captured_world w = make_captured(make_queue(8));

	(void)state;
	each_value_arrives_once_and_in_order(&w);
	free_captured(&w);
}

static void in_a_queue_that_is_long_enough(void **state)
{
	struct captured_world w = make_captured(make_queue(1u << 16));

	(void)state;
	each_value_arrives_once_and_in_order(&w);
	assert_int_equal(bw_capture_dropped(w.c), 0);
	free_captured(&w);
}

static void in_a_queue_with_a_handler_behind(void **state)
{
	uint64_t handled = 0;
	struct bw_region_opts opts = {
		.size = sizeof(opts), .len = 0x1000, .handler = count, .opaque = &handled
	};
	struct captured_world w = make_captured(make_queue(4));
	struct bw_region *region;

	(void)state;
	assert_int_equal(bw_region_new(w.bus, &region, &opts), 0);
	assert_int_equal(bw_region_map(region, DOORBELL), 0);
	each_value_arrives_once_and_in_order(&w);
	assert_int_equal(bw_capture_dropped(w.c), 0);
	free_captured(&w);
}

/* With one vCPU: of several, one that is late may keep back what others have stored. */
static void who_is_told_of_a_ring_finds_its_value(void **state)
{
	struct captured_world w = make_captured(make_queue(1u << 16));
	struct heard heard = { 0 };
	unsigned int running;
	uint64_t told = 0;
	struct vcpu vcpu;

	(void)state;
	start(&vcpu, 1, &w, &running);
	while (told < RINGS && !heard.wrong) {
		told += bw_notifier_take(w.n);
		while (take_some(w.c, &heard))
			;
		heard.wrong |= heard.values < told;
	}
	finish(&vcpu, 1);
	assert_false(heard.wrong);
	free_captured(&w);
}

#define ROUNDS 20000u

/* Two store at once into a queue with room for one. */
struct rounds {
	struct bw_capture *c;
	unsigned int begun, done;
	uint64_t stored;
};

static void store_one(struct rounds *r)
{
	struct bw_captured v = { .value = 1, .len = 8 };

	if (queue_store(r->c, &v))
		__atomic_add_fetch(&r->stored, 1, __ATOMIC_RELAXED);
}

static void wait_for(const unsigned int *at, unsigned int nr)
{
	for (unsigned int i = 0; __atomic_load_n(at, __ATOMIC_ACQUIRE) < nr; i++)
		if (i % 1024 == 1023)
			sched_yield();
}

static void *store_each_round(void *opaque)
{
	struct rounds *r = opaque;

	for (unsigned int nr = 1; nr <= ROUNDS; nr++) {
		wait_for(&r->begun, nr);
		store_one(r);
		__atomic_store_n(&r->done, nr, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void room_that_two_find_is_one_s(void **state)
{
	struct rounds r = { .c = make_queue(2) };
	struct bw_captured v;
	pthread_t other;

	(void)state;
	store_one(&r);
	store_one(&r);
	assert_int_equal(pthread_create(&other, NULL, store_each_round, &r), 0);
	for (unsigned int nr = 1; nr <= ROUNDS; nr++) {
		assert_int_equal(bw_capture_take(r.c, &v, 1), 1);
		__atomic_store_n(&r.begun, nr, __ATOMIC_RELEASE);
		store_one(&r);
		wait_for(&r.done, nr);
	}
	pthread_join(other, NULL);
	assert_int_equal(r.stored, 2 + ROUNDS);
	room_is_what_was_given_back(r.c);
	bw_capture_free(r.c);
}

/* Each ring has a sequence of its own: after so many the newest is at least that. */
static void the_last_value_is_never_torn_and_never_goes_back(void **state)
{
	struct captured_world w = make_captured(make_last());
	uint64_t newest = 0, wrong = 0, told = 0;
	struct vcpu vcpus[VCPUS];
	unsigned int running;
	struct bw_captured v;

	(void)state;
	start(vcpus, VCPUS, &w, &running);
	for (bool ended = false; !ended;) {
		unsigned int vcpu;
		uint32_t nr;
		int err;

		ended = !__atomic_load_n(&running, __ATOMIC_ACQUIRE);
		told += bw_notifier_take(w.n);
		err = bw_capture_last(w.c, &v);
		if (err) { /* too many at once, or none yet */
			wrong += err == -ENODATA && (told || newest);
			wrong += ended;
			continue;
		}
		wrong +=
			!is_of_one(v.value, &vcpu, &nr) || v.sequence < newest || v.sequence < told;
		wrong += v.len != 8 || v.tag != 7;
		newest = v.sequence;
	}
	finish(vcpus, VCPUS);
	assert_int_equal(wrong, 0);
	assert_int_equal(bw_capture_last(w.c, &v), 0);
	assert_int_equal(v.sequence, VCPUS * RINGS);
	free_captured(&w);
}

/* A write of a lap before that comes late replaces nothing newer. */
static void a_late_store_does_not_spoil_a_newer_one(void **state)
{
	struct bw_capture *c = make_last();
	struct bw_captured v = { .value = 0x1111111122222222, .len = 4 };

	(void)state;
	c->tail = 1 + LAST_CELLS - 1;
	last_store(c, &v);
	assert_int_equal(v.sequence, 1 + LAST_CELLS);
	c->tail = 0;
	v.value = 0x3333333344444444;
	last_store(c, &v);
	assert_int_equal(v.sequence, 1);
	assert_int_equal(bw_capture_last(c, &v), 0);
	assert_int_equal(v.sequence, 1 + LAST_CELLS);
	assert_int_equal(v.value, 0x1111111122222222);
	bw_capture_free(c);
}

/* A value that is half stored hides neither the one before it nor tears. */
static void a_store_in_pieces_leaves_the_one_before(void **state)
{
	struct bw_capture *c = make_last();
	struct bw_captured v = { .value = 5, .len = 4 };
	struct capture_cell next;

	(void)state;
	last_store(c, &v);
	next = cell_pack(&(struct bw_captured){ .value = 6, .sequence = 2, .len = 4 });
	c->shared->cells[2].words[1] = next.words[1];
	assert_int_equal(bw_capture_last(c, &v), 0);
	assert_int_equal(v.value, 5);
	/* and where the newest itself is being overwritten, there is none until that is done */
	next = cell_pack(&(struct bw_captured){ .value = 7, .sequence = 1 + LAST_CELLS, .len = 4 });
	c->shared->cells[1].words[3] = next.words[3];
	assert_int_equal(bw_capture_last(c, &v), -EAGAIN);
	bw_capture_free(c);
}

/* Sequences need more bits than a mark has. */
static void marks_wrap(void **state)
{
	const uint64_t first = ((uint64_t)5 << 32) - 3;
	struct bw_capture *queue = make_queue(2), *last = make_last();
	struct bw_captured v = { .value = 1, .len = 8 };

	(void)state;
	queue->tail = queue->freed = queue->shared->head = first - 1;
	last->tail = first - 1;
	for (uint64_t i = first - LAST_CELLS; i < first; i++)
		last->shared->cells[i & last->mask] =
			cell_pack(&(struct bw_captured){ .sequence = i, .len = 1 });
	for (uint64_t i = first; i < first + 8; i++) {
		assert_true(queue_store(queue, &v));
		assert_int_equal(bw_capture_take(queue, &v, 1), 1);
		assert_int_equal(v.sequence, i);
		last_store(last, &v);
		assert_int_equal(bw_capture_last(last, &v), 0);
		assert_int_equal(v.sequence, i);
	}
	bw_capture_free(queue);
	bw_capture_free(last);
}

/* ---- a consumer that means ill ---- */

struct scribbler {
	struct bw_capture *c;
	uint64_t words; /* of the shared memory */
	bool stop;
	pthread_t thread;
};

/* What it writes is near what belongs there, or anything. */
static uint64_t something(struct scribbler *s, uint64_t at, uint64_t *seed)
{
	uint64_t tail = __atomic_load_n(&s->c->tail, __ATOMIC_RELAXED);

	switch (random_below(seed, 6)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return tail + random_below(seed, 16) - 8;
	case 3:
		return (tail + random_below(seed, 16) - 8) << 32;
	case 4:
		return __atomic_load_n((uint64_t *)s->c->shared + at, __ATOMIC_RELAXED) + 1;
	default:
		return next_random(seed);
	}
}

static void *scribble(void *opaque)
{
	struct scribbler *s = opaque;
	uint64_t seed = 42;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		uint64_t at = random_below(&seed, (uint32_t)s->words);

		__atomic_store_n((uint64_t *)s->c->shared + at, something(s, at, &seed),
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Every word of the memory, at any time. Each write is still signalled or handled, the captures of
 * others have all of their values, and the sanitizers see nothing. */
static void scribbling_spoils_nothing_but_what_is_there(struct bw_capture *c)
{
	struct captured_world w = make_captured(c);
	struct bw_capture *own = make_queue(1u << 10);
	struct bw_ioeventfd *other = must_assign(w.bus, BW_PIO, 1, any_len(), w.n);
	struct scribbler s = { .c = c, .words = c->size / sizeof(uint64_t) };
	struct vcpu vcpus[VCPUS];
	struct bw_captured v[4];
	unsigned int running;

	assert_int_equal(bw_ioeventfd_capture(other, own, 0), 0);
	assert_int_equal(pthread_create(&s.thread, NULL, scribble, &s), 0);
	start(vcpus, VCPUS, &w, &running);
	for (uint64_t i = 1; i <= 1000; i++) {
		assert_int_equal(write_to(w.bus, BW_PIO, 1, 4, i), BW_SIGNALLED);
		assert_int_equal(bw_capture_take(own, v, 4), 1);
		assert_int_equal(v[0].value, i);
		if (c->mode == BW_CAPTURE_QUEUE)
			assert_true(bw_capture_take(c, v, 4) >= 0);
		else
			bw_capture_last(c, v);
	}
	finish(vcpus, VCPUS);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(s.thread, NULL);
	assert_int_equal(bw_notifier_take(w.n), VCPUS * RINGS + 1000);
	if (c->mode == BW_CAPTURE_QUEUE)
		room_is_what_was_given_back(c);
	bw_capture_free(own);
	free_captured(&w);
}

static void of_a_queue(void **state)
{
	(void)state;
	scribbling_spoils_nothing_but_what_is_there(make_queue(8));
}

static void of_a_last_value(void **state)
{
	(void)state;
	scribbling_spoils_nothing_but_what_is_there(make_last());
}

/* A head that runs ahead of what was given, or back, makes no room. */
static void a_head_that_cannot_be_is_not_believed(void **state)
{
	static const uint64_t heads[] = { 3, 100, UINT64_MAX, (uint64_t)1 << 63, 0 };
	struct captured_world w = make_captured(make_queue(2));

	(void)state;
	write_to(w.bus, BW_MMIO, DOORBELL, 4, 1);
	write_to(w.bus, BW_MMIO, DOORBELL, 4, 2);
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		w.c->shared->head = heads[i];
		write_to(w.bus, BW_MMIO, DOORBELL, 4, 3);
		assert_int_equal(bw_capture_dropped(w.c), i + 1);
	}
	w.c->shared->head = 2;
	write_to(w.bus, BW_MMIO, DOORBELL, 4, 4);
	assert_int_equal(bw_capture_dropped(w.c), COUNT_OF(heads));
	free_captured(&w);
}

/* ---- while it is given and taken away ---- */

static void a_ring_is_kept_by_one_or_the_other_while_they_change(void **state)
{
	struct captured_world w = make_captured(make_queue(1u << 16));
	struct bw_capture *captures[] = { w.c, make_queue(1u << 16) };
	struct vcpu vcpus[VCPUS];
	struct bw_captured v;
	unsigned int running;
	uint64_t kept = 0;

	(void)state;
	start(vcpus, VCPUS, &w, &running);
	for (unsigned int i = 1; __atomic_load_n(&running, __ATOMIC_ACQUIRE); i++)
		assert_int_equal(bw_ioeventfd_capture(w.ie, captures[i % 2], 0), 0);
	finish(vcpus, VCPUS);
	for (unsigned int i = 0; i < 2; i++)
		while (bw_capture_take(captures[i], &v, 1))
			kept++;
	assert_int_equal(kept, VCPUS * RINGS);
	bw_capture_free(captures[1]);
	free_captured(&w);
}

/* Freed by its caller, taken away by the bus: nobody may be in it still. */
static void a_capture_is_not_freed_under_a_ring(void **state)
{
	struct captured_world w = make_captured(make_queue(4));
	struct vcpu vcpus[VCPUS];
	unsigned int running;

	(void)state;
	start(vcpus, VCPUS, &w, &running);
	while (__atomic_load_n(&running, __ATOMIC_ACQUIRE)) {
		struct bw_capture *c = make_queue(4);

		assert_int_equal(bw_ioeventfd_capture(w.ie, c, 0), 0);
		bw_capture_free(c);
		assert_int_equal(bw_ioeventfd_capture(w.ie, NULL, 0), 0);
	}
	finish(vcpus, VCPUS);
	free_captured(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_a_queue_that_overflows),
		cmocka_unit_test(in_a_queue_that_is_long_enough),
		cmocka_unit_test(in_a_queue_with_a_handler_behind),
		cmocka_unit_test(who_is_told_of_a_ring_finds_its_value),
		cmocka_unit_test(room_that_two_find_is_one_s),
		cmocka_unit_test(the_last_value_is_never_torn_and_never_goes_back),
		cmocka_unit_test(a_late_store_does_not_spoil_a_newer_one),
		cmocka_unit_test(a_store_in_pieces_leaves_the_one_before),
		cmocka_unit_test(marks_wrap),
		cmocka_unit_test(of_a_queue),
		cmocka_unit_test(of_a_last_value),
		cmocka_unit_test(a_head_that_cannot_be_is_not_believed),
		cmocka_unit_test(a_ring_is_kept_by_one_or_the_other_while_they_change),
		cmocka_unit_test(a_capture_is_not_freed_under_a_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
