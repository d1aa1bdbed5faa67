/* SPDX-License-Identifier: MIT
 *
 * The guest's memory as a device in another process has it: what the client has mapped there.
 */
#ifndef BELLWIRE_ENDPOINT_GUEST_MEMORY_H
#define BELLWIRE_ENDPOINT_GUEST_MEMORY_H

#include "endpoint/vfio_user_wire.h"

#define GUEST_MEMORY_MAPS 16u

/* Zeroed: nothing is mapped. */
struct guest_memory {
	unsigned int nr;
	struct {
		uint64_t address, size;
		void *host;
		bool writeable;
	} maps[GUEST_MEMORY_MAPS];
};

/* fd is borrowed. -EEXIST: it overlaps with what is mapped. -EINVAL: it wraps, is not whole pages,
 * or goes beyond what fd holds. -EOPNOTSUPP: fd is -1, and we do not ask for bytes. -ENOSPC. */
int guest_memory_map(struct guest_memory *memory, const struct vfio_user_dma_map *map, int fd);

/* Exactly what was mapped, else -ENOENT. */
int guest_memory_unmap(struct guest_memory *memory, uint64_t address, uint64_t size);
void guest_memory_clear(struct guest_memory *memory);

/* Sets a word of 8 bytes, if address is aligned and mapped to be written. Whoever sees it sees what
 * came before.
 */
void guest_memory_store(const struct guest_memory *memory, uint64_t address, uint64_t value);

#endif
