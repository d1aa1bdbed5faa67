/* SPDX-License-Identifier: MIT
 *
 * The only door to liburcu: readers that need no registration and may block anywhere outside their
 * sections (vCPUs block in KVM_RUN, so no QSBR), and one grace period for writers.
 *
 * ThreadSanitizer does not see the fences inside liburcu. What a grace period promises, that every
 * section begun before it has ended when it returns, is told to it here and nowhere else.
 */
#ifndef BELLWIRE_RCU_H
#define BELLWIRE_RCU_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RCU_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RCU_SANITIZED
#endif
#endif

/* liburcu's inline functions are short enough (under ten lines) to be used under any licence. Under
 * a sanitizer they are called instead: liburcu 0.13 keeps a reader's state misaligned. */
#ifndef RCU_SANITIZED
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#endif
#include <urcu-bp.h>
#undef _LGPL_SOURCE

#ifdef RCU_SANITIZED
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);
__attribute__((weak)) char rcu_section; /* what they are told about, one for all files */
#endif

static inline void rcu_enter(void)
{
	urcu_bp_read_lock();
}

static inline void rcu_leave(void)
{
#ifdef RCU_SANITIZED
	if (__tsan_release)
		__tsan_release(&rcu_section);
#endif
	urcu_bp_read_unlock();
}

/* Returns when every section that was entered before the call has been left. */
static inline void rcu_wait(void)
{
	urcu_bp_synchronize_rcu();
#ifdef RCU_SANITIZED
	if (__tsan_acquire)
		__tsan_acquire(&rcu_section);
#endif
}

#endif
