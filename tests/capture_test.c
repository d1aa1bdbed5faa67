/* SPDX-License-Identifier: MIT
 *
 * Captures, one access at a time: what is kept, what becomes of a write that cannot be, and how a
 * capture is given and taken away.
 */
#define _GNU_SOURCE
#include "capture_world.h"
#include "fake_offload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#define BAR 0x10000u
#define BELL (BAR + 8)

static void assert_captured(const struct bw_captured *v, uint64_t sequence, uint64_t value,
			    uint32_t len, uint32_t tag)
{
	assert_int_equal(v->sequence, sequence);
	assert_int_equal(v->value, value);
	assert_int_equal(v->len, len);
	assert_int_equal(v->tag, tag);
}

static void takes_nothing(struct bw_capture *c)
{
	struct bw_captured v;

	assert_int_equal(bw_capture_take(c, &v, 1), 0);
}

static void a_queue_has_each_value_in_order(void **state)
{
	struct captured_world w = make_captured(make_queue(4));
	struct bw_captured v[4];

	(void)state;
	assert_int_equal(write_to(w.bus, BW_MMIO, DOORBELL, 4, 0x1122334455), BW_SIGNALLED);
	assert_int_equal(write_to(w.bus, BW_MMIO, DOORBELL, 8, 0xfedcba9876543210), BW_SIGNALLED);
	assert_int_equal(write_to(w.bus, BW_MMIO, DOORBELL, 3, 0xaabbcc), BW_SIGNALLED);
	assert_int_equal(bw_notifier_take(w.n), 3);
	assert_int_equal(bw_capture_take(w.c, v, 2), 2);
	assert_captured(&v[0], 1, 0x22334455, 4, 7);
	assert_captured(&v[1], 2, 0xfedcba9876543210, 8, 7);
	assert_int_equal(bw_capture_take(w.c, v, 4), 1);
	assert_captured(&v[0], 3, 0xaabbcc, 3, 7);
	takes_nothing(w.c);
	free_captured(&w);
}

static void the_last_is_the_newest(void **state)
{
	struct captured_world w = make_captured(make_last());
	struct bw_captured v;

	(void)state;
	assert_int_equal(bw_capture_last(w.c, &v), -ENODATA);
	for (uint64_t i = 1; i < 100; i++) {
		write_to(w.bus, BW_MMIO, DOORBELL, 8, i << 40 | i);
		assert_int_equal(bw_capture_last(w.c, &v), 0);
		assert_captured(&v, i, i << 40 | i, 8, 7);
	}
	assert_int_equal(bw_capture_last(w.c, &v), 0);
	assert_captured(&v, 99, (uint64_t)99 << 40 | 99, 8, 7);
	assert_int_equal(bw_capture_dropped(w.c), 0);
	free_captured(&w);
}

static void ioeventfds_that_share_one_are_told_apart(void **state)
{
	struct captured_world w = make_captured(make_queue(8));
	struct bw_ioeventfd *other = must_assign(w.bus, BW_PIO, 0x60, of_value(1, 9), w.n);
	struct bw_captured v[3];

	(void)state;
	assert_int_equal(bw_ioeventfd_capture(other, w.c, UINT32_MAX), 0);
	write_to(w.bus, BW_PIO, 0x60, 1, 9);
	write_to(w.bus, BW_PIO, 0x60, 1, 8);
	write_to(w.bus, BW_MMIO, DOORBELL, 2, 3);
	assert_int_equal(bw_capture_take(w.c, v, 3), 2);
	assert_captured(&v[0], 1, 9, 1, UINT32_MAX);
	assert_captured(&v[1], 2, 3, 2, 7);
	free_captured(&w);
}

/* Lap after lap, however many are taken at once. */
static void what_was_taken_is_room_again(void **state)
{
	struct captured_world w = make_captured(make_queue(4));
	uint64_t written = 0, taken = 0, seed = 1;
	struct bw_captured v[4];

	(void)state;
	while (taken < 1000) {
		for (uint32_t i = random_below(&seed, 5); i && written - taken < 4; i--)
			write_to(w.bus, BW_MMIO, DOORBELL, 8, ++written);
		for (int i = 0, got = bw_capture_take(w.c, v, random_below(&seed, 4)); i < got;
		     i++) {
			taken++;
			assert_captured(&v[i], taken, taken, 8, 7);
		}
	}
	assert_int_equal(bw_capture_dropped(w.c), 0);
	free_captured(&w);
}

