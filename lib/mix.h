/* SPDX-License-Identifier: MIT
 *
 * What the hashes of the library are made of.
 */
#ifndef BELLWIRE_MIX_H
#define BELLWIRE_MIX_H

#include <stdint.h>

/* A multiply that keeps all 128 bits spreads any change of a key over the whole result. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
