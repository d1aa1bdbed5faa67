/* SPDX-License-Identifier: MIT
 *
 * What a measurement depends on besides the code: the machine and how its kernel is set.
 */
#ifndef BELLWIRE_HOST_H
#define BELLWIRE_HOST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define HOST_TEXT 128
#define HOST_VULNERABILITIES 32

struct vulnerability {
	char name[64];
	char state[HOST_TEXT]; /* the kernel's words: "Not affected", "Mitigation: ..." */
};

struct host {
	char kernel[HOST_TEXT];
	char cpu[HOST_TEXT];
	long cpus;
	bool in_vm;
	char hypervisor[HOST_TEXT]; /* the vendor in CPUID, "" if there is none */
	char kvm_module[HOST_TEXT]; /* "kvm_intel", "kvm_amd", "kvm_pvm", or "" */
	char governor[HOST_TEXT];   /* of CPU 0, "" without cpufreq */
	char halt_poll_ns[HOST_TEXT];
	char clocksource[HOST_TEXT];
	struct vulnerability vulnerabilities[HOST_VULNERABILITIES];
	unsigned int nr_vulnerabilities;
};

void host_read(struct host *host);
void host_print(const struct host *host, FILE *out);
json_t *host_json(const struct host *host);

/* The first line of a file without its newline, "" if it cannot be read. */
void host_read_line(char *line, size_t size, const char *path);

/* Where the CPU says who runs it; false: on no hypervisor that says so. cli/cpuid.c */
bool cpuid_hypervisor(char vendor[13]);

#endif
