/* SPDX-License-Identifier: MIT
 *
 * bellwire bench adaptive: when is a doorbell page worth being hot? Four patterns of rings, and
 * none, under each policy and each way of being cold.
 *
 * bench_adaptive.c   the command          adaptive_sample.c  one sample of a cell
 * adaptive_run.c     rounds               adaptive_heard.c   what the poller delivered, and when
 * adaptive_stage.c   a VM and its page    adaptive_report.c  table and document
 * adaptive_pattern.c the guest's part     adaptive_advice.c  what follows
 */
#ifndef BELLWIRE_ADAPTIVE_H
#define BELLWIRE_ADAPTIVE_H

#include "cli/bench.h"

#include <pthread.h>
#include <stdatomic.h>

#define ADAPTIVE_NR_POLICIES 3u
#define ADAPTIVE_NR_PATTERNS 5u
#define ADAPTIVE_NR_MECHANISMS 2u
#define ADAPTIVE_MAX_CELLS                                                                         \
	(BENCH_MAX_ACCELS * ADAPTIVE_NR_MECHANISMS * ADAPTIVE_NR_PATTERNS * ADAPTIVE_NR_POLICIES)

/* What the guest uses besides, so that it is felt if the hypervisor forgets its memory. */
#define ADAPTIVE_TOUCHED (256u << 20)
#define ADAPTIVE_MAX_BURSTS 0x100000u

struct pattern {
	const char *name;
	uint64_t period_ns; /* from burst to burst, 0: at once */
	uint64_t burst;     /* rings, 0: the guest is idle */
	uint64_t touched;   /* pages, after each burst: 64 a ms or so */
	uint64_t warm_up_ns;
};

extern const struct pattern adaptive_patterns[ADAPTIVE_NR_PATTERNS];

struct mechanism {
	const char *name;
	enum bw_page_way way;
	bool soft; /* an emulator has it too */
};

extern const struct mechanism adaptive_mechanisms[ADAPTIVE_NR_MECHANISMS];
extern const char *const adaptive_policies[ADAPTIVE_NR_POLICIES]; /* by enum bw_page_policy */

struct adaptive_opts {
	struct bench_opts bench; /* accels, rounds, CPUs, privilege, json */
	bool policies[ADAPTIVE_NR_POLICIES];
	uint64_t seconds; /* of the whole run, more or less */
};

/* A pattern under a policy by a mechanism. */
struct cell {
	const struct vm_backend *be;
	const struct mechanism *mechanism;
	const struct pattern *pattern;
	enum bw_page_policy policy;
	char why[256]; /* not "": cannot be measured, and the rest is void */

	uint64_t rounds;                             /* finished */
	double *stall_ns, *poller_cpu, *ring_cpu_ns; /* one a round */
	double *latency_ns;                          /* one a burst that was timed */
	uint64_t latencies;                          /* sorted once they are all there */
	double *p99_ns;                              /* one a round that had such bursts */
	uint64_t p99s;
	uint64_t rings, switches, lost;
	uint64_t switch_ns; /* what one takes, 0: there was none */
	struct stats stall, cpu, ring_cpu, p99;
};

struct adaptive_report {
	struct host host;
	const struct adaptive_opts *opts;
	struct cell cells[ADAPTIVE_MAX_CELLS];
	unsigned int nr_cells;
	double clock_ns[BENCH_MAX_ACCELS]; /* what it costs a guest to read its clock twice */
	double exit_ns[BENCH_MAX_ACCELS];  /* and a ring that traps */
	bool interrupted;
};

/* CLI_OK, or CLI_USAGE and has said why (bench_opts.c). */
int adaptive_opts_parse(struct adaptive_opts *opts, int argc, char **argv);

/* -EINTR: interrupted; else has said why. */
int adaptive_measure(struct adaptive_report *report);
void adaptive_free(struct adaptive_report *report);

/* Whether any cell was measured. */
bool adaptive_has_rounds(const struct adaptive_report *report);

/* Standard output; an enum cli_exit. */
int adaptive_show(const struct adaptive_report *report);
void adaptive_print_advice(const struct adaptive_report *report);

/* CLI_FAILED: rings were lost, and it has said which. */
int adaptive_check_lost(const struct adaptive_report *report);

/* What a ring costs guest and poller, and from how many a second on hot is cheaper. */
struct crossover {
	double cold_ns;           /* a ring that traps */
	double hot_ns;            /* one that does not, besides the poller's looking */
	double nap_cpu;           /* share of a CPU that a poller takes that naps between looks */
	double spinning, napping; /* rings a second, INFINITY: however many, hot is not cheaper */
};

/* For the back end and mechanism of the cell. false: not all of it was measured. */
bool adaptive_crossover(const struct adaptive_report *report, const struct cell *cell,
			struct crossover *crossover);

