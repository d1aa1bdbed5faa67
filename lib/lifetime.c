/* SPDX-License-Identifier: MIT
 *
 * The making and the end of a bus.
 */
#include "error.h"
#include "ioeventfd.h"
#include "near.h"
#include "offloading.h"
#include "pages.h"
#include "pin.h"
#include "publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void init_locks(struct bw_bus *bus)
{
	pthread_mutexattr_t recursive;

	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&bus->lock, &recursive);
	pthread_mutexattr_destroy(&recursive);
	departures_init(&bus->departures);
}

static void init_lists(struct bw_bus *bus)
{
	CDS_INIT_LIST_HEAD(&bus->ioeventfds);
	CDS_INIT_LIST_HEAD(&bus->regions);
	CDS_INIT_LIST_HEAD(&bus->touched_ioeventfds);
	CDS_INIT_LIST_HEAD(&bus->touched_regions);
	CDS_INIT_LIST_HEAD(&bus->pages);
	CDS_INIT_LIST_HEAD(&bus->touched_pages);
	CDS_INIT_LIST_HEAD(&bus->imports);
}

int bw_bus_new(struct bw_bus **out, const struct bw_bus_opts *opts)
{
	struct bw_bus_opts known = { .size = sizeof(known) };
	struct bw_bus *bus;
	int err = opts ? copy_options(&known, sizeof(known), opts, "bw_bus_new") : 0;

	*out = NULL;
	if (err)
		return err;
	if (known.pio_is_mmio && known.pio_mmio_base > UINT64_MAX - NR_PORTS)
		return fail(-EINVAL, "ports at 0x%llx of MMIO go beyond 2^64",
			    (unsigned long long)known.pio_mmio_base);
	bus = aligned_alloc(_Alignof(struct bw_bus), sizeof(*bus));
	if (!bus)
		return fail(-ENOMEM, "no memory for a bus");
	memset(bus, 0, sizeof(*bus));
	bus->opts = known;
	bus->pid = getpid();
	err = publish_init(bus);
	if (err) {
		free(bus);
		return err;
	}
	init_locks(bus);
	init_lists(bus);
	*out = bus;
	return 0;
}

/* A forked child leaves the VM alone: it is its parent's. */
static void end_offload(struct bw_bus *bus)
{
	if (!bus->offload)
		return;
	if (bus->pid == getpid())
		offload_withdraw_all(bus);
	bus->offload->free(bus->offload_state);
}

/* A forked child leaves the locks alone, too: a thread of its parent may wait there, for ever. */
static void end_locks(struct bw_bus *bus)
{
	if (bus->pid != getpid())
		return;
	departures_fini(&bus->departures);
	pthread_mutex_destroy(&bus->lock);
}

void bw_bus_free(struct bw_bus *bus)
{
	struct bw_ioeventfd *ie, *next_ie;
	struct bw_region *region, *next_region;

	if (!bus)
		return;
	pages_destroy(bus);
	end_offload(bus);
	cds_list_for_each_entry_safe (ie, next_ie, &bus->ioeventfds, in_bus)
		ioeventfd_destroy(ie);
	cds_list_for_each_entry_safe (region, next_region, &bus->regions, in_bus) {
		if (bus->pid != getpid())
			region->unused = NULL; /* opaque is in use, by the parent */
		region_destroy(region);
	}
	near_fini(bus);
	publish_fini(bus);
	free(bus->plain.at);
	free(bus->changed.at);
	end_locks(bus);
	free(bus);
}
