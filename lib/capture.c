/* SPDX-License-Identifier: MIT
 *
 * Captures: their memory, made here or received from another process. Nothing that is read from it
 * decides where the library reads or writes: what is needed for that is copied, checked, when the
 * capture is made or opened.
 */
#define _GNU_SOURCE
#include "capture.h"
#include "error.h"
#include "match.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

static size_t size_of(uint32_t entries)
{
	return sizeof(struct capture_shared) + entries * sizeof(struct capture_cell);
}

static bool is_ring(uint32_t entries)
{
	return entries >= 2 && entries <= MAX_ENTRIES && !(entries & (entries - 1));
}

static struct bw_capture *make(enum bw_capture_mode mode, uint32_t entries, const char *name)
{
	struct bw_capture *c = aligned_alloc(_Alignof(struct bw_capture), sizeof(*c));

	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->mode = mode;
	c->mask = entries - 1;
	c->room = entries;
	c->size = size_of(entries);
	c->fd = -1;
	c->references = 1;
	snprintf(c->name, sizeof(c->name), "%s", name ? name : "(unnamed)");
	return c;
}

static int map(struct bw_capture *c, int fd, int prot)
{
	void *memory = mmap(NULL, c->size, prot, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return fail(-errno, "cannot map %zu bytes of capture %s: %s", c->size, c->name,
			    strerror(errno));
	c->shared = memory;
	return 0;
}

/* Nobody can make it shorter, which would kill us when we touch it. The last value is not even to
 * be written by others, where the kernel can see to that. */
static int seal(const struct bw_capture *c)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	if (c->mode == BW_CAPTURE_LAST && !fcntl(c->fd, F_ADD_SEALS, seals | F_SEAL_FUTURE_WRITE))
		return 0;
	return fcntl(c->fd, F_ADD_SEALS, seals) ? -errno : 0;
}

/* All of its pages at once: one that is missing later would be a signal, not an error. */
static int new_memory(struct bw_capture *c)
{
	int err;

	c->fd = memfd_create(c->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (c->fd < 0)
		return fail(-errno, "cannot make the memory of capture %s: %s", c->name,
			    strerror(errno));
	err = -posix_fallocate(c->fd, 0, (off_t)c->size);
	if (!err)
		err = map(c, c->fd, PROT_READ | PROT_WRITE);
	if (!err)
		err = seal(c);
	return err ? fail(err, "cannot have %zu bytes for capture %s: %s", c->size, c->name,
			  strerror(-err))
		   : 0;
}

int bw_capture_new(struct bw_capture **out, const struct bw_capture_opts *opts)
{
	struct bw_capture_opts known;
	struct bw_capture *c;
	int err = copy_options(&known, sizeof(known), opts, "bw_capture_new");

	*out = NULL;
	if (err)
		return err;
	if (known.mode != BW_CAPTURE_LAST && known.mode != BW_CAPTURE_QUEUE)
		return fail(-EINVAL, "there is no mode %u of captures", known.mode);
	if (known.mode == BW_CAPTURE_LAST ? known.entries != 0 : !is_ring(known.entries))
		return fail(-EINVAL, "%u entries: a queue has a power of two, 2 to %u; last has 0",
			    known.entries, MAX_ENTRIES);
	if (known.mode == BW_CAPTURE_LAST)
		known.entries = LAST_CELLS;
	c = make(known.mode, known.entries, known.name);
	if (!c)
		return fail(-ENOMEM, "no memory for a capture");
	err = new_memory(c);
	if (err) {
		capture_put(c);
		return err;
	}
	c->shared->magic = CAPTURE_MAGIC;
	c->shared->mode = known.mode;
	c->shared->entries = known.entries;
	*out = c;
	return 0;
}

/* What the memory says of itself, and whether it is as long as that says, for good. */
static int check_memory(int fd, int seals, struct capture_shared *header)
{
	struct stat st;

	if (!(seals & F_SEAL_SHRINK))
		return fail(-EINVAL, "fd %d is no capture: it could be made shorter", fd);
	if (fstat(fd, &st) || pread(fd, header, sizeof(*header), 0) != sizeof(*header) ||
	    header->magic != CAPTURE_MAGIC || header->mode > BW_CAPTURE_QUEUE ||
	    !is_ring(header->entries) || (size_t)st.st_size < size_of(header->entries))
		return fail(-EINVAL, "fd %d is no capture", fd);
	if (header->mode == BW_CAPTURE_LAST && header->entries != LAST_CELLS)
		return fail(-EINVAL, "fd %d is a capture of the last value with %u cells, not %u",
			    fd, header->entries, LAST_CELLS);
	return 0;
}

int bw_capture_open(struct bw_capture **out, int fd)
{
	struct capture_shared header;
	struct bw_capture *c;
	int seals = fcntl(fd, F_GET_SEALS), prot = PROT_READ, err;

	*out = NULL;
	if (seals < 0)
		return errno == EBADF ? fail(-EBADF, "fd %d is not open", fd)
				      : fail(-EINVAL, "fd %d is no capture: not a memfd", fd);
	err = check_memory(fd, seals, &header);
	if (err)
		return err;
	c = make(header.mode, header.entries, NULL);
	if (!c)
		return fail(-ENOMEM, "no memory for a capture");
	if (c->mode == BW_CAPTURE_QUEUE)
		prot |= PROT_WRITE;
	err = map(c, fd, prot);
	if (err) {
		capture_put(c);
		return err;
	}
	*out = c;
	return 0;
}

struct bw_capture *capture_get(struct bw_capture *c)
{
	__atomic_add_fetch(&c->references, 1, __ATOMIC_RELAXED);
	return c;
}

void capture_put(struct bw_capture *c)
{
	/* each releases what it did, and the last one acquires it */
	if (__atomic_sub_fetch(&c->references, 1, __ATOMIC_ACQ_REL))
		return;
	if (c->shared)
		munmap(c->shared, c->size);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

void bw_capture_free(struct bw_capture *c)
{
	if (c)
		capture_put(c);
}

int bw_capture_fd(struct bw_capture *c)
{
	return c->fd < 0 ? fail(-EINVAL, "this capture was opened from an fd") : c->fd;
}

uint64_t bw_capture_dropped(struct bw_capture *c)
{
	return __atomic_load_n(&c->shared->dropped, __ATOMIC_RELAXED);
}

const char *capture_mode_name(const struct bw_capture *c)
{
	return c->mode == BW_CAPTURE_QUEUE ? "queue" : "last";
}

bool capture_store(struct bw_capture *c, uint32_t tag, const struct bw_access *access)
{
	struct bw_captured v = {
		.value = written_value(access),
		.len = access->len,
		.tag = tag,
	};

	if (c->mode == BW_CAPTURE_QUEUE)
		return queue_store(c, &v);
	last_store(c, &v);
	return true;
}

void capture_drop(struct bw_capture *c)
{
	__atomic_add_fetch(&c->dropped, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&c->shared->dropped, 1, __ATOMIC_RELAXED);
}
