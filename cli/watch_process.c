/* SPDX-License-Identifier: MIT
 *
 * The process to be watched: is it there, may we look at it, does it run a guest on KVM?
 */
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROC_PATH 64

static const char *proc_path(char path[PROC_PATH], pid_t pid, const char *name)
{
	snprintf(path, PROC_PATH, "/proc/%d/%s", pid, name);
	return path;
}

static int no_process(pid_t pid, int err)
{
	char path[PROC_PATH];

	/* A thread that does not lead its process has a directory all the same. */
	if (access(proc_path(path, pid, ""), F_OK) == 0 && err != EPERM)
		return cli_failed("%d is a thread of a process: watch takes the process", pid);
	if (err == ESRCH || err == EINVAL || err == ENOENT)
		return cli_failed("there is no process %d", pid);
	return cli_failed("process %d: pidfd_open: %s", pid, strerror(err));
}

static int no_fds(const struct watch_process *process, int err)
{
	char path[PROC_PATH];
	struct stat st;

	if (err == ENOENT || err == ESRCH)
		return cli_failed("process %d has just ended", process->pid);
	if (stat(proc_path(path, process->pid, ""), &st) == 0 && st.st_uid != geteuid())
		return cli_failed("process %d (%s) belongs to another user (uid %u): only root may "
				  "watch it",
				  process->pid, process->comm, st.st_uid);
	return cli_failed("process %d (%s): its file descriptors: %s", process->pid, process->comm,
			  strerror(err));
}

static bool is_kvm(int dir, const char *name)
{
	char link[32];
	ssize_t len = readlinkat(dir, name, link, sizeof(link) - 1);

	if (len < 0)
		return false;
	link[len] = '\0';
	return strncmp(link, "anon_inode:kvm-v", 16) == 0; /* -vm, -vcpu:0 */
}

static int check_is_vmm(const struct watch_process *process)
{
	char path[PROC_PATH];
	DIR *dir = opendir(proc_path(path, process->pid, "fd"));
	struct dirent *entry;
	bool found = false;

	if (!dir)
		return no_fds(process, errno);
	while (!found && (entry = readdir(dir)))
		found = is_kvm(dirfd(dir), entry->d_name);
	closedir(dir);
	if (!found)
		return cli_failed(
			"process %d (%s) is no VMM: it has no virtual machine of KVM open",
			process->pid, process->comm);
	return CLI_OK;
}

static bool has_ended(int pidfd)
{
	struct pollfd fd = { .fd = pidfd, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

int watch_process_open(struct watch_process *process, pid_t pid)
{
	char path[PROC_PATH];

	*process = (struct watch_process){ .pid = pid, .tasks = -1 };
	process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process->pidfd < 0)
		return no_process(pid, errno);
	host_read_line(process->comm, sizeof(process->comm), proc_path(path, pid, "comm"));
	if (has_ended(process->pidfd)) {
		cli_failed("process %d has ended, only its parent has not noticed yet", pid);
		goto close_pidfd;
	}
	if (check_is_vmm(process) != CLI_OK)
		goto close_pidfd;
	process->tasks = open(proc_path(path, pid, "task"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process->tasks >= 0)
		return CLI_OK;
	no_fds(process, errno);

close_pidfd:
	close(process->pidfd);
	return CLI_FAILED;
}

void watch_process_close(struct watch_process *process)
{
	close(process->tasks);
	close(process->pidfd);
}

/* It may end at any time; its pidfd says so too. */
static DIR *open_tasks(const struct watch_process *process, int *status)
{
	int fd = openat(process->tasks, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool ended = fd < 0 && (errno == ENOENT || errno == ESRCH);

	*status = CLI_OK;
	if (!dir && !ended)
		*status = cli_failed("threads of process %d: %s", process->pid, strerror(errno));
	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

int watch_process_tasks(struct watch_process *process, int (*fn)(void *opaque, pid_t tid),
			void *opaque)
{
	struct dirent *entry;
	int status;
	DIR *dir = open_tasks(process, &status);

	if (!dir)
		return status;
	while (status == CLI_OK && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			status = fn(opaque, atoi(entry->d_name));
	closedir(dir);
	return status;
}
