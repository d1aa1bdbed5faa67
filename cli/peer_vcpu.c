/* SPDX-License-Identifier: MIT
 *
 * The thread of QEMU's vCPU, which it names "CPU 0/KVM" or "CPU 0/TCG".
 */
#define _GNU_SOURCE
#include "cli/peer.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_vcpu(const struct peer *peer, const char *tid)
{
	char path[96], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/comm", peer->pid, tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	return strncmp(name, "CPU 0/", 6) == 0;
}

static pid_t find_vcpu(const struct peer *peer)
{
	const struct dirent *entry;
	char path[64];
	pid_t vcpu = -1;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", peer->pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks)))
		if (is_vcpu(peer, entry->d_name))
			vcpu = atoi(entry->d_name);
	if (tasks)
		closedir(tasks);
	return vcpu;
}

int peer_pin_vcpu(struct peer *peer)
{
	cpu_set_t cpus;

	peer->vcpu = find_vcpu(peer);
	if (peer->vcpu < 0)
		return peer_error(peer, ESRCH, "QEMU's vCPU thread cannot be found");
	CPU_ZERO(&cpus);
	CPU_SET((size_t)peer->opts.vcpu_cpu, &cpus);
	if (sched_setaffinity(peer->vcpu, sizeof(cpus), &cpus) < 0)
		return peer_error(peer, errno, "QEMU's vCPU thread cannot be pinned: %s",
				  strerror(errno));
	return 0;
}

uint64_t peer_vcpu_cpu_ns(const struct peer *peer)
{
	unsigned long long ns = 0;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", peer->pid, peer->vcpu);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &ns) != 1)
		ns = 0;
	fclose(file);
	return ns;
}
