/* SPDX-License-Identifier: MIT
 *
 * What bellwire watch sees on a vCPU's thread: the kernel's tracepoints, as events of a few kinds.
 * No system call in here.
 */
#ifndef BELLWIRE_WATCH_EVENT_H
#define BELLWIRE_WATCH_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum watch_kind {
	WATCH_BEGIN,     /* the guest has stopped at an instruction: kvm_exit */
	WATCH_ENTRY,     /* it goes on: kvm_entry */
	WATCH_RUN,       /* userspace is in KVM_RUN again: kvm_fpu */
	WATCH_MMIO,      /* kvm_mmio, enum watch_mmio_field */
	WATCH_PIO,       /* kvm_pio, enum watch_pio_field */
	WATCH_FAST_MMIO, /* kvm_fast_mmio, its one field is the address */
	WATCH_USERSPACE, /* kvm_userspace_exit, enum watch_userspace_field */
	WATCH_LOST,      /* no tracepoint: one field, so many events were not recorded here */
};

enum watch_mmio_field { MMIO_TYPE, MMIO_LEN, MMIO_GPA, MMIO_VALUE };
enum watch_mmio_type { MMIO_READ_UNSATISFIED, MMIO_READ, MMIO_WRITE };
enum watch_pio_field { PIO_RW, PIO_PORT, PIO_SIZE, PIO_VALUE };
enum watch_userspace_field { USERSPACE_REASON, USERSPACE_ERRNO };

#define WATCH_MAX_FIELDS 4

struct watch_event {
	enum watch_kind kind;
	uint64_t ns;                      /* CLOCK_MONOTONIC; 0 with WATCH_LOST */
	uint64_t field[WATCH_MAX_FIELDS]; /* zero-extended */
};

/*
 * Which hypervisors have it: those that run the guest in hardware trace kvm_exit and kvm_entry.
 * One in software (kvm_pvm) has neither; there every access is an instruction that KVM emulates,
 * and kvm_fpu tells that KVM_RUN has begun.
 */
enum watch_where { WATCH_ANYWHERE, WATCH_HARDWARE, WATCH_SOFTWARE };

struct watch_tracepoint {
	const char *name; /* in the system "kvm" */
	enum watch_kind kind;
	enum watch_where where;
	const char *filter;                   /* NULL: all of them */
	const char *fields[WATCH_MAX_FIELDS]; /* in the order of struct watch_event's */
};

/* Up to one without a name. At most WATCH_MAX_SOURCES at one place. */
extern const struct watch_tracepoint watch_tracepoints[];
#define WATCH_MAX_SOURCES 6

/* Where one kernel has the fields of a tracepoint: what its format file says. */
struct watch_field {
	uint16_t offset, size; /* size 1, 2, 4 or 8 */
};

struct watch_layout {
	const struct watch_tracepoint *tracepoint;
	struct watch_field fields[WATCH_MAX_FIELDS];
};

/* The layout from the text of a format file. NULL, or the field that is not there as wanted. */
const char *watch_layout_parse(struct watch_layout *layout,
			       const struct watch_tracepoint *tracepoint, const char *text,
			       size_t len);

/* One thread's tracepoints, by the id that perf_event_open(2) gave each. */
struct watch_decoder {
	unsigned int nr;
	struct {
		uint64_t id;
		const struct watch_layout *layout;
	} sources[WATCH_MAX_SOURCES];
};

/*
 * One record of perf's, PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TIME, and PERF_SAMPLE_RAW where the
 * tracepoint has fields. false: nothing of interest. One that cannot be read is a loss of one.
 */
bool watch_decode(const struct watch_decoder *decoder, const void *record, size_t size,
		  struct watch_event *event);

/* A ring as the kernel fills it: bytes from tail to head are records, at position modulo size. */
struct watch_ring_view {
	const uint8_t *data;
	uint64_t size; /* a power of two */
	uint64_t tail, head;
};

/* A record is at most this long. */
#define WATCH_RECORD_MAX 65536u

/*
 * Takes the next record: where it is, or in bounce if it is in two pieces, and its size. NULL: that
 * was all. What does not begin with the size of a record ends the view: *size is then not 0.
 */
const void *watch_ring_next(struct watch_ring_view *ring, void *bounce, size_t *size);

#endif
