/* SPDX-License-Identifier: MIT
 *
 * Captures inside the library: the value of each ring, in memory that another process may map.
 */
#ifndef BELLWIRE_CAPTURE_H
#define BELLWIRE_CAPTURE_H

#include "capture_cell.h"

struct bw_ioeventfd;

#define CAPTURE_MAGIC 0x3172747061637762u /* "bwcaptr1" */
#define MAX_ENTRIES (1u << 20)
#define LAST_CELLS 8u

/* What the two processes share: a line of cache for each that writes. */
struct capture_shared {
	uint64_t magic;
	uint32_t mode;
	uint32_t entries;              /* cells */
	_Alignas(64) uint64_t dropped; /* written by producers */
	_Alignas(64) uint64_t head;    /* by the consumer: values that it has taken */
	_Alignas(64) struct capture_cell cells[];
};

struct bw_capture {
	/* producers': none of it is shared with the other process */
	_Alignas(64) uint64_t tail; /* the sequence of the newest */
	int64_t room;               /* cells that nobody has claimed; may be below 0 for a moment */
	uint64_t freed;             /* of shared->head: what has become room */
	uint64_t dropped;           /* as in shared, where others may write */

	/* the rest does not change */
	_Alignas(64) struct capture_shared *shared;
	size_t size; /* of the mapping */
	uint64_t mask;
	enum bw_capture_mode mode;
	int fd; /* -1: opened, not made here */
	unsigned int references;
	char name[48];
};

struct bw_capture *capture_get(struct bw_capture *c);
void capture_put(struct bw_capture *c);

/* Keeps what the access writes. False: the queue is full, and nothing has been done. No lock, no
 * memory, a bounded number of steps, whatever is done to the shared memory meanwhile. */
bool capture_store(struct bw_capture *c, uint32_t tag, const struct bw_access *access);

/* Counts one that was not kept. */
void capture_drop(struct bw_capture *c);

static inline uint64_t capture_dropped(const struct bw_capture *c)
{
	return __atomic_load_n(&c->dropped, __ATOMIC_RELAXED);
}

/* Whether capture_store() would say so. */
bool capture_is_full(const struct bw_capture *c);

/* "last" or "queue". */
const char *capture_mode_name(const struct bw_capture *c);

/* The two modes: capture_last.c and capture_queue.c. They set v->sequence. */
void last_store(struct bw_capture *c, struct bw_captured *v);
bool queue_store(struct bw_capture *c, struct bw_captured *v);

/* ---- the ioeventfd's side: capture_use.c ---- */

/* At the end of the outermost transaction: the captures that it gave or took away. */
void capture_settle(struct bw_ioeventfd *ie, bool committed);

/* Readers cannot see ie. */
void capture_forget(struct bw_ioeventfd *ie);

/* What readers have, NULL if its values are not captured. */
const struct bw_capture *capture_of(const struct bw_ioeventfd *ie);

#endif
