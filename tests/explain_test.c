/* SPDX-License-Identifier: MIT
 *
 * What explain says in words. That it foretells every access is bus_fuzz's to show, and a random
 * program's here.
 */
#include "world.h"
#include "fake_offload.h"

#include <errno.h>
#include <stdlib.h>

struct scene {
	struct bw_bus *bus;
	struct bw_notifier *n;
	char *text;
};

static struct scene scene(void)
{
	return (struct scene){ make_bus(), make_notifier("queue"), NULL };
}

static void end(struct scene *s)
{
	free(s->text);
	bw_bus_free(s->bus);
	bw_notifier_free(s->n);
}

static int ask(struct scene *s, enum bw_space space, bool is_write, uint64_t addr, uint32_t len,
	       uint64_t value)
{
	struct bw_access access = { space, is_write, len, addr, 0, &value, NULL };

	free(s->text);
	return bw_bus_explain(s->bus, &access, &s->text);
}

static int ask_write(struct scene *s, enum bw_space space, uint64_t addr, uint32_t len,
		     uint64_t value)
{
	return ask(s, space, true, addr, len, value);
}

static void says(const struct scene *s, const char *line)
{
	if (!strstr(s->text, line))
		fail_msg("\"%s\" is not in\n%s", line, s->text);
}

static void says_not(const struct scene *s, const char *words)
{
	if (strstr(s->text, words))
		fail_msg("\"%s\" is in\n%s", words, s->text);
}

static void handle(void *opaque, struct bw_access *access)
{
	(void)access;
	++*(unsigned int *)opaque;
}

static struct bw_region *must_map(struct bw_bus *bus, const char *name, enum bw_space space,
				  uint64_t addr, uint64_t len, unsigned int *handled)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts), .name = name, .space = space, .len = len, .opaque = handled
	};
	struct bw_region *region;

	opts.handler = handled ? handle : NULL;
	assert_int_equal(bw_region_new(bus, &region, &opts), 0);
	assert_int_equal(bw_region_map(region, addr), 0);
	return region;
}

static void it_names_who_takes_it(void **state)
{
	struct scene s = scene();

	(void)state;
	must_assign(s.bus, BW_PIO, 0x3f8, of_value(2, 5), s.n);
	assert_int_equal(ask_write(&s, BW_PIO, 0x3f8, 2, 5), BW_SIGNALLED);
	says(&s, "write of 2 bytes, value 0x5, at PIO 0x3f8\n");
	says(&s, "signalled: it rings \"queue\"\n");
	says(&s, "taken by PIO address 0x3f8 (length 2, value 0x5) of the bus, notifier queue\n");
	says(&s, "not offloaded: the bus has no offload\n");
	end(&s);
}

static void it_says_why_the_others_do_not(void **state)
{
	struct scene s = scene();

	(void)state;
	must_assign(s.bus, BW_PIO, 0x3f8, of_value(2, 5), s.n);
	must_assign(s.bus, BW_PIO, 0x3f8, of_len(4), s.n);
	must_assign(s.bus, BW_PIO, 0x3f7, of_len(4), s.n);
	must_assign(s.bus, BW_PIO, 0x3fa, of_len(1), s.n);
	assert_int_equal(ask_write(&s, BW_PIO, 0x3f8, 2, 6), BW_UNCLAIMED);
	says(&s, "unclaimed: nobody gets it\n");
	says(&s, "(length 2, value 0x5) of the bus, notifier queue: it is of another value\n");
	says(&s, "(length 4) of the bus, notifier queue: it is of another width\n");
	says(&s, "0x3f7 (length 4) of the bus, notifier queue: it begins at another address\n");
	says_not(&s, "0x3fa");
	end(&s);
}

static void reads_never_ring(void **state)
{
	struct scene s = scene();

	(void)state;
	must_assign(s.bus, BW_PIO, 0x3f8, of_len(2), s.n);
	assert_int_equal(ask(&s, BW_PIO, false, 0x3f8, 2, 0), BW_UNCLAIMED);
	says(&s, "read of 2 bytes at PIO 0x3f8\n");
	says(&s, "reads never ring\n");
	end(&s);
}

