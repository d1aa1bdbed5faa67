/* SPDX-License-Identifier: MIT
 *
 * bellwire bench rtt: the guest rings, the endpoint answers in guest memory, the guest sees it. How
 * long does that take, and how much of it is the way to the endpoint?
 */
#ifndef BELLWIRE_RTT_H
#define BELLWIRE_RTT_H

#include "cli/bench_setup.h"
#include "endpoint/answer.h"

#define RTT_BATCH ANSWERS_MAX /* trips in one command */
#define RTT_MAX_BATCHES STATS_MAX
#define RTT_MAX_RINGS (RTT_MAX_BATCHES * RTT_BATCH) /* two doubles are kept of each */

#define RTT_NR_CONSUMERS 8u
#define RTT_MAX_ROWS (BENCH_MAX_ACCELS * BENCH_MAX_PATHS * RTT_NR_CONSUMERS)

/* How a consumer waits. */
struct rtt_consumer {
	const char *name;
	int (*start)(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts);
	const char *(*unavailable)(void); /* why it cannot be had here, or NULL */
	bool anywhere;                    /* in another process, or in a bw_poller, too */
	bool blocking;                    /* in the eventfd's read(2) */
	bool spin;
	bool in_page;    /* a poller that looks at the hot page which the guest stores into */
	bool interrupts; /* it answers by KVM's irqfd, not by a word in the guest's memory */
};

extern const struct rtt_consumer rtt_consumers[RTT_NR_CONSUMERS];

#define RTT_WHOLE_PATH                                                                             \
	"ioeventfd-pio" /* has every consumer in a brief run, others the plain ones */

/* Whether there is such a consumer of this path. */
bool rtt_consumer_applies(const struct rtt_consumer *consumer, const struct vm_backend *be,
			  const struct path_type *type, const struct bench_opts *opts);
const char *rtt_answer(const struct rtt_consumer *consumer); /* "word" or "interrupt" */

/* One path with one kind of consumer. */
struct rtt_row {
	const struct vm_backend *be;
	const struct path_type *type;
	const struct rtt_consumer *consumer;
	bool available;
	char why[256]; /* not available: and the rest is void */

	uint64_t trips;  /* finished */
	double *trip_ns; /* one each; sorted once they are all there */
	double *oneway_ns;
	/* A batch each, and over the batches: how much they differ is how far a figure may be
	 * believed. */
	double batch_p50[RTT_MAX_BATCHES], batch_p99[RTT_MAX_BATCHES];
	uint64_t batches;
	struct stats p50, p99;
	bool related;    /* the guest's clock to the host's, and so oneway_ns is known */
	double error_ns; /* of the relation */
};

/* The guest's clock and the host's at one moment. */
struct anchor {
	uint64_t tick; /* the guest's TSC */
	uint64_t ns;   /* the host's CLOCK_MONOTONIC_RAW */
	uint64_t error_ticks;
};

struct rtt_report {
	struct host host;
	const struct bench_opts *opts;
	struct rtt_row rows[RTT_MAX_ROWS];
	unsigned int nr_rows;
	bool interrupted;
};

/* Measures and reports; an enum cli_exit. */
int rtt_run(const struct bench_opts *opts);

/* The two halves of it. rtt_measure_all() gives an enum cli_exit, and rows that are freed here. */
int rtt_measure_all(struct rtt_report *report);
void rtt_free_rows(struct rtt_report *report);
int rtt_show(const struct rtt_report *report); /* on standard output; an enum cli_exit */

/* 0; -EINTR: interrupted, what is finished stands; else has said why. */
int rtt_measure(struct rtt_row *row, const struct bench_opts *opts);

/* Finds one by exchanging words with the guest through its memory. Fails as sample_path() does. */
int rtt_anchor(struct rig *rig, struct anchor *anchor);

/* Lets the guest ring and wait for the answer, the uint64_t at answer, count times; it writes
 * struct guest_trip[] to trips. Both are guest-physical. Fails as sample_path() does. */
int rtt_command(struct path *path, const struct guest_access *ring, uint64_t answer, uint64_t trips,
		uint64_t count);

/* Where things are in the guest's memory. */
#define RTT_ANSWER GUEST_SCRATCH
#define RTT_WORD (GUEST_SCRATCH + 64u) /* not on the answer's line */
#define RTT_TRIPS (GUEST_SCRATCH + 0x10000u)
#define RTT_EXCHANGES (GUEST_SCRATCH + 0x20000u)

_Static_assert(RTT_BATCH * sizeof(struct guest_trip) <= RTT_EXCHANGES - RTT_TRIPS, "must fit");

#endif
