/* SPDX-License-Identifier: MIT
 *
 * The medians as bars.
 */
#include "cli/bench.h"
#include "cli/term.h"

#define LABEL_WIDTH 18
#define NUMBER_WIDTH 9
#define BAR_WIDTH 50u
#define BAR_MIN 10u

static double longest(const struct bench *bench)
{
	double max = 0;

	for (unsigned int i = 0; i < bench->nr_rows; i++)
		if (bench->rows[i].available && bench->rows[i].ns.median > max)
			max = bench->rows[i].ns.median;
	return max;
}

static unsigned int bar_width(void)
{
	unsigned int width = term_width(), rest = LABEL_WIDTH + NUMBER_WIDTH + 2;

	if (width == 0 || width >= rest + BAR_WIDTH)
		return BAR_WIDTH;
	return width > rest + BAR_MIN ? width - rest : BAR_MIN;
}

/* Eighths of a character where the terminal has them. */
static void print_bar(double cells)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	unsigned int parts = (unsigned int)(cells * 8 + 0.5);

	if (!term_unicode()) {
		for (unsigned int i = 0; i < (parts + 4) / 8; i++)
			putchar('#');
		return;
	}
	for (unsigned int i = 0; i < parts / 8; i++)
		fputs("█", stdout);
	fputs(eighths[parts % 8], stdout);
}

void bench_print_bars(const struct bench *bench)
{
	double ns_per_cell = longest(bench) / bar_width();
	char number[TERM_NUMBER];

	printf("\nns per ring, linear, a full character is %.0f ns\n", ns_per_cell);
	for (unsigned int i = 0; i < bench->nr_rows; i++) {
		const struct row *row = &bench->rows[i];

		if (!row->available)
			continue;
		printf("%-*s ", LABEL_WIDTH, row->type->name);
		print_bar(row->ns.median / ns_per_cell);
		printf(" %s\n", term_number(number, row->ns.median));
	}
}
