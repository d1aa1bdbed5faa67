/* SPDX-License-Identifier: MIT
 *
 * The format file of a tracepoint. A line for each field, of which these parts are read:
 *	field:unsigned int NAME;	offset:OFFSET;	size:SIZE;	signed:0;
 */
#include "cli/watch_event.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MAX_LINE 256

/* The number behind key, -1 if there is none up to USHRT_MAX. */
static long number_after(const char *line, const char *key)
{
	const char *digit = strstr(line, key);
	long number = 0;

	if (!digit || !isdigit((unsigned char)*(digit += strlen(key))))
		return -1;
	for (; isdigit((unsigned char)*digit); digit++) {
		number = number * 10 + *digit - '0';
		if (number > USHRT_MAX)
			return -1;
	}
	return number;
}

/* The last word of the declaration: an array's has brackets and is never one of ours. */
static bool declares(const char *line, const char *name)
{
	const char *end, *field = strstr(line, "field:");
	size_t len = strlen(name);

	end = field ? strchr(field, ';') : NULL;
	return end && (size_t)(end - field) > len && strncmp(end - len, name, len) == 0 &&
	       isspace((unsigned char)end[-1 - (long)len]);
}

static bool parse_line(struct watch_field *field, const char *line, const char *name)
{
	long offset = number_after(line, "offset:"), size = number_after(line, "size:");

	if (!declares(line, name) || offset < 0 ||
	    (size != 1 && size != 2 && size != 4 && size != 8))
		return false;
	field->offset = (uint16_t)offset;
	field->size = (uint16_t)size;
	return true;
}

static bool find_field(struct watch_field *field, const char *name, const char *text, size_t len)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;
		char line[MAX_LINE];

		/* The line that says how to print it is longer than any field's. */
		snprintf(line, sizeof(line), "%.*s", n < MAX_LINE ? (int)n : 0, text);
		if (parse_line(field, line, name))
			return true;
		n += end != NULL;
		text += n;
		len -= n;
	}
	return false;
}

const char *watch_layout_parse(struct watch_layout *layout,
			       const struct watch_tracepoint *tracepoint, const char *text,
			       size_t len)
{
	*layout = (struct watch_layout){ .tracepoint = tracepoint };
	for (size_t i = 0; i < WATCH_MAX_FIELDS && tracepoint->fields[i]; i++)
		if (!find_field(&layout->fields[i], tracepoint->fields[i], text, len))
			return tracepoint->fields[i];
	return NULL;
}
