/* SPDX-License-Identifier: MIT
 *
 * What a notifier needs to know of the poller that it is in.
 */
#ifndef BELLWIRE_POLLER_H
#define BELLWIRE_POLLER_H

#include <bellwire.h>

struct poller_entry;

/* Inside an RCU section: the entry's notifier has something pending; wakes the consumer if it
 * sleeps. */
void poller_entry_ready(struct poller_entry *entry);

/* With the notifier's lock held: it has an eventfd now, which the consumer must watch. -errno. */
int poller_entry_watch(struct poller_entry *entry, int fd);

/* The opposite, before the fd is closed. */
void poller_entry_unwatch(struct poller_entry *entry, int fd);

/* Whether the calling thread is inside a poller's callback. */
bool poller_in_callback(void);

#endif
