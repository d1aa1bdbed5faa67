/* SPDX-License-Identifier: MIT
 *
 * What was seen, by address, in memory that does not grow; and what a vCPU's events come to. Pure.
 */
#ifndef BELLWIRE_WATCH_ACCOUNT_H
#define BELLWIRE_WATCH_ACCOUNT_H

#include "cli/watch_event.h"

#include <bellwire.h>

#define WATCH_ADDRESSES 2048u /* told apart; what comes later is counted together */
#define WATCH_VALUES 64u      /* told apart at each address */
#define WATCH_REASONS 64u     /* of exits to userspace */

struct watch_access {
	enum bw_space space;
	bool is_write;
	uint32_t len; /* 0: not known */
	uint64_t addr, value;
};

/* One way that accesses took. */
struct watch_path {
	uint64_t reads, writes;
	uint64_t timed, ns; /* so many of them took so long together */
};

struct watch_address {
	enum bw_space space;
	uint64_t addr;
	uint32_t
		widths; /* bit n: n bytes were accessed, 0 if the width is not known, 31 for more */
	struct watch_path slow, light;
	unsigned int nr_values; /* different ones written on the slow path, WATCH_VALUES: or more */
	uint64_t values[WATCH_VALUES];
};

struct watch_account {
	uint64_t seed;
	unsigned int nr;
	uint16_t index[2 * WATCH_ADDRESSES]; /* into addresses, plus 1 */
	struct watch_address addresses[WATCH_ADDRESSES];
	struct watch_path rest_slow, rest_light;
	uint64_t other_light;            /* exits for something else, which the kernel served */
	uint64_t reasons[WATCH_REASONS]; /* exits to userspace for something else */
	uint64_t reasons_beyond;
	uint64_t interrupted; /* KVM_RUN that ended with an error: a signal, nearly always */
	uint64_t unnamed;     /* accesses on the slow path whose address was not seen */
	uint64_t lost;        /* events */
};

/* ns: how long, 0 if that is not known. */
void watch_account_access(struct watch_account *account, const struct watch_access *access,
			  bool slow, uint64_t ns);

static inline uint64_t watch_path_count(const struct watch_path *path)
{
	return path->reads + path->writes;
}

/* Only ever written, and userspace had to serve it: an ioeventfd would. */
bool watch_would_gain(const struct watch_address *address);

enum watch_state {
	WATCH_IDLE,
	WATCH_LOOKED_UP, /* the kernel looks whether it can serve the access itself */
	WATCH_SERVED,    /* it could */
	WATCH_SLOW,      /* it could not: userspace has been asked */
	WATCH_UNNAMED,   /* userspace has been asked to read a port, whose number comes later */
};

/* Between two events of one thread. All zero to begin with. */
struct watch_vcpu {
	enum watch_state state;
	struct watch_access access;
	uint64_t since;   /* when what comes next began, 0: not known */
	uint64_t began;   /* the access in progress, 0: not known */
	uint64_t resumed; /* when userspace had done with it, 0: not seen */
	bool explained;   /* this exit was for an access, or went to userspace */
	bool known;       /* not until an exit or entry: what comes before is half an access */
};

void watch_match(struct watch_vcpu *vcpu, const struct watch_event *event,
		 struct watch_account *account);

#endif
