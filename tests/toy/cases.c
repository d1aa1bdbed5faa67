/* SPDX-License-Identifier: MIT
 *
 * Three cases, of which the second ends as the argument says.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void leave_early(void)
{
	_exit(0);
}

static void leak(void)
{
	volatile char *lost = malloc(1);

	*lost = 1;
}

static void use_after_free(void)
{
	char *volatile gone = malloc(1);

	free(gone);
	*gone = 1;
}

static void overflow(void)
{
	volatile int big = 0x7fffffff;

	big = big + 1;
}

static void hang(void)
{
	pause();
}

static void segfault(void)
{
	raise(SIGSEGV);
}

static void well(void)
{
}

static void be_skipped(void)
{
	print_message("no such hardware\n");
	skip();
}

static void be_wrong(void)
{
	assert_int_equal(1, 2);
}

static const struct {
	const char *name;
	void (*fn)(void);
} endings[] = {
	{ "well", well },         { "skip", be_skipped }, { "wrong", be_wrong },
	{ "segfault", segfault }, { "abort", abort },     { "leave-early", leave_early },
	{ "hang", hang },         { "leak", leak },       { "use-after-free", use_after_free },
	{ "overflow", overflow },
};

static const char *wanted;

static void first(void **state)
{
	(void)state;
}

static void second(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcmp(endings[i].name, wanted) == 0)
			endings[i].fn();
}

static void third(void **state)
{
	(void)state;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(first),
		cmocka_unit_test(second),
		cmocka_unit_test(third),
	};

	if (argc != 2)
		return 2;
	wanted = argv[1];
	return cmocka_run_group_tests(cases, NULL, NULL);
}
