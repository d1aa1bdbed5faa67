/* SPDX-License-Identifier: MIT
 *
 * The conformance suite: cases, and who runs them. A case is a behaviour of ioeventfd, with a name
 * and a sentence.
 */
#ifndef BELLWIRE_CONFORM_CONFORM_H
#define BELLWIRE_CONFORM_CONFORM_H

#include <conform/defects.h>
#include <conform/subject.h>

/* KNOWN: the kernel does not do what the case says, in a way that is known and named. */
enum verdict { PASS, FAIL, SKIP, KNOWN };
#define NR_VERDICTS 4u

const char *verdict_name(enum verdict verdict);

struct trial;

/* What a case cannot run without; where it is missing the case is skipped, with a reason. */
#define NEEDS_LIBRARY 1u   /* regions, handles, transactions: the kernel has none */
#define NEEDS_KVM 2u       /* memslots, coalesced zones: soft has none */
#define NEEDS_HYPERCALL 4u /* runs at CPL 0 */

struct conform_case {
	const char *name;
	const char *says;
	void (*run)(struct trial *t);
	unsigned int needs;
	unsigned int nr_vcpus;       /* 0: one */
	const struct defect *defect; /* of the kernel, which the case shows on "kernel" */
};

struct conform_group {
	const char *name;
	const struct conform_case *cases;
	size_t nr;
};

#define CONFORM_GROUP(title, array)                                                                \
	{                                                                                          \
		.name = (title), .cases = (array), .nr = sizeof(array) / sizeof((array)[0])        \
	}

extern const struct conform_group group_assign, group_collision, group_deassign, group_match,
	group_string, group_split, group_boundary, group_nesting, group_eventfd, group_concurrency,
	group_order, group_hypercall, group_process, group_zone, group_region, group_handle;

/* All of them, in the order in which they are run. */
extern const struct conform_group *const conform_groups[];
extern const size_t conform_nr_groups;

struct outcome {
	enum verdict verdict;
	char why[512];               /* "" for a plain pass */
	const struct defect *defect; /* KNOWN: which */
};

/* Runs the case on a subject of its own. */
void conform_run(const struct conform_case *c, const struct subject_type *type,
		 struct outcome *outcome);

#endif
