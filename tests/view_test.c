/* SPDX-License-Identifier: MIT
 *
 * Overlap against a model that is plainly right: an array that says of every byte whose it is.
 * Random regions are mapped, moved, unmapped and freed, alone and in transactions that may be
 * aborted; after each change every access to every byte must find what the model says.
 */
#include "world.h"

#define BYTES 96u
#define REGIONS 12u
#define BELLS 3u
#define STEPS 1500u

struct bell {
	struct bw_notifier *n;
	uint64_t offset;
	uint32_t len;
};

struct device {
	struct bw_region *region;
	bool mapped;
	uint64_t base, len, order;
	int priority;
	struct bell bells[BELLS];
	unsigned int handled;
	uint64_t offset; /* of the last access */
};

struct model {
	struct bw_bus *bus;
	struct device devices[REGIONS];
	uint64_t order, random;
};

static void handle(void *opaque, struct bw_access *access)
{
	struct device *d = opaque;

	d->handled++;
	d->offset = access->offset;
}

static void new_region(struct model *m, struct device *d)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.len = 1 + random_below(&m->random, 40),
		.priority = (int)random_below(&m->random, 3),
		.handler = handle,
		.opaque = d,
	};
	static const uint32_t lens[] = { BW_ANY_LEN, 1, 2, 4, 8 };

	d->len = opts.len;
	d->priority = opts.priority;
	d->mapped = false;
	assert_int_equal(bw_region_new(m->bus, &d->region, &opts), 0);
	for (struct bell *b = d->bells; b < d->bells + BELLS; b++) {
		struct bw_ioeventfd *ie;

		b->offset = random_below(&m->random, (uint32_t)d->len);
		b->len = lens[random_below(&m->random, COUNT_OF(lens))];
		if (bw_region_doorbell(d->region, &ie, b->offset, of_len(b->len), b->n))
			b->offset = UINT64_MAX; /* beyond the end, or in the way of another */
	}
}

static struct device *owner_of(struct model *m, uint64_t addr)
{
	struct device *owner = NULL;

	for (struct device *d = m->devices; d < m->devices + REGIONS; d++) {
		if (!d->mapped || addr < d->base || addr - d->base >= d->len)
			continue;
		if (!owner || d->priority > owner->priority ||
		    (d->priority == owner->priority && d->order > owner->order))
			owner = d;
	}
	return owner;
}

static struct device *owner_of_all(struct model *m, uint64_t addr, uint32_t len)
{
	struct device *owner = owner_of(m, addr);

	for (uint32_t i = 1; i < len; i++)
		if (owner_of(m, addr + i) != owner)
			return NULL;
	return owner;
}

static struct bell *bell_at(struct model *m, uint64_t addr, uint32_t len)
{
	struct device *owner = owner_of(m, addr);

	if (!owner)
		return NULL;
	for (struct bell *b = owner->bells; b < owner->bells + BELLS; b++)
		if (b->offset == addr - owner->base && (!b->len || b->len == len) &&
		    owner_of_all(m, addr, b->len ? b->len : 1) == owner)
			return b;
	return NULL;
}

static void check_write(struct model *m, uint64_t addr, uint32_t len)
{
	struct bell *bell = bell_at(m, addr, len);
	struct device *owner = bell ? NULL : owner_of_all(m, addr, len);
	unsigned int handled = owner ? owner->handled : 0;
	int result = write_to(m->bus, BW_MMIO, addr, len, 0);

	if (bell) {
		assert_int_equal(result, BW_SIGNALLED);
		assert_int_equal(bw_notifier_take(bell->n), 1);
	} else if (owner) {
		assert_int_equal(result, BW_HANDLED);
		assert_int_equal(owner->handled, handled + 1);
		assert_int_equal(owner->offset, addr - owner->base);
	} else {
		assert_int_equal(result, BW_UNCLAIMED);
	}
}

static void check_every_write(struct model *m)
{
	for (uint64_t addr = 0; addr < BYTES; addr++)
		for (uint32_t len = 1; len <= 8; len++)
			check_write(m, addr, len);
}

static void change(struct model *m)
{
	struct device *d = &m->devices[random_below(&m->random, REGIONS)];

	switch (random_below(&m->random, 8)) {
	case 0:
		bw_region_free(d->region);
		new_region(m, d);
		break;
	case 1:
	case 2:
		assert_int_equal(bw_region_unmap(d->region), 0);
		d->mapped = false;
		break;
	default:
		d->mapped = true;
		d->base = random_below(&m->random, BYTES - 40);
		d->order = ++m->order;
		assert_int_equal(bw_region_map(d->region, d->base), 0);
	}
}

