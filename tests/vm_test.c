/* SPDX-License-Identifier: MIT
 *
 * A vCPU can be stopped at any time and goes on where it was, what fails is told, and a VM ends as
 * it began.
 */
#include "vm_world.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>

static const struct guest_access one_out = { .kind = GUEST_OUT, .len = 1, .addr = PORT };

static void a_stop_before_the_start_is_not_lost(void **state)
{
	struct world *w = make_world(state, note, 1);

	load_play(w, &one_out, 1);
	vcpu_stop(w->vcpu);
	assert_int_equal(vcpu_run(w->vcpu), -EINTR);
	assert_int_equal(w->nr_seen, 0);
	assert_int_equal(vcpu_run(w->vcpu), 0);
	assert_int_equal(w->nr_seen, 1);
	free_world(w);
}

static void note_and_stop(void *opaque, struct bw_access *access)
{
	struct world *w = opaque;

	note(opaque, access);
	vcpu_stop(w->vcpu);
}

static void a_stop_in_a_handler_ends_the_run_after_it(void **state)
{
	struct world *w = make_world(state, note_and_stop, 1);

	load_ring(w->vcpu, store(BAR, 4, 1), 3, 0);
	for (unsigned int n = 1; n <= 3; n++) {
		assert_int_equal(vcpu_run(w->vcpu), -EINTR);
		assert_int_equal(w->nr_seen, n);
	}
	assert_int_equal(vcpu_run(w->vcpu), 0);
	assert_int_equal(w->nr_seen, 3);
	free_world(w);
}

/* A guest that never ends, and a thread that stops it as soon as it has made progress. */
struct stopper {
	struct vcpu *vcpu;
	_Atomic uint64_t *progress;
	sem_t runs;
	atomic_bool over;
};

#define STOPS 50u

static void *stop_again_and_again(void *arg)
{
	struct stopper *s = arg;
	uint64_t before = 0;

	for (unsigned int i = 0; i < STOPS; i++) {
		while (sem_wait(&s->runs) < 0)
			;
		while (atomic_load(s->progress) == before && !atomic_load(&s->over))
			sched_yield();
		before = atomic_load(s->progress);
		vcpu_stop(s->vcpu);
	}
	return NULL;
}

static void run_and_be_stopped(struct vcpu *vcpu, _Atomic uint64_t *progress)
{
	struct stopper s = { .vcpu = vcpu, .progress = progress };
	unsigned int stopped = 0;
	pthread_t thread;

	assert_int_equal(sem_init(&s.runs, 0, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, stop_again_and_again, &s), 0);
	for (unsigned int i = 0; i < STOPS; i++) {
		sem_post(&s.runs);
		stopped += vcpu_run(vcpu) == -EINTR;
	}
	atomic_store(&s.over, true);
	pthread_join(thread, NULL);
	sem_destroy(&s.runs);
	assert_int_equal(stopped, STOPS);
}

static _Atomic uint64_t rings;
static unsigned int out_of_order;

/* The guest has stored 1, 2, 3, ... before each ring. */
static void check_sequence(void *opaque, struct bw_access *access)
{
	struct world *w = opaque;
	uint64_t sequence;

	(void)access;
	memcpy(&sequence, vm_memory(w->vm, GUEST_SCRATCH, 8), 8);
	out_of_order += sequence != atomic_fetch_add(&rings, 1) + 1;
}

static void stopped_again_and_again(void **state, struct guest_access ring)
{
	struct world *w = make_world(state, check_sequence, 1);

	rings = 0;
	out_of_order = 0;
	load_ring(w->vcpu, ring, UINT64_MAX, GUEST_SCRATCH);
	run_and_be_stopped(w->vcpu, &rings);
	assert_int_equal(out_of_order, 0);
	free_world(w);
}

static void stops_lose_and_repeat_no_store(void **state)
{
	stopped_again_and_again(state, store(BAR, 4, 0));
}

static void stops_lose_and_repeat_no_out(void **state)
{
	stopped_again_and_again(state, out(PORT, 2, 0));
}

