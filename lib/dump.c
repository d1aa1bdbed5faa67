/* SPDX-License-Identifier: MIT
 *
 * bw_bus_dump(), and the dump for people: a line an object.
 */
#include "dump.h"
#include "capture.h"
#include "error.h"
#include "notifier.h"
#include "page.h"
#include "poller.h"
#include "seen.h"
#include "stats.h"
#include "txn.h"

#include <errno.h>
#include <inttypes.h>

static void add_region(struct text *t, const struct bw_region *region)
{
	const struct mapping *mapping = seen_mapping(region);

	text_add(t, "region ");
	text_add_quoted(t, region->name);
	text_add(t, ": %s ", space_name(region->space));
	if (mapping->mapped)
		text_add(t, "0x%" PRIx64 "..0x%" PRIx64, mapping->addr,
			 mapping->addr + region->len - 1);
	else
		text_add(t, "not mapped, 0x%" PRIx64 " bytes", region->len);
	text_add(t, ", priority %d, %s\n", region->priority,
		 region->handler ? "a handler" : "no handler");
}

static void add_piece(struct text *t, unsigned int space, const struct piece *piece)
{
	text_add(t, "seen %s 0x%" PRIx64 "..0x%" PRIx64 ": region ", space_name(space),
		 piece->first, piece->last);
	text_add_quoted(t, piece->region->name);
	text_add(t, " from its offset 0x%" PRIx64 "\n", piece->first - piece->base);
}

static void add_match(struct text *t, const struct bw_match *match)
{
	if (match->len == BW_ANY_LEN)
		text_add(t, "any length");
	else
		text_add(t, "length %" PRIu32, match->len);
	if (match->has_value)
		text_add(t, ", value 0x%" PRIx64, match->value);
}

static void add_place(struct text *t, const struct bw_ioeventfd *ie)
{
	uint64_t addr;

	text_add(t, "ioeventfd %s ", space_name(ie->space));
	if (seen_addr(ie, &addr))
		text_add(t, "0x%" PRIx64, addr);
	else
		text_add(t, "nowhere");
	if (ie->region) {
		text_add(t, " (offset 0x%" PRIx64 " of ", ie->addr);
		text_add_quoted(t, ie->region->name);
		text_add(t, ")");
	}
	text_add(t, ", ");
	add_match(t, &ie->match);
}

static void add_notifier(struct text *t, const struct bw_notifier *n)
{
	int fd = __atomic_load_n(&n->fd, __ATOMIC_RELAXED);

	text_add(t, " -> ");
	text_add_quoted(t, notifier_name(n));
	if (fd >= 0)
		text_add(t, " (eventfd %d)", fd);
}

static void add_state(struct text *t, const struct bw_ioeventfd *ie,
		      const struct bw_ioeventfd_stats *stats)
{
	if (!stats->active)
		text_add(t, ": inactive (%s)", why_inactive(ie));
	else if (stats->offloaded)
		text_add(t, ": offloaded");
	else
		text_add(t, ": not offloaded (%s)", stats->why_not_offloaded);
}

static void add_capture(struct text *t, const struct bw_capture *c)
{
	text_add(t, "; captured in %s ", capture_mode_name(c));
	text_add_quoted(t, c->name);
	if (c->mode == BW_CAPTURE_QUEUE)
		text_add(t, ", %" PRIu64 " dropped", capture_dropped(c));
}

static void add_counts(struct text *t, const struct bw_ioeventfd_stats *stats)
{
	text_add(t,
		 "; %" PRIu64 " rings, %" PRIu64 " signals, %" PRIu64 " elided, missed %" PRIu64
		 " by width, %" PRIu64 " by value",
		 stats->rings, stats->signals, stats->elided, stats->near_width, stats->near_value);
	if (stats->rings)
		text_add(t, ", last 0x%" PRIx64, stats->last_value);
	text_add(t, "\n");
}

static void add_ioeventfd(struct text *t, const struct bw_ioeventfd *ie)
{
	struct bw_ioeventfd_stats stats;

	counts_read(ie, &stats);
	add_place(t, ie);
	add_notifier(t, ie->notifier);
	add_state(t, ie, &stats);
	if (capture_of(ie))
		add_capture(t, capture_of(ie));
	add_counts(t, &stats);
}

static void add_page(struct text *t, struct bw_page *page)
{
	struct bw_page_stats stats;

	poller_page_stats(page, &stats);
	text_add(t, "page at offset 0x%" PRIx64 " of ", page->offset);
	text_add_quoted(t, page->region->name);
	text_add(t, ", idle 0x%" PRIx64 ": %s%s%s", page->idle, stats.hot ? "hot" : "cold",
		 stats.way ? ", way " : "", stats.way ? stats.way : "");
	if (stats.why_not)
		text_add(t, " (%s)", stats.why_not);
	text_add(t, "; %" PRIu64 " deliveries, %" PRIu64 " switches\n", stats.deliveries,
		 stats.switches);
}

static void add_bus(struct text *t, const struct bw_bus *bus)
{
	text_add(t, "bus: offload %s", bus->offload ? bus->offload->name : "none");
	if (bus->opts.pio_is_mmio)
		text_add(t, ", ports at MMIO 0x%" PRIx64, bus->opts.pio_mmio_base);
	text_add(t, "\n");
}

static void dump_text(struct text *t, const struct bw_bus *bus)
{
	struct bw_ioeventfd *ie;
	struct bw_region *region;
	struct bw_page *page;

	add_bus(t, bus);
	cds_list_for_each_entry (region, &bus->regions, in_bus)
		add_region(t, region);
	for (unsigned int space = 0; space < NR_SPACES; space++)
		for (size_t i = 0; i < bus->view->flat[space]->nr; i++)
			add_piece(t, space, &bus->view->flat[space]->pieces[i]);
	cds_list_for_each_entry (page, &bus->pages, in_bus)
		add_page(t, page);
	cds_list_for_each_entry (ie, &bus->ioeventfds, in_bus)
		add_ioeventfd(t, ie);
}

int bw_bus_dump(struct bw_bus *bus, enum bw_dump_format format, char **out)
{
	struct text t = {};
	int err = txn_begin(bus);

	*out = NULL;
	if (err)
		return err;
	if (format == BW_DUMP_TEXT)
		dump_text(&t, bus);
	else if (format == BW_DUMP_JSON)
		dump_json(&t, bus);
	else
		err = fail(-EINVAL, "there is no format %u", format);
	txn_end(bus);
	return err ? err : text_end(&t, out);
}
