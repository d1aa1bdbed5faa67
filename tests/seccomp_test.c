/* SPDX-License-Identifier: MIT
 *
 * docs/seccomp.md, held against the kernel: everything that the library does, under a filter that
 * allows what is in its table and nothing else. And without any one of what the table says is
 * always needed, it does not go. seccomp_calls.h is made from that table.
 */
#define _GNU_SOURCE
#include "world.h"

#include "seccomp_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE 0xd0000000u
#define PAGE 0x1000u
#define DOORBELLS 3000u /* tables, and what is sorted, leave the heap */
#define FIRST_SLOT 8u

static const struct call {
	const char *name;
	unsigned int nr;
	bool always;
} calls[] = {
#define ALWAYS(call) { #call, SYS_##call, true },
#define SOMETIMES(call) { #call, SYS_##call, false },
	SECCOMP_CALLS(ALWAYS, SOMETIMES)
};
#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))
#define NONE SIZE_MAX
#define CANNOT 77 /* install a filter that tells what it stops */

/* The child's last words: what the filter stopped, and where it was in exercise(). */
static struct {
	int stopped;
	int line;
} * report;

#define MUST(expression)                                                                           \
	do {                                                                                       \
		report->line = __LINE__;                                                           \
		if (!(expression))                                                                 \
			_exit(1);                                                                  \
	} while (0)

/* ---- the filter ---- */

/* A signal would not do: liburcu blocks all while it makes system calls. */
static void *note_stopped(void *opaque)
{
	struct seccomp_notif call = {};
	int *listener = opaque, fd;

	/* the filter is not to find it still beginning */
	__atomic_store_n(listener, -1, __ATOMIC_RELAXED);
	while ((fd = __atomic_load_n(listener, __ATOMIC_RELAXED)) < 0)
		;
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call))
		_exit(2);
	report->stopped = call.data.nr;
	_exit(1);
}

/* without: an index in calls, NONE: all are there. */
static void install(size_t without)
{
	static const unsigned int ours[] = { SYS_exit, SYS_exit_group };
	static int listener = -2;
	struct sock_filter code[2 * (NR_CALLS + COUNT_OF(ours)) + 2];
	struct sock_fprog program = { .filter = code };
	unsigned short n = 0;
	pthread_t thread;
	int fd;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < NR_CALLS + COUNT_OF(ours); i++) {
		unsigned int nr = i < NR_CALLS ? calls[i].nr : ours[i - NR_CALLS];

		if (i == without)
			continue;
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	program.len = n;
	MUST(!pthread_create(&thread, NULL, note_stopped, &listener));
	while (__atomic_load_n(&listener, __ATOMIC_RELAXED) == -2)
		;
	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
				  SECCOMP_FILTER_FLAG_NEW_LISTENER,
			  &program);
	if (fd < 0)
		_exit(CANNOT);
	__atomic_store_n(&listener, fd, __ATOMIC_RELAXED);
}

/* ---- everything that the library does ---- */

struct scene {
	struct bw_bus *bus;
	struct bw_poller *poller;
	struct bw_notifier *n;
	struct bw_region *region;
	struct bw_page *page;
	struct bw_ioeventfd *slot;
	int vm, blocking, duplicate; /* of blocking */
	pthread_barrier_t started;
	uint64_t heard;
};

static void hear(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct scene *s = opaque;

	(void)n;
	__atomic_add_fetch(&s->heard, count, __ATOMIC_RELAXED);
}

static void pause_us(unsigned int us)
{
	struct timespec end, now;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += us * 1000;
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - end.tv_sec) * 1000000000 + now.tv_nsec < end.tv_nsec);
}

/* A thread that the filter finds, and that the library sees for the first time after it. */
static void *consume(void *opaque)
{
	struct scene *s = opaque;

	pthread_barrier_wait(&s->started);
	pthread_barrier_wait(&s->started);
	MUST(write_to(s->bus, BW_MMIO, BASE + 0x10, 4, 1) == BW_SIGNALLED);
	MUST(!bw_poller_run(s->poller));
	return NULL;
}

