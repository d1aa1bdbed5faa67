/* SPDX-License-Identifier: MIT
 *
 * What is known to be wrong in the kernel.
 */
#ifndef BELLWIRE_CONFORM_DEFECTS_H
#define BELLWIRE_CONFORM_DEFECTS_H

#define MAX_DEFECTS 4u

struct defect {
	const char *name;
	const char *says; /* the condition */
	const char *seen; /* on which kernels */
};

extern const struct defect defect_nested;
extern const struct defect defect_zone;
extern const struct defect defect_piece;
extern const struct defect defect_fast;

#endif
