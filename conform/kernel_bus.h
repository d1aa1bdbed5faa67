/* SPDX-License-Identifier: MIT
 *
 * What Linux makes of the ranges on one of its I/O buses: the sorted array of virt/kvm/kvm_main.c,
 * where it is searched wrongly. It says when a registered ioeventfd is hidden, so that the suite
 * knows the kernel's defect by its condition and not by an address.
 */
#ifndef BELLWIRE_CONFORM_KERNEL_BUS_H
#define BELLWIRE_CONFORM_KERNEL_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who takes a write. */
enum kernel_taker {
	TAKEN_BY_NOBODY, /* it exits */
	TAKEN_BY_IOEVENTFD,
	TAKEN_BY_ZONE,   /* coalesced MMIO or PIO */
	TAKEN_BY_KERNEL, /* a device of the kernel's own, such as its interrupt controller */
};

struct kernel_range {
	uint64_t addr;
	uint32_t len; /* 0: an ioeventfd for any length */
	enum kernel_taker taker;
	bool has_value;
	uint64_t value;
};

struct kernel_bus {
	struct kernel_range *ranges;
	size_t count, capacity;
};

/* false: no memory. */
bool kernel_bus_register(struct kernel_bus *bus, const struct kernel_range *range);
void kernel_bus_unregister(struct kernel_bus *bus, const struct kernel_range *range);

enum kernel_taker kernel_bus_write(const struct kernel_bus *bus, uint64_t addr, uint32_t len,
				   uint64_t value);

void kernel_bus_free(struct kernel_bus *bus);

#endif
