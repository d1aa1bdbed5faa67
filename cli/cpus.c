/* SPDX-License-Identifier: MIT
 *
 * Which CPUs this process may run on.
 */
#define _GNU_SOURCE
#include "cli/cpus.h"
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

bool cpus_allowed(cpu_set_t *cpus)
{
	if (sched_getaffinity(0, sizeof(*cpus), cpus) == 0)
		return true;
	cli_failed("cannot tell which CPUs there are: %s", strerror(errno));
	return false;
}

int cpus_first(const cpu_set_t *cpus, int from)
{
	for (int cpu = from; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET((size_t)cpu, cpus))
			return cpu;
	return -1;
}