static void a_guest_without_exits_can_be_stopped(void **state)
{
	struct world *w = make_world(state, note, 1);
	void *progress = vm_memory(w->vm, GUEST_SCRATCH, 8);

	load_ring(w->vcpu, store(GUEST_SCRATCH + 8, 8, 1), UINT64_MAX, GUEST_SCRATCH);
	run_and_be_stopped(w->vcpu, progress);
	assert_int_equal(w->nr_seen, 0);
	free_world(w);
}

static void a_stop_reaches_a_thread_that_blocks_signals(void **state)
{
	struct world *w = make_world(state, note, 1);
	sigset_t all, before;

	load_ring(w->vcpu, store(GUEST_SCRATCH + 8, 8, 1), UINT64_MAX, GUEST_SCRATCH);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	run_and_be_stopped(w->vcpu, vm_memory(w->vm, GUEST_SCRATCH, 8));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	free_world(w);
}

static atomic_int alarms;
static bool asked;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static void stop_after_5_alarms(void *opaque, struct bw_access *access)
{
	struct world *w = opaque;

	(void)access;
	if (alarms < 5)
		return;
	asked = true;
	vcpu_stop(w->vcpu);
}

static void a_signal_that_is_no_stop_does_not_stop(void **state)
{
	struct world *w = make_world(state, stop_after_5_alarms, 1);
	struct itimerval often = { { .tv_usec = 300 }, { .tv_usec = 300 } };
	struct sigaction action = { .sa_handler = on_alarm }, before;

	alarms = 0;
	asked = false;
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &often, NULL);
	load_ring(w->vcpu, out(PORT, 1, 0), UINT64_MAX, 0);
	assert_int_equal(vcpu_run(w->vcpu), -EINTR);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	sigaction(SIGALRM, &before, NULL);
	assert_true(asked);
	free_world(w);
}

static void *run_vcpu(void *vcpu)
{
	return (void *)(intptr_t)vcpu_run(vcpu);
}

static _Atomic uint64_t per_vcpu[2];

static void count_by_offset(void *opaque, struct bw_access *access)
{
	struct world *w = opaque;
	uint64_t index = access->addr - BAR;

	if (index < 2 && access->vcpu == vm_vcpu(w->vm, (unsigned int)index))
		atomic_fetch_add(&per_vcpu[index], 1);
}

static void two_vcpus_ring_on_one_bus(void **state)
{
	struct world *w = make_world(state, count_by_offset, 2);
	pthread_t threads[2];
	void *result;

	per_vcpu[0] = per_vcpu[1] = 0;
	for (unsigned int i = 0; i < 2; i++) {
		load_ring(vm_vcpu(w->vm, i), store(BAR + i, 1, 0), 2000, 0);
		assert_int_equal(pthread_create(&threads[i], NULL, run_vcpu, vm_vcpu(w->vm, i)), 0);
	}
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_int_equal((intptr_t)result, 0);
		assert_int_equal(per_vcpu[i], 2000);
	}
	free_world(w);
}

static void a_guest_that_fails_is_told_of_once_and_for_all(void **state)
{
	struct world *w = make_world(state, note, 1);

	load_play(w, &(struct guest_access){ .kind = 99 }, 1);
	assert_int_equal(vcpu_run(w->vcpu), -EFAULT);
	assert_string_not_equal(vm_last_error(), "");
	load_play(w, &one_out, 1);
	assert_int_equal(vcpu_run(w->vcpu), -EFAULT);
	assert_int_equal(w->nr_seen, 0);
	free_world(w);
}