/* ---- full ---- */

static void without_a_handler_what_does_not_fit_is_counted(void **state)
{
	struct captured_world w = make_captured(make_queue(2));
	struct bw_captured v[2];

	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(write_to(w.bus, BW_MMIO, DOORBELL, 4, i), BW_SIGNALLED);
	assert_int_equal(bw_capture_dropped(w.c), 3);
	assert_int_equal(bw_notifier_take(w.n), 5);
	assert_int_equal(bw_capture_take(w.c, v, 2), 2);
	write_to(w.bus, BW_MMIO, DOORBELL, 4, 6);
	assert_captured(&v[1], 2, 2, 4, 7);
	assert_int_equal(bw_capture_take(w.c, v, 2), 1);
	assert_captured(&v[0], 3, 6, 4, 7);
	assert_int_equal(bw_capture_dropped(w.c), 3);
	free_captured(&w);
}

/* A BAR, whose handler remembers, with a captured doorbell. */
struct bar {
	struct bw_bus *bus;
	struct bw_region *region;
	struct bw_notifier *n;
	struct bw_ioeventfd *bell;
	struct bw_capture *c;
	uint64_t handled, offset, value;
	struct bw_ioeventfd *deassigns;
};

static void remember(void *opaque, struct bw_access *access)
{
	struct bar *bar = opaque;

	bar->handled++;
	bar->offset = access->offset;
	memcpy(&bar->value, access->data, access->len);
	bw_ioeventfd_deassign(bar->deassigns);
	bar->deassigns = NULL;
}

static void make_bar(struct bar *bar, uint32_t entries)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts), .len = 0x1000, .handler = remember, .opaque = bar
	};

	*bar = (struct bar){
		make_bus(), NULL, make_notifier("bell"), NULL, make_queue(entries), 0, 0, 0, NULL
	};
	assert_int_equal(bw_region_new(bar->bus, &bar->region, &opts), 0);
	assert_int_equal(bw_region_doorbell(bar->region, &bar->bell, 8, of_len(4), bar->n), 0);
	assert_int_equal(bw_ioeventfd_capture(bar->bell, bar->c, 0), 0);
	assert_int_equal(bw_region_map(bar->region, BAR), 0);
}

static void free_bar(struct bar *bar)
{
	bw_bus_free(bar->bus);
	bw_notifier_free(bar->n);
	bw_capture_free(bar->c);
}

static void with_a_handler_what_does_not_fit_goes_there(void **state)
{
	struct bw_ioeventfd_stats stats = { .size = sizeof(stats) };
	struct bw_captured v[2];
	struct bar bar;

	(void)state;
	make_bar(&bar, 2);
	assert_int_equal(write_to(bar.bus, BW_MMIO, BELL, 4, 1), BW_SIGNALLED);
	assert_int_equal(write_to(bar.bus, BW_MMIO, BELL, 4, 2), BW_SIGNALLED);
	assert_int_equal(write_to(bar.bus, BW_MMIO, BELL, 4, 3), BW_HANDLED);
	assert_int_equal(bar.handled, 1);
	assert_int_equal(bar.offset, 8);
	assert_int_equal(bar.value, 3);
	assert_int_equal(bw_notifier_take(bar.n), 2);
	assert_int_equal(bw_capture_dropped(bar.c), 0);
	assert_int_equal(bw_ioeventfd_stats(bar.bell, &stats), 0);
	assert_int_equal(stats.rings, 2);
	assert_int_equal(stats.near_width + stats.near_value, 0);
	assert_int_equal(bw_capture_take(bar.c, v, 2), 2);
	assert_int_equal(write_to(bar.bus, BW_MMIO, BELL, 4, 4), BW_SIGNALLED);
	free_bar(&bar);
}

static void a_full_queue_s_handler_may_deassign_it(void **state)
{
	struct bar bar;

	(void)state;
	make_bar(&bar, 2);
	write_to(bar.bus, BW_MMIO, BELL, 4, 1);
	write_to(bar.bus, BW_MMIO, BELL, 4, 2);
	bar.deassigns = bar.bell;
	assert_int_equal(write_to(bar.bus, BW_MMIO, BELL, 4, 3), BW_HANDLED);
	assert_int_equal(write_to(bar.bus, BW_MMIO, BELL, 4, 4), BW_HANDLED);
	assert_int_equal(bw_notifier_take(bar.n), 2);
	free_bar(&bar);
}

/* ---- given and taken away ---- */

