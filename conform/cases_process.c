/* SPDX-License-Identifier: MIT
 *
 * fork and exec: whose the VM is, and who may read the rings.
 */
#define _GNU_SOURCE
#include "trial.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs fn in a forked child: what it returns, 0 to 255, or -1 if it died. */
static int in_child(int (*fn)(struct trial *t), struct trial *t)
{
	int status = 0;
	pid_t pid;

	if (is_over(t))
		return 0;
	pid = fork();
	if (pid == 0)
		_exit(fn(t));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fails(t, "no child");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int assign_in_child(struct trial *t)
{
	struct kvm_ioeventfd io = port(PORT + 8, 1);

	io.fd = t->eventfds[0];
	return -subject_ioeventfd(t->s, &io);
}

static int deassign_in_child(struct trial *t)
{
	struct kvm_ioeventfd io = port(PORT, 1);

	io.fd = t->eventfds[0];
	io.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	return -subject_ioeventfd(t->s, &io);
}

static int bad_assign_in_child(struct trial *t)
{
	struct kvm_ioeventfd io = port(PORT, 3);

	io.fd = -1;
	return -subject_ioeventfd(t->s, &io);
}

static void child_controls(struct trial *t)
{
	int fd = new_eventfd(t), err;

	assign(t, port(PORT, 1), fd);
	err = in_child(assign_in_child, t);
	check(t, err == EIO, "assign gave %d, not EIO", err);
	err = in_child(deassign_in_child, t);
	check(t, err == EIO, "deassign gave %d, not EIO", err);
	err = in_child(bad_assign_in_child, t);
	check(t, err == EIO, "a wrong assign gave %d, not EIO", err);
	rings(t, out(PORT, 1, 0), fd);
	exits(t, out(PORT + 8, 1, 0));
	deassign(t, port(PORT, 1), fd);
}

static int do_nothing(struct trial *t)
{
	(void)t;
	return 0;
}

static void child_ends(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 1), fd);
	assign(t, mmio(BAR, 4), fd);
	check(t, in_child(do_nothing, t) == 0, "the child failed");
	rings(t, out(PORT, 1, 0), fd);
	rings(t, store(BAR, 4, 0), fd);
	deassign(t, port(PORT, 1), fd);
	exits(t, out(PORT, 1, 0));
}

static int close_all(struct trial *t)
{
	(void)t;
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	return 0;
}

static void child_closes(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 1), fd);
	check(t, in_child(close_all, t) == 0, "the child failed");
	rings(t, out(PORT, 1, 0), fd);
	deassign(t, port(PORT, 1), fd);
}

static int read_three(struct trial *t)
{
	uint64_t count = 0;

	if (read(t->eventfds[0], &count, sizeof(count)) != sizeof(count))
		return 255;
	return (int)count;
}

static void child_reads(struct trial *t)
{
	struct guest_access accesses[] = { out(PORT, 1, 0), out(PORT, 1, 0), out(PORT, 1, 0) };
	int fd = new_eventfd(t);

	assign(t, port(PORT, 1), fd);
	play(t, accesses, COUNT_OF(accesses));
	check(t, in_child(read_three, t) == 3, "the child did not read 3");
	counted(t, fd, 0);
}

/* A program that reads 8 bytes from its standard input, the eventfd, and writes them to a pipe. */
static void become_dd(int eventfd, int pipe)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (dup2(eventfd, STDIN_FILENO) < 0 || dup2(pipe, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		_exit(126);
	execlp("dd", "dd", "bs=8", "count=1", (char *)NULL);
	_exit(127);
}

/* What the program that was executed has read; ends the case if there is none. */
static uint64_t count_of_dd(struct trial *t, int eventfd)
{
	uint64_t count = 0;
	int ends[2], status = 0;
	pid_t pid;

	if (is_over(t))
		return 0;
	if (pipe2(ends, O_CLOEXEC)) {
		fails(t, "no pipe: %s", strerror(errno));
		return 0;
	}
	pid = fork();
	if (pid == 0)
		become_dd(eventfd, ends[1]);
	close(ends[1]);
	if (pid < 0 || read(ends[0], &count, sizeof(count)) < 0 || waitpid(pid, &status, 0) != pid)
		fails(t, "no child");
	close(ends[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		skips(t, "there is no dd to execute");
	return count;
}

static void executed_reads(struct trial *t)
{
	struct guest_access accesses[] = { out(PORT, 1, 0), store(BAR, 8, 0) };
	int fd = new_eventfd(t);
	uint64_t count;

	assign(t, port(PORT, 1), fd);
	assign(t, mmio(BAR, 8), fd);
	play(t, accesses, COUNT_OF(accesses));
	count = count_of_dd(t, fd);
	check(t, count == 2, "the program read %llu, not 2", (unsigned long long)count);
	rings(t, out(PORT, 1, 0), fd);
}

/* How many fds a program that this process executes would get. */
static int nr_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int nr = 0;

	while (dir && (entry = readdir(dir))) {
		int flags = fcntl(atoi(entry->d_name), F_GETFD);

		nr += flags >= 0 && !(flags & FD_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return nr;
}

static void inherits_nothing(struct trial *t)
{
	int fd = new_eventfd(t), before = nr_inherited();

	for (unsigned int i = 0; i < 8; i++)
		assign(t, port(PORT + i, 1), fd);
	check(t, nr_inherited() == before, "%d fds more than before would be inherited",
	      nr_inherited() - before);
}

static const struct conform_case cases[] = {
	{ .name = "a_forked_child_can_neither_assign_nor_deassign",
	  .says = "EIO, before anything is looked at; the parent's doorbells stay as they are.",
	  .run = child_controls },
	{ .name = "the_end_of_a_child_deassigns_nothing",
	  .says = "The parent's doorbells ring on.",
	  .run = child_ends },
	{ .name = "a_child_that_closes_everything_deassigns_nothing",
	  .says = "Its fds are copies.",
	  .run = child_closes },
	{ .name = "a_forked_child_reads_the_rings",
	  .says = "The eventfd is one for both.",
	  .run = child_reads },
	{ .name = "an_executed_program_reads_the_rings",
	  .says = "From the fd that it was given.",
	  .run = executed_reads },
	{ .name = "an_executed_program_inherits_nothing_else",
	  .says = "What assign keeps open is closed on exec.",
	  .run = inherits_nothing },
};

const struct conform_group group_process = CONFORM_GROUP("process", cases);
