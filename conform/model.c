/* SPDX-License-Identifier: MIT
 *
 * Plain on purpose: to be compared with Linux virt/kvm/eventfd.c by eye.
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>

static bool is_length(uint32_t len)
{
	return len == 0 || len == 1 || len == 2 || len == 4 || len == 8;
}

static bool collide(const struct op *a, const struct op *b)
{
	if (a->pio != b->pio || a->addr != b->addr)
		return false;
	if (a->len == 0 || b->len == 0)
		return true;
	return a->len == b->len && (!a->has_value || !b->has_value || a->value == b->value);
}

static int check_fd(const struct op *op)
{
	if (op->fd == FD_CLOSED)
		return EBADF;
	return op->fd == FD_PIPE ? EINVAL : 0;
}

static int assign(struct model *m, const struct op *op)
{
	struct program list = { m->entries, m->nr, m->capacity };
	int err;

	if (!is_length(op->len) || op->addr + op->len < op->addr || (!op->len && op->has_value))
		return EINVAL;
	err = check_fd(op);
	if (err)
		return err;
	for (size_t i = 0; i < m->nr; i++)
		if (collide(&m->entries[i], op))
			return EEXIST;
	if (!program_add(&list, op))
		return -1;
	*m = (struct model){ list.ops, list.nr, list.capacity };
	return 0;
}

static bool same(const struct op *a, const struct op *b)
{
	return a->pio == b->pio && a->addr == b->addr && a->len == b->len &&
	       a->has_value == b->has_value && (!a->has_value || a->value == b->value) &&
	       a->fd % NR_EVENTFDS == b->fd % NR_EVENTFDS;
}

static int deassign(struct model *m, const struct op *op)
{
	int err = check_fd(op);

	if (err)
		return err;
	for (size_t i = 0; i < m->nr; i++) {
		if (!same(&m->entries[i], op))
			continue;
		m->entries[i] = m->entries[--m->nr];
		return 0;
	}
	return ENOENT;
}

int model_control(struct model *m, const struct op *op)
{
	return op->kind == OP_ASSIGN ? assign(m, op) : deassign(m, op);
}

int model_write(const struct model *m, bool pio, uint64_t addr, uint32_t len, uint64_t value)
{
	for (size_t i = 0; i < m->nr; i++) {
		const struct op *e = &m->entries[i];

		if (e->pio == pio && e->addr == addr && (e->len == 0 || e->len == len) &&
		    (!e->has_value || e->value == value))
			return (int)(e->fd % NR_EVENTFDS);
	}
	return -1;
}

void model_free(struct model *m)
{
	free(m->entries);
	*m = (struct model){ 0 };
}
