/* SPDX-License-Identifier: MIT
 *
 * A notifier inside the library. The protocol between those who ring and those who take is argued
 * in notifier.c.
 */
#ifndef BELLWIRE_NOTIFIER_H
#define BELLWIRE_NOTIFIER_H

#include <bellwire.h>

#include <pthread.h>

struct poller_entry;

struct bw_notifier {
	/* what a ring touches, one line of cache */
	_Alignas(64) uint64_t pending; /* rings that are not in the eventfd */
	int fd;                        /* -1 until somebody needs it */
	bool may_block;                /* imported, without O_NONBLOCK */
	struct poller_entry *entry;    /* in a poller, or NULL; readers are inside an RCU section */

	/* the rest */
	_Alignas(64) unsigned int references;
	bool handed_out;                /* by bw_notifier_fd(), or imported: the fd stays */
	const struct bw_bus *publisher; /* whose offload made the fd; only compared */
	pthread_mutex_t lock;           /* making and unmaking of fd and entry */
	char name[48];
};

/* 0, or -EBADF or -EINVAL and a sentence: fd is no open eventfd. */
int notifier_check_fd(int fd);

struct bw_notifier *notifier_get(struct bw_notifier *n);
void notifier_put(struct bw_notifier *n);

/* Inside an RCU section: one ring. */
void notifier_ring(struct bw_notifier *n);

/* Makes the eventfd for a bus if there is none: *made says whether this call did. -errno. */
int notifier_publish(struct bw_notifier *n, const struct bw_bus *bus, bool *made);

/* Takes back a publication that came to nothing, unless the fd was handed out since. Waits for a
 * grace period. */
void notifier_unpublish(struct bw_notifier *n);

/* For sentences: its name, or something that says that it has none. */
const char *notifier_name(const struct bw_notifier *n);

#endif
