/* SPDX-License-Identifier: MIT
 *
 * A text that grows as it is written. Memory that runs out is remembered and said once, at the end.
 */
#ifndef BELLWIRE_TEXT_H
#define BELLWIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *at;
	size_t len, size;
	bool failed;
};

__attribute__((format(printf, 2, 3))) void text_add(struct text *t, const char *format, ...);

/* In double quotes, escaped as JSON has it (RFC 8259). What is no UTF-8 becomes U+FFFD: names are
 * the caller's bytes, and copying may have cut one short. */
void text_add_quoted(struct text *t, const char *string);

/* Hands the text over, to be freed with free(3). -ENOMEM: there is none. */
int text_end(struct text *t, char **out);

#endif
