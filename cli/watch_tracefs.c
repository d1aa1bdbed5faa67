/* SPDX-License-Identifier: MIT
 *
 * tracefs tells the number of each tracepoint and where its fields are. Nothing in it is switched
 * on: that is perf_event_open(2)'s, for one thread, and ends with our process.
 */
#define _GNU_SOURCE
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAX_FORMAT 32768 /* kvm_exit's, with a name for every reason, has 4 to 8 KiB */
#define MAX_PATH 64

/* Both are read by root alone, as a rule. */
static int not_allowed(const char *what)
{
	return cli_failed("%s: not permitted. watch needs root (or CAP_PERFMON, and tracefs "
			  "readable)",
			  what);
}

static int open_mounted(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == TRACEFS_MAGIC)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* In no directory: it is gone when the fd is closed, however we end. */
static int mount_own(void)
{
	int context = fsopen("tracefs", FSOPEN_CLOEXEC), fd = -1, err;

	if (context < 0)
		return -1;
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
	err = errno;
	close(context);
	errno = err;
	return fd;
}

/* An fd, or -1 after having said why not. */
static int open_tracefs(void)
{
	int fd = open_mounted("/sys/kernel/tracing");

	if (fd < 0)
		fd = open_mounted("/sys/kernel/debug/tracing");
	if (fd < 0)
		fd = mount_own();
	if (fd >= 0)
		return fd;
	if (errno == EPERM || errno == EACCES)
		not_allowed("tracefs is not mounted at /sys/kernel/tracing, mounting it");
	else if (errno == ENODEV)
		cli_failed("this kernel has no tracefs, and so no tracepoints");
	else
		cli_failed("tracefs is not mounted at /sys/kernel/tracing, mounting it: %s",
			   strerror(errno));
	return -1;
}

/* The length, or -errno. */
static ssize_t read_file(int dir, const char *tracepoint, const char *name, char *text, size_t size)
{
	char path[MAX_PATH];
	ssize_t n, len = 0;
	int fd;

	snprintf(path, sizeof(path), "events/kvm/%s/%s", tracepoint, name);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + len, size - 1 - (size_t)len)) > 0)
		len += n;
	n = n < 0 ? -errno : len;
	close(fd);
	text[len] = '\0';
	return n;
}

static int cannot_read(const char *tracepoint, ssize_t err)
{
	if (err == -EACCES || err == -EPERM)
		return not_allowed("reading tracefs");
	if (err == -ENOENT)
		return cli_failed("this kernel has no tracepoint kvm:%s", tracepoint);
	return cli_failed("tracefs, of kvm:%s: %s", tracepoint, strerror((int)-err));
}

static int read_tracepoint(int dir, const struct watch_tracepoint *tracepoint,
			   struct watch_kernel *kernel)
{
	static char text[MAX_FORMAT];
	struct watch_layout *layout = &kernel->tracepoints[kernel->nr].layout;
	const char *missing;
	ssize_t len;

	len = read_file(dir, tracepoint->name, "id", text, sizeof(text));
	if (len < 0)
		return cannot_read(tracepoint->name, len);
	kernel->tracepoints[kernel->nr].config = strtoull(text, NULL, 10);
	len = read_file(dir, tracepoint->name, "format", text, sizeof(text));
	if (len < 0)
		return cannot_read(tracepoint->name, len);
	missing = watch_layout_parse(layout, tracepoint, text, (size_t)len);
	if (missing)
		return cli_failed("this kernel's tracepoint kvm:%s has no field %s as we know it",
				  tracepoint->name, missing);
	kernel->nr++;
	return CLI_OK;
}

static enum watch_where find_where(void)
{
	bool hardware = access("/sys/module/kvm_intel", F_OK) == 0 ||
			access("/sys/module/kvm_amd", F_OK) == 0;

	return hardware ? WATCH_HARDWARE : WATCH_SOFTWARE;
}

int watch_kernel_read(struct watch_kernel *kernel)
{
	int dir = open_tracefs(), status = CLI_OK;

	if (dir < 0)
		return CLI_FAILED;
	*kernel = (struct watch_kernel){ .where = find_where() };
	for (const struct watch_tracepoint *t = watch_tracepoints; t->name && status == CLI_OK; t++)
		if (t->where == WATCH_ANYWHERE || t->where == kernel->where)
			status = read_tracepoint(dir, t, kernel);
	close(dir);
	return status;
}
