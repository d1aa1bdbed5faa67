/* SPDX-License-Identifier: MIT
 *
 * HTML that is XML too. Every text goes through html_text(), whoever wrote it.
 */
#ifndef BELLWIRE_HTML_H
#define BELLWIRE_HTML_H

#include <stddef.h>
#include <stdio.h>

/* Escaped, fit for an element or an attribute. What XML has no place for becomes U+FFFD. */
void html_text(FILE *out, const char *text);

/* <tag ATTRIBUTES>text</tag>: tag may have attributes, as they are written. */
void html_element(FILE *out, const char *tag, const char *text);

/* The same with a text made as printf(3) does, of 1,023 bytes at most. */
void html_printf(FILE *out, const char *tag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A table that may be wider than the page: it then scrolls by itself, also by keyboard. head has nr
 * words. Each row is html_row(), whose name heads it, html_element() of a "td" each, and
 * html_row_end().
 */
void html_table(FILE *out, const char *id, const char *caption, const char *const *head, size_t nr);
void html_row(FILE *out, const char *name);
void html_row_end(FILE *out);
void html_table_end(FILE *out);

#endif
