/* SPDX-License-Identifier: MIT
 *
 * Every call, with every request that it makes for memory or for an fd refused in turn: it says so,
 * everything is as before, the same call succeeds afterwards, and nothing is leaked. What only
 * removes succeeds though all of them are refused.
 */
#include "failing.h"
#include "fake_offload.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#define PLAIN 4u /* with the four of fill() as many as the table holds before it must grow */
#define REGIONS 8u
#define PORTS 0x200u
#define BASE(i) (0x1000u + 0x100u * (i))
#define PROBES 40u

struct scene {
	struct fake_offload fake;
	struct bw_bus *bus, *bus2;
	struct bw_notifier *n, *polled, *fresh, *covers;
	struct bw_ioeventfd *plain[PLAIN], *cover;
	struct bw_capture *capture;
	struct bw_region *regions[REGIONS]; /* the first four are mapped */
	struct bw_region *ports;
	struct bw_poller *poller, *poller2;
	int eventfd;
};

/* What can be seen of it from outside. */
struct sight {
	int results[PROBES];
	unsigned int claims, fds;
};

static void deliver(void *opaque, struct bw_notifier *n, uint64_t count)
{
	(void)opaque;
	(void)n;
	(void)count;
}

static struct bw_region *make_region(struct bw_bus *bus, enum bw_space space)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .space = space, .len = 0x100 };
	struct bw_region *region;

	return bw_region_new(bus, &region, &opts) ? NULL : region;
}

static void add_doorbell(struct bw_region *region, struct bw_notifier *n)
{
	struct bw_ioeventfd *ie;

	assert_int_equal(bw_region_doorbell(region, &ie, 8, of_len(4), n), 0);
}

/* Doorbells that ring, one of the ports that is covered by one of the bus, and more of those. */
static void fill(struct scene *s)
{
	for (unsigned int i = 0; i < REGIONS; i++) {
		s->regions[i] = make_region(s->bus, BW_MMIO);
		assert_non_null(s->regions[i]);
		if (i < 4)
			assert_int_equal(bw_region_map(s->regions[i], BASE(i)), 0);
	}
	add_doorbell(s->regions[0], s->n);
	add_doorbell(s->regions[1], s->n);
	s->ports = make_region(s->bus, BW_PIO);
	assert_non_null(s->ports);
	assert_int_equal(bw_region_map(s->ports, PORTS), 0);
	add_doorbell(s->ports, s->n);
	s->cover = must_assign(s->bus, BW_PIO, PORTS + 8, any_len(), s->covers);
	for (unsigned int i = 0; i < PLAIN; i++)
		s->plain[i] = must_assign(s->bus, BW_PIO, 0x60 + i, of_len(1), s->n);
}

static void make_scene(struct scene *s, bool offloaded)
{
	memset(s, 0, sizeof(*s));
	s->bus = make_bus();
	s->n = make_notifier("n");
	s->polled = make_notifier("polled");
	s->fresh = make_notifier("fresh");
	s->covers = make_notifier("covers");
	assert_int_equal(
		bw_capture_new(&s->capture,
			       &(struct bw_capture_opts){ .size = sizeof(struct bw_capture_opts) }),
		0);
	s->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(bw_poller_new(&s->poller), 0);
	assert_int_equal(bw_poller_add(s->poller, s->polled, deliver, NULL), 0);
	fill(s);
	if (offloaded)
		assert_int_equal(bus_offload(s->bus, &fake_ops, &s->fake), 0);
}

static void clear_scene(struct scene *s)
{
	bw_bus_free(s->bus);
	bw_bus_free(s->bus2);
	bw_poller_free(s->poller);
	bw_poller_free(s->poller2);
	bw_notifier_free(s->n);
	bw_notifier_free(s->polled);
	bw_notifier_free(s->fresh);
	bw_notifier_free(s->covers);
	bw_capture_free(s->capture);
	close(s->eventfd);
}

static struct sight look(struct scene *s)
{
	struct sight sight = { .claims = s->fake.nr, .fds = count_fds() };

	for (unsigned int i = 0; i < 10; i++)
		sight.results[i] = write_to(s->bus, BW_PIO, 0x60 + i, 1, 0);
	for (unsigned int i = 0; i < 10; i++)
		sight.results[10 + i] = write_to(s->bus, BW_MMIO, BASE(i) + 8, 4, 0);
	for (unsigned int i = 0; i < 10; i++)
		sight.results[20 + i] = bw_region_at(s->bus, BW_MMIO, BASE(i)) != NULL;
	sight.results[34] = write_to(s->bus, BW_PIO, PORTS + 8, 4, 0);
	sight.results[30] = (int)bw_notifier_take(s->n);
	sight.results[31] = (int)bw_notifier_take(s->polled);
	sight.results[32] = (int)bw_notifier_take(s->fresh);
	sight.results[33] = (int)bw_notifier_take(s->covers);
	return sight;
}

/* ---- the calls: -errno, and what they return through a pointer is NULL then ---- */

static int checked(int err, const void *out)
{
	assert_int_equal(!err, out != NULL);
	return err;
}

