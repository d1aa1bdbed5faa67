/* SPDX-License-Identifier: MIT
 *
 * bellwire watch on a real guest, in a process of its own, whose every access is known. Each watch
 * is a process too, as a user would start it.
 */
#define _GNU_SOURCE
#include "vm_world.h"
#include "watch_round.h"

#include "cli/cli.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define NOBODY 65534
#define LATE_PORT 0x540u
#define FOR_EVER UINT64_MAX

/* ---- the VMM ---- */

struct vmm {
	pid_t pid;
	int ready; /* the end of a pipe */
};

static void *run_late_vcpu(void *opaque)
{
	struct world *w = opaque;
	struct vcpu *late = vm_vcpu(w->vm, 1);

	usleep(400000);
	load_ring(late, out(LATE_PORT, 4, 9), FOR_EVER, GUEST_SCRATCH + 0x1000);
	vcpu_run(late);
	return NULL;
}

/* Of both vCPUs at once. */
static void answer(void *opaque, struct bw_access *access)
{
	(void)opaque;
	if (!access->is_write)
		memset(access->data, 0x5a, access->len);
}

/* What each comes to is in watch_round.h. */
static void play_for_ever(struct world *w)
{
	const struct guest_access list[] = {
		out(ROUND_PORT, 2, 1),       out(ROUND_PORT, 2, 2),
		in(ROUND_PORT + 4, 1),       store(ROUND_BAR, 4, 7),
		load(ROUND_BAR + 0x1000, 8), store(ROUND_BAR + 0x2000, 4, 5),
		out(RUNG_PORT, 1, 3),        out(MIXED_PORT, 2, 1),
		out(MIXED_PORT, 2, 2),       out(KERNEL_PORT, 1, 0),
		in(KERNEL_PORT, 1),          store(ROUND_BAR + 0x3000, 16, 6),
		in(ROUND_PORT + 6, 2),       in(KERNEL_PORT, 1),
	};

	load_play(w, list, COUNT_OF(list));
	vcpu_mailbox(w->vcpu)->count = FOR_EVER;
}

static void be_vmm(void **state, int ready, uid_t uid, unsigned int nr_vcpus)
{
	struct world *w = make_world(state, answer, nr_vcpus);
	struct bw_notifier *n = make_notifier(NULL);
	pthread_t late;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must_assign(w->bus, BW_MMIO, ROUND_BAR + 0x2000, of_len(4), n);
	must_assign(w->bus, BW_PIO, RUNG_PORT, any_len(), n);
	must_assign(w->bus, BW_PIO, MIXED_PORT, of_value(2, 1), n);
	play_for_ever(w);
	if (uid && (setuid(uid) || prctl(PR_SET_DUMPABLE, 1)))
		_exit(1);
	if (nr_vcpus > 1 && pthread_create(&late, NULL, run_late_vcpu, w))
		_exit(1);
	if (write(ready, "", 1) != 1)
		_exit(1);
	vcpu_run(w->vcpu);
	_exit(1);
}

static struct vmm start_vmm(void **state, uid_t uid, unsigned int nr_vcpus)
{
	struct vmm vmm;
	int ends[2];
	char byte;

	if (vm_backend_probe(&vm_kvm) < 0) {
		print_message("%s\n", vm_last_error());
		skip();
	}
	assert_int_equal(pipe(ends), 0);
	vmm.pid = fork();
	assert_true(vmm.pid >= 0);
	if (vmm.pid == 0)
		be_vmm(state, ends[1], uid, nr_vcpus);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return vmm;
}

static void stop_vmm(struct vmm vmm)
{
	kill(vmm.pid, SIGKILL);
	assert_int_equal(waitpid(vmm.pid, NULL, 0), vmm.pid);
}

/* ---- the watch ---- */

struct watched {
	pid_t pid;
	int out, err; /* files */
	int status;
	char *text, *complaint;
};

