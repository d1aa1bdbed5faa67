/* SPDX-License-Identifier: MIT
 *
 * The threads of the process: any of them may be a vCPU's, and new ones come.
 */
#include "cli/cli.h"
#include "cli/watch.h"
#include "endpoint/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* All rings together take about so much, each one a power of two between the limits. */
#define ALL_RINGS (64u << 20)
#define MIN_RING (64u << 10)
#define MAX_RING (1u << 20)

static int cannot_open(const char *doing, pid_t tid, int err)
{
	if (err == -EACCES || err == -EPERM)
		return cli_failed("%s: not permitted. watch needs root (or CAP_PERFMON and enough "
				  "RLIMIT_MEMLOCK)",
				  doing);
	if (err == -EMFILE || err == -ENFILE)
		return cli_failed("thread %d: too many files are open (ulimit -n): watch needs %u "
				  "for each thread",
				  tid, WATCH_MAX_SOURCES);
	if (err == -ENOSYS)
		return cli_failed("this kernel has no perf_event_open(2)");
	return cli_failed("thread %d: %s: %s", tid, doing, strerror(-err));
}

static bool is_open(const struct watch_threads *threads, pid_t tid)
{
	for (unsigned int i = 0; i < threads->nr; i++)
		if (threads->array[i]->tid == tid)
			return true;
	return false;
}

static int add_thread(void *opaque, pid_t tid)
{
	struct watch_threads *threads = opaque;
	struct watch_thread *thread;
	const char *doing = "";
	int err;

	if (is_open(threads, tid))
		return CLI_OK;
	threads->too_many |= threads->nr == WATCH_MAX_THREADS;
	if (threads->nr == WATCH_MAX_THREADS)
		return CLI_OK;
	thread = malloc(sizeof(*thread));
	if (!thread)
		return cli_failed("no memory");
	err = watch_thread_open(thread, threads->kernel, tid, threads->ring_size, &doing);
	if (!err) {
		threads->array[threads->nr++] = thread;
		threads->seen++;
		return CLI_OK;
	}
	free(thread);
	return err == -ESRCH ? CLI_OK : cannot_open(doing, tid, err);
}

static int count_thread(void *opaque, pid_t tid)
{
	(void)tid;
	++*(unsigned int *)opaque;
	return CLI_OK;
}

static int choose_ring_size(struct watch_threads *threads, struct watch_process *process)
{
	unsigned int nr = 0;
	int status = watch_process_tasks(process, count_thread, &nr);

	threads->ring_size = MAX_RING;
	while (threads->ring_size > MIN_RING && threads->ring_size * nr > ALL_RINGS)
		threads->ring_size /= 2;
	return status;
}

/* From the nth on. To open takes long, to start does not: nearly all of the time that the watch is
 * said to have had is that of each thread. */
static int start_threads(struct watch_threads *threads, unsigned int nth)
{
	int err;

	if (!threads->began)
		threads->began = clock_ns(CLOCK_MONOTONIC);
	for (; nth < threads->nr; nth++) {
		err = watch_thread_start(threads->array[nth]);
		if (err)
			return cannot_open("enabling perf's events", threads->array[nth]->tid, err);
	}
	return CLI_OK;
}

int watch_threads_scan(struct watch_threads *threads, struct watch_process *process)
{
	unsigned int known = threads->nr;
	int status;

	if (!threads->ring_size && choose_ring_size(threads, process) != CLI_OK)
		return CLI_FAILED;
	status = watch_process_tasks(process, add_thread, threads);
	return status == CLI_OK ? start_threads(threads, known) : status;
}

void watch_threads_close(struct watch_threads *threads)
{
	while (threads->nr > 0) {
		struct watch_thread *thread = threads->array[--threads->nr];

		watch_thread_close(thread);
		free(thread);
	}
}

/* In the order of fds; those that have ended have nothing more to say. */
static void drain(struct watch_threads *threads, const struct pollfd *fds,
		  struct watch_account *account)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < threads->nr; i++) {
		struct watch_thread *thread = threads->array[i];

		watch_thread_drain(thread, account);
		if (!(fds[i].revents & POLLHUP)) {
			threads->array[left++] = thread;
			continue;
		}
		watch_thread_close(thread);
		free(thread);
	}
	threads->nr = left;
}

bool watch_threads_step(struct watch_threads *threads, int pidfd, int timeout_ms,
			struct watch_account *account)
{
	static struct pollfd fds[WATCH_MAX_THREADS + 1];
	unsigned int nr = threads->nr;

	for (unsigned int i = 0; i < nr; i++)
		fds[i] = (struct pollfd){ .fd = threads->array[i]->fds[0], .events = POLLIN };
	fds[nr] = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	if (poll(fds, nr + 1, timeout_ms) <= 0)
		memset(fds, 0, sizeof(fds[0]) * (nr + 1));
	drain(threads, fds, account);
	return fds[nr].revents != 0;
}
