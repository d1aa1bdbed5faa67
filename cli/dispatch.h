/* SPDX-License-Identifier: MIT
 *
 * bellwire bench dispatch: what does the bus itself cost? No guest and no offload, this process
 * makes the accesses.
 *
 * bench_dispatch.c    the command             dispatch_access.c  hits and handlers,
 * dispatch_world.c    a bus with so many      dispatch_churn.c   assign and deassign
 * dispatch_sample.c   a sample of accesses    dispatch_limit.c   a read of as much memory
 * dispatch_report.c   table and document
 */
#ifndef BELLWIRE_DISPATCH_H
#define BELLWIRE_DISPATCH_H

#include "cli/host.h"
#include "cli/stats.h"

#include <bellwire.h>
#include <pthread.h>
#include <stdatomic.h>

struct dispatch_opts {
	uint64_t rounds;
	uint64_t accesses; /* per sample */
	uint64_t max;      /* entries: what has more is left out */
	int cpus[2];       /* the second is -1 if there is only one */
	bool json;
};

#define DISPATCH_WHY 256

/* What is measured. Not known: NAN. */
struct dispatch_row {
	const char *name; /* the case */
	uint64_t entries;
	unsigned int threads;
	char why[DISPATCH_WHY]; /* not "": it cannot be measured, and the rest is void */
	struct stats ns;        /* that one thread spends on one access, or on one control call */
	double limit_ns;        /* what it cannot do without: reads of as much memory */
	struct stats ratio; /* two threads: their throughput to one's; last value: to the first */
	struct stats of;    /* two threads: the ratio that this machine has without the library */
	double per_second;  /* control calls */
	double bytes_each;  /* that malloc() gave for an entry */
};

#define DISPATCH_MAX_ROWS 64u

struct dispatch_report {
	struct host host;
	const struct dispatch_opts *opts;
	struct dispatch_row rows[DISPATCH_MAX_ROWS];
	unsigned int nr_rows;
	uint64_t lost; /* accesses that did not arrive, or were counted twice */
	bool interrupted;
};

/* The next row; nothing else in it is known yet. */
struct dispatch_row *dispatch_row(struct dispatch_report *report, const char *name,
				  uint64_t entries, unsigned int threads);
void dispatch_no_row(struct dispatch_report *report, const char *name, uint64_t entries,
		     unsigned int threads, const char *why);

/* One case after another. 0; -EINTR: interrupted, what is finished stands; else has said why. */
int dispatch_measure(struct dispatch_report *report);

/* Standard output; an enum cli_exit. */
int dispatch_show(const struct dispatch_report *report);

/* ---- a bus ---- */

enum world_kind {
	WORLD_SHARED,  /* ioeventfds; one notifier for each half */
	WORLD_OWN,     /* ioeventfds, each with a notifier of its own */
	WORLD_VALUES,  /* ioeventfds on one address, which differ in their value: 0, 1, ... */
	WORLD_REGIONS, /* regions with a handler */
};

struct world {
	enum world_kind kind;
	uint64_t entries;
	struct bw_bus *bus;
	struct bw_notifier **notifiers;
	uint64_t nr_notifiers;
	uint64_t bytes; /* that malloc() gave for it, 0: cannot be told */
};

/* -errno: why says the reason. */
int world_open(struct world *w, enum world_kind kind, uint64_t entries, char why[DISPATCH_WHY]);
void world_close(struct world *w);
uint64_t world_addr(const struct world *w, uint64_t entry);

/* Accesses of one thread, to random entries of [first, first + nr); each writes its number. With
 * memory there is no library in it: a random line of it is read, and a count of its own added to.
 */
struct ringer {
	const struct world *world;
	const struct chase *memory; /* or NULL; first and nr are lines */
	uint64_t first, nr;
	uint64_t random;
	uint64_t made, missed; /* in all */
};

void ringer_run(struct ringer *r, uint64_t accesses);

/* ---- memory: its lines in random order, each with the address of the next ---- */

struct chase {
	void *memory;
	uint64_t lines;
	void **at;
};

int chase_open(struct chase *c, uint64_t bytes); /* -ENOMEM */
void chase_close(struct chase *c);
void chase_run(struct chase *c, uint64_t reads);
uint64_t chase_read(const struct chase *c, uint64_t line);

/* ---- samples: ns that a thread spends on one ---- */

/* A second thread, for as long as it is needed. */
struct pair {
	pthread_t thread;
	pthread_barrier_t barrier; /* around each of its samples */
	atomic_uint arrived;
	struct ringer *second; /* NULL: the end */
	uint64_t accesses;
	double second_ns;
};

int pair_start(struct pair *pair, int cpu); /* -errno: has said why */
void pair_stop(struct pair *pair);

double dispatch_sample(struct ringer *r, uint64_t accesses);
double dispatch_sample_limit(struct chase *c, uint64_t reads);
double dispatch_sample_pair(struct pair *pair, struct ringer *first, struct ringer *second,
			    uint64_t accesses);

/* ---- what is measured: each adds its rows. -EINTR: interrupted; else has said why ---- */

int dispatch_access(struct dispatch_report *report, const char *name, enum world_kind kind,
		    uint64_t entries);
int dispatch_churn(struct dispatch_report *report, uint64_t entries);

#endif
