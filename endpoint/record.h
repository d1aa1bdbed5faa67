/* SPDX-License-Identifier: MIT
 *
 * What an endpoint in another process has counted, in memory that outlives it: killed at any moment
 * and started again, it goes on where it was, and no ring is lost or counted twice.
 */
#ifndef BELLWIRE_ENDPOINT_RECORD_H
#define BELLWIRE_ENDPOINT_RECORD_H

#include "endpoint/answer.h"

struct endpoint_record {
	/* The half in use is generation & 1; before + taken is the count. */
	_Atomic uint64_t generation;
	struct {
		uint64_t before;
		uint64_t taken; /* what the last read(2) of the eventfd gave, 0: nothing yet */
	} half[2];
	/* The same count, for whoever looks on while the endpoint runs. */
	_Alignas(64) _Atomic uint64_t rings;
	struct answers answers;
};

/* A record of no rings, and its memfd, the caller's to close. -errno. */
int record_new(struct endpoint_record **record, int *memfd);

/*
 * Maps a record for the one who counts into it, and keeps it in memory; memfd is to stay open as
 * long. -EBUSY: another process counts into it. -EINVAL: it is too small for a record. -ENOMEM: it
 * may not be locked in memory (RLIMIT_MEMLOCK).
 */
int record_open(struct endpoint_record **record, int memfd);

void record_unmap(struct endpoint_record *record);

/* Takes what is in the eventfd, which is non-blocking, and counts it. -EAGAIN: nothing is. */
int record_take(struct endpoint_record *record, int eventfd);

/* The count, any process, any time. */
uint64_t record_rings(const struct endpoint_record *record);

#endif
