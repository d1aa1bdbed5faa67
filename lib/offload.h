/* SPDX-License-Identifier: MIT
 *
 * What a hypervisor can do itself: one const table of operations per file. It only ever makes
 * things faster. What it refuses or misses arrives at the bus, and is signalled there. Called with
 * the bus's control lock held; map and unmap perhaps only with that of the page's poller.
 */
#ifndef BELLWIRE_OFFLOAD_H
#define BELLWIRE_OFFLOAD_H

#include "spaces.h"

struct page_way;

struct offload_claim {
	unsigned int space;
	uint64_t addr;
	struct bw_match match;
	int fd; /* the notifier's, open as long as the claim stands */
};

struct offload_ops {
	const char *name;

	/* Why this one cannot be carried, in a string that is never freed; the bus does alone.
	 * NULL: it can, and fd is there when assign is called. */
	const char *(*refuses)(void *state, const struct offload_claim *claim);

	/*
	 * 0: from now on the hypervisor signals fd. -EOPNOTSUPP: it has no room for this one, *why
	 * says so as refuses does. Any other -errno, with a sentence: the change fails and is
	 * undone.
	 */
	int (*assign)(void *state, const struct offload_claim *claim, const char **why);

	/* After it returns the hypervisor no longer signals for the claim. */
	void (*deassign)(void *state, const struct offload_claim *claim);

	/*
	 * Doorbell pages; page_way NULL: never. page_way: how, or NULL and why not, in a string
	 * that is never freed; slot_is_slow: it was measured. map: from now on the guest's stores
	 * to [gpa, gpa + BW_PAGE_SIZE) go to memory; *place is for unmap, which returns when none
	 * does any more. One thread a page.
	 */
	const struct page_way *(*page_way)(void *state, bool slot_is_slow, const char **why_not);
	int (*map)(void *state, uint64_t gpa, void *memory, unsigned int *place);
	void (*unmap)(void *state, uint64_t gpa, unsigned int place);

	/* What the hypervisor is known to do wrong with the claim: because of the other one, or
	 * with other NULL by itself. NULL: nothing, as is the operation if nothing is ever known.
	 */
	const char *(*defect)(const struct offload_claim *claim, const struct offload_claim *other);

	unsigned int (*caps)(void *state); /* BW_CAP_* */
	void (*free)(void *state);
};

/* 0, or -EBUSY and a sentence: the bus has an offload. */
int offload_is_free(struct bw_bus *bus);

/* Registers what the bus has and will have. All or nothing; the bus owns state if it succeeds. */
int bus_offload(struct bw_bus *bus, const struct offload_ops *ops, void *state);

#endif
