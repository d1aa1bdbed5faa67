/* SPDX-License-Identifier: MIT
 *
 * Regions: handlers beside doorbells, overlap, moves. The library's alone.
 */
#include "trial.h"

#include <string.h>

#define LEN 0x100u

/* A device: how often its handler ran, and with what. Static ones: the bus, which calls unused(),
 * outlives the case. */
struct device {
	struct trial *t;
	struct bw_region *region;
	struct bw_ioeventfd *doorbell;
	uint64_t nr;
	struct bw_access last;
	uint64_t value;
	unsigned int unused;
};

static void note(void *opaque, struct bw_access *access)
{
	struct device *d = opaque;

	__atomic_store_n(&d->nr, d->nr + 1, __ATOMIC_RELAXED);
	d->last = *access;
	d->value = 0;
	if (access->is_write)
		memcpy(&d->value, access->data, access->len);
	else
		memset(access->data, 0x5a, access->len);
}

static void note_unused(void *opaque)
{
	((struct device *)opaque)->unused++;
}

static void make_device(struct trial *t, struct device *d, enum bw_space space, int priority,
			bw_handler_fn *handler)
{
	struct bw_region_opts opts = { .size = sizeof(opts),
				       .name = "device",
				       .space = space,
				       .len = LEN,
				       .priority = priority,
				       .handler = handler,
				       .opaque = d,
				       .unused = note_unused };

	*d = (struct device){ .t = t };
	if (!is_over(t))
		check(t, bw_region_new(t->s->bus, &d->region, &opts) == 0, "%s", bw_last_error());
}

static void map(struct trial *t, struct device *d, uint64_t addr)
{
	if (!is_over(t))
		check(t, bw_region_map(d->region, addr) == 0, "%s", bw_last_error());
}

static void add_doorbell(struct trial *t, struct device *d, uint64_t offset, struct bw_match match,
			 int fd)
{
	struct bw_notifier *n;

	if (is_over(t))
		return;
	if (bw_notifier_import(&n, fd, NULL)) {
		fails(t, "%s", bw_last_error());
		return;
	}
	check(t, bw_region_doorbell(d->region, &d->doorbell, offset, match, n) == 0, "%s",
	      bw_last_error());
	bw_notifier_free(n);
}

/* The handler of d runs once, with this offset and value, and nothing else happens. */
static void handled(struct trial *t, struct guest_access access, struct device *d, uint64_t offset,
		    uint64_t value)
{
	uint64_t before = d->nr;

	does(t, access, -1, 0, NULL, 0);
	check(t, d->nr == before + 1, "the handler ran %llu times",
	      (unsigned long long)(d->nr - before));
	check(t, d->last.offset == offset && d->last.len == access.len && d->value == value,
	      "the handler saw offset 0x%llx, %u bytes, value 0x%llx",
	      (unsigned long long)d->last.offset, d->last.len, (unsigned long long)d->value);
}

static const struct bw_match four = { .len = 4 };

static void doorbell_wins(struct trial *t)
{
	int fd = new_eventfd(t);
	static struct device d;

	make_device(t, &d, BW_MMIO, 0, note);
	add_doorbell(t, &d, 0x10, four, fd);
	map(t, &d, BAR);
	rings(t, store(BAR + 0x10, 4, 1), fd);
	check(t, d.nr == 0, "the handler ran");
}

static void the_rest_is_handled(struct trial *t)
{
	struct bw_match match = { .len = 4, .has_value = true, .value = 7 };
	int fd = new_eventfd(t);
	static struct device d;

	make_device(t, &d, BW_MMIO, 0, note);
	add_doorbell(t, &d, 0x10, match, fd);
	map(t, &d, BAR);
	handled(t, store(BAR + 0x10, 4, 8), &d, 0x10, 8);
	handled(t, store(BAR + 0x10, 2, 7), &d, 0x10, 7);
	handled(t, store(BAR + 0x0f, 4, 7), &d, 0x0f, 7);
	handled(t, store(BAR + 0x14, 4, 7), &d, 0x14, 7);
	handled(t, load(BAR + 0x10, 4), &d, 0x10, 0);
	handled(t, store(BAR, 1, 1), &d, 0, 1);
	handled(t, store(BAR + LEN - 1, 1, 2), &d, LEN - 1, 2);
	rings(t, store(BAR + 0x10, 4, 7), fd);
	exits(t, store(BAR - 1, 1, 1));
	exits(t, store(BAR + LEN, 1, 1));
}

static void port_region(struct trial *t)
{
	int fd = new_eventfd(t);
	static struct device d;

	make_device(t, &d, BW_PIO, 0, note);
	add_doorbell(t, &d, 0x10, (struct bw_match){ .len = BW_ANY_LEN }, fd);
	map(t, &d, 0x600);
	for (uint32_t len = 1; len <= 4; len *= 2)
		rings(t, out(0x610, len, 1), fd);
	handled(t, out(0x611, 1, 9), &d, 0x11, 9);
	handled(t, in(0x610, 2), &d, 0x10, 0);
}