static void a_capture_ends_when_it_is_taken_away(void **state)
{
	struct captured_world w = make_captured(make_queue(4));
	struct bw_captured v[4];

	(void)state;
	write_to(w.bus, BW_MMIO, DOORBELL, 4, 1);
	assert_int_equal(bw_ioeventfd_capture(w.ie, NULL, 0), 0);
	assert_int_equal(write_to(w.bus, BW_MMIO, DOORBELL, 4, 2), BW_SIGNALLED);
	assert_int_equal(bw_capture_take(w.c, v, 4), 1);
	assert_int_equal(bw_notifier_take(w.n), 2);
	free_captured(&w);
}

static void another_takes_its_place(void **state)
{
	struct captured_world w = make_captured(make_queue(4));
	struct bw_capture *second = make_queue(4), *third = make_queue(4);
	struct bw_captured v;

	(void)state;
	assert_int_equal(bw_bus_begin(w.bus), 0);
	assert_int_equal(bw_ioeventfd_capture(w.ie, second, 2), 0);
	assert_int_equal(bw_ioeventfd_capture(w.ie, third, 3), 0);
	write_to(w.bus, BW_MMIO, DOORBELL, 4, 1);
	assert_int_equal(bw_bus_commit(w.bus), 0);
	write_to(w.bus, BW_MMIO, DOORBELL, 4, 2);
	assert_int_equal(bw_capture_take(w.c, &v, 1), 1);
	assert_captured(&v, 1, 1, 4, 7);
	takes_nothing(second);
	assert_int_equal(bw_capture_take(third, &v, 1), 1);
	assert_captured(&v, 1, 2, 4, 3);
	bw_capture_free(second);
	bw_capture_free(third);
	free_captured(&w);
}

static void an_aborted_change_leaves_it_as_it_was(void **state)
{
	struct captured_world w = make_captured(make_queue(4));
	struct bw_capture *other = make_queue(4);
	struct bw_captured v;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(bw_bus_begin(w.bus), 0);
		assert_int_equal(bw_ioeventfd_capture(w.ie, i ? NULL : other, 9), 0);
		bw_bus_abort(w.bus);
		write_to(w.bus, BW_MMIO, DOORBELL, 4, 5);
		assert_int_equal(bw_capture_take(w.c, &v, 1), 1);
		assert_captured(&v, (uint64_t)i + 1, 5, 4, 7);
	}
	takes_nothing(other);
	bw_capture_free(other);
	free_captured(&w);
}

static void it_moves_with_its_region(void **state)
{
	struct bw_captured v[3];
	struct bar bar;

	(void)state;
	make_bar(&bar, 4);
	write_to(bar.bus, BW_MMIO, BELL, 4, 1);
	assert_int_equal(bw_region_map(bar.region, BAR + 0x10000), 0);
	write_to(bar.bus, BW_MMIO, BELL + 0x10000, 4, 2);
	assert_int_equal(bw_region_unmap(bar.region), 0);
	assert_int_equal(bw_region_map(bar.region, BAR), 0);
	write_to(bar.bus, BW_MMIO, BELL, 4, 3);
	assert_int_equal(bw_capture_take(bar.c, v, 3), 3);
	assert_captured(&v[2], 3, 3, 4, 0);
	free_bar(&bar);
}

static void it_stays_while_the_table_grows(void **state)
{
	struct captured_world w = make_captured(make_queue(4));
	struct bw_captured v;

	(void)state;
	for (unsigned int i = 1; i < 100; i++)
		must_assign(w.bus, BW_MMIO, DOORBELL + 8 * i, of_len(4), w.n);
	write_to(w.bus, BW_MMIO, DOORBELL, 4, 1);
	assert_int_equal(bw_capture_take(w.c, &v, 1), 1);
	free_captured(&w);
}

/* The bus holds what its caller has given up, and lets go of it in the end. */
static void it_lives_as_long_as_it_is_used(void **state)
{
	unsigned int before = count_fds();
	struct captured_world w = make_captured(make_queue(4));
	struct bw_capture *reader;
	struct bw_captured v;

	(void)state;
	assert_int_equal(bw_capture_open(&reader, bw_capture_fd(w.c)), 0);
	bw_capture_free(w.c);
	w.c = reader;
	write_to(w.bus, BW_MMIO, DOORBELL, 4, 6);
	assert_int_equal(bw_capture_take(reader, &v, 1), 1);
	assert_captured(&v, 1, 6, 4, 7);
	bw_ioeventfd_deassign(w.ie);
	assert_int_equal(count_fds(), before);
	free_captured(&w);
}

