/* SPDX-License-Identifier: MIT
 *
 * The dump for programs: schema bellwire.dump/1. Numbers that may need all 64 bits, addresses and
 * values, are strings, as many readers of JSON keep 53 bits or 63.
 */
#include "dump.h"
#include "capture.h"
#include "notifier.h"
#include "page.h"
#include "poller.h"
#include "seen.h"
#include "stats.h"

#include <inttypes.h>

static void add_key(struct text *t, const char *key)
{
	text_add(t, "\"%s\": ", key);
}

static void add_string(struct text *t, const char *key, const char *string)
{
	add_key(t, key);
	if (string)
		text_add_quoted(t, string);
	else
		text_add(t, "null");
}

static void add_hex(struct text *t, const char *key, bool has, uint64_t number)
{
	add_key(t, key);
	if (has)
		text_add(t, "\"0x%" PRIx64 "\"", number);
	else
		text_add(t, "null");
}

static void add_bool(struct text *t, const char *key, bool value)
{
	text_add(t, "\"%s\": %s", key, value ? "true" : "false");
}

static void add_region(struct text *t, const struct bw_region *region)
{
	const struct mapping *mapping = seen_mapping(region);

	add_string(t, "name", region->name);
	text_add(t, ", \"space\": \"%s\", ", space_name(region->space));
	add_hex(t, "addr", mapping->mapped, mapping->addr);
	text_add(t, ", ");
	add_hex(t, "len", true, region->len);
	text_add(t, ", \"priority\": %d, ", region->priority);
	add_bool(t, "handler", region->handler);
}

static void add_piece(struct text *t, unsigned int space, const struct piece *piece)
{
	text_add(t, "\"space\": \"%s\", ", space_name(space));
	add_hex(t, "first", true, piece->first);
	text_add(t, ", ");
	add_hex(t, "last", true, piece->last);
	text_add(t, ", ");
	add_string(t, "region", piece->region->name);
	text_add(t, ", ");
	add_hex(t, "region_addr", true, piece->base);
}

static void add_place(struct text *t, const struct bw_ioeventfd *ie)
{
	uint64_t addr;
	bool has_addr = seen_addr(ie, &addr);

	text_add(t, "\"space\": \"%s\", ", space_name(ie->space));
	add_hex(t, "addr", has_addr, addr);
	text_add(t, ", ");
	add_string(t, "region", ie->region ? ie->region->name : NULL);
	text_add(t, ", ");
	add_hex(t, "offset", ie->region, ie->addr);
	text_add(t, ", \"len\": %" PRIu32 ", ", ie->match.len);
	add_hex(t, "value", ie->match.has_value, ie->match.value);
}

static void add_notifier(struct text *t, const struct bw_notifier *n)
{
	int fd = __atomic_load_n(&n->fd, __ATOMIC_RELAXED);

	add_string(t, "notifier", n->name[0] ? n->name : NULL);
	if (fd < 0)
		text_add(t, ", \"eventfd\": null");
	else
		text_add(t, ", \"eventfd\": %d", fd);
}

static void add_capture(struct text *t, const struct bw_capture *c)
{
	add_string(t, "capture", c ? c->name : NULL);
	text_add(t, ", ");
	add_string(t, "capture_mode", c ? capture_mode_name(c) : NULL);
	text_add(t, ", \"dropped\": %" PRIu64 ", ", c ? capture_dropped(c) : 0);
}

static void add_counts(struct text *t, const struct bw_ioeventfd_stats *stats)
{
	text_add(t,
		 "\"rings\": %" PRIu64 ", \"signals\": %" PRIu64 ", \"elided\": %" PRIu64
		 ", \"near_width\": %" PRIu64 ", \"near_value\": %" PRIu64 ", ",
		 stats->rings, stats->signals, stats->elided, stats->near_width, stats->near_value);
	add_hex(t, "last_value", stats->rings, stats->last_value);
}

static void add_ioeventfd(struct text *t, const struct bw_ioeventfd *ie)
{
	struct bw_ioeventfd_stats stats;

	counts_read(ie, &stats);
	add_place(t, ie);
	text_add(t, ", ");
	add_notifier(t, ie->notifier);
	text_add(t, ", ");
	add_bool(t, "active", stats.active);
	text_add(t, ", ");
	add_string(t, "why_inactive", why_inactive(ie));
	text_add(t, ", ");
	add_bool(t, "offloaded", stats.offloaded);
	text_add(t, ", ");
	add_string(t, "why_not_offloaded", stats.why_not_offloaded);
	text_add(t, ", ");
	add_capture(t, capture_of(ie));
	add_counts(t, &stats);
}

static void add_page(struct text *t, struct bw_page *page)
{
	struct bw_page_stats stats;

	poller_page_stats(page, &stats);
	add_string(t, "region", page->region->name);
	text_add(t, ", ");
	add_hex(t, "offset", true, page->offset);
	text_add(t, ", ");
	add_hex(t, "idle", true, page->idle);
	text_add(t, ", ");
	add_bool(t, "hot", stats.hot);
	text_add(t, ", ");
	add_string(t, "way", stats.way);
	text_add(t, ", ");
	add_string(t, "why_not", stats.why_not);
	text_add(t, ", \"deliveries\": %" PRIu64 ", \"switches\": %" PRIu64, stats.deliveries,
		 stats.switches);
}

/* Between the objects of an array: nothing before the first. */
static const char *next_object(bool *first)
{
	const char *between = *first ? "\n    { " : " },\n    { ";

	*first = false;
	return between;
}

static void begin_array(struct text *t, const char *key, bool *first)
{
	text_add(t, ",\n  \"%s\": [", key);
	*first = true;
}

static void end_array(struct text *t, bool empty)
{
	text_add(t, empty ? "]" : " }\n  ]");
}

void dump_json(struct text *t, const struct bw_bus *bus)
{
	struct bw_ioeventfd *ie;
	struct bw_region *region;
	struct bw_page *page;
	bool first;

	text_add(t, "{\n  \"schema\": \"bellwire.dump/1\",\n  ");
	add_string(t, "offload", bus->offload ? bus->offload->name : NULL);
	text_add(t, ",\n  ");
	add_hex(t, "pio_mmio_base", bus->opts.pio_is_mmio, bus->opts.pio_mmio_base);

	begin_array(t, "regions", &first);
	cds_list_for_each_entry (region, &bus->regions, in_bus) {
		text_add(t, "%s", next_object(&first));
		add_region(t, region);
	}
	end_array(t, first);

	begin_array(t, "map", &first);
	for (unsigned int space = 0; space < NR_SPACES; space++)
		for (size_t i = 0; i < bus->view->flat[space]->nr; i++) {
			text_add(t, "%s", next_object(&first));
			add_piece(t, space, &bus->view->flat[space]->pieces[i]);
		}
	end_array(t, first);

	begin_array(t, "pages", &first);
	cds_list_for_each_entry (page, &bus->pages, in_bus) {
		text_add(t, "%s", next_object(&first));
		add_page(t, page);
	}
	end_array(t, first);

	begin_array(t, "ioeventfds", &first);
	cds_list_for_each_entry (ie, &bus->ioeventfds, in_bus) {
		text_add(t, "%s", next_object(&first));
		add_ioeventfd(t, ie);
	}
	end_array(t, first);
	text_add(t, "\n}\n");
}
