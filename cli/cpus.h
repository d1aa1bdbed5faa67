/* SPDX-License-Identifier: MIT
 *
 * Which CPUs this process may run on.
 */
#ifndef BELLWIRE_CPUS_H
#define BELLWIRE_CPUS_H

#include <sched.h>
#include <stdbool.h>

/* False: has said why. Needs _GNU_SOURCE, as all that follows. */
bool cpus_allowed(cpu_set_t *cpus);

/* The first of them that is not below from, -1: none. */
int cpus_first(const cpu_set_t *cpus, int from);

#endif