static void make_regions(struct scene *s)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .len = 0x100000 };
	struct bw_page_opts page = { .size = sizeof(page), .offset = PAGE, .idle = ~0ull };

	MUST(!bw_region_new(s->bus, &s->region, &opts));
	MUST(!bw_bus_begin(s->bus));
	for (unsigned int i = 0; i < DOORBELLS; i++) {
		struct bw_ioeventfd *ie;

		MUST(!bw_region_doorbell(s->region, &ie, 0x2000 + 16ull * i, of_len(4), s->n));
	}
	MUST(!bw_region_doorbell(s->region, &s->slot, PAGE, of_len(4), s->n));
	MUST(!bw_ioeventfd_assign(s->bus, &(struct bw_ioeventfd *){ NULL }, BW_MMIO, BASE + 0x10,
				  of_len(4), s->n));
	MUST(!bw_region_page(s->region, &s->page, &page));
	MUST(!bw_region_map(s->region, BASE));
	MUST(!bw_bus_commit(s->bus));
	MUST(!bw_poller_add_page(s->poller, s->page));
}

/* A hot page, that cools, and is found again by whoever stores into it. */
static void use_page(struct scene *s)
{
	for (unsigned int i = 0; i < 100; i++)
		MUST(write_to(s->bus, BW_MMIO, BASE + PAGE, 4, i) >= 0);
	for (unsigned int i = 0; i < 4000; i++) {
		MUST(bw_poller_poll(s->poller, 0) >= 0);
		MUST(bw_poller_arm(s->poller) != -EINVAL);
		pause_us(20);
	}
}

static void see(struct scene *s)
{
	struct bw_ioeventfd_stats stats = { .size = sizeof(stats) };
	struct bw_page_stats page = { .size = sizeof(page) };
	uint64_t value = 0;
	struct bw_access access = { BW_MMIO, true, 4, BASE + 0x2000, 0, &value, NULL };
	char *text;

	MUST(!bw_bus_dump(s->bus, BW_DUMP_TEXT, &text));
	free(text);
	MUST(!bw_bus_dump(s->bus, BW_DUMP_JSON, &text));
	free(text);
	MUST(bw_bus_explain(s->bus, &access, &text) == BW_SIGNALLED);
	free(text);
	MUST(!bw_ioeventfd_stats(s->slot, &stats));
	MUST(!bw_page_stats(s->page, &page));
	MUST(!bw_bus_synchronize(s->bus));
}

static void capture(struct scene *s)
{
	struct bw_capture_opts opts = { .size = sizeof(opts),
					.mode = BW_CAPTURE_QUEUE,
					.entries = 16 };
	struct bw_capture *mine, *theirs;
	struct bw_captured value;
	struct bw_ioeventfd *ie;

	MUST(!bw_capture_new(&mine, &opts));
	MUST(!bw_capture_open(&theirs, bw_capture_fd(mine)));
	MUST(!bw_ioeventfd_assign(s->bus, &ie, BW_PIO, 0x70, of_len(4), s->n));
	MUST(!bw_ioeventfd_capture(ie, mine, 0));
	MUST(write_to(s->bus, BW_PIO, 0x70, 4, 7) == BW_SIGNALLED);
	MUST(bw_capture_take(theirs, &value, 1) == 1 && value.value == 7);
	bw_ioeventfd_deassign(ie);
	bw_capture_free(theirs);
	bw_capture_free(mine);
}

static void drop_in(struct scene *s)
{
	struct kvm_ioeventfd io = {
		.addr = 0x510, .len = 2, .fd = s->blocking, .flags = KVM_IOEVENTFD_FLAG_PIO
	};
	struct bw_notifier *n;

	MUST(!bw_notifier_import(&n, s->blocking, "blocking"));
	bw_notifier_ring(n);
	MUST(bw_notifier_take(n) > 0);
	bw_notifier_free(n);
	MUST(!bw_kvm_ioeventfd(s->bus, &io));
	MUST(write_to(s->bus, BW_PIO, 0x510, 2, 0) == BW_SIGNALLED);
	io.fd = s->duplicate;
	io.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	MUST(!bw_kvm_ioeventfd(s->bus, &io));
}

