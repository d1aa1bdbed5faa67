/* SPDX-License-Identifier: MIT
 *
 * What KVM traced of a guest that performs the rounds of watch_round.h: the format files and perf's
 * records, as they came, but for the ids. A record's id is its tracepoint's place, from 1, among
 * those of its hypervisor.
 */
#include "cli/watch_account.h"

#include "watch_round.h"
#include "world.h"

#include <stdio.h>

#define MAX_SIZE 65536

struct recording {
	const char *name; /* a directory */
	enum watch_where where;
};

static struct recording svm = { "svm-linux-6.1", WATCH_HARDWARE };
static struct recording pvm = { "pvm-linux-6.18", WATCH_SOFTWARE };

static size_t read_file(const struct recording *recording, const char *name, char *bytes)
{
	char path[512];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%s", RECORDINGS, recording->name, name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s is not there", path);
	size = fread(bytes, 1, MAX_SIZE, file);
	fclose(file);
	return size;
}

static const struct watch_decoder *make_decoder(const struct recording *recording)
{
	static struct watch_layout layouts[WATCH_MAX_SOURCES];
	static struct watch_decoder decoder;
	char name[64], text[MAX_SIZE];

	decoder.nr = 0;
	for (const struct watch_tracepoint *t = watch_tracepoints; t->name; t++) {
		unsigned int i = decoder.nr;

		if (t->where != WATCH_ANYWHERE && t->where != recording->where)
			continue;
		snprintf(name, sizeof(name), "%s.format", t->name);
		assert_null(
			watch_layout_parse(&layouts[i], t, text, read_file(recording, name, text)));
		decoder.sources[i].id = i + 1;
		decoder.sources[i].layout = &layouts[i];
		decoder.nr++;
	}
	return &decoder;
}

/* Of the recording only so many records, from the first. */
static struct watch_account *replay(const struct recording *recording, unsigned int first,
				    unsigned int nr)
{
	static struct watch_account account;
	static char bytes[MAX_SIZE], bounce[MAX_SIZE];
	const struct watch_decoder *decoder = make_decoder(recording);
	struct watch_ring_view ring = { (uint8_t *)bytes, MAX_SIZE, 0, 0 };
	struct watch_vcpu vcpu = {};
	struct watch_event event;
	const void *record;
	size_t size;

	memset(&account, 0, sizeof(account));
	ring.head = read_file(recording, "records", bytes);
	for (unsigned int i = 0; (record = watch_ring_next(&ring, bounce, &size)); i++)
		if (i >= first && i < first + nr && watch_decode(decoder, record, size, &event))
			watch_match(&vcpu, &event, &account);
	assert_int_equal(size, 0);
	return &account;
}

static const struct watch_address *find(const struct watch_account *account,
					const struct expected *e)
{
	for (unsigned int i = 0; i < account->nr; i++)
		if (account->addresses[i].space == e->space &&
		    account->addresses[i].addr == e->addr)
			return &account->addresses[i];
	return NULL;
}

static void assert_rounds(uint64_t seen, uint64_t in_a_round, uint64_t rounds)
{
	assert_in_range(seen, in_a_round * (rounds - 1), in_a_round * (rounds + 1));
}

/* It begins and ends in the middle of a round. */
static void a_recorded_round_is_accounted_to_each_address(void **state)
{
	const struct watch_account *account = replay(*state, 0, UINT32_MAX);
	uint64_t rounds = find(account, &expected[3])->slow.writes;

	assert_true(rounds > 3);
	assert_int_equal(account->nr, COUNT_OF(expected));
	assert_int_equal(account->lost + account->unnamed, 0);
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		const struct expected *e = &expected[i];
		const struct watch_address *address = find(account, e);

		assert_non_null(address);
		assert_rounds(address->slow.writes, e->slow_writes, rounds);
		assert_rounds(address->slow.reads, e->slow_reads, rounds);
		assert_rounds(address->light.writes, e->light_writes, rounds);
		assert_rounds(address->light.reads, e->light_reads, rounds);
		assert_int_equal(address->widths, 1u << e->width);
		assert_int_equal(address->nr_values, e->nr_values);
		assert_int_equal(watch_would_gain(address), e->gains);
	}
}

/* In hardware both ways have a time; in software only what went to userspace. */
static void recorded_accesses_are_timed(void **state)
{
	const struct recording *recording = *state;
	const struct watch_account *account = replay(recording, 0, UINT32_MAX);
	bool hardware = recording->where == WATCH_HARDWARE;

	for (unsigned int i = 0; i < account->nr; i++) {
		const struct watch_address *a = &account->addresses[i];

		/* The last access of the recording may have no end. */
		assert_in_range(a->slow.timed + 1, watch_path_count(&a->slow),
				watch_path_count(&a->slow) + 1);
		assert_int_equal(a->light.timed, hardware ? watch_path_count(&a->light) : 0);
		assert_int_equal(a->slow.ns > 0, a->slow.timed > 0);
	}
}

/* Wherever a watch begins and ends: what is light in the whole is not slow in a part. */
static void a_part_has_nothing_that_the_whole_has_not(void **state)
{
	struct recording *recording = *state;

	for (unsigned int first = 0; first < 60; first++)
		for (unsigned int nr = 1; nr < 60; nr++) {
			const struct watch_account *part = replay(recording, first, nr);

			for (size_t i = 0; i < COUNT_OF(expected); i++) {
				const struct watch_address *a = find(part, &expected[i]);
				const struct expected *e = &expected[i];

				if (!a)
					continue;
				assert_true(e->slow_writes > 0 || a->slow.writes == 0);
				assert_true(e->slow_reads > 0 || a->slow.reads == 0);
				assert_true(e->light_writes > 0 || a->light.writes == 0);
				assert_true(e->light_reads > 0 || a->light.reads == 0);
			}
			assert_int_equal(part->unnamed, 0);
		}
}

#define OF(recording, test)                                                                        \
	{                                                                                          \
#test ", " #recording, test, NULL, NULL, &recording                                \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF(svm, a_recorded_round_is_accounted_to_each_address),
		OF(pvm, a_recorded_round_is_accounted_to_each_address),
		OF(svm, recorded_accesses_are_timed),
		OF(pvm, recorded_accesses_are_timed),
		OF(svm, a_part_has_nothing_that_the_whole_has_not),
		OF(pvm, a_part_has_nothing_that_the_whole_has_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
