/* SPDX-License-Identifier: MIT
 *
 * What the table and the document have in common: means, shares, an order, names.
 */
#define _GNU_SOURCE
#include "cli/watch.h"

#include <linux/kvm.h>
#include <math.h>
#include <stdlib.h>

double watch_ns_each(const struct watch_path *path)
{
	return path->timed ? (double)path->ns / (double)path->timed : NAN;
}

double watch_share(const struct watch_path *path, double seconds)
{
	return watch_ns_each(path) * (double)watch_path_count(path) / 1e9 / seconds;
}

static double cost(const struct watch_path *path)
{
	return path->timed ? watch_share(path, 1) : 0;
}

static int descending(double a, double b)
{
	return (a < b) - (a > b);
}

static int compare(const void *left, const void *right, void *opaque)
{
	const struct watch_account *account = opaque;
	const struct watch_address *a = &account->addresses[*(const uint16_t *)left];
	const struct watch_address *b = &account->addresses[*(const uint16_t *)right];
	int order = descending(cost(&a->slow), cost(&b->slow));

	if (order == 0)
		order = descending((double)watch_path_count(&a->slow),
				   (double)watch_path_count(&b->slow));
	if (order == 0)
		order = descending((double)watch_path_count(&a->light),
				   (double)watch_path_count(&b->light));
	return order ? order : (a->addr > b->addr) - (a->addr < b->addr);
}

void watch_report_sort(struct watch_report *report)
{
	for (unsigned int i = 0; i < report->account->nr; i++)
		report->order[i] = (uint16_t)i;
	qsort_r(report->order, report->account->nr, sizeof(report->order[0]), compare,
		(void *)report->account);
}

const char *watch_reason(unsigned int reason)
{
	static const char *const names[WATCH_REASONS] = {
		[KVM_EXIT_UNKNOWN] = "UNKNOWN",
		[KVM_EXIT_EXCEPTION] = "EXCEPTION",
		[KVM_EXIT_HYPERCALL] = "HYPERCALL",
		[KVM_EXIT_DEBUG] = "DEBUG",
		[KVM_EXIT_HLT] = "HLT",
		[KVM_EXIT_IRQ_WINDOW_OPEN] = "IRQ_WINDOW_OPEN",
		[KVM_EXIT_SHUTDOWN] = "SHUTDOWN",
		[KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
		[KVM_EXIT_INTR] = "INTR",
		[KVM_EXIT_SET_TPR] = "SET_TPR",
		[KVM_EXIT_TPR_ACCESS] = "TPR_ACCESS",
		[KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
		[KVM_EXIT_SYSTEM_EVENT] = "SYSTEM_EVENT",
		[KVM_EXIT_IOAPIC_EOI] = "IOAPIC_EOI",
		[KVM_EXIT_HYPERV] = "HYPERV",
		[KVM_EXIT_X86_RDMSR] = "X86_RDMSR",
		[KVM_EXIT_X86_WRMSR] = "X86_WRMSR",
		[KVM_EXIT_DIRTY_RING_FULL] = "DIRTY_RING_FULL",
		[KVM_EXIT_X86_BUS_LOCK] = "X86_BUS_LOCK",
		[KVM_EXIT_XEN] = "XEN",
	};

	return reason < WATCH_REASONS ? names[reason] : NULL;
}