static int call_bus_new(struct scene *s)
{
	int err = bw_bus_new(&s->bus2, NULL);

	return checked(err, s->bus2);
}

static int call_notifier_new(struct scene *s)
{
	struct bw_notifier *n;
	int err = bw_notifier_new(&n, "another");

	(void)s;
	checked(err, n);
	bw_notifier_free(n);
	return err;
}

static int call_notifier_import(struct scene *s)
{
	struct bw_notifier *n;
	int err = bw_notifier_import(&n, s->eventfd, NULL);

	checked(err, n);
	bw_notifier_free(n);
	return err;
}

static int call_notifier_fd(struct scene *s)
{
	int fd = bw_notifier_fd(s->fresh);

	return fd < 0 ? fd : 0;
}

static int call_polled_fd(struct scene *s)
{
	int fd = bw_notifier_fd(s->polled);

	return fd < 0 ? fd : 0;
}

static int call_assign(struct scene *s)
{
	struct bw_ioeventfd *ie;
	int err = bw_ioeventfd_assign(s->bus, &ie, BW_PIO, 0x68, of_len(1), s->fresh);

	return checked(err, ie);
}

static int call_capture_new(struct scene *s)
{
	struct bw_capture_opts opts = { .size = sizeof(opts),
					.mode = BW_CAPTURE_QUEUE,
					.entries = 2 };
	struct bw_capture *c, *opened;
	int err = bw_capture_new(&c, &opts);

	(void)s;
	if (checked(err, c))
		return err;
	err = bw_capture_open(&opened, bw_capture_fd(c));
	checked(err, opened);
	bw_capture_free(opened);
	bw_capture_free(c);
	return err;
}

static int call_capture(struct scene *s)
{
	return bw_ioeventfd_capture(s->cover, s->capture, 0);
}

static int call_assign_polled(struct scene *s)
{
	struct bw_ioeventfd *ie;
	int err = bw_ioeventfd_assign(s->bus, &ie, BW_PIO, 0x69, any_len(), s->polled);

	return checked(err, ie);
}

/* Without memory for its near misses it is assigned all the same. */
static int call_assign_value(struct scene *s)
{
	struct bw_ioeventfd *ie;
	int err = bw_ioeventfd_assign(s->bus, &ie, BW_PIO, 0x68, of_value(1, 5), s->fresh);

	return checked(err, ie);
}

static int call_dropin(struct scene *s)
{
	struct kvm_ioeventfd io = { .addr = BASE(9) + 8, .len = 4, .fd = s->eventfd, .flags = 0 };

	return bw_kvm_ioeventfd(s->bus, &io);
}

static int call_dump(struct scene *s)
{
	char *text;
	int err = bw_bus_dump(s->bus, BW_DUMP_JSON, &text);

	checked(err, text);
	free(text);
	return err;
}

static int call_explain(struct scene *s)
{
	struct bw_access access = { .space = BW_HYPERCALL, .is_write = true };
	char *text;
	int result = bw_bus_explain(s->bus, &access, &text), err = result < 0 ? result : 0;

	checked(err, text);
	free(text);
	return err;
}

static int call_region_new(struct scene *s)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .len = 0x10 };
	struct bw_region *region;
	int err = bw_region_new(s->bus, &region, &opts);

	return checked(err, region);
}

static int call_doorbell(struct scene *s)
{
	struct bw_ioeventfd *ie;
	int err = bw_region_doorbell(s->regions[2], &ie, 8, of_len(4), s->fresh);

	return checked(err, ie);
}

/* Old and new places at once are more than the table holds. */
static int call_move(struct scene *s)
{
	int err = bw_bus_begin(s->bus);

	for (unsigned int i = 0; i < 2 && !err; i++)
		err = bw_region_map(s->regions[i], BASE(8 + i));
	return err ? err : bw_bus_commit(s->bus);
}

/* Where the doorbells of a move are found a place, there is none left for what is uncovered. */
static int call_uncover(struct scene *s)
{
	int err = bw_bus_begin(s->bus);

	if (!err)
		err = bw_region_map(s->regions[0], BASE(9));
	bw_ioeventfd_deassign(s->cover);
	return err ? err : bw_bus_commit(s->bus);
}

/* All kinds of change, so many that table and maps must grow. */
static int call_transaction(struct scene *s)
{
	struct bw_ioeventfd *ie;
	int err = bw_bus_begin(s->bus);

	for (unsigned int i = 0; i < 8 && !err; i++)
		err = bw_ioeventfd_assign(s->bus, &ie, BW_PIO, 0x68 + i, of_len(1), s->fresh);
	if (!err)
		err = bw_region_doorbell(s->regions[4], &ie, 8, of_len(4), s->polled);
	if (!err)
		err = bw_region_map(s->regions[4], BASE(4));
	if (!err)
		err = bw_region_map(s->regions[0], BASE(5));
	if (!err && !make_region(s->bus, BW_MMIO))
		err = -ENOMEM;
	bw_ioeventfd_deassign(s->plain[0]);
	if (err)
		bw_bus_abort(s->bus);
	return err ? err : bw_bus_commit(s->bus);
}

