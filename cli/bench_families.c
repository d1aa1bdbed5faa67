/* SPDX-License-Identifier: MIT
 *
 * The families of paths: what each is, and its colours. On a page these are dark enough on light
 * and light enough on dark: three to one.
 */
#include "cli/bench.h"

#include <string.h>

const struct bench_family bench_families[] = {
	{ "null", 0xc3cad3, "#8591a1", "#808c9b", "the exit alone, and nobody is rung" },
	{ "raw", 0x8a94a1, "#5f6b7a", "#a9b4c2",
	  "as the one without raw-, but by hand instead of with the library" },
	{ "userspace", 0xd9772b, "#c2601a", "#ec9452",
	  "an exit to a handler of the VMM, which rings by a system call" },
	{ "ioeventfd", 0x2a6fb8, "#2a6fb8", "#6faeee",
	  "an eventfd is signalled, without a handler" },
	{ "elided", 0x2f9457, "#2b8750", "#5fc58a",
	  "a consumer that waits in the library, without an eventfd" },
	{ "exitless", 0x14909a, "#0f7f88", "#4fc3cd",
	  "a store to memory that the consumer looks at, without an exit" },
	{ "coalesced", 0xa3862f, "#8f7320", "#d9b85c",
	  "the kernel keeps the write in a ring, and it is rung at the next exit" },
	{ "remote", 0x8e5ba6, "#8e5ba6", "#c39bd9",
	  "a device model in another process: by a message, or by its ioeventfd (fd)" },
	{ "counted", 0xa58e6f, "#86704f", "#c9b08d",
	  "an exit to a handler of the VMM, which counts" },
	{ "unheard", 0x7fb0dd, "#5b93c7", "#9fc9ee", "an eventfd that nobody waits for" },
	{ "qemu", 0xb0508d, "#b0508d", "#e08cc0",
	  "QEMU's own test device: without an eventfd (none), with one for any write (any), "
	  "for one value (value)" },
};

const size_t bench_nr_families = sizeof(bench_families) / sizeof(bench_families[0]);

bool bench_is_of(const struct bench_family *family, const char *path)
{
	size_t len = strlen(family->name);

	return strncmp(path, family->name, len) == 0 && path[len] == '-';
}

unsigned int bench_colour(const char *path)
{
	for (size_t i = 0; i < bench_nr_families; i++)
		if (bench_is_of(&bench_families[i], path))
			return bench_families[i].colour;
	return BENCH_NO_COLOUR;
}
