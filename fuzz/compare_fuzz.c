/* SPDX-License-Identifier: MIT
 *
 * bellwire compare: two documents, with an empty line between them. What it makes of them is
 * checked against what it makes of them the other way round, and of one and itself.
 */
#define _GNU_SOURCE
#include "cli/cli.h"
#include "cli/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static int fds[2];
static char files[2][32];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (int i = 0; i < 2; i++) {
		fds[i] = memfd_create("document", MFD_CLOEXEC);
		snprintf(files[i], sizeof(files[i]), "/proc/self/fd/%d", fds[i]);
	}
	return fds[0] < 0 || fds[1] < 0;
}

static void set_file(int i, const void *text, size_t size)
{
	if (ftruncate(fds[i], 0) || pwrite(fds[i], text, size, 0) != (ssize_t)size)
		abort();
}

static void show(const struct comparison *c)
{
	json_t *document = compare_json(c);

	compare_print(c);
	if (!document)
		abort();
	cli_print_json(document);
	json_decref(document);
}

/* Whether they can be compared; then counts has the result. */
static bool compare(int a, int b, size_t counts[NR_COMPARE_VERDICTS])
{
	struct comparison c = { .tolerance = 1.05 };
	bool done = compare_doc_open(&c.docs[0], files[a]) &&
		    compare_doc_open(&c.docs[1], files[b]) && compare_judge(&c);

	if (done)
		show(&c);
	memcpy(counts, c.counts, sizeof(c.counts));
	compare_free(&c);
	return done;
}

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void check_turned(const size_t there[], const size_t back[])
{
	static const enum compare_verdict pairs[][2] = {
		{ COMPARE_SAME, COMPARE_SAME },     { COMPARE_FASTER, COMPARE_SLOWER },
		{ COMPARE_MENDED, COMPARE_BROKEN }, { COMPARE_UNSURE, COMPARE_UNSURE },
		{ COMPARE_ONLY_A, COMPARE_ONLY_B },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		check(there[pairs[i][0]] == back[pairs[i][1]], "turned round, it differs");
		check(there[pairs[i][1]] == back[pairs[i][0]], "turned round, it differs");
	}
}

/* Whatever it is compared with, it has not changed. */
static void check_itself(int i)
{
	size_t counts[NR_COMPARE_VERDICTS];

	compare(i, i, counts);
	for (int v = COMPARE_SAME + 1; v < NR_COMPARE_VERDICTS; v++)
		check(v == COMPARE_UNSURE || counts[v] == 0, "a document differs from itself");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	const uint8_t *second = memmem(input, size, "\n\n", 2);
	size_t len = second ? (size_t)(second - input) : size;
	size_t there[NR_COMPARE_VERDICTS], back[NR_COMPARE_VERDICTS];
	bool done;

	set_file(0, input, len);
	set_file(1, second ? second + 2 : input, second ? size - len - 2 : len);
	done = compare(0, 1, there);
	check(compare(1, 0, back) == done, "turned round, they can be compared, or cannot");
	if (done)
		check_turned(there, back);
	check_itself(0);
	check_itself(1);
	return 0;
}