static void plain_wins(struct trial *t)
{
	int own = new_eventfd(t), plain = new_eventfd(t);
	static struct device d;

	make_device(t, &d, BW_MMIO, 0, note);
	add_doorbell(t, &d, 0x10, four, own);
	map(t, &d, BAR);
	assign(t, mmio(BAR + 0x10, 0), plain);
	assign(t, mmio(BAR + 0x20, 8), plain);
	rings(t, store(BAR + 0x10, 4, 1), plain);
	rings(t, store(BAR + 0x20, 8, 1), plain);
	deassign(t, mmio(BAR + 0x10, 0), plain);
	rings(t, store(BAR + 0x10, 4, 1), own);
}

static void covered(struct trial *t)
{
	int fd = new_eventfd(t);
	static struct device below, above;

	make_device(t, &below, BW_MMIO, 0, note);
	make_device(t, &above, BW_MMIO, 1, note);
	add_doorbell(t, &below, 0x10, four, fd);
	map(t, &below, BAR);
	map(t, &above, BAR);
	handled(t, store(BAR + 0x10, 4, 3), &above, 0x10, 3);
	check(t, is_over(t) || bw_region_unmap(above.region) == 0, "unmap failed");
	rings(t, store(BAR + 0x10, 4, 3), fd);
	map(t, &above, BAR + 0x14); /* beside it */
	rings(t, store(BAR + 0x10, 4, 3), fd);
}

static void moves(struct trial *t)
{
	int fd = new_eventfd(t);
	static struct device d;

	make_device(t, &d, BW_MMIO, 0, note);
	add_doorbell(t, &d, 0x10, four, fd);
	exits(t, store(BAR + 0x10, 4, 1));
	for (uint64_t i = 0; i < 8; i++) {
		map(t, &d, BAR + i * 0x1000);
		rings(t, store(BAR + i * 0x1000 + 0x10, 4, 1), fd);
		exits(t, store(BAR + (i ^ 1) * 0x1000 + 0x10, 4, 1));
	}
	check(t, is_over(t) || bw_region_unmap(d.region) == 0, "unmap failed");
	exits(t, store(BAR + 7 * 0x1000 + 0x10, 4, 1));
}

static void change_places(struct trial *t)
{
	int fds[2] = { new_eventfd(t), new_eventfd(t) };
	static struct device d[2];

	for (unsigned int i = 0; i < 2; i++) {
		make_device(t, &d[i], BW_MMIO, 0, note);
		add_doorbell(t, &d[i], 0x10, four, fds[i]);
		map(t, &d[i], BAR + i * 0x1000);
	}
	if (is_over(t))
		return;
	bw_bus_begin(t->s->bus);
	map(t, &d[0], BAR + 0x1000);
	map(t, &d[1], BAR);
	rings(t, store(BAR + 0x10, 4, 1), fds[0]); /* not yet */
	check(t, bw_bus_commit(t->s->bus) == 0, "%s", bw_last_error());
	rings(t, store(BAR + 0x10, 4, 1), fds[1]);
	rings(t, store(BAR + 0x1010, 4, 1), fds[0]);
}

static void deassign_own(void *opaque, struct bw_access *access)
{
	struct device *d = opaque;

	note(opaque, access);
	bw_ioeventfd_deassign(d->doorbell);
	d->doorbell = NULL;
}

static void handler_deassigns(struct trial *t)
{
	int fd = new_eventfd(t);
	static struct device d;

	make_device(t, &d, BW_MMIO, 0, deassign_own);
	add_doorbell(t, &d, 0x10, four, fd);
	map(t, &d, BAR);
	rings(t, store(BAR + 0x10, 4, 1), fd);
	handled(t, store(BAR + 0x20, 4, 2), &d, 0x20, 2);
	handled(t, store(BAR + 0x10, 4, 3), &d, 0x10, 3);
}

static void free_own(void *opaque, struct bw_access *access)
{
	struct device *d = opaque;

	note(opaque, access);
	bw_region_free(d->region);
	d->nr += 10 * d->unused; /* not before this handler has returned */
}

static void handler_frees(struct trial *t)
{
	int fd = new_eventfd(t);
	static struct device d;

	make_device(t, &d, BW_MMIO, 0, free_own);
	add_doorbell(t, &d, 0x10, four, fd);
	map(t, &d, BAR);
	handled(t, store(BAR, 4, 5), &d, 0, 5);
	check(t, d.unused == 1, "unused() was called %u times", d.unused);
	exits(t, store(BAR, 4, 5));
	exits(t, store(BAR + 0x10, 4, 5));
}

#define RINGS 20000u