/* The cell of the same back end and mechanism; measured, or NULL. */
const struct cell *adaptive_other(const struct adaptive_report *report, const struct cell *cell,
				  const char *pattern, enum bw_page_policy policy);

/* ---- adaptive_heard.c: kept by the poller's thread, read by ours ---- */

struct delivery {
	uint64_t tick;
	uint64_t value; /* 0: it trapped, nobody saw it */
};

struct heard {
	struct bw_ioeventfd *ie;
	struct delivery *deliveries;
	_Atomic uint64_t nr;      /* more than there is room for: the rest has no latency */
	_Atomic uint64_t trapped; /* rings */
	_Atomic uint64_t values;  /* deliveries that had one */
	_Atomic uint64_t newest;  /* value, 0: the last one trapped */
};

/* Where the measuring starts. */
struct heard_mark {
	uint64_t nr, trapped, values;
};

int heard_init(struct heard *heard); /* -ENOMEM */
void heard_fini(struct heard *heard);
void heard_ring(void *heard, struct bw_notifier *n, uint64_t count); /* a bw_ring_fn */
struct heard_mark heard_mark(const struct heard *heard);

/* Waits until the last of so many rings has been heard of. How many were not, nor were followed by
 * one that was. */
uint64_t heard_lost(const struct heard *heard, const struct heard_mark *mark, uint64_t rings,
		    uint64_t last_burst);

/* From each burst's begin until the first delivery that has seen of it; how many go to ticks. */
uint64_t heard_latencies(const struct heard *heard, const struct heard_mark *mark,
			 const struct guest_trip *trips, uint64_t bursts, uint64_t burst,
			 uint64_t *ticks);

/* ---- adaptive_stage.c: a VM in which one page after another is tried ---- */

struct stage {
	const struct adaptive_opts *opts;
	const struct vm_backend *be;
	const struct mechanism *mechanism;
	char why[256]; /* not "": there is none */
	struct bw_bus *bus;
	struct vm *vm;
	struct vcpu *vcpu;
	struct heard heard;
	double ticks_per_ns;
	bool same_clock; /* the guest's TSC is the host's */
	double clock_ticks;
	double exit_ns;
	double empty[ADAPTIVE_NR_PATTERNS]; /* ticks of a burst that rings nobody */

	/* the page of the cell */
	struct bw_notifier *notifier;
	struct bw_region *region;
	struct bw_page *page;
	struct bw_poller *poller;
	pthread_t thread;
	clockid_t cpu_clock;
};

/* -errno: has said why. stage_close() in any case. */
int stage_open(struct stage *stage, const struct adaptive_opts *opts, const struct vm_backend *be,
	       const struct mechanism *mechanism);
void stage_close(struct stage *stage);

/* -errno: has said why. */
int stage_open_page(struct stage *stage, enum bw_page_policy policy);
void stage_close_page(struct stage *stage);
struct bw_page_stats stage_page_stats(const struct stage *stage);

#define STAGE_DOORBELL 0xd0000000u
#define STAGE_TRIPS (GUEST_RAM_BASE + GUEST_RAM_MIN)
#define STAGE_TOUCHED (STAGE_TRIPS + ADAPTIVE_MAX_BURSTS * sizeof(struct guest_trip))

/* ---- adaptive_pattern.c ---- */

/* What a run of a pattern cost. */
struct pace {
	uint64_t bursts;
	uint64_t windows;      /* bursts in which the vCPU kept its CPU */
	uint64_t window_ticks; /* of those */
	uint64_t fault_ticks;  /* of touches that had to be faulted in */
	uint64_t ns;           /* the whole of it */
	uint64_t cpu_ns;       /* of the poller meanwhile */
	struct heard_mark mark;
	uint64_t lost;
};

/* Lets the guest ring the page so, and waits until all has been heard. Fails as sample_path() does.
 */
int pattern_run(struct stage *stage, const struct pattern *pattern, uint64_t bursts,
		struct pace *pace);

/* How many bursts take about so long. Fails likewise. */
int pattern_scale(struct stage *stage, const struct pattern *pattern, uint64_t ns,
		  uint64_t *bursts);

/* Has the guest use all of its memory: nothing of it is to be faulted in. */
int pattern_use_memory(struct stage *stage);

/* The same, and learns what its clock and a ring cost. */
int pattern_calibrate(struct stage *stage);

const struct guest_trip *pattern_trips(const struct stage *stage);

/* ---- adaptive_sample.c ---- */

/* Adds a round to the cell, ns long. Fails as sample_path() does. */
int adaptive_sample(struct cell *cell, struct stage *stage, uint64_t ns);

#endif