/* The old regions come back under their old handles. */
static void change_and_abort(struct model *m)
{
	struct device before[REGIONS];

	memcpy(before, m->devices, sizeof(before));
	assert_int_equal(bw_bus_begin(m->bus), 0);
	for (unsigned int i = 0; i < 5; i++)
		change(m);
	bw_bus_abort(m->bus);
	memcpy(m->devices, before, sizeof(before));
}

static void change_and_commit(struct model *m)
{
	assert_int_equal(bw_bus_begin(m->bus), 0);
	for (unsigned int i = 0; i < 5; i++)
		change(m);
	assert_int_equal(bw_bus_commit(m->bus), 0);
}

static void every_access_finds_what_the_model_says(void **state)
{
	static struct model m;

	(void)state;
	m.random = 0xbe11;
	m.bus = make_bus();
	for (struct device *d = m.devices; d < m.devices + REGIONS; d++) {
		for (struct bell *b = d->bells; b < d->bells + BELLS; b++)
			b->n = make_notifier("bell");
		new_region(&m, d);
	}
	for (unsigned int step = 0; step < STEPS; step++) {
		switch (random_below(&m.random, 4)) {
		case 0:
			change_and_abort(&m);
			break;
		case 1:
			change_and_commit(&m);
			break;
		default:
			change(&m);
		}
		check_every_write(&m);
	}
	bw_bus_free(m.bus);
	for (struct device *d = m.devices; d < m.devices + REGIONS; d++)
		for (struct bell *b = d->bells; b < d->bells + BELLS; b++)
			bw_notifier_free(b->n);
}

#define MOST 1100u
#define DISTANCE 0x30u
#define LEN 0x20u

static void map_one(struct bw_bus *bus, struct device *d, uint64_t base, uint64_t len)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.len = len,
		.handler = handle,
		.opaque = d,
	};

	assert_int_equal(bw_region_new(bus, &d->region, &opts), 0);
	assert_int_equal(bw_region_map(d->region, base), 0);
	d->base = base;
	d->len = len;
}

static void check_both_ends(struct bw_bus *bus, struct device *d)
{
	uint64_t last = d->len - 1;

	d->handled = 0;
	assert_int_equal(write_to(bus, BW_MMIO, d->base, 1, 0), BW_HANDLED);
	assert_int_equal(d->offset, 0);
	assert_int_equal(write_to(bus, BW_MMIO, d->base + last, 1, 0), BW_HANDLED);
	assert_int_equal(d->offset, last);
	assert_int_equal(d->handled, 2);
	assert_int_equal(write_to(bus, BW_MMIO, d->base + d->len, 1, 0), BW_UNCLAIMED);
	assert_int_equal(write_to(bus, BW_MMIO, d->base - 1, 1, 0), BW_UNCLAIMED);
}

/* The search has another shape for each number of them. */
static void of_any_number_each_is_found_from_its_first_byte_to_its_last(void **state)
{
	static struct device devices[MOST];
	struct bw_bus *bus = make_bus();

	(void)state;
	for (unsigned int nr = 0; nr < MOST; nr++) {
		map_one(bus, &devices[nr], DISTANCE * (nr + 1), LEN);
		for (unsigned int i = nr % 7; i <= nr; i += nr < 150 ? 1 : 7)
			check_both_ends(bus, &devices[i]);
	}
	bw_bus_free(bus);
}

static void the_first_and_the_last_byte_there_are_can_be_mapped(void **state)
{
	static struct device devices[2], between[20];
	struct bw_bus *bus = make_bus();

	(void)state;
	map_one(bus, &devices[0], 0, 1);
	map_one(bus, &devices[1], UINT64_MAX - 1, 2);
	for (unsigned int i = 0; i <= COUNT_OF(between); i++) {
		assert_int_equal(write_to(bus, BW_MMIO, 0, 1, 0), BW_HANDLED);
		assert_int_equal(devices[0].handled, i + 1);
		assert_int_equal(write_to(bus, BW_MMIO, UINT64_MAX, 1, 0), BW_HANDLED);
		assert_int_equal(devices[1].handled, i + 1);
		assert_int_equal(devices[1].offset, 1);
		assert_int_equal(write_to(bus, BW_MMIO, UINT64_MAX - 2, 1, 0), BW_UNCLAIMED);
		if (i < COUNT_OF(between))
			map_one(bus, &between[i], DISTANCE * (i + 1), LEN);
	}
	bw_bus_free(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_access_finds_what_the_model_says),
		cmocka_unit_test(of_any_number_each_is_found_from_its_first_byte_to_its_last),
		cmocka_unit_test(the_first_and_the_last_byte_there_are_can_be_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
