/* SPDX-License-Identifier: MIT
 *
 * The defect is in order(): a range compares equal to one that holds it, from one side only. So it
 * is no order. An outer range that comes later is put behind the inner ones, where the search for
 * it does not look; and from where a search has landed, the walk ends at the first range that does
 * not hold the write, in front of one that does.
 */
#include "kernel_bus.h"

#include <stdlib.h>
#include <string.h>

/* kvm_io_bus_cmp(): is a before b, behind it, or within it? */
static int order(uint64_t a_addr, uint32_t a_len, const struct kernel_range *b)
{
	uint64_t a_end = a_addr, b_end = b->addr;

	if (a_addr < b->addr)
		return -1;
	if (b->len) {
		a_end += a_len;
		b_end += b->len;
	}
	return a_end > b_end;
}

static bool grow(struct kernel_bus *bus)
{
	size_t capacity = bus->capacity ? 2 * bus->capacity : 16;
	struct kernel_range *ranges = realloc(bus->ranges, capacity * sizeof(*ranges));

	if (!ranges)
		return false;
	bus->ranges = ranges;
	bus->capacity = capacity;
	return true;
}

/* kvm_io_bus_register_dev(): in front of the first that is behind it. */
bool kernel_bus_register(struct kernel_bus *bus, const struct kernel_range *range)
{
	size_t i = 0;

	if (bus->count == bus->capacity && !grow(bus))
		return false;
	while (i < bus->count && order(bus->ranges[i].addr, bus->ranges[i].len, range) <= 0)
		i++;
	memmove(&bus->ranges[i + 1], &bus->ranges[i], (bus->count - i) * sizeof(*range));
	bus->ranges[i] = *range;
	bus->count++;
	return true;
}

static bool is_same(const struct kernel_range *a, const struct kernel_range *b)
{
	return a->addr == b->addr && a->len == b->len && a->taker == b->taker &&
	       a->has_value == b->has_value && (!a->has_value || a->value == b->value);
}

void kernel_bus_unregister(struct kernel_bus *bus, const struct kernel_range *range)
{
	for (size_t i = 0; i < bus->count; i++) {
		if (!is_same(&bus->ranges[i], range))
			continue;
		bus->count--;
		memmove(&bus->ranges[i], &bus->ranges[i + 1], (bus->count - i) * sizeof(*range));
		return;
	}
}

/* kvm_io_bus_get_first_dev(): bsearch(), then back as long as it fits. Beyond the array if there is
 * none. */
static size_t find_first(const struct kernel_bus *bus, uint64_t addr, uint32_t len)
{
	size_t base = 0, left = bus->count;

	while (left > 0) {
		size_t at = base + left / 2;
		int way = order(addr, len, &bus->ranges[at]);

		if (way == 0) {
			while (at > 0 && order(addr, len, &bus->ranges[at - 1]) == 0)
				at--;
			return at;
		}
		if (way > 0) {
			base = at + 1;
			left--;
		}
		left /= 2;
	}
	return bus->count;
}

static bool takes(const struct kernel_range *range, uint64_t addr, uint32_t len, uint64_t value)
{
	if (range->taker != TAKEN_BY_IOEVENTFD)
		return true;
	return range->addr == addr && (!range->len || range->len == len) &&
	       (!range->has_value || range->value == value);
}

enum kernel_taker kernel_bus_write(const struct kernel_bus *bus, uint64_t addr, uint32_t len,
				   uint64_t value)
{
	size_t i = find_first(bus, addr, len);

	for (; i < bus->count && order(addr, len, &bus->ranges[i]) == 0; i++)
		if (takes(&bus->ranges[i], addr, len, value))
			return bus->ranges[i].taker;
	return TAKEN_BY_NOBODY;
}

void kernel_bus_free(struct kernel_bus *bus)
{
	free(bus->ranges);
	*bus = (struct kernel_bus){ 0 };
}
