/* SPDX-License-Identifier: MIT
 *
 * The documents that can be compared.
 */
#include "cli/compare.h"

const struct compare_kind compare_kinds[] = {
	{
		.schema = "bellwire.bench",
		.kind = "stall",
		.version = 1,
		.rows = "results",
		.keys = { "accel", "path" },
		/* The ratio was taken within rounds: it holds where the whole host was slower. */
		.metrics = { { "ns per ring", "ns_per_ring", "ci_low", "ci_high", false },
			     { "to raw", "raw_ratio", "raw_ratio_low", "raw_ratio_high", false } },
		.shared_aa = true,
	},
	{
		.schema = "bellwire.bench",
		.kind = "rtt",
		.version = 1,
		.rows = "results",
		.keys = { "accel", "path", "consumer", "answer" },
		.metrics = { { "round trip, p50 ns", "p50_ns", "p50_low", "p50_high", false },
			     { "round trip, p99 ns", "p99_ns", "p99_low", "p99_high", false } },
	},
	{
		.schema = "bellwire.bench-vhost",
		.version = 1,
		.rows = "results",
		.keys = { "accel", "path" },
		.metrics = { { "round trip, p50 ns", "p50_ns", "p50_low", "p50_high", false },
			     { "requests/s", "iops", "iops_low", "iops_high", true } },
	},
	{
		.schema = "bellwire.bench-dispatch",
		.version = 1,
		.rows = "results",
		.keys = { "case", "entries", "threads" },
		.metrics = { { "ns each", "ns_per_access", "ci_low", "ci_high", false } },
	},
	{
		.schema = "bellwire.bench-regions",
		.version = 1,
		.rows = "results",
		.keys = { "operation", "doorbells", "vcpus" },
		.metrics = { { "ns, the library", "bellwire_ns", "ci_low", "ci_high", false },
			     { "to by hand", "ratio", "ratio_low", "ratio_high", false } },
		.aa_low = "aa_low",
		.aa_high = "aa_high",
	},
	{
		.schema = "bellwire.bench-adaptive",
		.version = 1,
		.rows = "results",
		.keys = { "accel", "pattern", "policy", "mechanism" },
		.metrics = { { "ns per ring", "stall_ns_per_ring", "ci_low", "ci_high", false },
			     { "latency, p99 ns", "p99_latency_ns", "p99_low", "p99_high",
			       false } },
	},
	{
		.schema = "bellwire.conform",
		.version = 1,
		.rows = "cases",
		.keys = { "accel", "case" },
	},
};

const size_t compare_nr_kinds = sizeof(compare_kinds) / sizeof(compare_kinds[0]);
