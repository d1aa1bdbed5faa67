/* SPDX-License-Identifier: MIT
 *
 * What bellwire watch reads of the kernel: bit 0 of the first byte chooses a format file, or perf's
 * ring of one thread, whose place in the ring the second byte chooses. What is accounted must be
 * no more than what was there, and be printed in lines of bounded length.
 */
#include "cli/watch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING 8192u
#define MAX_LINE 160u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

/* ---- a format file ---- */

static void fuzz_format(const uint8_t *input, size_t size)
{
	char *text = malloc(size);
	struct watch_layout layout;

	check(text || !size, "memory");
	if (size)
		memcpy(text, input, size);
	for (const struct watch_tracepoint *t = watch_tracepoints; t->name; t++) {
		if (watch_layout_parse(&layout, t, text, size))
			continue;
		for (size_t i = 0; i < WATCH_MAX_FIELDS && t->fields[i]; i++)
			check(layout.fields[i].size >= 1 && layout.fields[i].size <= 8,
			      "a field has 1 to 8 bytes");
	}
	free(text);
}

/* ---- a ring ---- */

/* As Linux 6.1 to 6.18 have them, all at once. */
static struct watch_layout layouts[] = {
	{ &watch_tracepoints[0], { { 8, 4 }, { 12, 4 }, { 16, 8 }, { 24, 8 } } },
	{ &watch_tracepoints[1], { { 8, 4 }, { 12, 4 }, { 16, 4 }, { 24, 4 } } },
	{ &watch_tracepoints[2], { { 8, 4 }, { 12, 4 } } },
	{ &watch_tracepoints[3], {} },
	{ &watch_tracepoints[4], {} },
	{ &watch_tracepoints[7], {} },
};

static const struct watch_decoder decoder = {
	.nr = 6,
	.sources = { { 1, &layouts[0] },
		     { 2, &layouts[1] },
		     { 3, &layouts[2] },
		     { 4, &layouts[3] },
		     { 5, &layouts[4] },
		     { 6, &layouts[5] } },
};

static uint64_t check_path(const struct watch_path *path)
{
	check(path->timed <= watch_path_count(path), "no more is timed than was there");
	check(path->timed > 0 || path->ns == 0, "what was not timed took no time");
	return watch_path_count(path);
}

static void check_account(const struct watch_account *account, uint64_t accesses)
{
	uint64_t sum = check_path(&account->rest_slow) + check_path(&account->rest_light);

	check(account->nr <= WATCH_ADDRESSES, "addresses have an end");
	for (unsigned int i = 0; i < account->nr; i++) {
		const struct watch_address *address = &account->addresses[i];

		sum += check_path(&address->slow) + check_path(&address->light);
		check(address->nr_values <= WATCH_VALUES, "values have an end");
		check(address->nr_values <= address->slow.writes, "a value was written");
		check(address->widths != 0, "an access has a width, or one that is not known");
	}
	check(sum <= accesses, "an access has an event");
}

static void check_lines(const char *text)
{
	for (; *text; text += strcspn(text, "\n") + 1)
		check(strcspn(text, "\n") <= MAX_LINE, "a line has an end");
}

static void check_table(struct watch_report *report)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	check(out, "memory");
	watch_report_sort(report);
	watch_print(report, 20, out);
	check(fclose(out) == 0, "memory");
	check_lines(text);
	free(text);
}

static void fill(uint8_t ring[RING], const uint8_t *input, size_t size, uint64_t tail)
{
	memset(ring, 0, RING);
	for (size_t i = 0; i < size; i++)
		ring[(tail + i) % RING] = input[i];
}

static void fuzz_ring(const uint8_t *input, size_t size, uint64_t tail)
{
	static uint8_t data[RING], bounce[WATCH_RECORD_MAX];
	static struct watch_account account;
	static const struct watch_process process = { .pid = 1, .comm = "fuzzed" };
	static const struct watch_threads threads = { .seen = 1 };
	static struct watch_report report = {
		.process = &process, .threads = &threads, .seconds = 1e-3, .account = &account
	};
	struct watch_ring_view ring = { data, RING, tail, tail + size };
	struct watch_vcpu vcpu = {};
	struct watch_event event;
	uint64_t accesses = 0;
	const void *record;
	size_t left;

	fill(data, input, size, tail);
	memset(&account, 0, sizeof(account));
	while ((record = watch_ring_next(&ring, bounce, &left))) {
		if (!watch_decode(&decoder, record, left, &event))
			continue;
		accesses += event.kind == WATCH_MMIO || event.kind == WATCH_PIO;
		watch_match(&vcpu, &event, &account);
	}
	check(ring.tail + left == ring.head, "every byte was looked at, or refused");
	check_account(&account, accesses);
	check_table(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (size < 2)
		return 0;
	if (input[0] & 1)
		fuzz_format(input + 2, size - 2);
	else if (size - 2 <= RING)
		fuzz_ring(input + 2, size - 2, UINT64_C(32) * input[1]);
	return 0;
}
