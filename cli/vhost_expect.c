/* SPDX-License-Identifier: MIT
 *
 * What the device must hold. Without an image to compare with, that is what
 *
 *     seq -f %015.0f 0 1048575
 *
 * prints: lines of 16 bytes that number themselves, so that no two blocks are alike.
 */
#include "cli/vhost.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LINE 16u

static void write_line(uint8_t *line, uint64_t number)
{
	for (unsigned int i = LINE - 1; i-- > 0; number /= 10)
		line[i] = (uint8_t)('0' + number % 10);
	line[LINE - 1] = '\n';
}

int vhost_expect_open(struct vhost_expect *expect, const char *path)
{
	int err;

	*expect = (struct vhost_expect){ .path = path, .fd = -1 };
	if (!path)
		return 0;
	expect->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (expect->fd >= 0)
		return 0;
	err = -errno;
	cli_failed("%s: %s", path, strerror(-err));
	return err;
}

static int read_image(const struct vhost_expect *expect, uint8_t *bytes, size_t len,
		      uint64_t offset)
{
	ssize_t n = 0;

	while (len > 0) {
		n = pread(expect->fd, bytes, len, (off_t)offset);
		if (n <= 0)
			break;
		bytes += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	if (len == 0)
		return 0;
	cli_failed("%s: %s", expect->path,
		   n < 0 ? strerror(errno) : "it is shorter than the device");
	return n < 0 ? -errno : -ENODATA;
}

int vhost_expect_read(const struct vhost_expect *expect, uint8_t *bytes, size_t len,
		      uint64_t offset)
{
	if (expect->path)
		return read_image(expect, bytes, len, offset);
	for (size_t i = 0; i < len; i += LINE)
		write_line(bytes + i, (offset + i) / LINE);
	return 0;
}

void vhost_expect_close(struct vhost_expect *expect)
{
	if (expect->fd >= 0)
		close(expect->fd);
}