static void offload(struct scene *s, enum bw_page_way way)
{
	struct bw_kvm_opts opts = { .size = sizeof(opts),
				    .vm_fd = s->vm,
				    .page_way = way,
				    .first_slot = FIRST_SLOT,
				    .nr_slots = 2 };

	if (s->vm >= 0)
		MUST(!bw_bus_offload_kvm(s->bus, &opts));
}

/* The thread has been in it since the filter came. */
static void end(struct scene *s)
{
	bw_poller_del(s->poller, s->n);
	bw_poller_free(s->poller);
	bw_region_free(s->region);
	bw_bus_free(s->bus);
	bw_notifier_free(s->n);
}

static void begin(struct scene *s)
{
	MUST(!bw_bus_new(&s->bus, NULL));
	MUST(!bw_notifier_new(&s->n, "kick"));
	MUST(!bw_poller_new(&s->poller));
	MUST(!bw_poller_add(s->poller, s->n, hear, s));
}

static void live(struct scene *s, enum bw_page_way way)
{
	make_regions(s);
	offload(s, way);
	MUST(bw_notifier_fd(s->n) >= 0);
	capture(s);
	drop_in(s);
	use_page(s);
	see(s);
	MUST(!bw_region_map(s->region, 2ull * BASE));
	MUST(bw_poller_freeze(s->poller) >= 0);
	bw_poller_thaw(s->poller);
}

/* What a consumer on a thread of its own needs: it sleeps, and is woken. */
static void serve(struct scene *s)
{
	while (!__atomic_load_n(&s->heard, __ATOMIC_RELAXED))
		pause_us(100);
	for (unsigned int i = 0; i < 20; i++) {
		bw_notifier_ring(s->n);
		pause_us(500);
	}
	bw_poller_stop(s->poller);
}

static void exercise(size_t without)
{
	struct scene s = { .vm = -1, .blocking = eventfd(0, EFD_CLOEXEC) };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	pthread_t thread;

	alarm(60);
	s.duplicate = dup(s.blocking);
	if (kvm >= 0)
		s.vm = ioctl(kvm, KVM_CREATE_VM, 0);
	pthread_barrier_init(&s.started, NULL, 2);
	begin(&s);
	MUST(!bw_ioeventfd_assign(s.bus, &(struct bw_ioeventfd *){ NULL }, BW_MMIO, BASE + 0x10,
				  of_len(4), s.n));
	MUST(!pthread_create(&thread, NULL, consume, &s));
	pthread_barrier_wait(&s.started);
	install(without);
	pthread_barrier_wait(&s.started);
	serve(&s);
	pthread_join(thread, NULL);
	bw_bus_free(s.bus);
	bw_poller_free(s.poller);
	bw_notifier_free(s.n);

	begin(&s);
	live(&s, BW_PAGE_WAY_SLOT);
	end(&s);
	begin(&s);
	live(&s, BW_PAGE_WAY_WRITE_PROTECT);
	end(&s);
}

/* ---- the tests ---- */

static int run_without(size_t without)
{
	pid_t child;
	int status;

	*report = (typeof(*report)){ .stopped = -1 };
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		exercise(without);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static const char *name_of(int nr)
{
	static char text[32];

	for (size_t i = 0; i < NR_CALLS; i++)
		if ((int)calls[i].nr == nr)
			return calls[i].name;
	snprintf(text, sizeof(text), "system call %d", nr);
	return text;
}

static void the_table_is_enough(void **state)
{
	int status = run_without(NONE);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
		print_message("seccomp(2) with a listener (Linux 5.7) is refused here\n");
		skip();
	}
	if (status)
		fail_msg("status 0x%x at line %d; stopped: %s", (unsigned int)status, report->line,
			 report->stopped < 0 ? "nothing" : name_of(report->stopped));
}

static void what_is_always_needed_is(void **state)
{
	bool idle = false;

	(void)state;
	for (size_t i = 0; i < NR_CALLS; i++) {
		int status;

		if (!calls[i].always)
			continue;
		status = run_without(i);
		if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
			skip();
		if (status && report->stopped == (int)calls[i].nr)
			continue;
		print_message("%s: goes without\n", calls[i].name);
		idle = true;
	}
	assert_false(idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_enough),
		cmocka_unit_test(what_is_always_needed_is),
	};

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (report == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
