/* SPDX-License-Identifier: MIT
 *
 * bw_bus_explain(): what an access would do, and why. It asks every handle in turn and looks into
 * no table, so that it can be compared with what the hot path does.
 */
#include "access.h"
#include "capture.h"
#include "ioeventfd.h"
#include "notifier.h"
#include "offloading.h"
#include "pages.h"
#include "poller.h"
#include "seen.h"
#include "text.h"
#include "txn.h"

#include <inttypes.h>

#define MOST_OTHERS 16u /* that are told of, where many are near */

struct question {
	struct bw_bus *bus;
	struct bw_access access; /* where the ports lie in MMIO: the access of the port */
	struct text text;
	const struct bw_ioeventfd *taker;
	const struct piece *piece;
	struct bw_page *page; /* that it lies in, or NULL */
	unsigned int others;
};

/* ---- who takes it ---- */

static const char *why_not_taken(const struct bw_ioeventfd *ie, const struct bw_access *a)
{
	const char *inactive = why_inactive(ie);

	if (inactive)
		return inactive;
	if (!a->is_write)
		return "reads never ring";
	if (ie->match.len != BW_ANY_LEN && ie->match.len != a->len)
		return "it is of another width";
	if (ie->match.has_value && ie->match.value != written_value(a))
		return "it is of another value";
	return NULL;
}

static bool is_at(const struct bw_ioeventfd *ie, const struct bw_access *a)
{
	uint64_t addr;

	return ie->space == a->space && seen_addr(ie, &addr) && addr == a->addr;
}

static const struct bw_ioeventfd *find_taker(const struct bw_bus *bus, const struct bw_access *a)
{
	struct bw_ioeventfd *ie;

	cds_list_for_each_entry (ie, &bus->ioeventfds, in_bus)
		if (is_at(ie, a) && !why_not_taken(ie, a))
			return ie;
	return NULL;
}

/* The taker's values are kept, and there is no room for another. */
static bool is_full(const struct question *q)
{
	const struct bw_capture *c = q->taker ? capture_of(q->taker) : NULL;

	return c && capture_is_full(c);
}

static enum bw_result result_of(const struct question *q)
{
	if (q->taker && !(is_full(q) && has_handler(q->piece, &q->access)))
		return BW_SIGNALLED;
	return q->page || (q->piece && q->piece->region->handler) ? BW_HANDLED : BW_UNCLAIMED;
}

/* ---- in words ---- */

static void tell_access(struct question *q, const struct bw_access *asked)
{
	const struct bw_access *a = &q->access;
	struct text *t = &q->text;

	text_add(t, "%s of %" PRIu32 " byte%s", a->is_write ? "write" : "read", a->len,
		 a->len == 1 ? "" : "s");
	if (a->is_write && a->data)
		text_add(t, ", value 0x%" PRIx64 ",", written_value(a));
	text_add(t, " at %s 0x%" PRIx64, space_name(a->space), a->addr);
	if (asked->space != a->space)
		text_add(t, " (the ports lie in MMIO: 0x%" PRIx64 ")", asked->addr);
	text_add(t, "\n");
}

static void tell_result(struct question *q)
{
	struct text *t = &q->text;

	switch (result_of(q)) {
	case BW_SIGNALLED:
		text_add(t, "signalled: it rings ");
		text_add_quoted(t, notifier_name(q->taker->notifier));
		break;
	case BW_HANDLED:
		if (q->page) {
			text_add(t, "handled: by a doorbell page, which %s",
				 q->access.is_write ? "swallows it" : "gives its memory");
			break;
		}
		text_add(t, "handled: by region ");
		text_add_quoted(t, q->piece->region->name);
		text_add(t, ", at its offset 0x%" PRIx64, q->access.addr - q->piece->base);
		break;
	default:
		text_add(t, "unclaimed: %s",
			 q->bus->opts.unclaimed ? "it goes to the bus's hook" : "nobody gets it");
	}
	text_add(t, "\n");
}

static void tell_ioeventfd(struct question *q, const char *verb, const struct bw_ioeventfd *ie,
			   const char *why)
{
	char who[192];

	ioeventfd_describe(ie, who, sizeof(who));
	text_add(&q->text, "%s %s%s%s\n", verb, who, why ? ": " : "", why ? why : "");
}

/* What the hypervisor has of those that it would confuse with the taker. */
static void tell_defects(struct question *q)
{
	const char *(*defect)(const struct offload_claim *, const struct offload_claim *) =
		q->bus->offload->defect;
	struct offload_claim claim = offload_claim_of(q->taker, q->taker->active);
	struct bw_ioeventfd *ie;
	const char *what;

	if (!defect)
		return;
	what = defect(&claim, NULL);
	if (what)
		text_add(&q->text, "known defect: %s\n", what);
	cds_list_for_each_entry (ie, &q->bus->ioeventfds, in_bus) {
		struct offload_claim other;

		if (!ie->active || !ie->offloaded)
			continue;
		other = offload_claim_of(ie, ie->active);
		what = defect(&claim, &other);
		if (!what)
			continue;
		tell_ioeventfd(q, "known defect, with", ie, what);
		return; /* one will do */
	}
}

