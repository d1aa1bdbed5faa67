/* SPDX-License-Identifier: MIT
 *
 * The median of n samples lies between the k-th from below and the k-th from above unless fewer
 * than k samples fell on one side of it, which is a coin thrown n times. Nothing is assumed about
 * the distribution, so one round that was disturbed does not widen the interval.
 */
#include "cli/stats.h"

#include <stdlib.h>

#define STATS_COVERAGE 0.95

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *sorted, size_t n)
{
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

/* The innermost rank, from 0, whose interval still covers enough, and what it covers. */
static size_t rank_from_end(size_t n, double *coverage)
{
	double probability = 1, outside;
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		probability /= 2;
	outside = 2 * probability;
	while (2 * (k + 2) <= n) {
		probability *= (double)(n - k) / (double)(k + 1);
		if (outside + 2 * probability > 1 - STATS_COVERAGE)
			break;
		outside += 2 * probability;
		k++;
	}
	*coverage = n > 1 ? 1 - outside : 0;
	return k;
}

void stats_sort(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
}

struct stats stats_of(double *values, size_t n)
{
	struct stats s;
	size_t k = rank_from_end(n, &s.coverage);

	stats_sort(values, n);
	s.median = median(values, n);
	s.low = values[k];
	s.high = values[n - 1 - k];
	return s;
}

double stats_percentile(const double *sorted, size_t n, double p)
{
	double rank = p * (double)n;
	size_t below = (size_t)rank;

	/* The nearest rank, rounded up; the last value is 100 %. */
	if (below > 0 && (double)below >= rank)
		below--;
	return sorted[below < n ? below : n - 1];
}
