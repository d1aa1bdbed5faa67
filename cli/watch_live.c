/* SPDX-License-Identifier: MIT
 *
 * The table as it grows, on a terminal: each one over the one before. The terminal is left as it
 * was, so that nothing needs to be restored.
 */
#include "cli/term.h"
#include "cli/watch.h"

#include <stdlib.h>
#include <string.h>

/* Lines of the table that are no rows, about. */
#define FRAME 16

static unsigned int lines; /* of the table that is to be seen */

static void erase(void)
{
	if (lines > 0)
		printf("\033[%uF\033[J", lines);
	lines = 0;
}

/* Cut where the terminal would break it, which nobody could count. */
static void put(const char *text, unsigned int width, unsigned int height)
{
	while (*text && lines + 1 < height) {
		size_t len = strcspn(text, "\n");

		printf("%.*s\n", (int)(len < width ? len : width), text);
		lines++;
		text += len + (text[len] == '\n');
	}
}

void watch_live(const struct watch_report *report)
{
	unsigned int height = term_height();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	watch_print(report, height > FRAME + 3 ? (height - FRAME) * 2 / 3 : 2, out);
	if (fclose(out) == 0) {
		erase();
		put(text, term_width(), height);
		fflush(stdout);
	}
	free(text);
}

void watch_live_end(void)
{
	erase();
}
