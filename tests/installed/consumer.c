/* SPDX-License-Identifier: MIT
 *
 * A program that uses the installed library, in what C99 and C++11 have in common.
 */
#include <bellwire.h>

#include <stdio.h>
#include <string.h>

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, bw_last_error());
	return 1;
}

int main(void)
{
	struct bw_bus *bus;
	struct bw_notifier *kick;
	struct bw_ioeventfd *doorbell;
	struct bw_match match;
	struct bw_access access;
	uint32_t value = 1;

	memset(&match, 0, sizeof(match));
	memset(&access, 0, sizeof(access));
	match.len = 4;
	access.space = BW_MMIO;
	access.is_write = true;
	access.len = 4;
	access.addr = 0x1000;
	access.data = &value;
	if (bw_bus_new(&bus, NULL) < 0 || bw_notifier_new(&kick, "kick") < 0)
		return fail("make");
	if (bw_ioeventfd_assign(bus, &doorbell, BW_MMIO, 0x1000, match, kick) < 0)
		return fail("assign");
	if (bw_bus_access(bus, &access) != BW_SIGNALLED || bw_notifier_take(kick) != 1)
		return fail("ring");
	bw_bus_free(bus);
	bw_notifier_free(kick);
	return 0;
}
