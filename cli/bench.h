/* SPDX-License-Identifier: MIT
 *
 * The doorbell harness: what does a ring cost on each path? This is what its parts share.
 *
 * bench_opts.c    the command line         bench_summary.c  medians and ratios
 * bench_paths.c   which paths there are    bench_table.c    for people: the table,
 * bench_kinds.c   how each is set up       bench_bars.c     the bars,
 * bench_raw.c     the ioctl by hand        bench_advice.c   and what follows
 * bench_setup.c   a VM with all of them    bench_json.c     for programs
 * bench_run.c     rounds                   bench_svg.c      the chart
 * bench_sample.c  one sample               rtt.h            round trips
 * bench_families.c  paths that are alike
 * bench_endpoint.c  where who is rung is  vhost.h          a vhost-user endpoint
 * bench_remote.c  a device model           peer.h           QEMU beside us
 *                 in another process       report.h         the page
 *                 in another process       adaptive.h       when a page is hot
 * bench_exitless.c  a doorbell page       bench_coalesced.c  KVM's ring of stores
 */
#ifndef BELLWIRE_BENCH_H
#define BELLWIRE_BENCH_H

#include "cli/host.h"
#include "cli/peer.h"
#include "cli/stats.h"
#include "endpoint/endpoint.h"
#include "vmm/vm.h"

#define BENCH_MAX_PATHS 48u
#define BENCH_MAX_ACCELS 2u

struct rig;
struct path;
struct sample;

/* Where who is rung is (cli/bench_endpoint.c). */
struct endpoint_place {
	const char *name;
	int (*start)(struct path *path, int eventfd); /* -errno */
	bool answers;
	const char *absent; /* what -ENOENT means, or NULL */
};

extern const struct endpoint_place bench_thread;

/* How a path is set up, and what it needs. */
struct path_kind {
	/* Why the rig cannot run this path, until the next failure; NULL if it can. */
	const char *(*unavailable)(const struct rig *rig, const struct path *path);
	int (*setup)(struct path *path); /* -errno, and has said why */
	/* Fails as sample_path() does. NULL: our own guest rings. */
	int (*sample)(struct path *path, uint64_t rings, struct sample *sample);
	/* After so many rings: how many of them are accounted for. NULL: as many as were counted.
	 */
	uint64_t (*account)(struct path *path, uint64_t rings);
	bool counts_up;  /* the guest stores 1, 2, 3, ... */
	bool coalesces;  /* a delivery is of many rings: these are no I/O operations */
	bool own_thread; /* its endpoint waits in a way of its own, in this process */
};

struct path_type {
	const char *name;
	const char *raw;       /* the path that does the same without the library, or NULL */
	const char *userspace; /* the path through a handler that it replaces, or NULL */
	const struct path_kind *kind;
	enum guest_kind instruction;
	enum bw_space space;
	uint32_t len;           /* bytes that the guest writes */
	uint32_t match_len;     /* what is assigned: len or BW_ANY_LEN */
	bool waits;             /* the vCPU's thread sleeps until it is answered */
	const char *peer;       /* the path in a peer that it is compared with, or NULL */
	bool beside_peer;       /* run only with --peer, unless asked for */
	enum testdev_test test; /* in a peer: which */
};

extern const struct path_type bench_paths[];
extern const unsigned int bench_nr_paths;

const struct path_type *bench_path_find(const char *name);

struct bench_opts {
	const struct vm_backend *accels[BENCH_MAX_ACCELS];
	unsigned int nr_accels;
	bool selected[BENCH_MAX_PATHS]; /* by index in bench_paths */
	bool paths_given;               /* by the user */
	bool peer;                      /* QEMU beside us */
	uint64_t rings;                 /* per sample, 0: calibrated */
	uint64_t rounds;
	uint64_t seed;
	unsigned int cpl;
	int vcpu_cpu;
	struct endpoint_opts endpoint;
	/* How a thread waits for its eventfd. */
	int (*start_thread)(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts);
	const struct endpoint_place *place;
	const char *socket; /* of a place that listens, or NULL */
	uint64_t answer;    /* where in the guest's memory an endpoint with rang answers, */
	int call;           /* or the eventfd that it rings instead, or -1 */
	bool blocking;      /* the endpoints' eventfds are */
	bool brief;         /* rtt: not every consumer on every path */
	bool json;
	const char *svg;
	const char *vhost_user; /* socket of the back end that is the endpoint, or NULL (vhost.h) */
	const char *image;      /* what the back end's device holds, or NULL */
	const char *report;
};

