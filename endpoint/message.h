/* SPDX-License-Identifier: MIT
 *
 * What is said on an endpoint's socket, in the byte order of the one host: the client sends one
 * struct endpoint_attach with its fds, the endpoint answers it once, and counts until the
 * connection ends. Nothing more is ever sent.
 */
#ifndef BELLWIRE_ENDPOINT_MESSAGE_H
#define BELLWIRE_ENDPOINT_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#define ENDPOINT_MAGIC 0x50455742u /* "BWEP" */
#define ENDPOINT_VERSION 1u

#define ENDPOINT_SPIN 1u   /* looks again and again instead of sleeping */
#define ENDPOINT_CALL 2u   /* rings the call eventfd whenever it has counted */
#define ENDPOINT_MEMORY 4u /* answers by a word in the guest's memory */
#define ENDPOINT_FLAGS 7u

#define ENDPOINT_ANY_CPU UINT32_MAX
#define ENDPOINT_MAX_CPU 1023u
#define ENDPOINT_MAX_FDS 4u

/*
 * With it come, in this order: the eventfd, non-blocking; the memfd of a struct endpoint_record;
 * with ENDPOINT_CALL an eventfd; with ENDPOINT_MEMORY the memfd of the guest's memory.
 */
struct endpoint_attach {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t cpu;    /* where it is to run, or ENDPOINT_ANY_CPU */
	uint64_t answer; /* ENDPOINT_MEMORY: where the word is in the memfd, else 0 */
};

struct endpoint_reply {
	uint32_t magic;
	uint32_t version;
	int32_t error; /* 0: it counts, else an errno why it does not */
	int32_t pid;   /* whose CPU time is the endpoint's */
};

_Static_assert(sizeof(struct endpoint_attach) == 24 && sizeof(struct endpoint_reply) == 16,
	       "the layout is the protocol");

/* 0 if the message may be acted on. -EPROTONOSUPPORT: another version. -EPROTO: it is malformed, or
 * the fds are not as many as it needs. */
int endpoint_attach_check(const struct endpoint_attach *attach, unsigned int nr_fds);

int endpoint_reply_check(const struct endpoint_reply *reply);

#endif
