/* SPDX-License-Identifier: MIT
 *
 * See pinned.h.
 */
#define _GNU_SOURCE
#include "endpoint/pinned.h"

#include <sched.h>

int pinned_thread(pthread_t *thread, int cpu, void *(*fn)(void *opaque), void *opaque)
{
	pthread_attr_t attr;
	cpu_set_t cpus;
	int err = pthread_attr_init(&attr);

	if (err)
		return -err;
	CPU_ZERO(&cpus);
	CPU_SET((size_t)cpu, &cpus);
	err = pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	if (!err)
		err = pthread_create(thread, &attr, fn, opaque);
	pthread_attr_destroy(&attr);
	return -err;
}
