/* SPDX-License-Identifier: MIT
 *
 * bellwire bench regions: a device with many doorbells is mapped, moved and unmapped, by the
 * library in one transaction and with KVM_IOEVENTFD by hand.
 *
 * bench_regions.c    the command             regions_device.c   the device, once for each way
 * regions_run.c      rounds                  regions_kvm.c      a VM by hand
 * regions_report.c   table and document
 */
#ifndef BELLWIRE_REGIONS_H
#define BELLWIRE_REGIONS_H

#include "cli/host.h"
#include "cli/stats.h"

#include <bellwire.h>

struct regions_opts {
	uint64_t doorbells;
	uint64_t rounds;
	bool json;
};

enum region_operation { REGION_MAP, REGION_MOVE, REGION_UNMAP, NR_REGION_OPERATIONS };

/* Who does it. The same device each time, and the same eventfds. */
enum region_way {
	WAY_BY_HAND,
	WAY_BY_HAND_AGAIN, /* another VM, the same ioctls: how much of a difference is noise */
	WAY_BELLWIRE,
	WAY_ALONE, /* the library on a bus without offload: its own part */
	NR_WAYS,
};

struct regions_row {
	enum region_operation operation;
	unsigned int vcpus; /* that the VM has */
	struct stats ns[NR_WAYS];
	struct stats ratio, aa; /* to by hand, round by round: the library, and by hand again */
	uint64_t rounds;        /* finished; 0: the rest is void */
	double *samples[NR_WAYS];
};

/* Without a vCPU, and with one. */
#define NR_REGIONS_ROWS (2u * NR_REGION_OPERATIONS)

struct regions_report {
	struct host host;
	const struct regions_opts *opts;
	char why[256]; /* not "": nothing can be measured */
	struct regions_row rows[NR_REGIONS_ROWS];
	bool interrupted;
};

/* -EINTR: interrupted; else has said why. */
int regions_measure(struct regions_report *report);
void regions_free(struct regions_report *report);

/* Standard output; an enum cli_exit. */
int regions_show(const struct regions_report *report);

/* ---- the device, once for each way ---- */

struct bare_vm {
	int fd, vcpu; /* -1: none */
};

struct regions_device {
	struct bare_vm vm;
	struct bw_bus *bus; /* NULL: by hand */
	struct bw_region *region;
};

struct regions_rig {
	const struct regions_opts *opts;
	struct bw_notifier **notifiers;
	int *eventfds; /* theirs, for those who go by hand */
	struct regions_device devices[NR_WAYS];
};

/* -errno: has said why. regions_rig_close() in any case. */
int regions_rig_open(struct regions_rig *rig, const struct regions_opts *opts);
int regions_rig_add_vcpus(struct regions_rig *rig);
void regions_rig_close(struct regions_rig *rig);

/* -errno: has said why. */
int regions_do(struct regions_rig *rig, enum region_way way, enum region_operation operation);

/* ---- a VM by hand, without memory ---- */

/* -errno: has said why. bare_vm_close() in any case. */
int bare_vm_open(struct bare_vm *vm);
int bare_vm_add_vcpu(struct bare_vm *vm);
void bare_vm_close(struct bare_vm *vm);

/* KVM_IOEVENTFD, for any value. -errno. */
int bare_vm_ioeventfd(const struct bare_vm *vm, uint64_t addr, uint32_t len, int eventfd,
		      bool deassign);

#endif
