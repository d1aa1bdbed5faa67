/* SPDX-License-Identifier: MIT
 *
 * A count that a SIGKILL cannot part from the eventfd. The two are apart in any program that reads
 * the eventfd and then adds: killed in between, it has taken rings that nobody has counted, and
 * what is left in the eventfd cannot tell, because rings go on coming.
 *
 * Here read(2) writes into the record itself. A signal, SIGKILL too, ends a thread only on its way
 * back to user mode, and an eventfd's read does not wait between the taking and the copy. So either
 * both have happened or neither: there is no moment of doubt. The copy could still fail if its page
 * were gone, hence mlock(2).
 *
 * The count is before + taken. Before the next read, which writes over taken, the sum goes to the
 * other half, and one store of the generation makes that the half in use: killed on either side of
 * the store, the count is the same.
 *
 * Two processes that count into one record would spoil it. A lock of fcntl(2) keeps the second out,
 * and the kernel gives it up only when the first has run its last instruction.
 */
#define _GNU_SOURCE
#include "endpoint/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* taken lies in one page, the kernel's copy of it is never in two parts. */
_Static_assert(offsetof(struct endpoint_record, half) % 8 == 0, "aligned");

static int map(struct endpoint_record **record, int memfd)
{
	void *p = mmap(NULL, sizeof(**record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       memfd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*record = p;
	return 0;
}

int record_new(struct endpoint_record **record, int *memfd)
{
	int err, fd = memfd_create("bellwire-record", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	err = ftruncate(fd, sizeof(**record)) ? -errno : map(record, fd);
	if (err) {
		close(fd);
		return err;
	}
	*memfd = fd;
	return 0;
}

static int lock_for_this_process(int memfd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(memfd, F_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* Where the one before was killed: after a read, perhaps before it was published. */
static uint64_t count(const struct endpoint_record *record)
{
	uint64_t generation = atomic_load_explicit(&record->generation, memory_order_relaxed);

	return record->half[generation & 1].before + record->half[generation & 1].taken;
}

/* Release: pairs with record_rings(), whoever sees the count sees what the rings came after. */
static void publish(struct endpoint_record *record)
{
	atomic_store_explicit(&record->rings, count(record), memory_order_release);
}

int record_open(struct endpoint_record **record, int memfd)
{
	struct stat st;
	int err;

	if (fstat(memfd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(**record))
		return -EINVAL;
	err = lock_for_this_process(memfd);
	if (!err)
		err = map(record, memfd);
	if (err)
		return err;
	if (mlock(*record, sizeof(**record))) {
		err = -errno;
		record_unmap(*record);
		return err;
	}
	publish(*record);
	return 0;
}

void record_unmap(struct endpoint_record *record)
{
	munmap(record, sizeof(*record));
}

/* What was taken goes to the other half. Release: for the compiler, a kill sees the stores in the
 * order of the program. */
static uint64_t make_room(struct endpoint_record *record, uint64_t generation)
{
	uint64_t now = generation & 1, next = now ^ 1;

	record->half[next].before = record->half[now].before + record->half[now].taken;
	record->half[next].taken = 0;
	atomic_store_explicit(&record->generation, generation + 1, memory_order_release);
	return next;
}

int record_take(struct endpoint_record *record, int eventfd)
{
	uint64_t generation = atomic_load_explicit(&record->generation, memory_order_relaxed);
	uint64_t half = generation & 1;

	if (record->half[half].taken)
		half = make_room(record, generation);
	if (read(eventfd, &record->half[half].taken, sizeof(record->half[half].taken)) < 0)
		return -errno;
	publish(record);
	return 0;
}

/* Acquire: pairs with publish(). */
uint64_t record_rings(const struct endpoint_record *record)
{
	return atomic_load_explicit(&record->rings, memory_order_acquire);
}
