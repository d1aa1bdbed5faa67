/* SPDX-License-Identifier: MIT
 *
 * Every failure of a public call goes through fail(), so that none is without its sentence.
 */
#ifndef BELLWIRE_ERROR_H
#define BELLWIRE_ERROR_H

#include <stddef.h>

/* Remembers the sentence for this thread and returns err, a negative errno. */
int fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/*
 * Copies an options struct of the caller, whose first member is its size, over known bytes of
 * zeroes. -EINVAL: no size. -E2BIG: the caller knows, and has set, more than we do.
 */
int copy_options(void *to, size_t known, const void *from, const char *what);

/* Copies what we know of a result struct after its first member, the size that the caller has set;
 * what he knows more of becomes 0. -EINVAL: no size. */
int copy_result(void *to, const void *from, size_t known, const char *what);

#endif
