/* SPDX-License-Identifier: MIT
 *
 * What readers find of regions and ioeventfds, and the reasons where they find nothing.
 */
#include "seen.h"

const struct mapping *seen_mapping(const struct bw_region *region)
{
	bool touched = region->in_touched.next != &region->in_touched;

	return touched ? &region->before : &region->wanted;
}

bool seen_addr(const struct bw_ioeventfd *ie, uint64_t *addr)
{
	const struct mapping *mapping;

	*addr = ie->addr;
	if (ie->fresh || !ie->region)
		return !ie->fresh;
	mapping = seen_mapping(ie->region);
	*addr += mapping->addr;
	return mapping->mapped;
}

const char *why_inactive(const struct bw_ioeventfd *ie)
{
	const struct piece *piece;
	uint64_t addr;

	if (ie->active)
		return NULL;
	if (ie->fresh)
		return "the transaction that assigned it is open";
	if (!seen_addr(ie, &addr))
		return "its region is not mapped";
	if (ie->space == BW_MMIO && in_pio_window(ie->bus, addr, ie->match.len ? ie->match.len : 1))
		return "the ports lie there";
	piece = flat_find(ie->bus->view->flat[ie->space], addr, ie->match.len);
	if (!piece || piece->region != ie->region)
		return "another region covers it";
	return "an ioeventfd of the bus itself collides with it";
}

const char *why_not_offloaded(const struct bw_ioeventfd *ie)
{
	if (!ie->bus->offload)
		return "the bus has no offload";
	if (!ie->active)
		return "it is inactive";
	if (ie->offloaded)
		return NULL;
	return ie->why_not ? ie->why_not : "the hypervisor did not take it";
}