/* ---- what the hypervisor has nothing to do with ---- */

static bool hypervisor_takes(struct fake_offload *fake, struct captured_world *w)
{
	bool by_hypervisor;

	assert_int_equal(fake_write(fake, w->bus, BW_MMIO, DOORBELL, 4, 1, &by_hypervisor),
			 BW_SIGNALLED);
	return by_hypervisor;
}

static void what_is_captured_is_not_offloaded(void **state)
{
	struct bw_ioeventfd_stats stats = { .size = sizeof(stats) };
	struct captured_world w = make_captured(make_queue(8));
	struct fake_offload fake = { .nr = 0 };

	(void)state;
	assert_int_equal(bus_offload(w.bus, &fake_ops, &fake), 0);
	assert_false(hypervisor_takes(&fake, &w));
	assert_int_equal(bw_ioeventfd_stats(w.ie, &stats), 0);
	assert_string_equal(stats.why_not_offloaded,
			    "its values are captured, which the hypervisor cannot do");
	assert_int_equal(bw_ioeventfd_capture(w.ie, NULL, 0), 0);
	assert_true(hypervisor_takes(&fake, &w));
	assert_int_equal(bw_ioeventfd_capture(w.ie, w.c, 0), 0);
	assert_false(hypervisor_takes(&fake, &w));
	assert_int_equal(fake.unknown_deassigns, 0);
	free_captured(&w);
}

static void what_the_hypervisor_will_not_take_back_stays_captured(void **state)
{
	struct captured_world w = make_captured(make_queue(4));
	struct fake_offload fake = { .nr = 0 };
	struct bw_captured v;

	(void)state;
	assert_int_equal(bus_offload(w.bus, &fake_ops, &fake), 0);
	fake.fail_at = 1;
	fake.fail_with = -ENOMEM;
	assert_int_equal(bw_ioeventfd_capture(w.ie, NULL, 0), -ENOMEM);
	assert_false(hypervisor_takes(&fake, &w));
	assert_int_equal(bw_capture_take(w.c, &v, 1), 1);
	free_captured(&w);
}

static void a_failed_commit_leaves_it_offloaded(void **state)
{
	struct captured_world w = make_captured(make_queue(4));
	struct fake_offload fake = { .nr = 0 };
	struct bw_ioeventfd *out;

	(void)state;
	assert_int_equal(bw_ioeventfd_capture(w.ie, NULL, 0), 0);
	assert_int_equal(bus_offload(w.bus, &fake_ops, &fake), 0);
	assert_int_equal(bw_bus_begin(w.bus), 0);
	assert_int_equal(bw_ioeventfd_capture(w.ie, w.c, 0), 0);
	assert_int_equal(bw_ioeventfd_assign(w.bus, &out, BW_PIO, 1, any_len(), w.n), 0);
	fake.fail_at = 1;
	fake.fail_with = -ENOSPC;
	assert_int_equal(bw_bus_commit(w.bus), -ENOSPC);
	assert_true(hypervisor_takes(&fake, &w));
	takes_nothing(w.c);
	free_captured(&w);
}

/* ---- seeing ---- */

static void explain_foretells_a_full_queue(void **state)
{
	uint64_t value = 1;
	struct bw_access access = { BW_MMIO, true, 4, BELL, 0, &value, NULL };
	struct bar bar;
	char *text;

	(void)state;
	make_bar(&bar, 2);
	assert_int_equal(bw_bus_explain(bar.bus, &access, &text), BW_SIGNALLED);
	assert_non_null(strstr(text, "captured: its value goes to queue \"queue\"\n"));
	free(text);
	write_to(bar.bus, BW_MMIO, BELL, 4, 1);
	write_to(bar.bus, BW_MMIO, BELL, 4, 2);
	assert_int_equal(bw_bus_explain(bar.bus, &access, &text), BW_HANDLED);
	assert_non_null(
		strstr(text, "\"queue\", which is full: so the region's handler gets it\n"));
	free(text);
	assert_int_equal(bw_region_unmap(bar.region), 0);
	free_bar(&bar);
}