static void it_performs_nothing(void **state)
{
	struct scene s = scene();
	struct bw_ioeventfd *ie = must_assign(s.bus, BW_PIO, 0x3f8, of_len(2), s.n);
	struct bw_ioeventfd_stats stats = { .size = sizeof(stats) };
	unsigned int handled = 0;

	(void)state;
	must_map(s.bus, "bar", BW_PIO, 0x3f0, 0x10, &handled);
	ask_write(&s, BW_PIO, 0x3f8, 2, 0);
	ask_write(&s, BW_PIO, 0x3f8, 1, 0);
	assert_int_equal(bw_ioeventfd_stats(ie, &stats), 0);
	assert_int_equal(stats.rings + stats.near_width, 0);
	assert_int_equal(bw_notifier_take(s.n), 0);
	assert_int_equal(handled, 0);
	end(&s);
}

static void it_says_which_region_serves_and_which_is_covered(void **state)
{
	struct bw_ioeventfd *ie;
	struct scene s = scene();
	unsigned int handled = 0;
	struct bw_region *below;

	(void)state;
	below = must_map(s.bus, "below", BW_MMIO, 0x1000, 0x1000, &handled);
	assert_int_equal(bw_region_doorbell(below, &ie, 0x810, of_len(4), s.n), 0);
	must_map(s.bus, "above", BW_MMIO, 0x1800, 0x100, &handled);
	assert_int_equal(ask_write(&s, BW_MMIO, 0x1810, 4, 0), BW_HANDLED);
	says(&s, "handled: by region \"above\", at its offset 0x10\n");
	says(&s, "there lies region \"below\", covered\n");
	says(&s, "there lies region \"above\"\n");
	says(&s, "of region below, notifier queue: another region covers it\n");
	end(&s);
}

static void it_says_what_is_wrong_with_the_region_there(void **state)
{
	struct scene s = scene();
	unsigned int handled = 0;

	(void)state;
	must_map(s.bus, "mute", BW_MMIO, 0x1000, 0x1000, NULL);
	must_map(s.bus, "next", BW_MMIO, 0x2000, 0x1000, &handled);
	assert_int_equal(ask_write(&s, BW_MMIO, 0x1000, 4, 0), BW_UNCLAIMED);
	says(&s, "there lies region \"mute\", which has no handler\n");
	assert_int_equal(ask_write(&s, BW_MMIO, 0x2ffe, 4, 0), BW_UNCLAIMED);
	says(&s, "there lies region \"next\", but not under all of the bytes\n");
	end(&s);
}

static void it_says_why_a_doorbell_is_not_there(void **state)
{
	struct scene s = scene();
	unsigned int handled = 0;
	struct bw_ioeventfd *ie;
	struct bw_region *bar;

	(void)state;
	bar = must_map(s.bus, "bar", BW_PIO, 0x100, 0x10, &handled);
	assert_int_equal(bw_region_doorbell(bar, &ie, 0, of_len(2), s.n), 0);
	must_assign(s.bus, BW_PIO, 0x100, any_len(), s.n);
	assert_int_equal(ask_write(&s, BW_PIO, 0x100, 2, 0), BW_SIGNALLED);
	says(&s,
	     "of region bar, notifier queue: an ioeventfd of the bus itself collides with it\n");
	end(&s);
}

static void ports_that_lie_in_mmio_are_told_as_ports(void **state)
{
	struct bw_bus_opts opts = { .size = sizeof(opts),
				    .pio_is_mmio = true,
				    .pio_mmio_base = 0x3eff0000 };
	struct scene s = { .n = make_notifier("queue") };

	(void)state;
	assert_int_equal(bw_bus_new(&s.bus, &opts), 0);
	must_assign(s.bus, BW_PIO, 0x10, of_len(2), s.n);
	assert_int_equal(ask_write(&s, BW_MMIO, 0x3eff0010, 2, 0), BW_SIGNALLED);
	says(&s, "at PIO 0x10 (the ports lie in MMIO: 0x3eff0010)\n");
	end(&s);
}

static void many_others_are_told_by_their_number(void **state)
{
	struct scene s = scene();

	(void)state;
	for (uint64_t value = 0; value < 100; value++)
		must_assign(s.bus, BW_PIO, 0x100, of_value(2, value), s.n);
	assert_int_equal(ask_write(&s, BW_PIO, 0x100, 2, 50), BW_SIGNALLED);
	says(&s, "taken by PIO address 0x100 (length 2, value 0x32)");
	says(&s, "nor 83 more there\n");
	end(&s);
}