/* CLI_OK, or CLI_USAGE and has said why. */
int bench_opts_parse(struct bench_opts *opts, int argc, char **argv);
int rtt_opts_parse(struct bench_opts *opts, int argc, char **argv);

/* What --endpoint says; false: it has said why not. */
bool bench_parse_endpoint(struct bench_opts *opts, const char *text);
const char *bench_endpoint_name(const struct bench_opts *opts);
/* For round trips beside what opts is for: the same back ends, CPUs and privilege, and those of its
 * paths on which somebody is rung. */
void rtt_opts_like(struct bench_opts *rtt, const struct bench_opts *opts, uint64_t rings);

/* One round of one path, per ring. */
struct sample {
	double ns; /* the guest's stall */
	double vcpu_cpu_ns, endpoint_cpu_ns;
	double exits; /* NAN: cannot be told */
};

/* One path on one back end: what was measured and what it comes to. */
struct row {
	const struct path_type *type;
	bool available;
	char why[256]; /* this host cannot run it, and the rest is void */
	bool rung;     /* somebody counts at the other end: rings and signals are to be equal */
	uint64_t rings_per_sample;
	uint64_t rings, signals; /* all that were made, warm-up too, and all that were counted */
	uint64_t deliveries;     /* of a path that coalesces */
	struct sample *samples;  /* one per round */

	struct stats ns, vcpu_cpu_ns, endpoint_cpu_ns;
	struct stats exits; /* median is NAN if it cannot be told */
	bool has_ratio, has_speedup;
	struct stats ratio;   /* to the raw path, round by round */
	struct stats speedup; /* of the userspace path to this one */
	bool has_peer_ratio;
	struct stats peer_ratio; /* to the peer's path */
};

/* One back end, measured. The last row is the A/A pair: the path of aa_of once more. */
struct bench {
	const struct vm_backend *be;
	char why[256]; /* not "": the back end does not work here */
	struct row rows[BENCH_MAX_PATHS + 1];
	unsigned int nr_rows;    /* without the A/A row */
	const struct row *aa_of; /* NULL: nothing could be run */
	struct row *aa;
	uint64_t rounds; /* finished */
};

/* Measures on one back end. 0; -EINTR: interrupted, what is finished stands; else has said why. */
int bench_run(struct bench *bench, const struct vm_backend *be, const struct bench_opts *opts);
void bench_free(struct bench *bench);

void bench_summarise(struct bench *bench);
const struct row *bench_row(const struct bench *bench, const char *path); /* measured, or NULL */
int64_t bench_lost(const struct row *row); /* negative: rung more often than written */

/* All that is reported. */
struct bench_report {
	struct host host;
	char peer[HOST_TEXT]; /* its version, "" if there is none */
	const struct bench_opts *opts;
	struct bench benches[BENCH_MAX_ACCELS];
	unsigned int nr_benches;
	bool interrupted;
};

void bench_print(const struct bench_report *report);
void bench_print_bars(const struct bench *bench);
/* A sentence a line. */
void bench_print_advice(FILE *out, const struct bench *bench, const struct bench_opts *opts);
int bench_print_json(const struct bench_report *report); /* an enum cli_exit */

/* A column of the table, left to right. */
#define BENCH_CELL 32

struct bench_column {
	const char *head;
	int width;
	unsigned int rank; /* on a narrow terminal the highest goes first */
	void (*cell)(const struct row *row, char text[BENCH_CELL]); /* "-" is there already */
	bool of_coalescing; /* shown where there is a path that coalesces */
};

extern const struct bench_column bench_columns[];
extern const size_t bench_nr_columns;

/* The file is opened before anything is measured, and written at the end. -1: has said why. */
int bench_svg_open(const char *file);
int bench_svg_write(const struct bench_report *report, int fd); /* an enum cli_exit */
void bench_svg_close(const char *file, int fd);                 /* removes it if it stayed empty */

/* Bars of the medians, as commands of a gnuplot script. panel: any number, another for each. */
void bench_plot_bars(FILE *out, const struct bench *bench, unsigned int panel);
unsigned int bench_nr_bars(const struct bench *bench);

/* Paths whose names begin alike. */
struct bench_family {
	const char *name;         /* before the first '-' */
	unsigned int colour;      /* 0xrrggbb, in charts; then on a page, as CSS has it */
	const char *light, *dark; /* by the reader's scheme */
	const char *what;
};

extern const struct bench_family bench_families[];
extern const size_t bench_nr_families;

#define BENCH_NO_COLOUR 0x202020u /* of a path without a family */

bool bench_is_of(const struct bench_family *family, const char *path);
unsigned int bench_colour(const char *path);

#endif
