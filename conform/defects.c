/* SPDX-License-Identifier: MIT
 *
 * What is known to be wrong in the kernel; docs/conformance.md says more.
 */
#include "defects.h"

const struct defect defect_nested = {
	.name = "nested-ranges",
	.says = "ranges that hold one another are out of order on KVM's bus: the search for an "
		"ioeventfd goes past it, or stops in front of it",
	.seen = "6.1.192 and 6.18.44",
};

const struct defect defect_zone = {
	.name = "zone-first",
	.says = "a coalesced zone that was registered before an ioeventfd inside it takes its "
		"writes",
	.seen = "6.1.192 and 6.18.44",
};

const struct defect defect_piece = {
	.name = "later-piece",
	.says = "of a store wider than 8 bytes nothing is looked up behind a piece that nobody "
		"took",
	.seen = "6.1.192 and 6.18.44",
};

const struct defect defect_fast = {
	.name = "fast-mmio",
	.says = "with EPT an MMIO ioeventfd of any length takes whatever faults at its address: "
		"reads "
		"too, and of a store across a page the second piece is lost",
	.seen = "none yet, but it is in the source",
};
