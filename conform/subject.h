/* SPDX-License-Identifier: MIT
 *
 * What is under test, behind one interface: KVM_IOEVENTFD by hand, or the library on one of the
 * VMM's back ends. Each has a guest of its own, whose accesses are real ones.
 *
 * Results are >= 0 or -errno.
 */
#ifndef BELLWIRE_CONFORM_SUBJECT_H
#define BELLWIRE_CONFORM_SUBJECT_H

#include <conform/kernel_bus.h>
#include <vmm/vm.h>

#include <linux/kvm.h>
#include <pthread.h>

struct subject_type {
	const char *name;
	const struct vm_backend *be;
	bool bare; /* the kernel alone: no bus */
};

/* "kernel", "kvm", "soft". */
#define NR_SUBJECT_TYPES 3u
extern const struct subject_type subject_types[NR_SUBJECT_TYPES];

/* An access that reached userspace: nobody took it. */
struct seen {
	enum bw_space space;
	bool is_write;
	uint32_t len;
	uint64_t addr, value;
};

#define MAX_SEEN 1024u

struct subject {
	const struct subject_type *type;
	struct vm *vm;
	struct bw_bus *bus; /* NULL: bare */

	/* The device model's part: called on the vCPU's thread for each access that nobody took. */
	void (*on_exit)(void *opaque, const struct seen *seen);
	void *opaque;

	pthread_mutex_t lock; /* of seen */
	struct seen seen[MAX_SEEN];
	uint64_t nr_seen; /* may be more than are kept */

	/* Bare: what the kernel has, by the plan of kernel_bus.h. */
	struct kernel_bus ports, memory;
};

struct subject_opts {
	unsigned int nr_vcpus;
	unsigned int cpl; /* kvm and kernel; 0 or 3 */
};

/* 0 if the host can run it, else -errno and in vm_last_error() why not. */
int subject_probe(const struct subject_type *type);

/* On failure vm_last_error() says why. */
int subject_new(struct subject **out, const struct subject_type *type,
		const struct subject_opts *opts);
void subject_free(struct subject *s);

/* KVM_IOEVENTFD, whoever serves it. */
int subject_ioeventfd(struct subject *s, const struct kvm_ioeventfd *io);

/* Has vCPU 0 perform the accesses, in order. done and result are set in the caller's list. */
int subject_play(struct subject *s, struct guest_access *accesses, uint32_t nr);

/* Runs a vCPU's command, which is in its mailbox. */
int subject_run(struct subject *s, unsigned int vcpu);

/* Accesses seen since subject_forget(). Any thread. */
uint64_t subject_nr_seen(struct subject *s);
void subject_forget(struct subject *s);

/* What the bare kernel, as it is known, does with a write. */
enum kernel_taker subject_predict(const struct subject *s, bool pio, uint64_t addr, uint32_t len,
				  uint64_t value);

#endif