/* The vCPU rings the one place and then the other, all the time. */
static void *play_both(void *arg)
{
	struct trial *t = arg;
	struct guest_mailbox *mailbox = vcpu_mailbox(vm_vcpu(t->s->vm, 0));
	struct guest_access *list = vm_memory(t->s->vm, GUEST_SCRATCH, 2 * sizeof(*list));

	list[0] = store(BAR + 0x10, 4, 0);
	list[1] = store(BAR + 0x1010, 4, 0);
	mailbox->op = GUEST_PLAY;
	mailbox->nr_accesses = 2;
	mailbox->accesses = GUEST_SCRATCH;
	mailbox->count = RINGS / 2;
	return subject_run(t->s, 0) < 0 ? t : NULL;
}

static void move_meanwhile(struct trial *t, struct device *d)
{
	pthread_t thread;
	void *failed;

	if (pthread_create(&thread, NULL, play_both, t)) {
		fails(t, "no thread");
		return;
	}
	for (uint64_t i = 1; i <= 100; i++)
		map(t, d, BAR + i % 2 * 0x1000);
	pthread_join(thread, &failed);
	check(t, !failed, "the guest failed");
}

static void a_move_loses_none(struct trial *t)
{
	int fd = new_eventfd(t);
	static struct device d;
	uint64_t sum;

	make_device(t, &d, BW_MMIO, 0, note);
	add_doorbell(t, &d, 0x10, four, fd);
	map(t, &d, BAR);
	if (is_over(t))
		return;
	subject_forget(t->s);
	move_meanwhile(t, &d);
	sum = take(t, fd) + d.nr + subject_nr_seen(t->s);
	check(t, sum == RINGS, "%u writes, but %llu rings and exits", RINGS,
	      (unsigned long long)sum);
	check(t, d.nr == 0, "%llu writes to the doorbell's place came to the handler",
	      (unsigned long long)d.nr);
}

static void swaps_lose_none(struct trial *t)
{
	int fds[2] = { new_eventfd(t), new_eventfd(t) };
	static struct device d[2];

	for (unsigned int i = 0; i < 2; i++) {
		make_device(t, &d[i], BW_MMIO, 0, note);
		add_doorbell(t, &d[i], 0x10, four, fds[i]);
		map(t, &d[i], BAR + i * 0x1000);
	}
	start_ringing(t, 0, store(BAR + 0x10, 4, 0), RINGS, 0);
	for (uint64_t i = 1; is_ringing(t, 0); i++) {
		bw_bus_begin(t->s->bus);
		map(t, &d[0], BAR + i % 2 * 0x1000);
		map(t, &d[1], BAR + (i + 1) % 2 * 0x1000);
		check(t, bw_bus_commit(t->s->bus) == 0, "%s", bw_last_error());
	}
	finish_ringing(t, 0);
	check(t, take(t, fds[0]) + take(t, fds[1]) == RINGS, "a ring was lost or came twice");
	exited(t, NULL, 0);
}

static const struct conform_case cases[] = {
	{ .name = "a_doorbell_wins_over_its_regions_handler",
	  .says = "The handler does not run.",
	  .run = doorbell_wins,
	  .needs = NEEDS_LIBRARY },
	{ .name = "what_is_no_doorbell_goes_to_the_handler",
	  .says = "Another value or length, a read, a neighbour, the first and the last byte.",
	  .run = the_rest_is_handled,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_region_of_ports_has_doorbells",
	  .says = "Of any length, with a handler for the rest.",
	  .run = port_region,
	  .needs = NEEDS_LIBRARY },
	{ .name = "an_ioeventfd_of_the_bus_wins_over_a_region",
	  .says = "Over its handler, and over a doorbell that it collides with.",
	  .run = plain_wins,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_covered_doorbell_is_silent_until_uncovered",
	  .says = "The region above it handles the write meanwhile.",
	  .run = covered,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_doorbell_moves_with_its_region",
	  .says = "It rings at the new place only.",
	  .run = moves,
	  .needs = NEEDS_LIBRARY },
	{ .name = "two_regions_change_places_in_one_transaction",
	  .says = "Before the commit nothing has changed, after it everything has.",
	  .run = change_places,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_handler_deassigns_its_own_doorbell",
	  .says = "Its writes go to the handler from then on.",
	  .run = handler_deassigns,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_handler_frees_its_region",
	  .says = "It lives until the handler has returned.",
	  .run = handler_frees,
	  .needs = NEEDS_LIBRARY },
	{ .name = "a_region_that_moves_loses_no_ring",
	  .says = "20,000 writes to two places while it goes from one to the other 100 times: each "
		  "rings "
		  "once or exits once.",
	  .run = a_move_loses_none,
	  .needs = NEEDS_LIBRARY },
	{ .name = "regions_that_change_places_lose_no_ring",
	  .says = "While two are swapped all the time, every write rings one of them.",
	  .run = swaps_lose_none,
	  .needs = NEEDS_LIBRARY },
};

const struct conform_group group_region = CONFORM_GROUP("region", cases);
