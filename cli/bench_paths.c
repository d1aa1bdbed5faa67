/* SPDX-License-Identifier: MIT
 *
 * The paths: how a ring can reach its endpoint. PIO rings are 2 bytes as a legacy virtio kick is,
 * MMIO rings 4.
 */
#include "cli/bench.h"
#include "cli/bench_setup.h"

#include <string.h>

#define PIO .instruction = GUEST_OUT, .space = BW_PIO, .len = 2, .match_len = 2
#define MMIO .instruction = GUEST_STORE, .space = BW_MMIO, .len = 4, .match_len = 4
#define MMIO_ANY .instruction = GUEST_STORE, .space = BW_MMIO, .len = 4, .match_len = BW_ANY_LEN
#define HYPERCALL .instruction = GUEST_HYPERCALL, .space = BW_HYPERCALL, .match_len = BW_ANY_LEN
#define BYTE_PIO .instruction = GUEST_OUT, .space = BW_PIO, .len = 1

const struct path_type bench_paths[] = {
	{ "null-kernel-pio", NULL, NULL, &path_null_kernel, BYTE_PIO },
	{ "null-pio", NULL, NULL, &path_null, PIO },
	{ "null-mmio", NULL, NULL, &path_null, MMIO },
	{ "raw-userspace-pio", NULL, NULL, &path_raw_userspace, PIO },
	{ "raw-userspace-mmio", NULL, NULL, &path_raw_userspace, MMIO },
	{ "userspace-pio", "raw-userspace-pio", NULL, &path_userspace, PIO },
	{ "userspace-mmio", "raw-userspace-mmio", NULL, &path_userspace, MMIO },
	{ "raw-ioeventfd-pio", NULL, "userspace-pio", &path_raw_ioeventfd, PIO },
	{ "raw-ioeventfd-mmio", NULL, "userspace-mmio", &path_raw_ioeventfd, MMIO },
	{ "ioeventfd-pio", "raw-ioeventfd-pio", "userspace-pio", &path_ioeventfd, PIO },
	{ "ioeventfd-mmio", "raw-ioeventfd-mmio", "userspace-mmio", &path_ioeventfd, MMIO },
	{ "ioeventfd-mmio-any", "raw-ioeventfd-mmio", "userspace-mmio", &path_ioeventfd, MMIO_ANY },
	{ "ioeventfd-hc", NULL, "userspace-pio", &path_hypercall, HYPERCALL },
	{ "elided-pio", "raw-ioeventfd-pio", "userspace-pio", &path_elided, PIO },
	{ "elided-mmio", "raw-ioeventfd-mmio", "userspace-mmio", &path_elided, MMIO },
	{ "remote-pio", NULL, NULL, &path_remote, PIO, .waits = true },
	{ "remote-mmio", NULL, NULL, &path_remote, MMIO, .waits = true },
	{ "remote-fd-pio", "raw-ioeventfd-pio", "remote-pio", &path_remote_fd, PIO },
	{ "remote-fd-mmio", "raw-ioeventfd-mmio", "remote-mmio", &path_remote_fd, MMIO },
};

const unsigned int bench_nr_paths = sizeof(bench_paths) / sizeof(bench_paths[0]);

_Static_assert(sizeof(bench_paths) / sizeof(bench_paths[0]) <= BENCH_MAX_PATHS, "one bit each");

const struct path_type *bench_path_find(const char *name)
{
	for (unsigned int i = 0; i < bench_nr_paths; i++)
		if (strcmp(bench_paths[i].name, name) == 0)
			return &bench_paths[i];
	return NULL;
}
