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
	uint64_t swept;                /* rings found in doorbell pages by the poller it is in */
	unsigned int slots;            /* of doorbell pages, that are its */
	int fd;                        /* -1 until somebody needs it */
	bool may_block;                /* imported, without O_NONBLOCK */
	struct poller_entry *entry;    /* in a poller, or NULL; readers are inside an RCU section */

	/* the rest */
	_Alignas(64) unsigned int references;
	bool handed_out;                /* by bw_notifier_fd(), or imported: others read the fd */
	bool shared;                    /* by the offloads of two buses: the fd stays, too */
	const struct bw_bus *publisher; /* whose offload made the fd; only compared */
	pthread_mutex_t lock;           /* making and unmaking of fd and entry */
	char name[48];
};

/* 0, or -EBADF or -EINVAL and a sentence: fd is no open eventfd. */
int notifier_check_fd(int fd);

struct bw_notifier *notifier_get(struct bw_notifier *n);
void notifier_put(struct bw_notifier *n);

/* Inside an RCU section: one ring. Whether it made a system call: somebody had to be signalled. */
bool notifier_ring(struct bw_notifier *n);

/* Inside an RCU section: whether only this poller takes its rings. */
bool notifier_is_in(struct bw_notifier *n, const struct bw_poller *p);

/* Inside an RCU section: one ring that a page's poller found. With an fd that only the poller reads
 * it stays out of it, and saves two system calls. */
void notifier_ring_swept(struct bw_notifier *n, const struct bw_poller *finder, bool is_consumer);

/* The two halves of bw_notifier_take(): what notifier_ring_swept() counted, and all else. */
uint64_t notifier_take_swept(struct bw_notifier *n);
uint64_t notifier_take_trapped(struct bw_notifier *n);

/* Whether a take would find something. */
bool notifier_is_pending(struct bw_notifier *n);

static inline bool notifier_has_fd(struct bw_notifier *n)
{
	return __atomic_load_n(&n->fd, __ATOMIC_SEQ_CST) >= 0;
}

/* Makes the eventfd for a bus if there is none: *made says whether this call did. -errno. */
int notifier_publish(struct bw_notifier *n, const struct bw_bus *bus, bool *made);

/* Takes back a publication that came to nothing, unless the fd was handed out since. Waits for a
 * grace period. */
void notifier_unpublish(struct bw_notifier *n);

/* For sentences: its name, or something that says that it has none. */
const char *notifier_name(const struct bw_notifier *n);

#endif
