/* SPDX-License-Identifier: MIT
 *
 * A file that is there whole or not at all: written under another name in the same directory, then
 * renamed.
 */
#define _GNU_SOURCE
#include "cli/cli.h"
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is renamed over something would take the place of a device or a directory. */
static int check_name(const char *name)
{
	struct stat st;

	if (stat(name, &st) < 0)
		return errno == ENOENT ? CLI_OK : cli_failed("%s: %s", name, strerror(errno));
	return S_ISREG(st.st_mode) ? CLI_OK : cli_failed("%s: is no regular file", name);
}

/* As open(2) makes it, with the permissions that others' files get here. */
static int open_temporary(struct report_file *file)
{
	int fd;

	if (asprintf(&file->temporary, "%s.%ld.tmp", file->name, (long)getpid()) < 0) {
		file->temporary = NULL;
		return -ENOMEM;
	}
	fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		int err = -errno;

		free(file->temporary);
		file->temporary = NULL;
		return err;
	}
	file->out = fdopen(fd, "w");
	if (file->out)
		return 0;
	close(fd);
	return -ENOMEM;
}

int report_file_open(struct report_file *file, const char *name)
{
	int err;

	*file = (struct report_file){ .name = name };
	if (check_name(name) != CLI_OK)
		return CLI_FAILED;
	err = open_temporary(file);
	if (err)
		return cli_failed("%s: cannot be made: %s", name, strerror(-err));
	return CLI_OK;
}

int report_file_commit(struct report_file *file)
{
	bool written = fflush(file->out) == 0 && !ferror(file->out);

	if (!written || rename(file->temporary, file->name) < 0)
		return cli_failed("%s: %s", file->name, strerror(errno));
	free(file->temporary);
	file->temporary = NULL;
	return CLI_OK;
}

void report_file_close(struct report_file *file)
{
	if (file->out)
		fclose(file->out);
	if (file->temporary)
		unlink(file->temporary);
	free(file->temporary);
}
