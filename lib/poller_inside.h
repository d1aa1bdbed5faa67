/* SPDX-License-Identifier: MIT
 *
 * A poller inside its own files: poller.c is the consumer's loop, poller_entry.c takes a ring to
 * its callback, poller_add.c says which notifiers are in it; poller_pages.c looks at doorbell
 * pages, and poller_place.c says which are in it.
 */
#ifndef BELLWIRE_POLLER_INSIDE_H
#define BELLWIRE_POLLER_INSIDE_H

#include "poller.h"

#include <pthread.h>
#include <sys/types.h>
#include <urcu/list.h>

/* What epoll knows something of. */
enum watched { WATCHED_NOTIFIER, WATCHED_WAKE, WATCHED_TIMER, WATCHED_PAGES };

struct poller_entry {
	enum watched kind; /* WATCHED_NOTIFIER */
	struct bw_poller *poller;
	struct bw_notifier *notifier; /* a reference, until dead */
	bw_ring_fn *fn;
	void *opaque;
	bool queued;    /* on the ready list, or about to be, or in todo */
	bool signalled; /* the consumer's: epoll says that the eventfd has something */
	bool dead;
	struct poller_entry *next; /* on the ready list or in todo; belongs to who set queued */
	struct cds_list_head node; /* in entries or in graveyard, under the poller's lock */
};

struct bw_poller {
	_Alignas(64) struct poller_entry *ready;
	bool sleeping;
	bool stopped;
	bool frozen;
	unsigned int watched; /* eventfds in the epoll set */
	unsigned int waiters; /* for a callback to end */
	const struct bw_notifier *running;
	uint64_t ended; /* callbacks so far */

	/* the consumer's alone */
	_Alignas(64) struct poller_entry *todo, **todo_end;
	bool armed;
	bool runs;               /* in bw_poller_run() */
	unsigned int looks;      /* since the last one at the eventfds */
	unsigned int streak;     /* polls in a row that delivered something */
	uint64_t most;           /* rings that one notifier had in this poll */
	unsigned int idle_looks; /* polls in a row that did not */
	uint64_t idle_since;

	/* the doorbell pages */
	_Alignas(64) pthread_mutex_t pages_lock;
	struct cds_list_head pages;
	unsigned int nr_pages, nr_hot;
	unsigned int nr_faults; /* pages whose fault_fd is watched */

	enum watched wake, timer, page_faults; /* for epoll to point to */
	int epoll_fd;
	int wake_fd;
	int timer_fd;
	pid_t pid; /* a forked child shares the epoll set: it must leave it alone */
	pthread_mutex_t lock;
	pthread_cond_t callback_ended;
	struct cds_list_head entries;
	struct cds_list_head graveyard;
	unsigned int nr_dead; /* in the graveyard */
};

/* ---- poller.c ---- */

uint64_t poller_now_ns(void);

/* Wakes the consumer when fd has something, which what says. -errno; -EIO: in a forked child, whose
 * epoll set is its parent's, too. */
int poller_watch(struct bw_poller *p, int fd, enum watched *what);

/* ---- poller_entry.c ---- */

/* The consumer's: the entry is to be looked at in this poll. */
void poller_todo(struct bw_poller *p, struct poller_entry *e);

/* Wakes the consumer if it sleeps: then true. */
bool poller_wake_sleeper(struct bw_poller *p);
void poller_wake(struct bw_poller *p);

/* Delivers what is in todo, from at most budget notifiers (0: all); how many. */
unsigned int poller_deliver(struct bw_poller *p, unsigned int budget);

/* Whether the calling thread is inside a callback of this poller. */
bool poller_is_calling(const struct bw_poller *p);

/* ---- poller_add.c ---- */

/* Frees the entries that nobody can reach. */
void poller_free_dead(struct bw_poller *p);

/* Waits until the callback that is running, of n or with NULL of any, has ended. */
void poller_wait_for_callback(struct bw_poller *p, const struct bw_notifier *n);

/* ---- poller_pages.c ---- */

void poller_pages_init(struct bw_poller *p);
void poller_pages_fini(struct bw_poller *p);

/* The consumer's: looks at each hot page once; what is found goes to todo. */
void poller_sweep(struct bw_poller *p);

/* The consumer's: a store into a page that is cold by write-protection waits. */
void poller_let_stores_in(struct bw_poller *p);

/* The consumer's: count rings of n did not come out of a page. */
void poller_note_traps(struct bw_poller *p, struct bw_notifier *n, uint64_t count);

/* Before the consumer sleeps: cools what is not worth polling, and sets the timer for what is worth
 * a look now and then. -EAGAIN: a page is worth polling on. */
int poller_rest_pages(struct bw_poller *p);

/* ---- poller_place.c ---- */

/* With pages_lock held: the page stays away until a commit has another plan for it. */
void poller_page_failed(struct bw_page *page, int err);

#endif
