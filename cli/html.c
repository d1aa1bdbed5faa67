/* SPDX-License-Identifier: MIT
 *
 * Escaping, and tables.
 */
#include "cli/html.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* ---- text ---- */

/* Bytes of the UTF-8 character that text begins with, and the character; 0: it is none. */
static size_t decode(const unsigned char *text, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *text < 0x80 ? 1 : *text < 0xc0 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;

	*c = n > 1 ? *text & (0x7fu >> n) : *text;
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (text[i] & 0x3f);
	}
	return n && *c >= least[n] ? n : 0;
}

/* XML's own rule (section 2.2), without DEL and the controls of Latin-1. */
static bool has_place(uint32_t c)
{
	if (c == '\t' || c == '\n')
		return true;
	return (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c < 0xd800) ||
	       (c >= 0xe000 && c < 0xfffe) || (c >= 0x10000 && c < 0x110000);
}

static const char *entity(uint32_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void html_text(FILE *out, const char *text)
{
	while (*text) {
		uint32_t c;
		size_t n = decode((const unsigned char *)text, &c);

		if (n == 0 || !has_place(c))
			fputs(REPLACEMENT, out);
		else if (entity(c))
			fputs(entity(c), out);
		else
			fwrite(text, 1, n, out);
		text += n ? n : 1;
	}
}

void html_element(FILE *out, const char *tag, const char *text)
{
	int name = (int)strcspn(tag, " ");

	fprintf(out, "<%s>", tag);
	html_text(out, text);
	fprintf(out, "</%.*s>\n", name, tag);
}

void html_printf(FILE *out, const char *tag, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	html_element(out, tag, text);
}

/* ---- tables ---- */

void html_table(FILE *out, const char *id, const char *caption, const char *const *head, size_t nr)
{
	fprintf(out,
		"<div class=\"scroll\" role=\"region\" tabindex=\"0\" "
		"aria-labelledby=\"%s-caption\">\n<table>\n<caption id=\"%s-caption\">",
		id, id);
	html_text(out, caption);
	fputs("</caption>\n<thead>\n<tr>\n", out);
	for (size_t i = 0; i < nr; i++)
		html_element(out, "th scope=\"col\"", head[i]);
	fputs("</tr>\n</thead>\n<tbody>\n", out);
}

void html_row(FILE *out, const char *name)
{
	fputs("<tr>\n", out);
	html_element(out, "th scope=\"row\"", name);
}

void html_row_end(FILE *out)
{
	fputs("</tr>\n", out);
}

void html_table_end(FILE *out)
{
	fputs("</tbody>\n</table>\n</div>\n", out);
}
