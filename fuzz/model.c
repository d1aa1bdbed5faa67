/* SPDX-License-Identifier: MIT
 *
 * Plain on purpose: to be compared with bellwire.h by eye.
 */
#include "model.h"

#include <errno.h>
#include <string.h>

#define PORTS 0x10000u

struct model_ioeventfd *model_room(struct model *m)
{
	for (unsigned int i = 0; i < MODEL_IOEVENTFDS; i++)
		if (!m->ioeventfds[i].used)
			return &m->ioeventfds[i];
	return NULL;
}

struct model_region *model_region_room(struct model *m)
{
	for (unsigned int i = 0; i < MODEL_REGIONS; i++)
		if (!m->regions[i].used)
			return &m->regions[i];
	return NULL;
}

/* Whether one of the bytes is a port. */
static bool in_window(const struct model *m, unsigned int space, uint64_t addr, uint32_t len)
{
	for (uint64_t i = 0; i < (len ? len : 1); i++)
		if (m->pio_is_mmio && space == BW_MMIO && addr + i >= m->pio_mmio_base &&
		    addr + i - m->pio_mmio_base < PORTS)
			return true;
	return false;
}

static bool collide(const struct bw_match *a, const struct bw_match *b)
{
	if (!a->len || !b->len)
		return true;
	return a->len == b->len && (!a->has_value || !b->has_value || a->value == b->value);
}

int model_check_match(unsigned int space, uint64_t addr, const struct bw_match *match)
{
	uint32_t len = match->len;

	if (space > MODEL_CCW || (len != 0 && len != 1 && len != 2 && len != 4 && len != 8))
		return -EINVAL;
	if (addr + len < addr || (!len && match->has_value))
		return -EINVAL;
	return space == BW_HYPERCALL && (len || addr > 0xffffff) ? -EINVAL : 0;
}

static int check_place(const struct model *m, const struct model_ioeventfd *new)
{
	uint64_t len = new->match.len ? new->match.len : 1;

	if (new->region < 0)
		return in_window(m, new->space, new->addr, new->match.len) ? -EINVAL : 0;
	return len > m->regions[new->region].len || new->addr > m->regions[new->region].len - len
		       ? -ERANGE
		       : 0;
}

int model_check(const struct model *m, const struct model_ioeventfd *new)
{
	int err = model_check_match(new->space, new->addr, &new->match);

	if (!err)
		err = check_place(m, new);
	if (err)
		return err;
	for (unsigned int i = 0; i < MODEL_IOEVENTFDS; i++) {
		const struct model_ioeventfd *ie = &m->ioeventfds[i];

		if (ie->used && ie->region == new->region && ie->space == new->space &&
		    ie->addr == new->addr &&collide(&ie->match, &new->match))
			return -EEXIST;
	}
	return 0;
}

int model_check_mapping(const struct model_region *region, uint64_t addr)
{
	uint64_t last = addr + (region->len - 1);

	return last < addr || (region->space == BW_PIO && last >= PORTS) ? -EINVAL : 0;
}

void model_free_region(struct model *m, struct model_region *region)
{
	for (unsigned int i = 0; i < MODEL_IOEVENTFDS; i++)
		if (m->ioeventfds[i].region == region - m->regions)
			m->ioeventfds[i].used = false;
	region->used = false;
}

static bool hides(const struct model_region *a, const struct model_region *b)
{
	return a->priority > b->priority || (a->priority == b->priority && a->order > b->order);
}

/* Who has this byte of the map, the window of ports aside. */
static const struct model_region *top(const struct model *m, unsigned int space, uint64_t addr)
{
	const struct model_region *best = NULL;

	for (unsigned int i = 0; i < MODEL_REGIONS; i++) {
		const struct model_region *r = &m->regions[i];

		if (r->used && r->mapped && r->space == space && addr >= r->addr &&
		    addr - r->addr < r->len && (!best || hides(r, best)))
			best = r;
	}
	return best;
}

/* Who has all of them. What goes beyond the end of the space has no byte there. */
static const struct model_region *top_of_all(const struct model *m, unsigned int space,
					     uint64_t addr, uint32_t len)
{
	const struct model_region *first = top(m, space, addr);

	for (uint32_t i = 1; i < len; i++)
		if (addr + i < addr || top(m, space, addr + i) != first)
			return NULL;
	return first;
}

static bool hidden_by_plain(const struct model *m, const struct model_ioeventfd *ie, uint64_t addr)
{
	for (unsigned int i = 0; i < MODEL_IOEVENTFDS; i++) {
		const struct model_ioeventfd *plain = &m->ioeventfds[i];

		if (plain->used && plain->region < 0 && plain->space == ie->space &&
		    plain->addr == addr && collide(&plain->match, &ie->match))
			return true;
	}
	return false;
}

bool model_active(const struct model *m, const struct model_ioeventfd *ie, uint64_t *addr)
{
	const struct model_region *region;

	*addr = ie->addr;
	if (!ie->used || ie->region < 0)
		return ie->used;
	region = &m->regions[ie->region];
	*addr += region->addr;
	return region->mapped && !in_window(m, ie->space, *addr, ie->match.len) &&
	       top_of_all(m, ie->space, *addr, ie->match.len) == region &&
	       !hidden_by_plain(m, ie, *addr);
}

const struct model_region *model_region_at(const struct model *m, enum bw_space space,
					   uint64_t addr)
{
	if (in_window(m, space, addr, 1))
		return top(m, BW_PIO, addr - m->pio_mmio_base);
	return top(m, space, addr);
}

static uint64_t written(const struct bw_access *access)
{
	uint64_t value = 0;

	if (access->data)
		memcpy(&value, access->data, access->len);
	return value;
}

static bool rings(const struct model *m, const struct model_ioeventfd *ie, unsigned int space,
		  uint64_t addr, const struct bw_access *access)
{
	uint64_t at;

	return model_active(m, ie, &at) && ie->space == space && at == addr &&
	       (!ie->match.len || ie->match.len == access->len) &&
	       (!ie->match.has_value || ie->match.value == written(access));
}

static void answer_by_region(const struct model *m, const struct bw_access *access,
			     struct model_answer *answer)
{
	const struct model_region *region = top_of_all(m, answer->space, answer->addr, access->len);

	if (!region || !region->has_handler)
		return;
	answer->handled = region;
	answer->result = BW_HANDLED;
}

void model_pass_by(const struct model *m, const struct bw_access *access,
		   struct model_answer *answer)
{
	answer_by_region(m, access, answer);
	answer->passed_by = answer->handled;
	if (answer->passed_by)
		answer->rung = NULL;
}

struct model_answer model_access(const struct model *m, const struct bw_access *access)
{
	struct model_answer answer = { .result = BW_UNCLAIMED,
				       .space = access->space,
				       .addr = access->addr };

	if (access->space > BW_HYPERCALL || access->len > 8 ||
	    (access->space != BW_HYPERCALL && (!access->len || !access->data)))
		return (struct model_answer){ .result = -EINVAL };
	if (in_window(m, access->space, access->addr, 1)) {
		answer.space = BW_PIO;
		answer.addr -= m->pio_mmio_base;
	}
	for (unsigned int i = 0; i < MODEL_IOEVENTFDS && access->is_write; i++)
		if (rings(m, &m->ioeventfds[i], answer.space, answer.addr, access)) {
			answer.rung = &m->ioeventfds[i];
			answer.result = BW_SIGNALLED;
			return answer;
		}
	answer_by_region(m, access, &answer);
	return answer;
}
