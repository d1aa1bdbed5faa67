/* SPDX-License-Identifier: MIT
 *
 * QEMU as a child process. Its memory and the image are files without a name that it opens by
 * number, so nothing is left behind; between samples it is stopped by SIGSTOP, which no device
 * model and no vCPU notices.
 */
#define _GNU_SOURCE
#include "cli/peer.h"
#include "vmm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_RUN 127 /* the exit status, as a shell's */

/* The last line of what QEMU has said: errors come last, after warnings. */
static void read_log(const struct peer *peer, char *line, size_t size)
{
	char text[4096], *last;
	off_t end = lseek(peer->log, 0, SEEK_END);
	off_t from = end > (off_t)sizeof(text) ? end - (off_t)sizeof(text) : 0;
	ssize_t len = pread(peer->log, text, sizeof(text) - 1, from);

	text[len > 0 ? len : 0] = '\0';
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	last = strrchr(text, '\n');
	snprintf(line, size, "%.190s", last ? last + 1 : text);
}

static void say_end(struct peer *peer)
{
	char line[PEER_WHY - 64];

	read_log(peer, line, sizeof(line));
	if (WIFEXITED(peer->status) && WEXITSTATUS(peer->status) == CANNOT_RUN)
		peer_error(peer, EIO, PEER_PROGRAM " cannot be run: is it installed?");
	else if (WIFSIGNALED(peer->status))
		peer_error(peer, EIO, "QEMU was killed by signal %d; its last words: %s",
			   WTERMSIG(peer->status), line[0] ? line : "none");
	else
		peer_error(peer, EIO, "QEMU has ended: %s", line[0] ? line : "it gave no reason");
}

bool peer_has_ended(struct peer *peer)
{
	if (peer->pid > 0 && waitpid(peer->pid, &peer->status, WNOHANG) != peer->pid)
		return false;
	peer->pid = -1;
	say_end(peer);
	return true;
}

/* A file in memory that QEMU can open as /proc/self/fd/N. */
static int make_file(struct peer *peer, const char *name, size_t size)
{
	int fd = memfd_create(name, 0);

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		return fd;
	peer_error(peer, errno, "%s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int make_ram(struct peer *peer)
{
	int fd = make_file(peer, "ram", PEER_RAM_SIZE);
	uint8_t *ram;

	if (fd < 0)
		return -1;
	ram = mmap(NULL, PEER_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ram == MAP_FAILED) {
		peer_error(peer, errno, "QEMU's memory: %s", strerror(errno));
		close(fd);
		return -1;
	}
	peer->ram = ram;
	return fd;
}

static int make_image(struct peer *peer)
{
	size_t size = (size_t)(multiboot_image_end - multiboot_image);
	int fd = make_file(peer, "image", size);

	if (fd < 0 || pwrite(fd, multiboot_image, size, 0) == (ssize_t)size)
		return fd;
	peer_error(peer, EIO, "the image cannot be written");
	close(fd);
	return -1;
}

/* In the child, where only what is safe in a signal handler may be called. A group of its own,
 * because Ctrl-C is for us to handle; and it does not outlive us. */
static void become_qemu(const struct peer *peer, pid_t parent, char *const argv[])
{
	cpu_set_t cpus;
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	CPU_ZERO(&cpus);
	CPU_SET((size_t)peer->opts.other_cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(peer->log, STDOUT_FILENO);
	dup2(peer->log, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(CANNOT_RUN);
}

static int spawn(struct peer *peer, int ram, int image)
{
	char memory[96], kernel[32];
	char *const argv[] = {
		PEER_PROGRAM,
		"-name",
		"bellwire,debug-threads=on",
		"-accel",
		(char *)(uintptr_t)peer->opts.accel,
		"-machine",
		"pc,memory-backend=ram",
		"-object",
		memory,
		"-m",
		"16M",
		"-device",
		"pci-testdev,addr=4",
		"-nodefaults",
		"-display",
		"none",
		"-no-user-config",
		"-kernel",
		kernel,
		NULL,
	};
	pid_t parent = getpid();

	snprintf(memory, sizeof(memory),
		 "memory-backend-file,id=ram,size=16M,mem-path=/proc/self/fd/%d,share=on", ram);
	snprintf(kernel, sizeof(kernel), "/proc/self/fd/%d", image);
	peer->pid = fork();
	if (peer->pid == 0)
		become_qemu(peer, parent, argv);
	return peer->pid > 0 ? 0 : peer_error(peer, errno, "fork: %s", strerror(errno));
}

int peer_start_process(struct peer *peer)
{
	int ram = -1, image = -1, err = -EIO;

	peer->log = make_file(peer, "log", 0);
	if (peer->log < 0)
		return err;
	ram = make_ram(peer);
	if (ram < 0)
		return err;
	image = make_image(peer);
	if (image < 0)
		goto close_ram;
	peer_prepare_guest(peer);
	err = spawn(peer, ram, image);
	close(image);
close_ram:
	close(ram);
	return err;
}

void peer_go(struct peer *peer)
{
	if (peer->pid > 0)
		kill(peer->pid, SIGCONT);
}

void peer_stop(struct peer *peer)
{
	if (peer->pid <= 0)
		return;
	kill(peer->pid, SIGSTOP);
	/* One that has ended instead is noticed, and said, by who waits for the guest next. */
	if (waitpid(peer->pid, &peer->status, WUNTRACED) == peer->pid && !WIFSTOPPED(peer->status))
		peer->pid = -1;
}
