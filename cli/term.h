/* SPDX-License-Identifier: MIT
 *
 * What the terminal can show.
 */
#ifndef BELLWIRE_TERM_H
#define BELLWIRE_TERM_H

#include <stdbool.h>
#include <stddef.h>

/* Columns of standard output, 0 if it is no terminal. */
unsigned int term_width(void);

/* Its lines, 24 where nobody knows. */
unsigned int term_height(void);

/* May standard output get more than ASCII? */
bool term_unicode(void);

/* One line on standard error, rewritten each time; nothing unless that is a terminal. NULL clears
 * it. */
void term_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* 1234567 as "1,234,567". */
#define TERM_NUMBER 28
const char *term_number(char text[TERM_NUMBER], double number);

#endif
