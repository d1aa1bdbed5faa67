/* SPDX-License-Identifier: MIT
 *
 * A round of accesses, one for every way that an access can take, and what bellwire watch has to
 * make of it: of a guest that runs, and of the recordings of one in tests/watch.
 */
#ifndef TESTS_WATCH_ROUND_H
#define TESTS_WATCH_ROUND_H

#include <bellwire.h>

/* Where nothing else is. */
#define ROUND_PORT 0x510u
#define ROUND_BAR 0xd0000000u
#define RUNG_PORT 0x520u
#define MIXED_PORT 0x530u
#define KERNEL_PORT 0x4d0u /* KVM's own interrupt controller has it */

struct expected {
	enum bw_space space;
	uint64_t addr;
	uint64_t slow_writes, slow_reads, light_writes, light_reads; /* in one round */
	bool gains;
	unsigned int width, nr_values;
};

static const struct expected expected[] = {
	{ BW_PIO, ROUND_PORT, .slow_writes = 2, .gains = true, .width = 2, .nr_values = 2 },
	{ BW_PIO, ROUND_PORT + 4, .slow_reads = 1, .width = 1 },
	{ BW_PIO, ROUND_PORT + 6, .slow_reads = 1, .width = 2 },
	{ BW_MMIO, ROUND_BAR, .slow_writes = 1, .gains = true, .width = 4, .nr_values = 1 },
	{ BW_MMIO, ROUND_BAR + 0x1000, .slow_reads = 1, .width = 8 },
	{ BW_MMIO, ROUND_BAR + 0x2000, .light_writes = 1, .width = 4 },
	{ BW_MMIO, ROUND_BAR + 0x3000, .slow_writes = 1, .gains = true, .width = 16,
	  .nr_values = 1 },
	{ BW_PIO, RUNG_PORT, .light_writes = 1, .width = 1 },
	{ BW_PIO, MIXED_PORT, 1, 0, 1, 0, .gains = true, .width = 2, .nr_values = 1 },
	{ BW_PIO, KERNEL_PORT, .light_writes = 1, .light_reads = 2, .width = 1 },
};

#endif
