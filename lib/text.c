/* SPDX-License-Identifier: MIT
 *
 * Text that grows: for what is told of a bus. No stream of libc's, which would ask for more of the
 * system than memory.
 */
#define _GNU_SOURCE
#include "text.h"
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_SIZE 1024u

static bool reserve(struct text *t, size_t more)
{
	size_t size = t->size ? t->size : FIRST_SIZE;
	char *bigger;

	if (t->failed || more < t->size - t->len)
		return !t->failed;
	while (size - t->len <= more)
		size *= 2;
	bigger = reallocarray(t->at, size, 1);
	if (!bigger) {
		t->failed = true;
		return false;
	}
	t->at = bigger;
	t->size = size;
	return true;
}

void text_add(struct text *t, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !reserve(t, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(t->at + t->len, (size_t)len + 1, format, args);
	va_end(args);
	t->len += (size_t)len;
}

/* How many bytes of UTF-8 (RFC 3629) begin here, 0 if none do. No sequence is overlong, a surrogate
 * or above U+10FFFF. */
static size_t utf8_len(const unsigned char *s)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] > 0xf4 || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

void text_add_quoted(struct text *t, const char *string)
{
	const unsigned char *s = (const unsigned char *)string;
	size_t len;

	text_add(t, "\"");
	for (; *s; s += len ? len : 1) {
		len = utf8_len(s);
		if (!len)
			text_add(t, "\xef\xbf\xbd");
		else if (*s == '"' || *s == '\\')
			text_add(t, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			text_add(t, "\\u%04x", *s);
		else
			text_add(t, "%.*s", (int)len, (const char *)s);
	}
	text_add(t, "\"");
}

int text_end(struct text *t, char **out)
{
	*out = NULL;
	if (t->failed) {
		free(t->at);
		return fail(-ENOMEM, "no memory for a text of more than %zu bytes", t->len);
	}
	*out = t->at;
	return 0;
}
