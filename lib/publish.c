/* SPDX-License-Identifier: MIT
 *
 * Readers hold one struct view for the length of a read section. There are two, which take turns,
 * as do the two maps of each space: the spare ones are free after the grace period of the last
 * change, so that replacing what readers see needs no memory.
 */
#include "publish.h"
#include "error.h"
#include "rcu.h"
#include "stats.h"

#include <errno.h>
#include <stdlib.h>

static void replace_view(struct bw_bus *bus, struct view next)
{
	struct view *spare = bus->view == &bus->views[0] ? &bus->views[1] : &bus->views[0];

	*spare = next;
	/* pairs with the load in bw_bus_access() */
	__atomic_store_n(&bus->view, spare, __ATOMIC_RELEASE);
	rcu_wait();
}

int publish_init(struct bw_bus *bus)
{
	bus->table = table_new(0);
	if (!bus->table)
		return fail(-ENOMEM, "no memory for a bus");
	bus->view = &bus->views[0];
	bus->view->table = bus->table;
	for (unsigned int space = 0; space < NR_SPACES; space++)
		bus->view->flat[space] = &bus->spaces[space].flat[0];
	return 0;
}

void publish_fini(struct bw_bus *bus)
{
	for (struct space *s = bus->spaces; s < bus->spaces + NR_SPACES; s++) {
		flat_free(&s->flat[0]);
		flat_free(&s->flat[1]);
		free(s->layers);
		free(s->heap);
	}
	table_free(bus->table);
}

const struct flat *wanted_flat(const struct bw_bus *bus, unsigned int space)
{
	const struct space *s = &bus->spaces[space];

	return &s->flat[s->current ^ s->dirty];
}

void flatten_space(struct bw_bus *bus, unsigned int space)
{
	struct space *s = &bus->spaces[space];
	struct bw_region *region;
	size_t nr = 0;

	cds_list_for_each_entry (region, &bus->regions, in_bus)
		if (region->space == space && region->wanted.mapped && !region->gone)
			s->layers[nr++] = (struct layer){
				.first = region->wanted.addr,
				.last = region->wanted.addr + region->len - 1,
				.priority = region->priority,
				.order = region->wanted.order,
				.region = region,
			};
	flatten(&s->flat[!s->current], s->layers, nr, s->heap);
}

void publish(struct bw_bus *bus)
{
	struct view next = { .generation = bus->view->generation + 1, .table = bus->table };

	for (unsigned int shape = 0; shape < NR_SHAPES; shape++)
		next.shapes |= (uint64_t)(bus->shape_uses[shape] > 0) << shape;
	for (unsigned int space = 0; space < NR_SPACES; space++) {
		struct space *s = &bus->spaces[space];

		s->current ^= s->dirty;
		s->dirty = false;
		next.flat[space] = &s->flat[s->current];
	}
	replace_view(bus, next);
}

/* ---- growing: readers see the same, in more room ---- */

static bool copy_slots(struct table *to, const struct table *from, uint64_t generation)
{
	for (size_t i = 0; i <= from->mask; i++) {
		const struct slot *old = &from->slots[i];
		struct key key = { old->addr, slot_key_value(old), old->shape };
		struct slot *new;

		if (!old->until)
			continue;
		new = table_insert(to, &key, old->since, old->owner, old->notifier, false);
		if (!new)
			return false;
		new->until = old->until;
		new->captured = old->captured;
		if (old->since <= generation)
			counts_begin_move(new, old);
	}
	return true;
}

static struct table *bigger_copy(const struct table *from, size_t keys, uint64_t generation)
{
	for (;;) {
		struct table *t = table_new(keys);

		if (!t || copy_slots(t, from, generation))
			return t;
		keys = t->mask + 1; /* more than fit: the next size */
		table_free(t);
	}
}

/* No reader is left in the old table, where active still points. */
static void move_owners(struct table *new, uint64_t generation)
{
	for (struct slot *s = new->slots; s <= new->slots + new->mask; s++) {
		if (!s->until)
			continue;
		if (s->since > generation) {
			s->owner->next = s;
		} else {
			counts_end_move(s->owner, s, s->owner->active);
			s->owner->active = s;
		}
	}
}

static int grow_table(struct bw_bus *bus, size_t keys)
{
	struct table *old = bus->table, *new;
	struct view next = *bus->view;

	new = bigger_copy(old, keys, next.generation);
	if (!new)
		return fail(-ENOMEM, "no memory for a table of %zu ioeventfds", keys);
	next.table = bus->table = new;
	replace_view(bus, next);
	move_owners(new, next.generation);
	table_free(old);
	return 0;
}

int reserve_keys(struct bw_bus *bus, size_t keys)
{
	return table_fits(bus->table, keys) ? 0 : grow_table(bus, keys);
}

static struct slot *insert(struct bw_ioeventfd *ie, const struct key *key, bool force)
{
	struct bw_bus *bus = ie->bus;
	struct slot *slot =
		table_insert(bus->table, key, bus->view->generation + 1, ie, ie->notifier, force);

	if (slot)
		slot->captured = ie->wants_captured;
	return slot;
}

struct slot *stage_slot(struct bw_ioeventfd *ie, const struct key *key, bool must)
{
	struct bw_bus *bus = ie->bus;
	struct slot *slot = NULL;

	if (table_fits(bus->table, bus->table->in_use + 1))
		slot = insert(ie, key, false);
	if (slot)
		return slot;
	if (grow_table(bus, bus->table->mask + 1) && !must)
		return NULL;
	return insert(ie, key, true);
}

static int grow_array(void *array, size_t nr, size_t size)
{
	void **pointer = array, *bigger = reallocarray(*pointer, nr, size);

	if (!bigger)
		return -ENOMEM;
	*pointer = bigger;
	return 0;
}

int reserve_regions(struct bw_bus *bus, unsigned int space, size_t regions)
{
	struct space *s = &bus->spaces[space];
	size_t capacity = s->capacity ? s->capacity : 8;
	struct view next = *bus->view;

	if (regions <= s->capacity)
		return 0;
	while (capacity < regions)
		capacity *= 2;
	if (grow_array(&s->layers, capacity, sizeof(*s->layers)) ||
	    grow_array(&s->heap, capacity, sizeof(*s->heap)) ||
	    flat_reserve(&s->flat[!s->current], 2 * capacity))
		goto no_memory;
	/* readers move to the grown map, then the other can be grown */
	flat_copy(&s->flat[!s->current], &s->flat[s->current]);
	s->current = !s->current;
	next.flat[space] = &s->flat[s->current];
	replace_view(bus, next);
	if (flat_reserve(&s->flat[!s->current], 2 * capacity))
		goto no_memory;
	s->capacity = capacity;
	return 0;

no_memory:
	return fail(-ENOMEM, "no memory for a map of %zu regions", regions);
}