static int call_offload(struct scene *s)
{
	return bus_offload(s->bus, &fake_ops, &s->fake);
}

static int call_poller_new(struct scene *s)
{
	int err = bw_poller_new(&s->poller2);

	return checked(err, s->poller2);
}

static int call_poller_add(struct scene *s)
{
	return bw_poller_add(s->poller, s->fresh, deliver, NULL);
}

/* With an eventfd it is epoll's. */
static int call_poller_add_watched(struct scene *s)
{
	return bw_poller_add(s->poller, s->n, deliver, NULL);
}

struct call {
	const char *name;
	int (*run)(struct scene *s);
	bool offloaded;
	unsigned int requests; /* that it makes, at least */
};

static struct call calls[] = {
	{ "bw_bus_new", call_bus_new, false, 2 },
	{ "bw_notifier_new", call_notifier_new, false, 1 },
	{ "bw_notifier_import", call_notifier_import, false, 2 },
	{ "bw_notifier_fd", call_notifier_fd, false, 1 },
	{ "bw_notifier_fd, in a poller", call_polled_fd, false, 2 },
	{ "bw_ioeventfd_assign", call_assign, false, 4 },
	{ "bw_ioeventfd_assign of a value", call_assign_value, false, 6 },
	{ "bw_ioeventfd_assign, offloaded", call_assign, true, 5 },
	{ "bw_ioeventfd_assign, offloaded, in a poller", call_assign_polled, true, 6 },
	{ "bw_capture_new and bw_capture_open", call_capture_new, false, 2 },
	{ "bw_ioeventfd_capture", call_capture, true, 1 },
	{ "bw_kvm_ioeventfd", call_dropin, false, 7 },
	{ "bw_bus_dump", call_dump, false, 2 },
	{ "bw_bus_explain", call_explain, false, 1 },
	{ "bw_region_new", call_region_new, false, 5 },
	{ "bw_region_doorbell", call_doorbell, true, 4 },
	{ "a transaction that moves", call_move, true, 1 },
	{ "a transaction that uncovers", call_uncover, true, 1 },
	{ "a transaction", call_transaction, false, 30 },
	{ "a transaction, offloaded", call_transaction, true, 33 },
	{ "bus_offload", call_offload, false, 1 },
	{ "bw_poller_new", call_poller_new, false, 4 },
	{ "bw_poller_add", call_poller_add, false, 1 },
	{ "bw_poller_add of an eventfd", call_poller_add_watched, true, 2 },
};

/* Returns whether the call makes so many requests. */
static bool try_call(const struct call *call, unsigned int nth)
{
	struct sight before, after;
	struct scene s;
	bool refused;
	int err;

	make_scene(&s, call->offloaded);
	before = look(&s);
	fail_request(nth, false);
	err = call->run(&s);
	refused = end_failing();
	if (err) {
		assert_true(refused);
		assert_true(err == -ENOMEM || err == -EMFILE || err == -ENOSPC);
		assert_true(*bw_last_error());
		after = look(&s);
		assert_memory_equal(&after, &before, sizeof(after));
		assert_int_equal(call->run(&s), 0);
	}
	clear_scene(&s);
	return refused;
}

static void a_refused_request_changes_nothing(void **state)
{
	const struct call *call = *state;
	unsigned int fds = count_fds(), nth = 1;
	long blocks = live_blocks();

	while (try_call(call, nth)) {
		assert_int_equal(live_blocks(), blocks);
		assert_int_equal(count_fds(), fds);
		nth++;
	}
	assert_true(nth > call->requests);
}

/* Also what uncovers another, which has to be found a place. */
static void what_removes_needs_nothing(void **state)
{
	long blocks = live_blocks();
	struct scene s;

	(void)state;
	make_scene(&s, true);
	assert_int_equal(bw_region_map(s.regions[7], BASE(0)), 0);
	fail_request(1, true);
	bw_ioeventfd_deassign(s.cover);
	bw_region_free(s.regions[7]);
	assert_int_equal(bw_region_unmap(s.regions[2]), 0);
	bw_poller_del(s.poller, s.polled);
	end_failing();
	assert_int_equal(write_to(s.bus, BW_PIO, PORTS + 8, 4, 0), BW_SIGNALLED);
	assert_int_equal(write_to(s.bus, BW_MMIO, BASE(0) + 8, 4, 0), BW_SIGNALLED);
	assert_int_equal(bw_notifier_take(s.n), 2);
	assert_int_equal(bw_notifier_take(s.covers), 0);
	assert_null(bw_region_at(s.bus, BW_MMIO, BASE(2)));
	assert_int_equal(s.fake.nr, PLAIN + 3);
	fail_request(1, true);
	clear_scene(&s);
	end_failing();
	assert_int_equal(live_blocks(), blocks);
}

int main(void)
{
	struct CMUnitTest tests[COUNT_OF(calls) + 1] = {
		cmocka_unit_test(what_removes_needs_nothing),
	};

	for (size_t i = 0; i < COUNT_OF(calls); i++)
		tests[i + 1] = (struct CMUnitTest){
			.name = calls[i].name,
			.test_func = a_refused_request_changes_nothing,
			.initial_state = &calls[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