static int make_file(void)
{
	int fd = memfd_create("output", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct watched start_watch_as(uid_t uid, pid_t pid, const char *seconds, const char *form)
{
	struct watched watched = { .out = make_file(), .err = make_file() };
	char number[16], *argv[] = { (char *)"watch", number,       (char *)"--seconds",
				     (char *)seconds, (char *)form, NULL };

	snprintf(number, sizeof(number), "%d", pid);
	fflush(stdout);
	watched.pid = fork();
	assert_true(watched.pid >= 0);
	if (watched.pid > 0)
		return watched;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (uid && setuid(uid))
		_exit(99);
	dup2(watched.out, STDOUT_FILENO);
	dup2(watched.err, STDERR_FILENO);
	end_child(cli_finish(command_watch.main(form ? 5 : 4, argv)));
	return watched;
}

static char *contents(int fd)
{
	struct stat st;
	char *text;

	assert_int_equal(fstat(fd, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
	close(fd);
	return text;
}

static void finish_watch(struct watched *watched)
{
	int status;

	assert_int_equal(waitpid(watched->pid, &status, 0), watched->pid);
	watched->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	watched->text = contents(watched->out);
	watched->complaint = contents(watched->err);
}

static void free_watch(struct watched *watched)
{
	free(watched->text);
	free(watched->complaint);
}

static struct watched watch(pid_t pid, const char *seconds, const char *form)
{
	struct watched watched = start_watch_as(0, pid, seconds, form);

	finish_watch(&watched);
	return watched;
}

static json_t *document(const struct watched *watched)
{
	json_t *root = json_loads(watched->text, 0, NULL);

	if (!root)
		fail_msg("exit status %d: %s", watched->status, watched->complaint);
	assert_string_equal(json_string_value(json_object_get(root, "schema")), "bellwire.watch/1");
	return root;
}

/* May this user watch at all, on this kernel? Asked once. */
static bool can_watch(pid_t pid)
{
	static enum { UNKNOWN, YES, NO } can;
	struct watched tried;

	if (can != UNKNOWN)
		return can == YES;
	tried = watch(pid, "1", "--json");
	can = strstr(tried.complaint, "not permitted") ||
			      strstr(tried.complaint, "this kernel has no")
		      ? NO
		      : YES;
	if (can == NO)
		print_message("%s", tried.complaint);
	else if (tried.status != CLI_OK)
		fail_msg("%s", tried.complaint);
	free_watch(&tried);
	return can == YES;
}

static struct vmm start_watchable(void **state, unsigned int nr_vcpus)
{
	struct vmm vmm = start_vmm(state, 0, nr_vcpus);

	if (can_watch(vmm.pid))
		return vmm;
	stop_vmm(vmm);
	skip();
	return vmm;
}

static const char *name_of(enum bw_space space)
{
	return space == BW_PIO ? "pio" : "mmio";
}

static bool says(json_t *object, const char *key, const char *text)
{
	return strcmp(json_string_value(json_object_get(object, key)), text) == 0;
}

static json_t *find(json_t *root, enum bw_space space, uint64_t addr)
{
	json_t *array = json_object_get(root, "addresses");
	char text[32];

	snprintf(text, sizeof(text), "0x%jx", (uintmax_t)addr);
	for (size_t i = 0; i < json_array_size(array); i++) {
		json_t *address = json_array_get(array, i);

		if (says(address, "space", name_of(space)) && says(address, "address", text))
			return address;
	}
	return NULL;
}

static json_int_t count(json_t *address, const char *way, const char *what)
{
	assert_non_null(address);
	return json_integer_value(json_object_get(json_object_get(address, way), what));
}

static json_int_t lost(json_t *root)
{
	return json_integer_value(json_object_get(root, "lost"));
}

/* ---- what it says ---- */

/* The watch begins and ends in the middle of a round, where one access more or less is seen. */
static void assert_rounds(const struct expected *e, json_t *address, const char *way,
			  const char *what, uint64_t in_a_round, json_int_t rounds)
{
	json_int_t each = (json_int_t)in_a_round, seen = count(address, way, what);

	if (seen < each * (rounds - 1) || seen > each * (rounds + 1))
		fail_msg("%s %#jx: %lld %s %s in %lld rounds, not %lld in each", name_of(e->space),
			 (uintmax_t)e->addr, seen, way, what, rounds, each);
}

static void assert_expected(json_t *root, const struct expected *e, json_int_t rounds)
{
	json_t *address = find(root, e->space, e->addr);

	assert_rounds(e, address, "slow", "writes", e->slow_writes, rounds);
	assert_rounds(e, address, "slow", "reads", e->slow_reads, rounds);
	assert_rounds(e, address, "light", "writes", e->light_writes, rounds);
	assert_rounds(e, address, "light", "reads", e->light_reads, rounds);
	assert_int_equal(json_is_true(json_object_get(address, "would_gain")), e->gains);
	assert_int_equal(json_array_size(json_object_get(address, "values")), e->nr_values);
	assert_int_equal(json_array_size(json_object_get(address, "widths")), 1);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(address, "widths"), 0)),
			 e->width);
}

static void each_address_is_counted_on_the_way_that_it_took(void **state)
{
	struct vmm vmm = start_watchable(state, 1);
	struct watched watched = watch(vmm.pid, "2", "--json");
	json_t *root = document(&watched);
	json_int_t rounds = count(find(root, BW_MMIO, ROUND_BAR), "slow", "writes");

	stop_vmm(vmm);
	assert_int_equal(watched.status, CLI_OK);
	assert_true(rounds > 1);
	if (lost(root) > 0)
		print_message("%lld events were lost: nothing is compared\n", lost(root));
	else
		for (size_t i = 0; i < COUNT_OF(expected); i++)
			assert_expected(root, &expected[i], rounds);
	assert_true(lost(root) > 0 ||
		    json_array_size(json_object_get(root, "addresses")) == COUNT_OF(expected));
	json_decref(root);
	free_watch(&watched);
}

/* One vCPU cannot be at work for more than a second per second. */
static void slow_accesses_have_a_share_of_the_time(void **state)
{
	struct vmm vmm = start_watchable(state, 1);
	struct watched watched = watch(vmm.pid, "1", "--json");
	json_t *root = document(&watched), *array = json_object_get(root, "addresses");
	double sum = 0, share;

	stop_vmm(vmm);
	for (size_t i = 0; i < json_array_size(array); i++) {
		json_t *address = json_array_get(array, i),
		       *slow = json_object_get(address, "slow");

		share = json_number_value(json_object_get(slow, "seconds_per_second"));
		if (count(address, "slow", "writes") + count(address, "slow", "reads") > 0)
			assert_true(share > 0);
		sum += share;
	}
	assert_true(sum > 0 && sum <= 1.01);
	json_decref(root);
	free_watch(&watched);
}

static void a_thread_that_starts_later_is_watched_too(void **state)
{
	struct vmm vmm = start_watchable(state, 2);
	struct watched watched = watch(vmm.pid, "2", "--json");
	json_t *root = document(&watched);

	stop_vmm(vmm);
	assert_true(count(find(root, BW_PIO, LATE_PORT), "slow", "writes") > 0);
	json_decref(root);
	free_watch(&watched);
}

static void the_table_marks_what_would_gain(void **state)
{
	struct vmm vmm = start_watchable(state, 1);
	struct watched watched = watch(vmm.pid, "1", NULL);

	stop_vmm(vmm);
	assert_int_equal(watched.status, CLI_OK);
	assert_non_null(strstr(watched.text, "mmio 0xd0000000"));
	assert_non_null(strstr(watched.text, "gains"));
	assert_non_null(strstr(watched.text, "in the kernel"));
	assert_null(strchr(watched.text, '\033'));
	free_watch(&watched);
}

/* ---- how it ends ---- */

static bool is_perf_event(int dir, const char *name)
{
	char link[64];
	ssize_t len = readlinkat(dir, name, link, sizeof(link) - 1);

	link[len < 0 ? 0 : len] = '\0';
	return strcmp(link, "anon_inode:[perf_event]") == 0;
}

/* Until the watch has something open that traces, and half a second for what it sees. */
static void let_watch(const struct watched *watched)
{
	struct dirent *entry;
	char path[64];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/fd", watched->pid);
	while (!found) {
		DIR *dir = opendir(path);

		assert_non_null(dir);
		while (!found && (entry = readdir(dir)))
			found = is_perf_event(dirfd(dir), entry->d_name);
		closedir(dir);
		usleep(10000);
	}
	usleep(500000);
}

static void a_vmm_that_exits_half_way_is_reported_until_then(void **state)
{
	struct vmm vmm = start_watchable(state, 1);
	struct watched watched = start_watch_as(0, vmm.pid, "60", "--json");
	json_t *root;

	let_watch(&watched);
	stop_vmm(vmm);
	finish_watch(&watched);
	root = document(&watched);
	assert_int_equal(watched.status, CLI_OK);
	assert_non_null(strstr(watched.complaint, "ended after"));
	assert_string_equal(json_string_value(json_object_get(root, "ended")), "exited");
	assert_true(count(find(root, BW_MMIO, ROUND_BAR), "slow", "writes") > 0);
	json_decref(root);
	free_watch(&watched);
}

static void a_signal_ends_it_with_what_was_seen(void **state)
{
	static const int signals[] = { SIGINT, SIGTERM };
	struct vmm vmm = start_watchable(state, 1);

	for (size_t i = 0; i < COUNT_OF(signals); i++) {
		struct watched watched = start_watch_as(0, vmm.pid, "60", "--json");
		json_t *root;

		let_watch(&watched);
		kill(watched.pid, signals[i]);
		finish_watch(&watched);
		root = document(&watched);
		assert_int_equal(watched.status, CLI_INTERRUPTED);
		assert_string_equal(json_string_value(json_object_get(root, "ended")),
				    "interrupted");
		assert_true(count(find(root, BW_MMIO, ROUND_BAR), "slow", "writes") > 0);
		json_decref(root);
		free_watch(&watched);
	}
	stop_vmm(vmm);
}

static char *mounts(void)
{
	FILE *file = fopen("/proc/self/mounts", "r");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(file);
	assert_true(getdelim(&text, &size, 0, file) > 0);
	fclose(file);
	return text;
}

static void nothing_stays_mounted(void **state)
{
	char *before = mounts(), *after;
	struct vmm vmm = start_watchable(state, 1);
	struct watched watched = watch(vmm.pid, "1", NULL);

	stop_vmm(vmm);
	after = mounts();
	free_watch(&watched);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* ---- what cannot be watched ---- */

static void assert_refused(struct watched *watched, const char *complaint)
{
	const char *newline;

	finish_watch(watched);
	newline = strchr(watched->complaint, '\n');
	assert_int_equal(watched->status, CLI_FAILED);
	assert_string_equal(watched->text, "");
	if (!strstr(watched->complaint, complaint))
		fail_msg("no '%s' in: %s", complaint, watched->complaint);
	assert_true(newline && !newline[1]);
	free_watch(watched);
}

static void refuses(pid_t pid, const char *complaint)
{
	struct watched watched = start_watch_as(0, pid, "60", "--json");

	assert_refused(&watched, complaint);
}

static void a_process_without_a_guest_is_no_vmm(void **state)
{
	(void)state;
	refuses(getpid(), "is no VMM");
}

static void a_guest_without_kvm_cannot_be_watched(void **state)
{
	struct world *w = make_world(state, note, 1);

	refuses(getpid(), "is no VMM");
	free_world(w);
}

static void a_process_that_is_not_there_is_named(void **state)
{
	pid_t pid = fork();
	siginfo_t info;

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	refuses(pid, "has ended");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	refuses(pid, "there is no process");
}

static void *sleep_until_read(void *opaque)
{
	int *ends = opaque, tid = gettid();
	char byte;

	if (write(ends[3], &tid, sizeof(tid)) == sizeof(tid) && read(ends[0], &byte, 1) == 1)
		return NULL;
	return NULL;
}

static void a_thread_is_no_process(void **state)
{
	int ends[4], tid;
	pthread_t thread;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pipe(ends + 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, sleep_until_read, ends), 0);
	assert_int_equal(read(ends[2], &tid, sizeof(tid)), sizeof(tid));
	refuses(tid, "is a thread");
	assert_int_equal(write(ends[1], "", 1), 1);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < COUNT_OF(ends); i++)
		close(ends[i]);
}

