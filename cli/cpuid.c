/* SPDX-License-Identifier: MIT
 *
 * The hypervisor that the CPU reports. Other architectures than x86 have no such instruction.
 */
#include "cli/host.h"

#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>

#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_HYPERVISOR_VENDOR 0x40000000u

bool cpuid_hypervisor(char vendor[13])
{
	unsigned int eax, words[3];

	if (!__get_cpuid(1, &eax, &words[0], &words[1], &words[2]) ||
	    !(words[1] & CPUID_1_ECX_HYPERVISOR))
		return false;
	__cpuid(CPUID_HYPERVISOR_VENDOR, eax, words[0], words[1], words[2]);
	memcpy(vendor, words, 12);
	vendor[12] = '\0';
	return true;
}
#else
bool cpuid_hypervisor(char vendor[13])
{
	vendor[0] = '\0';
	return false;
}
#endif