static void the_dump_says_who_has_the_values(void **state)
{
	struct captured_world w = make_captured(make_queue(2));
	char *text;

	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		write_to(w.bus, BW_MMIO, DOORBELL, 4, i);
	assert_int_equal(bw_bus_dump(w.bus, BW_DUMP_TEXT, &text), 0);
	assert_non_null(strstr(text, "; captured in queue \"queue\", 1 dropped; 3 rings"));
	free(text);
	assert_int_equal(bw_bus_dump(w.bus, BW_DUMP_JSON, &text), 0);
	assert_non_null(strstr(
		text, "\"capture\": \"queue\", \"capture_mode\": \"queue\", \"dropped\": 1, "));
	free(text);
	free_captured(&w);
}

/* ---- refused ---- */

static void options_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		enum bw_capture_mode mode;
		uint32_t entries;
		int result;
	} cases[] = {
		{ BW_CAPTURE_QUEUE, 0, -EINVAL },
		{ BW_CAPTURE_QUEUE, 1, -EINVAL },
		{ BW_CAPTURE_QUEUE, 3, -EINVAL },
		{ BW_CAPTURE_QUEUE, 1u << 21, -EINVAL },
		{ BW_CAPTURE_QUEUE, 1u << 31, -EINVAL },
		{ BW_CAPTURE_LAST, 2, -EINVAL },
		{ (enum bw_capture_mode)2, 2, -EINVAL },
		{ BW_CAPTURE_QUEUE, 1u << 20, 0 },
		{ BW_CAPTURE_QUEUE, 2, 0 },
	};
	struct bw_capture_opts opts = { .size = 0 };
	struct bw_capture *c;

	(void)state;
	assert_int_equal(bw_capture_new(&c, &opts), -EINVAL);
	opts.size = sizeof(opts);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		opts.mode = cases[i].mode;
		opts.entries = cases[i].entries;
		assert_int_equal(bw_capture_new(&c, &opts), cases[i].result);
		assert_int_equal(c != NULL, !cases[i].result);
		bw_capture_free(c);
	}
}

static void what_has_no_value_or_has_it_already_is_not_captured(void **state)
{
	struct bw_page_opts page_opts = { .size = sizeof(page_opts) };
	struct captured_world w = make_captured(make_queue(4));
	struct bw_ioeventfd *hypercall, *slot;
	struct bw_page *page;
	struct bar bar;

	(void)state;
	hypercall = must_assign(w.bus, BW_HYPERCALL, 1, any_len(), w.n);
	assert_int_equal(bw_ioeventfd_capture(hypercall, w.c, 0), -EINVAL);
	make_bar(&bar, 4);
	assert_int_equal(bw_region_page(bar.region, &page, &page_opts), -EINVAL);
	assert_int_equal(bw_ioeventfd_capture(bar.bell, NULL, 0), 0);
	assert_int_equal(bw_region_page(bar.region, &page, &page_opts), 0);
	assert_int_equal(bw_region_doorbell(bar.region, &slot, 16, of_len(4), bar.n), 0);
	assert_int_equal(bw_ioeventfd_capture(slot, w.c, 0), -EINVAL);
	assert_int_equal(bw_ioeventfd_capture(slot, NULL, 0), 0);
	free_bar(&bar);
	free_captured(&w);
}

static void each_mode_is_read_in_its_own_way(void **state)
{
	struct bw_capture *queue = make_queue(2), *last = make_last();
	struct bw_captured v;

	(void)state;
	assert_int_equal(bw_capture_last(queue, &v), -EINVAL);
	assert_int_equal(bw_capture_take(last, &v, 1), -EINVAL);
	bw_capture_free(queue);
	bw_capture_free(last);
}

static void one_that_was_opened_can_only_be_read(void **state)
{
	struct captured_world w = make_captured(make_queue(2));
	struct bw_capture *opened;

	(void)state;
	assert_int_equal(bw_capture_open(&opened, bw_capture_fd(w.c)), 0);
	assert_int_equal(bw_capture_fd(opened), -EINVAL);
	assert_int_equal(bw_ioeventfd_capture(w.ie, opened, 0), -EINVAL);
	write_to(w.bus, BW_MMIO, DOORBELL, 4, 1);
	bw_capture_free(opened);
	free_captured(&w);
}

