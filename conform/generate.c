/* SPDX-License-Identifier: MIT
 *
 * Random programs. Addresses are few, so that doorbells collide, overlap and nest; writes mostly
 * aim at a doorbell that stands, because an exit costs ten rings.
 */
#include "differ.h"

#include <stdlib.h>

#define MANY 24u /* standing at once */

struct generator {
	uint64_t *random;
	struct program *p;
	struct model model;
	bool failed;
};

/* xorshift64*: the same programs on every machine. */
static uint64_t next(struct generator *g)
{
	uint64_t *x = g->random;

	*x ^= *x >> 12;
	*x ^= *x << 25;
	*x ^= *x >> 27;
	return *x * 0x2545f4914f6cdd1du;
}

static uint32_t below(struct generator *g, uint32_t limit)
{
	return (uint32_t)((next(g) >> 32) % limit);
}

static uint64_t choose_addr(struct generator *g, bool pio)
{
	switch (below(g, 8)) {
	case 0: /* elsewhere, in front */
		return pio ? 0x300 + below(g, 4) : 0xd0000100 + below(g, 4);
	case 1: /* and behind */
		return pio ? 0x700 + below(g, 4) : 0xd0002000 + below(g, 4);
	default:
		return pio ? 0x500 + below(g, 12) : 0xd0000ff8 + below(g, 16);
	}
}

static uint64_t choose_value(struct generator *g)
{
	return below(g, 10) ? below(g, 3) : 1ull << below(g, 64) | below(g, 3);
}

static uint32_t choose_len(struct generator *g)
{
	static const uint32_t lens[] = { 0, 1, 2, 4, 8 };

	return below(g, 50) ? lens[below(g, 5)] : below(g, 20);
}

static unsigned int choose_fd(struct generator *g)
{
	return below(g, 50) ? below(g, 2 * NR_EVENTFDS) : below(g, NR_FDS);
}

static void emit(struct generator *g, const struct op *op)
{
	if (!program_add(g->p, op) || (op->kind != OP_WRITE && model_control(&g->model, op) < 0))
		g->failed = true;
}

static void emit_assign(struct generator *g)
{
	struct op op = { .kind = OP_ASSIGN, .pio = below(g, 2), .len = choose_len(g) };

	op.addr = below(g, 50) ? choose_addr(g, op.pio) : UINT64_MAX - below(g, 9);
	op.has_value = below(g, 2) && (op.len || !below(g, 8));
	op.value = op.has_value ? choose_value(g) : 0;
	op.fd = choose_fd(g);
	emit(g, &op);
}

/* One that stands, with another of its eventfd's fds, and now and then something else wrong. */
static void emit_deassign(struct generator *g)
{
	struct op op = g->model.entries[below(g, (uint32_t)g->model.nr)];

	op.kind = OP_DEASSIGN;
	op.fd = op.fd % NR_EVENTFDS + (below(g, 2) ? FD_DUP : 0);
	switch (below(g, 24)) {
	case 0:
		op.addr++;
		break;
	case 1:
		op.len = choose_len(g);
		break;
	case 2:
		op.has_value = !op.has_value;
		op.value = op.has_value ? choose_value(g) : 0;
		break;
	case 3:
		op.fd = choose_fd(g);
		break;
	case 4:
		op.pio = !op.pio;
		break;
	}
	emit(g, &op);
}

/* The guest cannot write 8 bytes to a port, nor where an assign is that was to wrap. */
static void aim(struct generator *g, struct op *op)
{
	const struct op *e = &g->model.entries[below(g, (uint32_t)g->model.nr)];

	if (e->addr > UINT32_MAX)
		return;
	op->pio = e->pio;
	op->addr = e->addr;
	if (e->len && !(e->pio && e->len > 4))
		op->len = e->len;
	else
		op->len = 1u << below(g, 3);
	if (e->has_value && below(g, 8))
		op->value = e->value;
}

/* Of a store across a page KVM on Intel loses the second piece there: a case shows it. */
static bool crosses_at_any_length(const struct generator *g, const struct op *op)
{
	if (op->pio || op->addr % 0x1000 + op->len <= 0x1000)
		return false;
	for (size_t i = 0; i < g->model.nr; i++)
		if (g->model.entries[i].addr == op->addr && !g->model.entries[i].len)
			return true;
	return false;
}

static void emit_write(struct generator *g)
{
	struct op op = { .kind = OP_WRITE, .pio = below(g, 2), .len = 1u << below(g, 3) };

	op.addr = choose_addr(g, op.pio);
	op.value = choose_value(g);
	if (g->model.nr && below(g, 8))
		aim(g, &op);
	if (crosses_at_any_length(g, &op))
		op.len = 1;
	emit(g, &op);
}

static void emit_any(struct generator *g)
{
	uint32_t kind = below(g, 32);
	bool many = g->model.nr >= MANY;

	if (kind < (many ? 1u : 2u) || !g->model.nr)
		emit_assign(g);
	else if (kind < 3)
		emit_deassign(g);
	else
		emit_write(g);
}

bool generate(struct program *p, size_t nr, uint64_t *random)
{
	struct generator g = { .random = random, .p = p };

	while (p->nr < nr && !g.failed)
		emit_any(&g);
	while (g.model.nr > 0 && !g.failed) {
		struct op op = g.model.entries[0];

		op.kind = OP_DEASSIGN;
		emit(&g, &op);
	}
	model_free(&g.model);
	return !g.failed;
}
