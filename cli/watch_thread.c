/* SPDX-License-Identifier: MIT
 *
 * One thread's tracepoints, all into one ring, so that their order is the order in which they
 * happened.
 */
#include "cli/watch.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The first event leads the others and begins disabled, so that all begin at one moment: what is
 * not traced from its first event on would be taken for something else. */
static int open_event(uint64_t config, bool has_fields, pid_t tid, int leader, size_t ring_size)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = config,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TIME |
			       (has_fields ? PERF_SAMPLE_RAW : 0u),
		.disabled = leader < 0,
		.watermark = 1,
		.wakeup_watermark = (uint32_t)(ring_size / 4),
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, leader, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The first event has the ring, the others write into it. */
static int join_ring(struct watch_thread *thread, int fd, size_t ring_size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (thread->map)
		return ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, thread->fds[0]) < 0 ? -errno : 0;
	thread->map = mmap(NULL, page + ring_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (thread->map == MAP_FAILED) {
		thread->map = NULL;
		return -errno;
	}
	thread->map_size = page + ring_size;
	return 0;
}

static int add_event(struct watch_thread *thread, const struct watch_kernel *kernel,
		     size_t ring_size, const char **doing)
{
	unsigned int i = thread->nr;
	const struct watch_layout *layout = &kernel->tracepoints[i].layout;
	const char *filter = layout->tracepoint->filter;
	int fd = open_event(kernel->tracepoints[i].config, layout->tracepoint->fields[0],
			    thread->tid, i ? thread->fds[0] : -1, ring_size);
	int err;

	*doing = "perf_event_open";
	if (fd < 0)
		return fd;
	thread->fds[thread->nr++] = fd;
	*doing = "the memory of perf's ring";
	err = join_ring(thread, fd, ring_size);
	if (err)
		return err;
	*doing = "a filter of perf's";
	if (filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter) < 0)
		return -errno;
	*doing = "the id of perf's event";
	if (ioctl(fd, PERF_EVENT_IOC_ID, &thread->decoder.sources[i].id) < 0)
		return -errno;
	thread->decoder.sources[i].layout = layout;
	thread->decoder.nr = thread->nr;
	return 0;
}

int watch_thread_open(struct watch_thread *thread, const struct watch_kernel *kernel, pid_t tid,
		      size_t ring_size, const char **doing)
{
	int err;

	*thread = (struct watch_thread){ .tid = tid };
	for (unsigned int i = 0; i < kernel->nr; i++) {
		err = add_event(thread, kernel, ring_size, doing);
		if (err)
			goto close;
	}
	return 0;

close:
	watch_thread_close(thread);
	return err;
}

int watch_thread_start(struct watch_thread *thread)
{
	return ioctl(thread->fds[0], PERF_EVENT_IOC_ENABLE, 0) ? -errno : 0;
}

void watch_thread_close(struct watch_thread *thread)
{
	if (thread->map)
		munmap(thread->map, thread->map_size);
	while (thread->nr > 0)
		close(thread->fds[--thread->nr]);
}

void watch_thread_drain(struct watch_thread *thread, struct watch_account *account)
{
	static _Alignas(uint64_t) uint8_t bounce[WATCH_RECORD_MAX];
	struct perf_event_mmap_page *page = thread->map;
	struct watch_ring_view ring = {
		.data = (const uint8_t *)thread->map + page->data_offset,
		.size = page->data_size,
		.tail = page->data_tail,
		/* Acquire: the records before it, which the kernel has written before. */
		.head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE),
	};
	struct watch_event event;
	const void *record;
	size_t size;

	while ((record = watch_ring_next(&ring, bounce, &size)))
		if (watch_decode(&thread->decoder, record, size, &event))
			watch_match(&thread->vcpu, &event, account);
	/* Release: we have read what the kernel may overwrite from now on. */
	__atomic_store_n(&page->data_tail, ring.head, __ATOMIC_RELEASE);
}