static void a_hypercall_rings_or_is_refused_with_a_reason(void **state)
{
	struct world *w = make_world(state, note, 1);
	struct guest_access call = { .kind = GUEST_HYPERCALL, .addr = 0x77 };
	struct bw_notifier *n = make_notifier("call");

	must_assign(w->bus, BW_HYPERCALL, call.addr, any_len(), n);
	if (vm_hypercall_probe(w->vm) == 0) {
		assert_int_equal(play(w, call), 0);
		assert_int_equal(bw_notifier_take(n), 1);
		call.addr++;
		assert_int_not_equal(play(w, call), 0);
		assert_int_equal(bw_notifier_take(n), 0);
	} else {
		assert_int_equal(vm_hypercall_probe(w->vm), -EOPNOTSUPP);
		assert_string_not_equal(vm_last_error(), "");
		load_play(w, &call, 1);
		assert_int_equal(vcpu_run(w->vcpu), -EFAULT);
		assert_int_equal(bw_notifier_take(n), 0);
	}
	bw_notifier_free(n);
	free_world(w);
}

static void a_doorbell_rings_and_goes_no_further(void **state)
{
	struct world *w = make_world(state, note, 1);
	struct bw_notifier *n = make_notifier("bell");

	must_assign(w->bus, BW_MMIO, BAR, of_len(4), n);
	load_ring(w->vcpu, store(BAR, 4, 1), 1000, 0);
	assert_int_equal(vcpu_run(w->vcpu), 0);
	assert_int_equal(bw_notifier_take(n), 1000);
	assert_int_equal(w->nr_seen, 0);
	bw_notifier_free(n);
	free_world(w);
}

static void the_bus_is_offloaded_unless_declined(void **state)
{
	struct world *w = make_world(state, note, 1);
	struct vm_opts opts = { .nr_vcpus = 1, .no_offload = true };
	struct bw_bus *bus = make_bus();
	struct vm *vm;

	assert_int_equal((bw_bus_caps(w->bus) & BW_CAP_PIO) != 0, w->be == &vm_kvm);
	assert_int_not_equal(bw_bus_caps(w->bus), 0);
	assert_int_equal(vm_kvm_fd(w->vm) >= 0, w->be == &vm_kvm);
	opts.bus = bus;
	assert_int_equal(vm_new(&vm, w->be, &opts), 0);
	assert_int_equal(bw_bus_caps(bus), 0);
	bw_bus_free(bus);
	vm_free(vm);
	free_world(w);
}

static void exits_are_counted_or_said_not_to_be(void **state)
{
	struct world *w = make_world(state, note, 1);
	uint64_t before = 0, after = 0;
	int r = vcpu_exits(w->vcpu, &before);

	load_ring(w->vcpu, out(PORT, 1, 0), 100, 0);
	assert_int_equal(vcpu_run(w->vcpu), 0);
	assert_int_equal(vcpu_exits(w->vcpu, &after), r);
	if (r == 0) {
		assert_true(after - before >= 100);
	} else {
		assert_int_equal(r, -EOPNOTSUPP);
		assert_string_not_equal(vm_last_error(), "");
	}
	free_world(w);
}

static void a_vm_leaves_no_fd_behind(void **state)
{
	unsigned int fds;

	free_world(make_world(state, note, 1));
	fds = count_fds();
	free_world(make_world(state, note, 2));
	assert_int_equal(count_fds(), fds);
}

static void memory_is_what_was_asked_for_and_no_more(void **state)
{
	struct world *w = make_world(state, note, 1);
	struct vm_opts opts = { .nr_vcpus = 1, .ram_size = 2 * GUEST_RAM_MIN };
	uint64_t end = GUEST_RAM_BASE + opts.ram_size;
	struct vm *vm;

	assert_int_equal(vm_new(&vm, w->be, &opts), 0);
	assert_non_null(vm_memory(vm, GUEST_RAM_BASE, opts.ram_size));
	assert_non_null(vm_memory(vm, end - 1, 1));
	assert_null(vm_memory(vm, end - 1, 2));
	assert_null(vm_memory(vm, end + 1, 0));
	assert_null(vm_memory(vm, GUEST_RAM_BASE - 1, 2));
	assert_null(vm_memory(vm, GUEST_RAM_BASE + 1, UINT64_MAX));
	vm_free(vm);
	free_world(w);
}

