/* SPDX-License-Identifier: MIT
 *
 * The other side of a vhost-user front end: a thread that answers each request, and one of them in
 * a way that it should not.
 */
#ifndef TESTS_VHOST_PEER_H
#define TESTS_VHOST_PEER_H

#include <endpoint/vhost_user_msg.h>

/* How it answers a request. */
enum fault {
	NO_FAULT,
	SILENT,
	CLOSES,
	CLOSES_MIDWAY,
	CLOSES_BEFORE_PAYLOAD,
	OTHER_REQUEST,
	OTHER_VERSION,
	NOT_A_REPLY,
	NO_PAYLOAD,
	ONE_BYTE_LESS,
	ENDLESS,
	AN_FD,
	MANY_FDS,
	AN_FD_WITH_THE_PAYLOAD,
	REFUSES,
	OTHER_QUEUE,
	BASE_TOO_HIGH,
	OTHER_OFFSET,
	OTHER_SIZE,
};

#define PEER_CONFIG 24u /* bytes of configuration: 0, 1, 2, ... */
#define PEER_TAKEN 7u   /* where it says that the queue stands */

struct vhost_peer {
	int fd;
	enum fault fault;
	uint32_t at; /* the request that is answered so */
	uint64_t features, protocol;

	uint32_t seen[32]; /* requests, in order */
	unsigned int nr_seen;
	int kick, call, memory; /* that it got, or -1 */
	struct vhost_user_memory table;
	struct vhost_vring_addr addr;
	uint64_t accepted, protocol_accepted;
	uint32_t num, base, enabled;
};

/* Until the front end hangs up; opaque is a struct vhost_peer, whose fd stays open. */
void *vhost_peer_main(void *opaque);

#endif
