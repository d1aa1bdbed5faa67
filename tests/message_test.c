/* SPDX-License-Identifier: MIT
 *
 * The messages of an endpoint's socket: which are acted on.
 */
#include "endpoint/message.h"
#include "world.h"

#include <errno.h>

static const struct {
	const char *name;
	struct endpoint_attach attach;
	unsigned int nr_fds;
	int result;
} attaches[] = {
#define HEAD ENDPOINT_MAGIC, ENDPOINT_VERSION
	{ "plain", { HEAD, 0, 1, 0 }, 2, 0 },
	{ "any cpu", { HEAD, ENDPOINT_SPIN, ENDPOINT_ANY_CPU, 0 }, 2, 0 },
	{ "both answers", { HEAD, ENDPOINT_CALL | ENDPOINT_MEMORY, 0, 0x100000 }, 4, 0 },
	{ "other protocol", { 1, ENDPOINT_VERSION, 0, 0, 0 }, 2, -EPROTO },
	{ "other version", { ENDPOINT_MAGIC, 2, 0, 0, 0 }, 2, -EPROTONOSUPPORT },
	{ "unknown flag", { HEAD, 8, 0, 0 }, 2, -EPROTO },
	{ "no fds", { HEAD, 0, 0, 0 }, 0, -EPROTO },
	{ "an fd too few", { HEAD, ENDPOINT_CALL, 0, 0 }, 2, -EPROTO },
	{ "an fd too many", { HEAD, 0, 0, 0 }, 3, -EPROTO },
	{ "no such cpu", { HEAD, 0, 1024, 0 }, 2, -EPROTO },
	{ "word is not aligned", { HEAD, ENDPOINT_MEMORY, 0, 4 }, 3, -EPROTO },
	{ "word is no file's", { HEAD, ENDPOINT_MEMORY, 0, 1ull << 63 }, 3, -EPROTO },
	{ "word without memory", { HEAD, 0, 0, 8 }, 2, -EPROTO },
#undef HEAD
};

static void attach_is_checked_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attaches) / sizeof(attaches[0]); i++) {
		int r = endpoint_attach_check(&attaches[i].attach, attaches[i].nr_fds);

		if (r != attaches[i].result)
			fail_msg("%s: %d, not %d", attaches[i].name, r, attaches[i].result);
	}
}

static void reply_is_checked_whole(void **state)
{
	struct endpoint_reply good = { ENDPOINT_MAGIC, ENDPOINT_VERSION, EBUSY, 1 }, bad;

	(void)state;
	assert_int_equal(endpoint_reply_check(&good), 0);
	bad = good;
	bad.magic++;
	assert_int_equal(endpoint_reply_check(&bad), -EPROTO);
	bad = good;
	bad.version++;
	assert_int_equal(endpoint_reply_check(&bad), -EPROTONOSUPPORT);
	bad = good;
	bad.error = -1;
	assert_int_equal(endpoint_reply_check(&bad), -EPROTO);
	bad = good;
	bad.pid = -1;
	assert_int_equal(endpoint_reply_check(&bad), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attach_is_checked_whole),
		cmocka_unit_test(reply_is_checked_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
