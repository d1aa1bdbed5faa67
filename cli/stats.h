/* SPDX-License-Identifier: MIT
 *
 * Medians with an interval, of few samples whose distribution nobody knows.
 */
#ifndef BELLWIRE_STATS_H
#define BELLWIRE_STATS_H

#include <stddef.h>

/* A pinned thread that never sleeps and had less of its CPU was disturbed. */
#define QUIET_SHARE 0.95

#define STATS_MAX 1000u /* samples: above it the binomial below leaves the range of a double */

struct stats {
	double median;
	double low, high; /* interval of the median, from order statistics */
	double coverage;  /* how sure it is: 0.95 or more from 6 samples on, less below */
};

/* Sorts values. 1 <= n <= STATS_MAX. */
struct stats stats_of(double *values, size_t n);

/* The smallest value that a share of at least p, 0 to 1, does not exceed. sorted is so; n >= 1. */
double stats_percentile(const double *sorted, size_t n, double p);

/* Ascending. */
void stats_sort(double *values, size_t n);

#endif
