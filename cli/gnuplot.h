/* SPDX-License-Identifier: MIT
 *
 * gnuplot, as a filter: a script goes in, an SVG comes out.
 */
#ifndef BELLWIRE_GNUPLOT_H
#define BELLWIRE_GNUPLOT_H

#include <stdio.h>
#include <sys/types.h>

typedef void gnuplot_script_fn(FILE *script, const void *opaque);

/* An fd of the drawing, in memory, as gnuplot does not say whether it could write it; the caller
 * closes it. -1: has said why. */
int gnuplot_draw(gnuplot_script_fn *script, const void *opaque);

/* Of what was drawn; -1 where fd is no regular file. */
off_t gnuplot_size(int fd);

/* Whether there is one: before what is to be drawn takes a minute. An enum cli_exit. */
int gnuplot_check(void);

/* In its single quotes, where only the quote itself is special. */
void gnuplot_quoted(FILE *script, const char *text);

#endif