static void refused_to_nobody(void **state, uid_t owner, const char *complaint)
{
	struct watched watched;
	struct vmm vmm;

	if (geteuid() != 0) {
		print_message("only root can become another user\n");
		skip();
	}
	vmm = start_vmm(state, owner, 1);
	watched = start_watch_as(NOBODY, vmm.pid, "60", "--json");
	assert_refused(&watched, complaint);
	stop_vmm(vmm);
}

static void another_users_vmm_is_for_root(void **state)
{
	refused_to_nobody(state, 0, "belongs to another user (uid 0)");
}

static void ones_own_vmm_needs_root_too(void **state)
{
	refused_to_nobody(state, NOBODY, "needs root");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(kvm_user, each_address_is_counted_on_the_way_that_it_took),
		ON(kvm_kernel, each_address_is_counted_on_the_way_that_it_took),
		ON(kvm_user, slow_accesses_have_a_share_of_the_time),
		ON(kvm_user, a_thread_that_starts_later_is_watched_too),
		ON(kvm_user, the_table_marks_what_would_gain),
		ON(kvm_user, a_vmm_that_exits_half_way_is_reported_until_then),
		ON(kvm_user, a_signal_ends_it_with_what_was_seen),
		ON(kvm_user, nothing_stays_mounted),
		cmocka_unit_test(a_process_without_a_guest_is_no_vmm),
		ON(soft_cpu, a_guest_without_kvm_cannot_be_watched),
		cmocka_unit_test(a_process_that_is_not_there_is_named),
		cmocka_unit_test(a_thread_is_no_process),
		ON(kvm_user, another_users_vmm_is_for_root),
		ON(kvm_user, ones_own_vmm_needs_root_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
