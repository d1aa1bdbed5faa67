/* SPDX-License-Identifier: MIT
 *
 * The document, schema bellwire.watch/1. What is not known is null. Addresses and values are text:
 * 64 bits do not fit into every reader's numbers.
 */
#include "cli/cli.h"
#include "cli/watch.h"

#include <inttypes.h>
#include <math.h>

static json_t *real_or_null(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *hex(uint64_t number)
{
	return json_sprintf("0x%" PRIx64, number);
}

static json_t *path_json(const struct watch_path *path, double seconds)
{
	return json_pack("{s:I, s:I, s:f, s:o, s:o}", "writes", (json_int_t)path->writes, "reads",
			 (json_int_t)path->reads, "per_second",
			 (double)watch_path_count(path) / seconds, "ns_each",
			 real_or_null(watch_ns_each(path)), "seconds_per_second",
			 real_or_null(watch_share(path, seconds)));
}

static json_t *widths_json(uint32_t widths)
{
	json_t *array = json_array();

	for (int n = 1; n < 32; n++)
		if (widths & 1u << n)
			json_array_append_new(array, json_integer(n));
	return array;
}

static json_t *values_json(const struct watch_address *address)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < address->nr_values; i++)
		json_array_append_new(array, hex(address->values[i]));
	return array;
}

static json_t *address_json(const struct watch_address *address, double seconds)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:b, s:o, s:o}", "space",
			 address->space == BW_PIO ? "pio" : "mmio", "address", hex(address->addr),
			 "widths", widths_json(address->widths), "values", values_json(address),
			 "more_values", address->nr_values == WATCH_VALUES, "would_gain",
			 watch_would_gain(address), "slow", path_json(&address->slow, seconds),
			 "light", path_json(&address->light, seconds));
}

static json_t *addresses_json(const struct watch_report *report)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < report->account->nr; i++)
		json_array_append_new(array,
				      address_json(&report->account->addresses[report->order[i]],
						   report->seconds));
	return array;
}

static json_t *reasons_json(const struct watch_account *account)
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < WATCH_REASONS; i++) {
		char number[16];

		snprintf(number, sizeof(number), "%u", i);
		if (account->reasons[i])
			json_object_set_new(object, watch_reason(i) ? watch_reason(i) : number,
					    json_integer((json_int_t)account->reasons[i]));
	}
	return object;
}

/* One in software does not tell when the guest stops for something else. */
static json_t *others_json(const struct watch_account *account, bool hardware)
{
	json_t *light = hardware ? json_integer((json_int_t)account->other_light) : json_null();

	return json_pack("{s:o, s:o, s:I, s:I, s:I}", "light", light, "userspace",
			 reasons_json(account), "newer_reasons",
			 (json_int_t)account->reasons_beyond, "interrupted",
			 (json_int_t)account->interrupted, "unnamed", (json_int_t)account->unnamed);
}

int watch_print_json(const struct watch_report *report)
{
	static const char *const ends[] = {
		[WATCH_TIME_IS_UP] = "time",
		[WATCH_PROCESS_ENDED] = "exited",
		[WATCH_WAS_INTERRUPTED] = "interrupted",
	};
	const struct watch_account *account = report->account;
	double seconds = report->seconds;
	bool hardware = report->threads->kernel->where == WATCH_HARDWARE;
	json_t *root = json_pack(
		"{s:s, s:i, s:s, s:i, s:f, s:s, s:s, s:o, s:o, s:o, s:o, s:I}", "schema",
		"bellwire.watch/1", "pid", (int)report->process->pid, "comm", report->process->comm,
		"threads", (int)report->threads->seen, "seconds", seconds, "ended",
		ends[report->end], "timed", hardware ? "exit to entry" : "emulation to KVM_RUN",
		"addresses", addresses_json(report), "further_slow",
		path_json(&account->rest_slow, seconds), "further_light",
		path_json(&account->rest_light, seconds), "other_exits",
		others_json(account, hardware), "lost", (json_int_t)account->lost);
	int status = cli_print_json(root);

	json_decref(root);
	return status;
}
