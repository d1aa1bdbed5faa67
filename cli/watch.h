/* SPDX-License-Identifier: MIT
 *
 * bellwire watch: which addresses of a running guest take the slow path.
 */
#ifndef BELLWIRE_WATCH_H
#define BELLWIRE_WATCH_H

#include "cli/watch_account.h"

#include <stdio.h>
#include <sys/types.h>

struct watch_opts {
	pid_t pid;
	unsigned int seconds;
	bool json;
};

/* An enum cli_exit. */
int watch_opts_parse(struct watch_opts *opts, int argc, char **argv);

/* ---- the process: cli/watch_process.c ---- */

#define WATCH_COMM 64

struct watch_process {
	pid_t pid;
	int pidfd; /* readable when it has ended */
	int tasks; /* its /proc/PID/task */
	char comm[WATCH_COMM];
};

/* Opens it if it is a VMM on KVM, or says why not: an enum cli_exit. */
int watch_process_open(struct watch_process *process, pid_t pid);
void watch_process_close(struct watch_process *process);

/* Calls fn for every thread, until one returns other than CLI_OK; that is the result. */
int watch_process_tasks(struct watch_process *process, int (*fn)(void *opaque, pid_t tid),
			void *opaque);

/* ---- the kernel's tracepoints: cli/watch_tracefs.c ---- */

struct watch_kernel {
	enum watch_where where; /* WATCH_HARDWARE or WATCH_SOFTWARE */
	unsigned int nr;
	struct {
		uint64_t config; /* for perf_event_open(2) */
		struct watch_layout layout;
	} tracepoints[WATCH_MAX_SOURCES];
};

/* Reads what tracefs says of them, or says why that cannot be: an enum cli_exit. Where tracefs is
 * mounted nowhere, it is for the time of the call, seen by nobody else. */
int watch_kernel_read(struct watch_kernel *kernel);

/* ---- one thread of the process: cli/watch_thread.c ---- */

struct watch_thread {
	pid_t tid;
	unsigned int nr; /* events open */
	int fds[WATCH_MAX_SOURCES];
	void *map; /* of fds[0]: a page of perf's, then the ring */
	size_t map_size;
	struct watch_decoder decoder;
	struct watch_vcpu vcpu;
};

/* Opened, it sees nothing before it is started. -errno, *doing says of what. ring_size is a power
 * of two, and whole pages. */
int watch_thread_open(struct watch_thread *thread, const struct watch_kernel *kernel, pid_t tid,
		      size_t ring_size, const char **doing);
int watch_thread_start(struct watch_thread *thread);
void watch_thread_close(struct watch_thread *thread);
void watch_thread_drain(struct watch_thread *thread, struct watch_account *account);

/* ---- all of them: cli/watch_threads.c ---- */

#define WATCH_MAX_THREADS 1024u

struct watch_threads {
	const struct watch_kernel *kernel;
	size_t ring_size;
	unsigned int nr;
	unsigned int seen; /* those that have ended too */
	uint64_t began;    /* CLOCK_MONOTONIC, before the first was started */
	bool too_many;
	struct watch_thread *array[WATCH_MAX_THREADS];
};

/* Opens the threads that are new, then starts them; says what is wrong: an enum cli_exit. */
int watch_threads_scan(struct watch_threads *threads, struct watch_process *process);
void watch_threads_close(struct watch_threads *threads);

/* Waits so long for a ring that fills or for the process to end, and takes what has happened. true:
 * it has ended. */
bool watch_threads_step(struct watch_threads *threads, int pidfd, int timeout_ms,
			struct watch_account *account);

/* ---- the result ---- */

enum watch_end { WATCH_TIME_IS_UP, WATCH_PROCESS_ENDED, WATCH_WAS_INTERRUPTED };

struct watch_report {
	const struct watch_opts *opts;
	const struct watch_process *process;
	const struct watch_threads *threads;
	enum watch_end end;
	double seconds;
	const struct watch_account *account;
	uint16_t order[WATCH_ADDRESSES]; /* into the account's addresses: what costs most first */
};

void watch_report_sort(struct watch_report *report);

/* The mean of what was timed on a way, NAN if nothing was; and how much of a second per second all
 * accesses on it take, by that mean. */
double watch_ns_each(const struct watch_path *path);
double watch_share(const struct watch_path *path, double seconds);

/* "HLT" for KVM_EXIT_HLT, NULL if there is no such name. */
const char *watch_reason(unsigned int reason);

/* Not more rows than that for each way. */
void watch_print(const struct watch_report *report, unsigned int rows, FILE *out);
int watch_print_json(const struct watch_report *report);

/* On a terminal, over the one before; at the end it is taken away. */
void watch_live(const struct watch_report *report);
void watch_live_end(void);

#endif