static void tell_capture(struct question *q, const struct bw_capture *c)
{
	text_add(&q->text, "captured: its value goes to %s ", capture_mode_name(c));
	text_add_quoted(&q->text, c->name);
	if (is_full(q))
		text_add(&q->text, has_handler(q->piece, &q->access)
					   ? ", which is full: so the region's handler gets it"
					   : ", which is full: the value is dropped");
	text_add(&q->text, "\n");
}

static void tell_taker(struct question *q)
{
	const char *why_not = why_not_offloaded(q->taker);

	tell_ioeventfd(q, "taken by", q->taker, NULL);
	if (capture_of(q->taker))
		tell_capture(q, capture_of(q->taker));
	if (why_not) {
		text_add(&q->text, "not offloaded: %s\n", why_not);
		return;
	}
	text_add(&q->text, "offloaded: %s signals it; here comes only what that misses\n",
		 q->bus->offload->name);
	tell_defects(q);
}

static bool touches(const struct bw_ioeventfd *ie, const struct bw_access *a)
{
	uint64_t addr, len = ie->match.len ? ie->match.len : 1;

	return ie->space == a->space && seen_addr(ie, &addr) && addr != a->addr &&
	       (addr > a->addr ? addr - a->addr < a->len : a->addr - addr < len);
}

static void tell_other(struct question *q, const struct bw_ioeventfd *ie)
{
	const char *why = NULL;

	if (ie == q->taker)
		return;
	if (is_at(ie, &q->access))
		why = why_not_taken(ie, &q->access);
	else if (touches(ie, &q->access))
		why = "it begins at another address";
	if (why && q->others++ < MOST_OTHERS)
		tell_ioeventfd(q, "not", ie, why);
}

static void tell_others(struct question *q)
{
	struct bw_ioeventfd *ie;

	cds_list_for_each_entry (ie, &q->bus->ioeventfds, in_bus)
		tell_other(q, ie);
	if (q->others > MOST_OTHERS)
		text_add(&q->text, "nor %u more there\n", q->others - MOST_OTHERS);
}

static void tell_region(struct question *q, const struct bw_region *region)
{
	const struct mapping *mapping = seen_mapping(region);
	const struct bw_access *a = &q->access;
	const struct piece *first = flat_find(q->bus->view->flat[a->space], a->addr, 1);

	if (region->space != a->space || !mapping->mapped || a->addr < mapping->addr ||
	    a->addr - mapping->addr >= region->len)
		return;
	text_add(&q->text, "there lies region ");
	text_add_quoted(&q->text, region->name);
	if (first->region != region)
		text_add(&q->text, ", covered");
	else if (!q->piece)
		text_add(&q->text, ", but not under all of the bytes");
	else if (!region->handler)
		text_add(&q->text, ", which has no handler");
	text_add(&q->text, "\n");
}

static void tell_regions(struct question *q)
{
	struct bw_region *region;

	cds_list_for_each_entry (region, &q->bus->regions, in_bus)
		tell_region(q, region);
}

static void tell_page(struct question *q)
{
	struct bw_page_stats stats;

	poller_page_stats(q->page, &stats);
	text_add(&q->text, "there lies a doorbell page at offset 0x%" PRIx64 ", %s%s%s\n",
		 q->page->offset,
		 stats.hot ? "hot: a store does not come here, the poller finds it" : "cold",
		 stats.why_not ? ": " : "", stats.why_not ? stats.why_not : "");
}

static struct bw_page *find_page(const struct question *q)
{
	const struct bw_access *a = &q->access;

	return q->piece ? page_at(q->piece->region, a->addr - q->piece->base, a->len) : NULL;
}

int bw_bus_explain(struct bw_bus *bus, const struct bw_access *access, char **text)
{
	struct question q = { .bus = bus, .access = *access };
	enum bw_result result;
	int err = txn_check(bus);

	*text = NULL;
	if (!err && !access_is_valid(access))
		err = access_refuse(access);
	if (!err)
		err = txn_begin(bus);
	if (err)
		return err;
	if (access->space == BW_MMIO && in_pio_window(bus, access->addr, 1)) {
		q.access.space = BW_PIO;
		q.access.addr -= bus->opts.pio_mmio_base;
	}
	q.taker = find_taker(bus, &q.access);
	q.piece = flat_find(bus->view->flat[q.access.space], q.access.addr, q.access.len);
	q.page = find_page(&q);
	result = result_of(&q);
	tell_access(&q, access);
	tell_result(&q);
	if (q.taker)
		tell_taker(&q);
	tell_others(&q);
	tell_regions(&q);
	if (q.page)
		tell_page(&q);
	txn_end(bus);
	err = text_end(&q.text, text);
	return err ? err : (int)result;
}
