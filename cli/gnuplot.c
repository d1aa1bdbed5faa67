/* SPDX-License-Identifier: MIT
 *
 * Runs gnuplot with a script on its standard input.
 */
#define _GNU_SOURCE
#include "cli/gnuplot.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void gnuplot_quoted(FILE *script, const char *text)
{
	for (; *text; text++)
		fputs((char[3]){ *text, *text == '\'' ? '\'' : '\0' }, script);
}

off_t gnuplot_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
}

/* gnuplot with in as its standard input and out as its standard output, and signals as usual. */
static int spawn_gnuplot(pid_t *pid, int in, int out)
{
	char *argv[] = { "gnuplot", "-", NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, broken_pipe;
	int err = posix_spawn_file_actions_init(&files);

	if (err)
		return -err;
	err = posix_spawnattr_init(&attr);
	if (err)
		goto destroy_files;
	sigemptyset(&none);
	sigemptyset(&broken_pipe);
	sigaddset(&broken_pipe, SIGPIPE);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &broken_pipe);
	err = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	if (!err)
		err = posix_spawnp(pid, argv[0], &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
destroy_files:
	posix_spawn_file_actions_destroy(&files);
	return -err;
}

static bool ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Takes fd over. */
static void send(gnuplot_script_fn *script, const void *opaque, int fd)
{
	FILE *out = fdopen(fd, "w");

	if (!out) {
		close(fd);
		return;
	}
	script(out, opaque);
	fclose(out);
}

/* gnuplot that waits for its script, which goes to *script. -errno: and has said why. */
static int start(pid_t *pid, int *script, int out)
{
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		err = -errno;
		cli_failed("gnuplot: %s", strerror(errno));
		return err;
	}
	err = spawn_gnuplot(pid, ends[0], out);
	close(ends[0]);
	*script = ends[1];
	if (err) {
		close(ends[1]);
		cli_failed("a chart needs gnuplot: %s", strerror(-err));
	}
	return err;
}

static int draw(gnuplot_script_fn *script, const void *opaque, int fd)
{
	pid_t pid;
	int in;

	if (start(&pid, &in, fd))
		return CLI_FAILED;
	send(script, opaque, in);
	if (!ended_well(pid) || gnuplot_size(fd) == 0)
		return cli_failed("gnuplot could not draw the chart");
	return CLI_OK;
}

int gnuplot_draw(gnuplot_script_fn *script, const void *opaque)
{
	int fd = memfd_create("chart", MFD_CLOEXEC);

	if (fd < 0) {
		cli_failed("a chart: %s", strerror(errno));
		return -1;
	}
	if (draw(script, opaque, fd) == CLI_OK)
		return fd;
	close(fd);
	return -1;
}

int gnuplot_check(void)
{
	pid_t pid;
	int in;

	if (start(&pid, &in, STDERR_FILENO))
		return CLI_FAILED;
	close(in);
	return ended_well(pid) ? CLI_OK : cli_failed("gnuplot does not work");
}
