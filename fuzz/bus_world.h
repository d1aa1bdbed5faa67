/* SPDX-License-Identifier: MIT
 *
 * A bus, its model, and what is compared after every step. What differs ends the process, with a
 * sentence on standard error.
 */
#ifndef BELLWIRE_FUZZ_BUS_WORLD_H
#define BELLWIRE_FUZZ_BUS_WORLD_H

#include "model.h"

#include <stddef.h>
#include <tests/fake_offload.h>

#define NOTIFIERS 4u
#define EVENTFDS 2u /* the drop-in's */
#define TARGETS (NOTIFIERS + EVENTFDS)
#define DEVICES 256u
#define QUEUE 2u

struct device {
	struct world *world;
	unsigned int running; /* handlers */
	unsigned int unused;  /* calls of it */
};

/* The hypervisor, and whether it failed during the call under way. */
struct hypervisor {
	struct fake_offload fake; /* first: it is the state of both tables of operations */
	int failure;              /* -errno, but for -EOPNOTSUPP */
	bool present;
	bool lacks; /* something may be missing in it, since it failed or refused */
};

struct world {
	const uint8_t *at, *end; /* the program */
	struct bw_bus *bus;
	struct bw_notifier *notifiers[NOTIFIERS];
	struct hypervisor *hypervisor;

	struct model now;   /* what the calls so far come to */
	struct model seen;  /* what the guest sees: not what an open transaction did */
	unsigned int depth; /* of transactions */
	bool aborted;       /* one inside the outermost was */

	struct bw_capture *capture;
	struct bw_captured queued[QUEUE]; /* what is to be found in it */
	unsigned int nr_queued;
	uint64_t dropped;

	struct device devices[DEVICES];
	unsigned int nr_devices;
	uint64_t rings[TARGETS]; /* to be found by verify_rings() */
	struct served *serving;  /* the innermost access under way */
	unsigned int handlers;   /* running */

	int free_fd;      /* the lowest one, before anything was made */
	int step_free_fd; /* before this step, -1: not asked for */
	unsigned int steps;
	const char *step;
};

/* Before a step. */
void start_step(struct world *w, const char *name);

/* Ends the process if they differ. what: a noun. */
void expect(const struct world *w, const char *what, int64_t got, int64_t wanted);

/* After a call that gave result and, the hypervisor apart, was to give modelled. The model goes on
 * with what the call did to now, or back. */
void settle(struct world *w, int result, int modelled);

/* After one that cannot fail. */
void settle_removal(struct world *w);

/* After a step: who is unused, and what the hypervisor has. */
void verify(const struct world *w);

/* Who was rung since the last time. It costs system calls: after accesses, and at the end. */
void verify_rings(struct world *w);

void world_open(struct world *w, const struct bw_bus_opts *opts);
/* Leaves what is open, and frees everything. */
void world_close(struct world *w);

extern const struct offload_ops hypervisor_ops;

/* Eventfds that live as long as the process: the first may block, the second not; then a dup of the
 * first, one that is no eventfd, and one that is not open. */
#define NR_FDS 5u
int world_fd(unsigned int number);

#endif
