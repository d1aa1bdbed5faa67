/* SPDX-License-Identifier: MIT
 *
 * The tracepoints that tell how an access was served. kvm_exit and kvm_entry are by far the most
 * frequent: nothing is taken of them but their time.
 */
#include "cli/watch_event.h"

const struct watch_tracepoint watch_tracepoints[] = {
	{ .name = "kvm_mmio", .kind = WATCH_MMIO, .fields = { "type", "len", "gpa", "val" } },
	{ .name = "kvm_pio", .kind = WATCH_PIO, .fields = { "rw", "port", "size", "val" } },
	{ .name = "kvm_userspace_exit", .kind = WATCH_USERSPACE, .fields = { "reason", "errno" } },
	{ .name = "kvm_exit", .kind = WATCH_BEGIN, .where = WATCH_HARDWARE },
	{ .name = "kvm_entry", .kind = WATCH_ENTRY, .where = WATCH_HARDWARE },
	{ .name = "kvm_fast_mmio",
	  .kind = WATCH_FAST_MMIO,
	  .where = WATCH_HARDWARE,
	  .fields = { "gpa" } },
	{ .name = "kvm_emulate_insn", .kind = WATCH_BEGIN, .where = WATCH_SOFTWARE },
	{ .name = "kvm_fpu", .kind = WATCH_RUN, .where = WATCH_SOFTWARE, .filter = "load == 1" },
	{},
};
