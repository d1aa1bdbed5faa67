/* SPDX-License-Identifier: MIT
 *
 * Regions: what the caller wants mapped where, and the doorbells inside.
 */
#include "error.h"
#include "ioeventfd.h"
#include "pages.h"
#include "pin.h"
#include "publish.h"
#include "txn.h"

#include <errno.h>
#include <stdio.h>

static int check_options(const struct bw_region_opts *opts)
{
	if (opts->space != BW_MMIO && opts->space != BW_PIO)
		return fail(-EINVAL, "a region is MMIO or PIO, not space %u", opts->space);
	if (!opts->len)
		return fail(-EINVAL, "a region of no length");
	return 0;
}

static struct bw_region *make(struct bw_bus *bus, const struct bw_region_opts *opts)
{
	struct bw_region *region = alloc_lines(sizeof(*region));

	if (!region)
		return NULL;
	region->bus = bus;
	region->handler = opts->handler;
	region->opaque = opts->opaque;
	region->unused = opts->unused;
	region->space = opts->space;
	region->len = opts->len;
	region->priority = opts->priority;
	region->fresh = true;
	CDS_INIT_LIST_HEAD(&region->in_touched);
	snprintf(region->name, sizeof(region->name), "%s", opts->name ? opts->name : "(unnamed)");
	return region;
}

static int enter(struct bw_bus *bus, struct bw_region **out, const struct bw_region_opts *opts)
{
	struct space *space = &bus->spaces[opts->space];
	int err = reserve_regions(bus, opts->space, space->regions + 1);

	if (err)
		return err;
	*out = make(bus, opts);
	if (!*out)
		return fail(-ENOMEM, "no memory for a region");
	space->regions++;
	cds_list_add_tail(&(*out)->in_bus, &bus->regions);
	touch_region(*out);
	return 0;
}

int bw_region_new(struct bw_bus *bus, struct bw_region **out, const struct bw_region_opts *opts)
{
	struct bw_region_opts known;
	int err = txn_check(bus);

	*out = NULL;
	if (!err)
		err = copy_options(&known, sizeof(known), opts, "bw_region_new");
	if (!err)
		err = check_options(&known);
	if (!err)
		err = txn_begin(bus);
	if (err)
		return err;
	err = enter(bus, out, &known);
	txn_end(bus); /* a region that is not mapped changes nothing that could fail */
	return err;
}

void bw_region_free(struct bw_region *region)
{
	struct bw_bus *bus;

	if (!region)
		return;
	bus = region->bus;
	if (txn_begin(bus))
		return;
	touch_region(region);
	for (size_t i = 0; i < region->doorbells.nr; i++)
		ioeventfd_forget(region->doorbells.at[i]);
	pages_forget(region);
	region->gone = true;
	bus->spaces[region->space].dirty |= region->wanted.mapped;
	region->wanted.mapped = false;
	txn_end_removal(bus);
}

static int check_mapping(const struct bw_region *region, uint64_t addr)
{
	uint64_t last;

	if (__builtin_add_overflow(addr, region->len - 1, &last))
		return fail(-EINVAL, "region %s at 0x%llx goes beyond 2^64", region->name,
			    (unsigned long long)addr);
	if (region->space == BW_PIO && last >= NR_PORTS)
		return fail(-EINVAL, "region %s at port 0x%llx goes beyond port 0xffff",
			    region->name, (unsigned long long)addr);
	return 0;
}

int bw_region_map(struct bw_region *region, uint64_t addr)
{
	struct bw_bus *bus = region->bus;
	int err = txn_check(bus);

	if (!err)
		err = check_mapping(region, addr);
	if (!err)
		err = txn_begin(bus);
	if (err)
		return err;
	touch_region(region);
	region->wanted = (struct mapping){ true, addr, ++bus->last_order };
	bus->spaces[region->space].dirty = true;
	return txn_end(bus);
}

int bw_region_unmap(struct bw_region *region)
{
	struct bw_bus *bus = region->bus;
	int err = txn_begin(bus);

	if (err)
		return err;
	if (region->wanted.mapped) {
		touch_region(region);
		region->wanted.mapped = false;
		bus->spaces[region->space].dirty = true;
	}
	return txn_end(bus);
}

struct bw_region *bw_region_at(struct bw_bus *bus, enum bw_space space, uint64_t addr)
{
	const struct piece *piece;

	if (space > BW_HYPERCALL || txn_begin(bus))
		return NULL;
	if (space == BW_MMIO && in_pio_window(bus, addr, 1)) {
		space = BW_PIO;
		addr -= bus->opts.pio_mmio_base;
	}
	piece = flat_find(bus->view->flat[space], addr, 1);
	txn_end(bus);
	return piece ? piece->region : NULL;
}

static int check_doorbell(const struct bw_region *region, uint64_t offset,
			  const struct bw_match *match)
{
	int err = match_check(region->space, offset, match);
	uint64_t len = match->len ? match->len : 1;

	if (err)
		return err;
	if (len > region->len || offset > region->len - len)
		return fail(-ERANGE, "offset 0x%llx + %llu is beyond region %s of 0x%llx bytes",
			    (unsigned long long)offset, (unsigned long long)len, region->name,
			    (unsigned long long)region->len);
	return 0;
}

int bw_region_doorbell(struct bw_region *region, struct bw_ioeventfd **out, uint64_t offset,
		       struct bw_match match, struct bw_notifier *n)
{
	struct bw_bus *bus = region->bus;
	int err = txn_check(bus), committed;
	struct bw_page *page;

	*out = NULL;
	if (!err)
		err = check_doorbell(region, offset, &match);
	if (!err)
		err = txn_begin(bus);
	if (err)
		return err;
	err = pages_admit(region, offset, &match, &page);
	if (!err)
		err = ioeventfd_want(bus, out, region, region->space, offset, &match, n);
	if (!err)
		page_claim_slot(*out, page);
	committed = txn_end(bus);
	if (committed)
		*out = NULL;
	return err ? err : committed;
}
