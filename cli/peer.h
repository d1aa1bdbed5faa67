/* SPDX-License-Identifier: MIT
 *
 * QEMU beside us (bench --peer qemu): the guest of our own VMM in a real qemu-system-x86_64, where
 * it rings pci-testdev.
 *
 * peer.c          from its start, up to the first command, to its end
 * peer_process.c  the process: started, let run, stopped
 * peer_vcpu.c     the thread of its vCPU
 * peer_guest.c    commands to the guest in it, through its memory, and the guest's clock
 * peer_testdev.c  pci-testdev, which the guest sets up as we tell it
 * peer_path.c     a path of bellwire bench, from all that
 */
#ifndef BELLWIRE_PEER_H
#define BELLWIRE_PEER_H

#include <guest/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PEER_PROGRAM "qemu-system-x86_64"
#define PEER_RAM_SIZE (16u << 20)
#define PEER_WHY 256

struct peer_opts {
	const char *accel; /* "kvm" or "tcg" */
	unsigned int cpl;
	int vcpu_cpu, other_cpu; /* the vCPU's thread, and all others */
};

struct peer {
	struct peer_opts opts;
	pid_t pid;  /* -1: there is none */
	int status; /* as waitpid() gives it */
	pid_t vcpu; /* the thread of its vCPU */
	int log;    /* what it writes on standard error */
	uint8_t *ram;
	double ns_per_tick; /* of the guest's TSC, in CLOCK_MONOTONIC_RAW */
	uint64_t bars[2];   /* of pci-testdev: MMIO, ports */
	char why[PEER_WHY]; /* the last failure, one sentence without a full stop */
};

#define PEER_NONE ((struct peer){ .pid = -1, .log = -1 })

/* Boots QEMU and stops it in front of the first command. -EINTR: interrupted; any -errno: peer->why
 * says the reason. peer_close() in any case. */
int peer_open(struct peer *peer, const struct peer_opts *opts);
void peer_close(struct peer *peer);

/* The version in QEMU's words, "" if there is none. */
void peer_version(char *text, size_t size);

/* It runs only while its guest has a command: one that is stopped takes no CPU from the others.
 * Returns when it is stopped. */
void peer_go(struct peer *peer);
void peer_stop(struct peer *peer);

/* Sets peer->why and returns -err. */
int peer_error(struct peer *peer, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int peer_start_process(struct peer *peer);
bool peer_has_ended(struct peer *peer); /* then peer->why says so */

/* ---- the vCPU's thread ---- */

int peer_pin_vcpu(struct peer *peer);
uint64_t peer_vcpu_cpu_ns(const struct peer *peer); /* its CPU time, exact while it is stopped */

/* ---- the guest: -EINTR, -EIO (QEMU has ended), -ETIMEDOUT ---- */

void peer_prepare_guest(const struct peer *peer); /* before the start */
/* Waits for so many commands from the start, the first one is the boot's. */
int peer_wait(struct peer *peer, uint64_t commands, uint64_t timeout_ns);
int peer_relate_clocks(struct peer *peer);

/* Each lets QEMU run and stops it again. */

/* Plays the list in the guest, which has room for 1 MiB of it; results come back in it. */
int peer_play(struct peer *peer, struct guest_access *accesses, uint32_t nr);

/* Rings so many times; ns is the guest's stall in all. */
int peer_ring(struct peer *peer, const struct guest_access *ring, uint64_t rings, double *ns);

/* ---- pci-testdev ---- */

enum testdev_test { TESTDEV_NO_EVENTFD, TESTDEV_WILDCARD, TESTDEV_DATAMATCH };

/* One test by MMIO or by ports: the access that rings. */
struct testdev {
	enum testdev_test test;
	bool pio;
	struct guest_access ring;
};

int testdev_find(struct peer *peer); /* sets peer->bars */
/* Begins the test anew and fills in ring: pio and test are given. */
int testdev_select(struct peer *peer, struct testdev *dev);
/* The rings since then that QEMU's device model saw. */
int testdev_count(struct peer *peer, const struct testdev *dev, uint32_t *count);

#endif
