/* SPDX-License-Identifier: MIT
 *
 * What this host's KVM can do for doorbells.
 */
#ifndef BELLWIRE_KVM_CAPS_H
#define BELLWIRE_KVM_CAPS_H

#include <stddef.h>

struct kvm_cap {
	const char *name;
	long number;
	const char *use;     /* what it is good for */
	const char *without; /* and what happens where it is missing */
	int value;           /* KVM_CHECK_EXTENSION's, 0: missing */
};

/* The table, with the values of /dev/kvm filled in. -errno: it cannot be opened or asked. */
int kvm_caps_read(const struct kvm_cap **caps, size_t *nr);

#endif
