/* SPDX-License-Identifier: MIT
 *
 * The verbs that cases are written in. Each checks what it does; after the first that does not go
 * as it should, all that follow do nothing, so a case reads straight down. Eventfds are closed, and
 * vCPUs stopped, when the case is over.
 */
#ifndef BELLWIRE_CONFORM_TRIAL_H
#define BELLWIRE_CONFORM_TRIAL_H

#include <conform/conform.h>

#include <errno.h>
#include <sched.h>

#define PORT 0x510u /* nothing of the machine is near */
#define BAR 0xd0000000u

#define MAX_EVENTFDS 64u
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct ringer {
	struct trial *t;
	unsigned int vcpu;
	pthread_t thread;
	bool running;
	int result; /* of subject_run() */
	char why[256];
};

struct trial {
	const struct conform_case *c;
	struct subject *s;
	struct outcome *outcome;
	char about[128]; /* where in a family of steps we are */
	int eventfds[MAX_EVENTFDS];
	uint64_t counts[MAX_EVENTFDS]; /* since they were last looked at */
	unsigned int nr_eventfds;
	unsigned int predicted,
		shown; /* writes that the known defect should have, and has, hidden */
	const struct defect *defect;
	struct ringer ringers[VM_MAX_VCPUS];
	bool on_one_cpu;
	cpu_set_t cpus; /* before that */
};

/* ---- the end ---- */

__attribute__((format(printf, 2, 3))) void fails(struct trial *t, const char *format, ...);
__attribute__((format(printf, 2, 3))) void skips(struct trial *t, const char *format, ...);
bool is_over(const struct trial *t);

/* For messages: what the steps that follow are about. */
__attribute__((format(printf, 2, 3))) void about(struct trial *t, const char *format, ...);

/* Fails with the text if ok is false. */
__attribute__((format(printf, 3, 4))) void check(struct trial *t, bool ok, const char *format, ...);

/* ---- eventfds ---- */

/* A new one, watched: no verb lets it ring unnoticed. Flags as for eventfd(2), EFD_NONBLOCK is
 * added. -1 if the trial is over. */
int new_eventfd(struct trial *t);
int new_eventfd_with(struct trial *t, unsigned int initial, int flags);

/* ---- assign and deassign ---- */

struct kvm_ioeventfd port(uint64_t addr, uint32_t len);
struct kvm_ioeventfd port_value(uint64_t addr, uint32_t len, uint64_t value);
struct kvm_ioeventfd mmio(uint64_t addr, uint32_t len);
struct kvm_ioeventfd mmio_value(uint64_t addr, uint32_t len, uint64_t value);

/* Only this error, or 0, is right. */
void assign_gives(struct trial *t, struct kvm_ioeventfd io, int fd, int err);
void deassign_gives(struct trial *t, struct kvm_ioeventfd io, int fd, int err);
void assign(struct trial *t, struct kvm_ioeventfd io, int fd);
void deassign(struct trial *t, struct kvm_ioeventfd io, int fd);

/* ---- what the guest does ---- */

struct guest_access store(uint64_t addr, uint32_t len, uint64_t value);
struct guest_access load(uint64_t addr, uint32_t len);
struct guest_access out(uint64_t addr, uint32_t len, uint64_t value);
struct guest_access in(uint64_t addr, uint32_t len);

/* Performs the access: fd rings once, nothing else rings, and nothing reaches userspace. */
void rings(struct trial *t, struct guest_access access, int fd);
/* The access reaches userspace, once and whole, and nothing rings. */
void exits(struct trial *t, struct guest_access access);
/* fd rings so many times, and what reaches userspace is this. fd -1: nothing rings. */
void does(struct trial *t, struct guest_access access, int fd, uint64_t count,
	  const struct seen *seen, size_t nr_seen);

/* Performs the accesses, and looks at nothing. */
void play(struct trial *t, struct guest_access *accesses, uint32_t nr);
/* fd has rung so many times since it was last looked at, and no other has. */
void counted(struct trial *t, int fd, uint64_t count);
/* What was played reached userspace so, in this order, since this was last asked. */
void exited(struct trial *t, const struct seen *seen, size_t nr);
/* Whether the bare kernel's defect has shown instead: nothing rang, and this reached userspace. */
bool has_shown(struct trial *t, const struct defect *defect, const struct seen *seen, size_t nr);
/* The same for the one that the library on KVM has too: fd rang once, nothing reached userspace. */
bool has_shown_fast(struct trial *t, int fd);
/* The access has reached userspace, once and whole, and nothing rang. */
void exited_whole(struct trial *t, const struct guest_access *access);
/* Takes what fd has: for those that count for themselves. */
uint64_t take(struct trial *t, int fd);

bool same_seen(const struct seen *a, const struct seen *b);
struct seen seen_out(uint64_t addr, uint32_t len, uint64_t value);
struct seen seen_store(uint64_t addr, uint32_t len, uint64_t value);

/* ---- vCPUs that ring meanwhile ---- */

/* From now on this thread and vCPUs that are started share a CPU, until the case is over: a vCPU is
 * often interrupted between finding the doorbell and signalling, for long enough to be noticed. */
void share_one_cpu(struct trial *t);

/* The vCPU makes the access count times, on a thread of its own. sequence as in guest/abi.h. */
void start_ringing(struct trial *t, unsigned int vcpu, struct guest_access access, uint64_t count,
		   uint64_t sequence);
bool is_ringing(struct trial *t, unsigned int vcpu);
/* Waits until it has made them all. */
void finish_ringing(struct trial *t, unsigned int vcpu);
/* Stops it. false: it had made them all, and a stop that came too late is still to be served. */
bool stop_ringing(struct trial *t, unsigned int vcpu);
/* Has a stopped one make the rest. */
void go_on_ringing(struct trial *t, unsigned int vcpu);
/* Waits until more accesses than this reached userspace since the start, or the vCPUs are done. */
void wait_for_exits(struct trial *t, uint64_t more_than);
void wait_a_little(void);

/* The guest's memory; NULL if the trial is over. */
void *scratch(struct trial *t, uint64_t offset, uint64_t len);

/* For the end of the trial. */
void stop_ringers(struct trial *t);
void share_no_cpu(struct trial *t);

#endif
