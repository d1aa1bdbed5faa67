/* SPDX-License-Identifier: MIT
 *
 * What the library asks the system for, memory and fds, made to fail at the n-th time. Linked with
 * --wrap for each of the functions in failing.c.
 */
#ifndef TESTS_FAILING_H
#define TESTS_FAILING_H

#include <stdbool.h>

/* The n-th request from now on fails, 1 is the next; with all, so does every one after it. */
void fail_request(unsigned int n, bool all);

/* No request fails any more. Whether one did. */
bool end_failing(void);

/* Blocks of memory that were allocated and not freed. */
long live_blocks(void);

#endif
