/* SPDX-License-Identifier: MIT
 *
 * A hypervisor for tests, with KVM's rules written a second time, and independently of the library.
 */
#include "fake_offload.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool fits(const struct offload_claim *c, uint64_t addr, uint32_t len, uint64_t value)
{
	if (c->addr != addr)
		return false;
	if (!c->match.len)
		return true;
	return c->match.len == len && (!c->match.has_value || c->match.value == value);
}

static bool in_the_way(const struct offload_claim *a, const struct offload_claim *b)
{
	if (a->space != b->space || a->addr != b->addr)
		return false;
	if (!a->match.len || !b->match.len)
		return true;
	return a->match.len == b->match.len &&
	       (!a->match.has_value || !b->match.has_value || a->match.value == b->match.value);
}

static const char *fake_refuses(void *state, const struct offload_claim *claim)
{
	struct fake_offload *fake = state;

	(void)claim;
	return fake->refuse_all;
}

static int fake_assign(void *state, const struct offload_claim *claim, const char **why)
{
	struct fake_offload *fake = state;

	fake->operations++;
	fake->assigns++;
	if (fake->fail_at && !--fake->fail_at) {
		fake->fail_at = fake->keep_failing;
		*why = fake->fail_with == -EOPNOTSUPP ? "no room" : NULL;
		return fake->fail_with;
	}
	for (unsigned int i = 0; i < fake->nr; i++)
		if (in_the_way(&fake->claims[i], claim))
			return -EEXIST;
	if (fake->nr == FAKE_CLAIMS)
		return -ENOSPC;
	fake->claims[fake->nr++] = *claim;
	return 0;
}

static bool is_same(const struct offload_claim *a, const struct offload_claim *b)
{
	return a->space == b->space && a->addr == b->addr && a->fd == b->fd &&
	       a->match.len == b->match.len && a->match.has_value == b->match.has_value &&
	       a->match.value == b->match.value;
}

static void fake_deassign(void *state, const struct offload_claim *claim)
{
	struct fake_offload *fake = state;

	fake->operations++;
	for (unsigned int i = 0; i < fake->nr; i++)
		if (is_same(&fake->claims[i], claim)) {
			fake->claims[i] = fake->claims[--fake->nr];
			return;
		}
	fake->unknown_deassigns++;
}

static unsigned int fake_caps(void *state)
{
	(void)state;
	return BW_CAP_MMIO | BW_CAP_PIO | BW_CAP_HYPERCALL;
}

static void fake_free(void *state)
{
	((struct fake_offload *)state)->freed = true;
}

const struct offload_ops fake_ops = {
	.name = "fake",
	.refuses = fake_refuses,
	.assign = fake_assign,
	.deassign = fake_deassign,
	.caps = fake_caps,
	.free = fake_free,
};

int fake_write(struct fake_offload *fake, struct bw_bus *bus, enum bw_space space, uint64_t addr,
	       uint32_t len, uint64_t value, bool *by_hypervisor)
{
	struct bw_access access = { space, true, len, addr, 0, &value, NULL };
	uint64_t one = 1;

	*by_hypervisor = false;
	for (unsigned int i = 0; i < fake->nr; i++)
		if (fake->claims[i].space == space && fits(&fake->claims[i], addr, len, value)) {
			*by_hypervisor = true;
			return write(fake->claims[i].fd, &one, 8) == 8 ? BW_SIGNALLED : -EIO;
		}
	return bw_bus_access(bus, &access);
}
