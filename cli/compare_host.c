/* SPDX-License-Identifier: MIT
 *
 * What differs besides the rows, and may be why: the program, the host, how it was run. Anything
 * that either document says is looked at, also what this version does not know.
 */
#include "cli/compare.h"
#include "cli/bench.h"

#include <math.h>
#include <string.h>

#define MAX_DEPTH 3 /* no document nests deeper: what does is told whole */

static json_t *or_null(const json_t *value)
{
	return value ? json_deep_copy(value) : json_null();
}

static int add_difference(json_t *found, json_t *what, const json_t *a, const json_t *b)
{
	return json_array_append_new(found, json_pack("{s:O, s:o, s:o}", "what", what, "a",
						      or_null(a), "b", or_null(b)));
}

static int compare_values(json_t *found, json_t *what, json_t *a, json_t *b, int depth);

/* Those that only b has come last. */
static int compare_members(json_t *found, json_t *what, json_t *a, json_t *b, int depth)
{
	json_t *all = json_object(), *value;
	const char *key;
	int err = !all || json_object_update(all, a) || json_object_update_missing(all, b);

	json_object_foreach(all, key, value)
	{
		json_t *name = json_sprintf("%s %s", json_string_value(what), key);

		err = err || !name ||
		      compare_values(found, name, json_object_get(a, key), json_object_get(b, key),
				     depth + 1);
		json_decref(name);
	}
	json_decref(all);
	return err;
}

/* The seed is another each time. */
static int compare_values(json_t *found, json_t *what, json_t *a, json_t *b, int depth)
{
	if ((!a && !b) || json_equal(a, b) || strcmp(json_string_value(what), "options seed") == 0)
		return 0;
	if (json_is_object(a) && json_is_object(b) && depth < MAX_DEPTH)
		return compare_members(found, what, a, b, depth);
	return add_difference(found, what, a, b);
}

/* On which the vCPU's thread never sleeps. */
static bool is_busy(const json_t *row)
{
	const char *path = json_string_value(json_object_get(row, "path"));
	const struct path_type *type = path ? bench_path_find(path) : NULL;

	return type && !type->waits;
}

double compare_cpu_share(const struct compare_doc *doc)
{
	double sum = 0;
	size_t nr = 0;
	const char *name;
	json_t *row;

	json_object_foreach(doc->rows, name, row)
	{
		const json_t *cpu = json_object_get(row, "vcpu_cpu_ns");
		const json_t *ns = json_object_get(row, "ns_per_ring");

		if (!json_is_number(cpu) || !json_is_number(ns) || !is_busy(row))
			continue;
		sum += json_number_value(cpu) / json_number_value(ns);
		nr++;
	}
	return nr ? sum / (double)nr : NAN;
}

json_t *compare_differences(const json_t *a, const json_t *b)
{
	static const char *const parts[] = { "version", "host", "peer", "options", "interrupted" };
	json_t *found = json_array();
	int err = !found;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !err; i++) {
		json_t *what = json_string(parts[i]);

		err = !what || compare_values(found, what, json_object_get(a, parts[i]),
					      json_object_get(b, parts[i]), 0);
		json_decref(what);
	}
	if (!err)
		return found;
	json_decref(found);
	return NULL;
}
