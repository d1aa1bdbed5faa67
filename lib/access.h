/* SPDX-License-Identifier: MIT
 *
 * Which accesses a bus serves at all.
 */
#ifndef BELLWIRE_ACCESS_H
#define BELLWIRE_ACCESS_H

#include "error.h"

#include <bellwire.h>
#include <errno.h>

static inline bool access_is_valid(const struct bw_access *a)
{
	if (a->space == BW_HYPERCALL)
		return a->len <= 8;
	return a->space < BW_HYPERCALL && a->len - 1 < 8 && a->data;
}

static inline int access_refuse(const struct bw_access *a)
{
	return fail(-EINVAL, "an access of %u bytes to space %u", a->len, a->space);
}

#endif
