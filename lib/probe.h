/* SPDX-License-Identifier: MIT
 *
 * USDT probes, where <sys/sdt.h> is: each is one nop, and a note that tells tracers where it is and
 * where its arguments lie (docs/probes.md). They take what is at hand already.
 */
#ifndef BELLWIRE_PROBE_H
#define BELLWIRE_PROBE_H

#if !defined(BELLWIRE_NO_PROBES) && defined(__has_include)
#if __has_include(<sys/sdt.h>)
#ifdef __clang__ /* where an argument may be in memory or in a register it stores it anew */
#define STAP_SDT_ARG_CONSTRAINT nr
#endif
#include <sys/sdt.h>
#define HAVE_PROBES
#endif
#endif

#ifdef HAVE_PROBES
#define PROBE_ASSIGN(ie, region, space, addr, len, name)                                           \
	DTRACE_PROBE6(bellwire, assign, ie, region, space, addr, len, name)
#define PROBE_DEASSIGN(ie) DTRACE_PROBE1(bellwire, deassign, ie)
#define PROBE_HIT(ie, space, addr, len, value)                                                     \
	DTRACE_PROBE5(bellwire, hit, ie, space, addr, len, value)
#define PROBE_NEAR_MISS(bus, space, addr, len, data)                                               \
	DTRACE_PROBE5(bellwire, near_miss, bus, space, addr, len, data)
#define PROBE_UNCLAIMED(bus, space, addr, len, is_write)                                           \
	DTRACE_PROBE5(bellwire, unclaimed, bus, space, addr, len, is_write)
#define PROBE_COMMIT(bus, generation, err) DTRACE_PROBE3(bellwire, commit, bus, generation, err)
#else
#define PROBE_ASSIGN(ie, region, space, addr, len, name) ((void)0)
#define PROBE_DEASSIGN(ie) ((void)0)
#define PROBE_HIT(ie, space, addr, len, value) ((void)0)
#define PROBE_NEAR_MISS(bus, space, addr, len, data) ((void)0)
#define PROBE_UNCLAIMED(bus, space, addr, len, is_write) ((void)0)
#define PROBE_COMMIT(bus, generation, err) ((void)0)
#endif

#endif
