/* SPDX-License-Identifier: MIT
 *
 * What notifiers and doorbell pages need to know of the poller that they are in.
 */
#ifndef BELLWIRE_POLLER_H
#define BELLWIRE_POLLER_H

#include <bellwire.h>

struct poller_entry;

/* Inside an RCU section: the entry's notifier has something pending; wakes the consumer if it
 * sleeps: then true. */
bool poller_entry_ready(struct poller_entry *entry);

/* The same, called by the consumer itself. */
void poller_entry_found(struct poller_entry *entry);

/* With the notifier's lock held: it has an eventfd now, which the consumer must watch. -errno. */
int poller_entry_watch(struct poller_entry *entry, int fd);

/* The opposite, before the fd is closed. */
void poller_entry_unwatch(struct poller_entry *entry, int fd);

/* Whose it is. */
const struct bw_poller *poller_of(const struct poller_entry *entry);

/* Whether the calling thread is inside a poller's callback. */
bool poller_in_callback(void);

/* With the bus's control lock held: the page is about to change, and is to be away from the guest,
 * with what was stored in it counted in its notifiers. */
void poller_suspend_page(struct bw_page *page);

/* The opposite, with new slots: from now on this is the plan for it. */
struct page_plan;
void poller_resume_page(struct bw_page *page, const struct page_plan *plan);

void poller_page_stats(struct bw_page *page, struct bw_page_stats *stats);

#endif
