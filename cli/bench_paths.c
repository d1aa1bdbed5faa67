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
#define BESIDE_PEER .beside_peer = true
#define QEMU(space_, test_) .space = space_, .test = test_, BESIDE_PEER

const struct path_type bench_paths[] = {
	{ "null-kernel-pio", NULL, NULL, &path_null_kernel, BYTE_PIO },
	{ "null-pio", NULL, NULL, &path_null, PIO },
	{ "null-mmio", NULL, NULL, &path_null, MMIO },
	{ "raw-userspace-pio", NULL, NULL, &path_raw_userspace, PIO },
	{ "raw-userspace-mmio", NULL, NULL, &path_raw_userspace, MMIO },
	{ "userspace-pio", "raw-userspace-pio", NULL, &path_userspace, PIO,
	  .peer = "qemu-none-pio" },
	{ "userspace-mmio", "raw-userspace-mmio", NULL, &path_userspace, MMIO,
	  .peer = "qemu-none-mmio" },
	{ "raw-ioeventfd-pio", NULL, "userspace-pio", &path_raw_ioeventfd, PIO },
	{ "raw-ioeventfd-mmio", NULL, "userspace-mmio", &path_raw_ioeventfd, MMIO },
	{ "ioeventfd-pio", "raw-ioeventfd-pio", "userspace-pio", &path_ioeventfd, PIO },
	{ "ioeventfd-mmio", "raw-ioeventfd-mmio", "userspace-mmio", &path_ioeventfd, MMIO },
	{ "ioeventfd-mmio-any", "raw-ioeventfd-mmio", "userspace-mmio", &path_ioeventfd, MMIO_ANY },
	{ "ioeventfd-hc", NULL, "userspace-pio", &path_hypercall, HYPERCALL },
	{ "elided-pio", "raw-ioeventfd-pio", "userspace-pio", &path_elided, PIO,
	  .peer = "qemu-any-pio" },
	{ "elided-mmio", "raw-ioeventfd-mmio", "userspace-mmio", &path_elided, MMIO,
	  .peer = "qemu-any-mmio" },
	{ "remote-pio", NULL, NULL, &path_remote, PIO, .waits = true },
	{ "remote-mmio", NULL, NULL, &path_remote, MMIO, .waits = true },
	{ "remote-fd-pio", "raw-ioeventfd-pio", "remote-pio", &path_remote_fd, PIO },
	{ "remote-fd-mmio", "raw-ioeventfd-mmio", "remote-mmio", &path_remote_fd, MMIO },
	{ "coalesced-pio", NULL, "userspace-pio", &path_coalesced, PIO },
	{ "coalesced-mmio", NULL, "userspace-mmio", &path_coalesced, MMIO },
	{ "exitless-mmio", NULL, "userspace-mmio", &path_exitless, MMIO },
	{ "counted-pio", NULL, NULL, &path_counted, BYTE_PIO, BESIDE_PEER,
	  .peer = "qemu-none-pio" },
	{ "counted-mmio", NULL, NULL, &path_counted, MMIO, BESIDE_PEER, .peer = "qemu-none-mmio" },
	{ "unheard-pio", NULL, "userspace-pio", &path_unheard, BYTE_PIO, .match_len = 1,
	  BESIDE_PEER, .peer = "qemu-any-pio" },
	{ "unheard-mmio", NULL, "userspace-mmio", &path_unheard, MMIO_ANY, BESIDE_PEER,
	  .peer = "qemu-any-mmio" },
	{ "qemu-none-pio", NULL, NULL, &path_peer, QEMU(BW_PIO, TESTDEV_NO_EVENTFD) },
	{ "qemu-none-mmio", NULL, NULL, &path_peer, QEMU(BW_MMIO, TESTDEV_NO_EVENTFD) },
	{ "qemu-any-pio", NULL, "qemu-none-pio", &path_peer, QEMU(BW_PIO, TESTDEV_WILDCARD) },
	{ "qemu-any-mmio", NULL, "qemu-none-mmio", &path_peer, QEMU(BW_MMIO, TESTDEV_WILDCARD) },
	{ "qemu-value-pio", NULL, "qemu-none-pio", &path_peer, QEMU(BW_PIO, TESTDEV_DATAMATCH) },
	{ "qemu-value-mmio", NULL, "qemu-none-mmio", &path_peer, QEMU(BW_MMIO, TESTDEV_DATAMATCH) },
};

const unsigned int bench_nr_paths = sizeof(bench_paths) / sizeof(bench_paths[0]);

_Static_assert(sizeof(bench_paths) / sizeof(bench_paths[0]) <= BENCH_MAX_PATHS, "a bool each");

const struct path_type *bench_path_find(const char *name)
{
	for (unsigned int i = 0; i < bench_nr_paths; i++)
		if (strcmp(bench_paths[i].name, name) == 0)
			return &bench_paths[i];
	return NULL;
}
