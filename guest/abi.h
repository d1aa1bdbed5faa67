/* SPDX-License-Identifier: MIT
 *
 * All that the guest programs and the host share: where things lie, and the mailbox through which
 * the host gives a vCPU a command. Freestanding; fixed-width types only.
 *
 * A vCPU starts at GUEST_ENTRY in 64-bit mode with the address of its mailbox in RDI, RSP at the
 * top of its stack, and addresses mapped one to one below 4 GiB. It reads the command, performs it,
 * writes GUEST_DONE_PORT, and when it runs on and is not held, takes the next command.
 */
#ifndef BELLWIRE_GUEST_ABI_H
#define BELLWIRE_GUEST_ABI_H

#include <stdint.h>

/* RAM; below and above lies nothing: accesses there are MMIO. */
#define GUEST_RAM_BASE 0x200000u
#define GUEST_RAM_MIN 0x200000u

#define GUEST_PAGE_TABLES (GUEST_RAM_BASE + 0x0u)   /* 64 KiB, the back end's, but for this word: */
#define GUEST_INTERRUPTS (GUEST_RAM_BASE + 0xe000u) /* uint64_t: how many vCPU 0 has taken */
#define GUEST_IMAGE (GUEST_RAM_BASE + 0x10000u)     /* at most 64 KiB */
#define GUEST_INTERRUPT GUEST_IMAGE                 /* it begins with the interrupt handler */
#define GUEST_ENTRY (GUEST_IMAGE + 0x40u)

/* Filled by the back end and called like a function: input in RCX, RDX, R8, status in RAX. */
#define GUEST_HYPERCALL_PAGE (GUEST_RAM_BASE + 0x20000u)

/* Of a machine that boots the image (multiboot.S): 0 or 3, where the guest is to run. */
#define GUEST_BOOT_CPL (GUEST_RAM_BASE + 0x2f000u)

/* Of vCPU i: its struct guest_mailbox, and where its stack begins. */
#define GUEST_MAILBOX(i) (GUEST_RAM_BASE + 0x30000u + (i)*0x1000u)
#define GUEST_STACK_TOP(i) (GUEST_RAM_BASE + 0x50000u + (i)*0x1000u)

/* 1 MiB for the host's use: access lists, counters. */
#define GUEST_SCRATCH (GUEST_RAM_BASE + 0x100000u)

/* Virtual addresses from GUEST_TOP to 2^64-1 are the last 2 MiB of guest-physical memory, so that
 * the last byte there is can be reached. */
#define GUEST_TOP 0xffffffffffe00000u

#define GUEST_DONE_PORT 0xb311u /* one byte; the VMM takes it before the bus sees it */

/* Of the local APIC, where the handler says that it is done. */
#define GUEST_APIC_EOI 0xfee000b0u

enum guest_op {
	GUEST_RING,       /* the same access count times, in a tight loop */
	GUEST_PLAY,       /* each of a list of accesses, in order */
	GUEST_ROUND_TRIP, /* count times: one access, then wait until the host has answered it */
	GUEST_VIRTQUEUE,  /* count block requests through a split virtqueue */
	GUEST_PACE,       /* count times: wait for the next period, then ring burst times */
};

enum guest_kind {
	GUEST_OUT,  /* out: len 1, 2, 4 */
	GUEST_IN,   /* in: len 1, 2, 4 */
	GUEST_OUTS, /* rep outs: count elements of len bytes; value is the guest address of the data
		     */
	GUEST_STORE,     /* mov: len 1, 2, 4, 8; 16 (movdqu, both halves are value) */
	GUEST_LOAD,      /* mov: len 1, 2, 4, 8 */
	GUEST_HYPERCALL, /* HvCallSignalEvent (fast): addr is the connection id; result is the
			    status */
};

struct guest_access {
	uint32_t kind;
	uint32_t len;
	uint32_t count; /* GUEST_OUTS: elements */
	uint32_t done;  /* set to 1 by the guest after the access */
	uint64_t addr;  /* port, guest virtual address, or connection id */
	uint64_t value;
	uint64_t result; /* what a read gave, zero-extended */
};

/* The guest's TSC when it rang, and when it saw the answer. */
struct guest_trip {
	uint64_t rung;
	uint64_t answered;
};

/* One read of a block device. The first 17 bytes are the device's to see: the header, which the
 * guest fills in (struct virtio_blk_outhdr), and the status, which the device does. */
struct guest_request {
	uint8_t header[16];
	uint8_t status;
	uint8_t reserved[3];
	uint32_t len;      /* bytes to read, whole sectors */
	uint64_t sector;   /* of 512 bytes, where it begins */
	uint64_t data;     /* guest address that is read to */
	uint32_t used_len; /* what the device says it has written: len + 1 */
	uint32_t done;     /* set to 1 by the guest when the device is */
	struct guest_trip trip;
};

#define GUEST_MAX_IN_FLIGHT 64u

/* The driver's side of one virtqueue, from command to command. The host fills it in. */
struct guest_virtqueue {
	uint64_t desc, avail, used; /* guest addresses of the three parts */
	uint32_t size;              /* a power of 2; 3 descriptors for each request in flight */
	uint32_t in_flight;         /* requests at once, at most */
	uint16_t avail_idx, used_idx;
	uint32_t wrong; /* set to 1 by the guest, which then gives up, if the device returns ... */
	uint32_t wrong_id;                   /* ... this descriptor, which it does not have */
	uint32_t slots[GUEST_MAX_IN_FLIGHT]; /* 1 + index of the request in it, 0: free */
};

struct guest_mailbox {
	uint32_t op;
	uint32_t nr_accesses; /* GUEST_PLAY */
	uint64_t accesses;    /* GUEST_PLAY: guest address of struct guest_access[] */
	uint64_t count;       /* GUEST_RING, GUEST_ROUND_TRIP: how many; GUEST_PLAY: how often the
			       * list is played */
	uint64_t sequence;    /* GUEST_RING: guest address of a uint64_t that is set to 1, 2, 3, ...
			       * before    each ring (the ordering promise), or 0 */
	struct guest_access ring;    /* GUEST_RING, GUEST_ROUND_TRIP (the value is its number) */
	uint64_t tsc_start, tsc_end; /* around the command */
	uint64_t commands;           /* how many the guest has finished */
	/* GUEST_ROUND_TRIP, GUEST_PACE: guest address of struct guest_trip[], one a round trip or
	 * burst; GUEST_PACE: 0 for none */
	uint64_t trips;
	uint64_t period; /* GUEST_PACE: ticks from burst to burst, 0: at once. sequence is set to
			  * the tick at which the burst begins, the values count up from 1 */
	uint64_t burst;
	/* GUEST_PACE: after each burst reads a word of each of touch_pages pages, round and round
	 * in touch_len bytes from touch on. To fault_ticks are added the ticks of each that takes
	 * from fault_min to fault_max. */
	uint64_t touch, touch_len, touch_pages;
	uint64_t fault_min, fault_max, fault_ticks;
	uint64_t answer; /* GUEST_ROUND_TRIP: guest address of a uint64_t that the host sets to the
			  * number of the ring, from 1, that it answers */
	uint64_t virtqueue; /* GUEST_VIRTQUEUE: guest address of struct guest_virtqueue; each
			     * request is followed by the access ring */
	uint64_t requests;  /* GUEST_VIRTQUEUE: guest address of struct guest_request[] */
	uint64_t hold; /* where nothing stops the vCPU at GUEST_DONE_PORT: after so many commands
			* it waits until this is another number. 0: never */
};

#endif
