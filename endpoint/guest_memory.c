/* SPDX-License-Identifier: MIT
 *
 * Mappings of the guest's memory, few: looked through one by one.
 */
#include "endpoint/guest_memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What goes beyond the end of the file would be a SIGBUS. */
static int check(const struct guest_memory *memory, const struct vfio_user_dma_map *map, int fd)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), end, file_end;
	struct stat st;

	if (fd < 0)
		return -EOPNOTSUPP;
	if (map->size == 0 || (map->size | map->offset | map->address) % page ||
	    __builtin_add_overflow(map->address, map->size, &end) ||
	    __builtin_add_overflow(map->offset, map->size, &file_end))
		return -EINVAL;
	if (fstat(fd, &st) || file_end > (uint64_t)st.st_size)
		return -EINVAL;
	for (unsigned int i = 0; i < memory->nr; i++)
		if (map->address < memory->maps[i].address + memory->maps[i].size &&
		    memory->maps[i].address < end)
			return -EEXIST;
	return memory->nr < GUEST_MEMORY_MAPS ? 0 : -ENOSPC;
}

static int protection(uint32_t flags)
{
	return (flags & VFIO_USER_DMA_READABLE ? PROT_READ : 0) |
	       (flags & VFIO_USER_DMA_WRITEABLE ? PROT_WRITE : 0);
}

int guest_memory_map(struct guest_memory *memory, const struct vfio_user_dma_map *map, int fd)
{
	int err = check(memory, map, fd);
	void *host;

	if (err)
		return err;
	host = mmap(NULL, map->size, protection(map->flags), MAP_SHARED, fd, (off_t)map->offset);
	if (host == MAP_FAILED)
		return -errno;
	memory->maps[memory->nr].address = map->address;
	memory->maps[memory->nr].size = map->size;
	memory->maps[memory->nr].writeable = map->flags & VFIO_USER_DMA_WRITEABLE;
	memory->maps[memory->nr++].host = host;
	return 0;
}

int guest_memory_unmap(struct guest_memory *memory, uint64_t address, uint64_t size)
{
	for (unsigned int i = 0; i < memory->nr; i++) {
		if (memory->maps[i].address != address || memory->maps[i].size != size)
			continue;
		munmap(memory->maps[i].host, size);
		memory->maps[i] = memory->maps[--memory->nr];
		return 0;
	}
	return -ENOENT;
}

void guest_memory_clear(struct guest_memory *memory)
{
	while (memory->nr) {
		memory->nr--;
		munmap(memory->maps[memory->nr].host, memory->maps[memory->nr].size);
	}
}

void guest_memory_store(const struct guest_memory *memory, uint64_t address, uint64_t value)
{
	if (address % sizeof(value))
		return;
	for (unsigned int i = 0; i < memory->nr; i++) {
		uint64_t offset = address - memory->maps[i].address;
		char *host = memory->maps[i].host;

		if (address >= memory->maps[i].address && offset < memory->maps[i].size &&
		    memory->maps[i].writeable)
			__atomic_store_n((uint64_t *)(void *)(host + offset), value,
					 __ATOMIC_RELEASE);
	}
}
