/* SPDX-License-Identifier: MIT
 *
 * The document, schema bellwire.bench/1. What is not known is null, in every row alike.
 */
#include "cli/bench.h"
#include "cli/cli.h"

#include <math.h>
#include <string.h>

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static json_t *real_or_null(bool known, double value)
{
	return known && isfinite(value) ? json_real(value) : json_null();
}

static json_t *integer_or_null(bool known, int64_t value)
{
	return known ? json_integer(value) : json_null();
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *round_stalls(const struct row *row, uint64_t rounds)
{
	json_t *array = json_array();

	for (uint64_t i = 0; i < rounds; i++)
		json_array_append_new(array, json_real(row->samples[i].ns));
	return array;
}

static void set_stalls(json_t *object, const struct row *row, bool known)
{
	set(object, "ns_per_ring", real_or_null(known, row->ns.median));
	set(object, "ci_low", real_or_null(known, row->ns.low));
	set(object, "ci_high", real_or_null(known, row->ns.high));
	set(object, "ci_coverage", real_or_null(known, row->ns.coverage));
	/* stores a second are none */
	set(object, "iops",
	    real_or_null(known && !row->type->kind->coalesces, 1e9 / row->ns.median));
}

static void set_comparisons(json_t *object, const struct row *row)
{
	set(object, "speedup", real_or_null(row->has_speedup, row->speedup.median));
	set(object, "speedup_of", text_or_null(row->type->userspace));
	set(object, "raw_path", text_or_null(row->type->raw));
	set(object, "raw_ratio", real_or_null(row->has_ratio, row->ratio.median));
	set(object, "raw_ratio_low", real_or_null(row->has_ratio, row->ratio.low));
	set(object, "raw_ratio_high", real_or_null(row->has_ratio, row->ratio.high));
	set(object, "peer_path", text_or_null(row->type->peer));
	set(object, "peer_ratio", real_or_null(row->has_peer_ratio, row->peer_ratio.median));
	set(object, "peer_ratio_low", real_or_null(row->has_peer_ratio, row->peer_ratio.low));
	set(object, "peer_ratio_high", real_or_null(row->has_peer_ratio, row->peer_ratio.high));
}

static void set_costs(json_t *object, const struct row *row, bool known)
{
	bool coalesces = row->type->kind->coalesces;

	set(object, "exits_per_ring", real_or_null(known, row->exits.median));
	set(object, "vcpu_cpu_ns", real_or_null(known, row->vcpu_cpu_ns.median));
	set(object, "endpoint_cpu_ns",
	    real_or_null(known && row->rung, row->endpoint_cpu_ns.median));
	set(object, "signals",
	    integer_or_null(known && row->rung && !coalesces, (int64_t)row->signals));
	set(object, "deliveries", integer_or_null(known && coalesces, (int64_t)row->deliveries));
	set(object, "coalesced",
	    real_or_null(known && row->deliveries > 0,
			 (double)row->rings / (double)row->deliveries));
	set(object, "lost", integer_or_null(known && row->rung, bench_lost(row)));
}

static json_t *row_json(const struct bench_report *report, const struct bench *bench,
			const struct row *row)
{
	bool known = row->available && bench->rounds > 0;
	json_t *object = json_object();

	set(object, "accel", json_string(vm_backend_name(bench->be)));
	set(object, "path", json_string(row->type->name));
	set(object, "cpl", json_integer(report->opts->cpl));
	set(object, "rings", integer_or_null(known, (int64_t)row->rings));
	set(object, "rings_per_round", integer_or_null(known, (int64_t)row->rings_per_sample));
	set_stalls(object, row, known);
	set_comparisons(object, row);
	set_costs(object, row, known);
	set(object, "available", json_boolean(row->available));
	set(object, "why", text_or_null(row->available ? NULL : row->why));
	set(object, "rounds_ns", round_stalls(row, known ? bench->rounds : 0));
	return object;
}

static json_t *rows_json(const struct bench_report *report)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < report->nr_benches; i++) {
		const struct bench *bench = &report->benches[i];

		for (unsigned int j = 0; j < bench->nr_rows; j++)
			json_array_append_new(array, row_json(report, bench, &bench->rows[j]));
	}
	return array;
}

/* The path measured twice: how far from 1 a ratio may be without meaning anything. */
static json_t *aa_json(const struct bench *bench)
{
	return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:o}", "accel", vm_backend_name(bench->be),
			 "path", bench->aa->type->name, "ratio", bench->aa->ratio.median, "ci_low",
			 bench->aa->ratio.low, "ci_high", bench->aa->ratio.high, "ci_coverage",
			 bench->aa->ratio.coverage, "rounds_ns",
			 round_stalls(bench->aa, bench->rounds));
}

static json_t *aas_json(const struct bench_report *report)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < report->nr_benches; i++)
		if (report->benches[i].rounds > 0)
			json_array_append_new(array, aa_json(&report->benches[i]));
	return array;
}

/* rings is null where it was calibrated for each path. */
static json_t *options_json(const struct bench_opts *opts)
{
	return json_pack("{s:i, s:I, s:o, s:I, s:i, s:i, s:s}", "cpl", (int)opts->cpl, "rounds",
			 (json_int_t)opts->rounds, "rings",
			 integer_or_null(opts->rings > 0, (int64_t)opts->rings), "seed",
			 (json_int_t)opts->seed, "vcpu_cpu", opts->vcpu_cpu, "endpoint_cpu",
			 opts->endpoint.cpu, "endpoint", bench_endpoint_name(opts));
}

int bench_print_json(const struct bench_report *report)
{
	json_t *root = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:o, s:o}", "schema",
				 "bellwire.bench/1", "kind", "stall", "unit", "ns", "host",
				 host_json(&report->host), "peer",
				 text_or_null(report->peer[0] ? report->peer : NULL), "options",
				 options_json(report->opts), "interrupted", report->interrupted,
				 "results", rows_json(report), "aa", aas_json(report));
	int status = cli_print_json(root);

	json_decref(root);
	return status;
}
