/* SPDX-License-Identifier: MIT
 *
 * Reads the host from /proc, /sys and CPUID.
 */
#include "cli/host.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define VULNERABILITIES "/sys/devices/system/cpu/vulnerabilities"

void host_read_line(char *line, size_t size, const char *path)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return;
	if (!fgets(line, (int)size, file))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

static void read_kernel(struct host *host)
{
	struct utsname name;

	uname(&name);
	snprintf(host->kernel, sizeof(host->kernel), "%.30s %.90s", name.sysname, name.release);
}

static void read_cpu(struct host *host)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	host->cpu[0] = '\0';
	while (file && !host->cpu[0] && fgets(line, sizeof(line), file))
		sscanf(line, "model name : %127[^\n]", host->cpu);
	if (file)
		fclose(file);
}

/* Also where KVM is built in: its parameters make it a directory in /sys/module. */
static void read_kvm_module(struct host *host)
{
	static const char *const modules[] = { "kvm_intel", "kvm_amd", "kvm_pvm" };
	char path[64];

	host->kvm_module[0] = '\0';
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s", modules[i]);
		if (access(path, F_OK) == 0)
			snprintf(host->kvm_module, sizeof(host->kvm_module), "%s", modules[i]);
	}
}

static void add_vulnerability(struct host *host, const char *name)
{
	struct vulnerability *v = &host->vulnerabilities[host->nr_vulnerabilities];
	char path[sizeof(VULNERABILITIES) + sizeof(v->name)];

	snprintf(v->name, sizeof(v->name), "%.63s", name);
	snprintf(path, sizeof(path), VULNERABILITIES "/%s", v->name);
	host_read_line(v->state, sizeof(v->state), path);
	if (v->state[0])
		host->nr_vulnerabilities++;
}

static int is_not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void read_vulnerabilities(struct host *host)
{
	struct dirent **entries;
	int n = scandir(VULNERABILITIES, &entries, is_not_hidden, alphasort);

	host->nr_vulnerabilities = 0;
	for (int i = 0; i < n; i++) {
		if (host->nr_vulnerabilities < HOST_VULNERABILITIES)
			add_vulnerability(host, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

void host_read(struct host *host)
{
	char vendor[13] = "";

	read_kernel(host);
	read_cpu(host);
	host->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	host->in_vm = cpuid_hypervisor(vendor);
	snprintf(host->hypervisor, sizeof(host->hypervisor), "%s", vendor);
	read_kvm_module(host);
	host_read_line(host->governor, sizeof(host->governor),
		       "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	host_read_line(host->halt_poll_ns, sizeof(host->halt_poll_ns),
		       "/sys/module/kvm/parameters/halt_poll_ns");
	host_read_line(host->clocksource, sizeof(host->clocksource),
		       "/sys/devices/system/clocksource/clocksource0/current_clocksource");
	read_vulnerabilities(host);
}
