/* SPDX-License-Identifier: MIT
 *
 * All the cases, in the order in which they are run.
 */
#include "conform.h"

const struct conform_group *const conform_groups[] = {
	&group_assign,  &group_collision,   &group_deassign, &group_match,
	&group_string,  &group_split,       &group_boundary, &group_nesting,
	&group_eventfd, &group_concurrency, &group_order,    &group_hypercall,
	&group_process, &group_zone,        &group_region,   &group_handle,
};
const size_t conform_nr_groups = sizeof(conform_groups) / sizeof(conform_groups[0]);
