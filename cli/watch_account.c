/* SPDX-License-Identifier: MIT
 *
 * The account by address. Addresses and values are the guest's choice: the table and each set of
 * values have an end, and the hash a seed.
 */
#include "cli/watch_account.h"

#define INDEX_SIZE (2 * WATCH_ADDRESSES)
#define WIDER 31u

_Static_assert((INDEX_SIZE & (INDEX_SIZE - 1)) == 0, "a hash is masked");
_Static_assert(WATCH_ADDRESSES < UINT16_MAX, "an index is 16 bits");

static uint32_t hash(const struct watch_account *account, enum bw_space space, uint64_t addr)
{
	uint64_t mixed = (addr ^ account->seed) * UINT64_C(0x9e3779b97f4a7c15) + space;

	mixed ^= mixed >> 32;
	return (uint32_t)((mixed * UINT64_C(0xd6e8feb86659fd93)) >> 32);
}

/* NULL: the table is full. It is at most half of the index, so that a search ends. */
static struct watch_address *find(struct watch_account *account, enum bw_space space, uint64_t addr)
{
	uint32_t at = hash(account, space, addr) & (INDEX_SIZE - 1);
	struct watch_address *address;

	for (; account->index[at]; at = (at + 1) & (INDEX_SIZE - 1)) {
		address = &account->addresses[account->index[at] - 1];
		if (address->space == space && address->addr == addr)
			return address;
	}
	if (account->nr == WATCH_ADDRESSES)
		return NULL;
	address = &account->addresses[account->nr++];
	*address = (struct watch_address){ .space = space, .addr = addr };
	account->index[at] = (uint16_t)account->nr;
	return address;
}

static void add_value(struct watch_address *address, uint64_t value)
{
	for (unsigned int i = 0; i < address->nr_values; i++)
		if (address->values[i] == value)
			return;
	if (address->nr_values < WATCH_VALUES)
		address->values[address->nr_values++] = value;
}

static void add(struct watch_path *path, bool is_write, uint64_t ns)
{
	*(is_write ? &path->writes : &path->reads) += 1;
	path->timed += ns > 0;
	path->ns += ns;
}

void watch_account_access(struct watch_account *account, const struct watch_access *access,
			  bool slow, uint64_t ns)
{
	struct watch_address *address = find(account, access->space, access->addr);

	if (!address) {
		add(slow ? &account->rest_slow : &account->rest_light, access->is_write, ns);
		return;
	}
	address->widths |= 1u << (access->len < WIDER ? access->len : WIDER);
	add(slow ? &address->slow : &address->light, access->is_write, ns);
	if (slow && access->is_write)
		add_value(address, access->value);
}

bool watch_would_gain(const struct watch_address *address)
{
	return address->slow.writes > 0 && address->slow.reads + address->light.reads == 0;
}