/* ---- the hypervisor ---- */

static const char *some_defect(const struct offload_claim *claim, const struct offload_claim *other)
{
	return other && other->addr != claim->addr ? "mixes them up" : NULL;
}

static void it_says_what_the_hypervisor_does(void **state)
{
	struct offload_ops ops = fake_ops;
	struct fake_offload *fake = calloc(1, sizeof(*fake));
	struct scene s = scene();

	(void)state;
	ops.defect = some_defect;
	assert_int_equal(bus_offload(s.bus, &ops, fake), 0);
	must_assign(s.bus, BW_PIO, 0x100, of_len(2), s.n);
	assert_int_equal(ask_write(&s, BW_PIO, 0x100, 2, 0), BW_SIGNALLED);
	says(&s, "offloaded: fake signals it");
	says_not(&s, "known defect");
	must_assign(s.bus, BW_PIO, 0x200, of_len(4), s.n);
	assert_int_equal(ask_write(&s, BW_PIO, 0x100, 2, 0), BW_SIGNALLED);
	says(&s,
	     "known defect, with PIO address 0x200 (length 4) of the bus, notifier queue: mixes "
	     "them up\n");
	end(&s);
	free(fake);
}

/* ---- the call ---- */

static void what_access_refuses_is_refused(void **state)
{
	struct scene s = scene();
	struct bw_access access = { .space = BW_PIO, .is_write = true, .len = 2, .addr = 1 };

	(void)state;
	assert_int_equal(bw_bus_explain(s.bus, &access, &s.text), -EINVAL);
	assert_null(s.text);
	assert_int_equal(ask_write(&s, BW_PIO, 1, 9, 0), -EINVAL);
	assert_null(s.text);
	end(&s);
}

static void it_foretells_random_accesses(void **state)
{
	struct scene s = scene();
	unsigned int handled = 0, results[BW_SIGNALLED + 1] = {};
	uint64_t random = 1;

	(void)state;
	must_map(s.bus, "a", BW_MMIO, 0x100, 0x20, &handled);
	must_map(s.bus, "b", BW_MMIO, 0x110, 0x20, NULL);
	must_map(s.bus, "c", BW_MMIO, 0x118, 4, &handled);
	for (unsigned int i = 0; i < 40; i++) {
		struct bw_match match = { 1u << random_below(&random, 4), random_below(&random, 2),
					  random_below(&random, 4) };
		struct bw_ioeventfd *ie;
		int err = bw_ioeventfd_assign(s.bus, &ie, BW_MMIO,
					      0xf8 + random_below(&random, 0x40), match, s.n);

		assert_true(!err || err == -EEXIST);
	}
	for (unsigned int i = 0; i < 5000; i++) {
		uint64_t value = random_below(&random, 4);
		struct bw_access access = { BW_MMIO,
					    random_below(&random, 4),
					    1 + random_below(&random, 8),
					    0xf8 + random_below(&random, 0x48),
					    0,
					    &value,
					    NULL };
		int foretold;

		free(s.text);
		foretold = bw_bus_explain(s.bus, &access, &s.text);
		assert_int_equal(bw_bus_access(s.bus, &access), foretold);
		results[foretold]++;
	}
	for (unsigned int i = 0; i < COUNT_OF(results); i++)
		assert_true(results[i] > 100);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_names_who_takes_it),
		cmocka_unit_test(it_says_why_the_others_do_not),
		cmocka_unit_test(reads_never_ring),
		cmocka_unit_test(it_performs_nothing),
		cmocka_unit_test(it_says_which_region_serves_and_which_is_covered),
		cmocka_unit_test(it_says_what_is_wrong_with_the_region_there),
		cmocka_unit_test(it_says_why_a_doorbell_is_not_there),
		cmocka_unit_test(ports_that_lie_in_mmio_are_told_as_ports),
		cmocka_unit_test(many_others_are_told_by_their_number),
		cmocka_unit_test(it_says_what_the_hypervisor_does),
		cmocka_unit_test(what_access_refuses_is_refused),
		cmocka_unit_test(it_foretells_random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