/* As another process does that got the fd. */
static void memory_can_be_shared_but_not_cut(void **state)
{
	struct world *w = make_world(state, note, 1);
	uint64_t offset = GUEST_SCRATCH - GUEST_RAM_BASE, size = vm_ram_size(w->vm);
	int fd = vm_memory_fd(w->vm);
	uint8_t *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(shared, MAP_FAILED);
	play(w, store(GUEST_SCRATCH + 0x1000, 1, 0x5a));
	assert_int_equal(shared[offset + 0x1000], 0x5a);
	shared[offset + 0x1001] = 0xa5;
	assert_int_equal(play(w, load(GUEST_SCRATCH + 0x1001, 1)), 0xa5);
	assert_int_equal(ftruncate(fd, 0x1000), -1);
	assert_int_equal(errno, EPERM);
	munmap(shared, size);
	free_world(w);
}

static void a_vm_without_a_bus_runs_bare_only(void **state)
{
	struct world *w = make_world(state, note, 1);
	struct vm_opts opts = { .nr_vcpus = 1 };

	bw_bus_free(w->bus);
	vm_free(w->vm);
	w->bus = NULL;
	assert_int_equal(vm_new(&w->vm, w->be, &opts), 0);
	w->vcpu = vm_vcpu(w->vm, 0);
	load_play(w, &one_out, 1);
	assert_int_equal(vcpu_run(w->vcpu), -EINVAL);
	assert_int_equal(vcpu_run_bare(w->vcpu, note, w), 0);
	assert_int_equal(w->nr_seen, 1);
	vm_free(w->vm);
}

static void bad_options_are_refused_with_a_reason(void **state)
{
	static const struct vm_opts bad[] = {
		{ .nr_vcpus = 0 },
		{ .nr_vcpus = VM_MAX_VCPUS + 1 },
		{ .nr_vcpus = 1, .cpl = 1 },
		{ .nr_vcpus = 1, .ram_size = 4096 },
		{ .nr_vcpus = 1, .ram_size = VM_MAX_RAM + 0x200000ull },
	};
	struct vm *vm;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(vm_new(&vm, &vm_soft, &bad[i]), -EINVAL);
		assert_string_not_equal(vm_last_error(), "");
	}
}

static int probe_as_nobody(void *arg)
{
	(void)arg;
	return setgid(65534) || setuid(65534) ? 0 : -vm_backend_probe(&vm_kvm);
}

static void kvm_without_permission_is_refused(void **state)
{
	(void)state;
	if (getuid() != 0 || vm_backend_probe(&vm_kvm) < 0) {
		print_message("needs /dev/kvm, and root to drop\n");
		skip();
	}
	assert_int_equal(in_child(probe_as_nobody, NULL), EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL(a_stop_before_the_start_is_not_lost),
		ON_ALL(a_stop_in_a_handler_ends_the_run_after_it),
		ON_ALL(stops_lose_and_repeat_no_store),
		ON_ALL(stops_lose_and_repeat_no_out),
		ON_ALL(a_guest_without_exits_can_be_stopped),
		ON_ALL(a_stop_reaches_a_thread_that_blocks_signals),
		ON_ALL(a_signal_that_is_no_stop_does_not_stop),
		ON_ALL(two_vcpus_ring_on_one_bus),
		ON_ALL(a_guest_that_fails_is_told_of_once_and_for_all),
		ON_ALL(a_hypercall_rings_or_is_refused_with_a_reason),
		ON_ALL(a_doorbell_rings_and_goes_no_further),
		ON_ALL(the_bus_is_offloaded_unless_declined),
		ON_ALL(exits_are_counted_or_said_not_to_be),
		ON_ALL(a_vm_leaves_no_fd_behind),
		ON_ALL(memory_is_what_was_asked_for_and_no_more),
		ON_ALL(memory_can_be_shared_but_not_cut),
		ON_ALL(a_vm_without_a_bus_runs_bare_only),
		cmocka_unit_test(bad_options_are_refused_with_a_reason),
		cmocka_unit_test(kvm_without_permission_is_refused),
	};

	return cmocka_run_group_tests_name("vm", tests, NULL, NULL);
}