/* What a consumer is sent may be anything. */
static int new_memfd(const uint64_t *words, size_t nr, off_t size, int seals)
{
	int fd = memfd_create("no capture", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(pwrite(fd, words, nr * sizeof(*words), 0), nr * sizeof(*words));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void what_is_no_capture_is_not_opened(void **state)
{
	static const struct {
		uint64_t magic;
		uint32_t mode, entries;
		off_t size;
		int seals, result;
	} cases[] = {
		{ 0x3172747061637762, BW_CAPTURE_QUEUE, 2, 256, F_SEAL_SHRINK, 0 },
		{ 0x3172747061637762, BW_CAPTURE_QUEUE, 2, 256, 0, -EINVAL },
		{ 0x3172747061637762, BW_CAPTURE_QUEUE, 2, 255, F_SEAL_SHRINK, -EINVAL },
		{ 0x3172747061637762, BW_CAPTURE_QUEUE, 3, 4096, F_SEAL_SHRINK, -EINVAL },
		{ 0x3172747061637762, BW_CAPTURE_QUEUE, 0, 4096, F_SEAL_SHRINK, -EINVAL },
		{ 0x3172747061637762, BW_CAPTURE_QUEUE, 1u << 31, 4096, F_SEAL_SHRINK, -EINVAL },
		{ 0x3172747061637762, BW_CAPTURE_LAST, 2, 4096, F_SEAL_SHRINK, -EINVAL },
		{ 0x3172747061637762, 2, 2, 4096, F_SEAL_SHRINK, -EINVAL },
		{ 0x3172747061637763, BW_CAPTURE_QUEUE, 2, 4096, F_SEAL_SHRINK, -EINVAL },
		{ 0x3172747061637762, BW_CAPTURE_QUEUE, 2, 16, F_SEAL_SHRINK, -EINVAL },
	};
	struct bw_capture *c;
	int fds[2];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t words[] = { cases[i].magic,
				     cases[i].mode | (uint64_t)cases[i].entries << 32 };
		int fd = new_memfd(words, 2, cases[i].size, cases[i].seals);

		assert_int_equal(bw_capture_open(&c, fd), cases[i].result);
		close(fd);
		assert_int_equal(c != NULL, !cases[i].result);
		if (c)
			takes_nothing(c);
		bw_capture_free(c);
	}
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(bw_capture_open(&c, fds[0]), -EINVAL);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(bw_capture_open(&c, fds[0]), -EBADF);
}

static void the_memory_can_be_neither_cut_nor_the_last_value_forged(void **state)
{
	struct bw_capture *queue = make_queue(2), *last = make_last();
	int fd = bw_capture_fd(last);

	(void)state;
	assert_int_equal(ftruncate(bw_capture_fd(queue), 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	if (!(fcntl(fd, F_GET_SEALS) & 0x0010)) { /* F_SEAL_FUTURE_WRITE */
		print_message("this kernel is older than 5.1\n");
		skip();
	}
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, EPERM);
	assert_int_equal(write(fd, "x", 1), -1);
	bw_capture_free(queue);
	bw_capture_free(last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_has_each_value_in_order),
		cmocka_unit_test(the_last_is_the_newest),
		cmocka_unit_test(ioeventfds_that_share_one_are_told_apart),
		cmocka_unit_test(what_was_taken_is_room_again),
		cmocka_unit_test(without_a_handler_what_does_not_fit_is_counted),
		cmocka_unit_test(with_a_handler_what_does_not_fit_goes_there),
		cmocka_unit_test(a_full_queue_s_handler_may_deassign_it),
		cmocka_unit_test(a_capture_ends_when_it_is_taken_away),
		cmocka_unit_test(another_takes_its_place),
		cmocka_unit_test(an_aborted_change_leaves_it_as_it_was),
		cmocka_unit_test(it_moves_with_its_region),
		cmocka_unit_test(it_stays_while_the_table_grows),
		cmocka_unit_test(it_lives_as_long_as_it_is_used),
		cmocka_unit_test(what_is_captured_is_not_offloaded),
		cmocka_unit_test(what_the_hypervisor_will_not_take_back_stays_captured),
		cmocka_unit_test(a_failed_commit_leaves_it_offloaded),
		cmocka_unit_test(explain_foretells_a_full_queue),
		cmocka_unit_test(the_dump_says_who_has_the_values),
		cmocka_unit_test(options_that_make_no_sense_are_refused),
		cmocka_unit_test(what_has_no_value_or_has_it_already_is_not_captured),
		cmocka_unit_test(each_mode_is_read_in_its_own_way),
		cmocka_unit_test(one_that_was_opened_can_only_be_read),
		cmocka_unit_test(what_is_no_capture_is_not_opened),
		cmocka_unit_test(the_memory_can_be_neither_cut_nor_the_last_value_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
