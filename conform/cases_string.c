/* SPDX-License-Identifier: MIT
 *
 * String output: rep outs is one write for each element.
 */
#include "trial.h"

#include <string.h>

#define DATA 0x20000u /* in GUEST_SCRATCH */

static struct guest_access string_out(uint64_t addr, uint32_t len, uint32_t count, uint64_t offset)
{
	return (struct guest_access){ .kind = GUEST_OUTS,
				      .len = len,
				      .count = count,
				      .addr = addr,
				      .value = GUEST_SCRATCH + offset };
}

static void per_element(struct trial *t)
{
	int fd = new_eventfd(t);

	for (uint32_t len = 1; len <= 4; len *= 2) {
		assign(t, port(PORT, len), fd);
		does(t, string_out(PORT, len, 5, DATA), fd, 5, NULL, 0);
		deassign(t, port(PORT, len), fd);
	}
	assign(t, port(PORT, 0), fd);
	does(t, string_out(PORT, 2, 7, DATA), fd, 7, NULL, 0);
}

static void element_values(struct trial *t)
{
	static const uint16_t elements[] = { 1, 2, 1, 0x101, 2, 1 };
	const struct seen rest[] = { seen_out(PORT, 2, 2), seen_out(PORT, 2, 0x101),
				     seen_out(PORT, 2, 2) };
	void *data = scratch(t, DATA, sizeof(elements));
	int fd = new_eventfd(t);

	if (is_over(t))
		return;
	memcpy(data, elements, sizeof(elements));
	assign(t, port_value(PORT, 2, 1), fd);
	does(t, string_out(PORT, 2, COUNT_OF(elements), DATA), fd, 3, rest, COUNT_OF(rest));
}

static void values_of_two(struct trial *t)
{
	static const uint8_t elements[] = { 1, 2, 2, 1, 2 };
	struct guest_access access = string_out(PORT, 1, COUNT_OF(elements), DATA);
	void *data = scratch(t, DATA, sizeof(elements));
	int one = new_eventfd(t), two = new_eventfd(t);

	if (is_over(t))
		return;
	memcpy(data, elements, sizeof(elements));
	assign(t, port_value(PORT, 1, 1), one);
	assign(t, port_value(PORT, 1, 2), two);
	play(t, &access, 1);
	check(t, take(t, one) == 2, "value 1 did not ring twice");
	check(t, take(t, two) == 3, "value 2 did not ring three times");
	exited(t, NULL, 0);
}

static void long_string(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 4), fd);
	/* from just before a page's end over several pages */
	does(t, string_out(PORT, 4, 3000, DATA + 0xffe), fd, 3000, NULL, 0);
}

static void no_match(struct trial *t)
{
	static const uint8_t elements[] = { 3, 4, 5 };
	const struct seen all[] = { seen_out(PORT, 1, 3), seen_out(PORT, 1, 4),
				    seen_out(PORT, 1, 5) };
	void *data = scratch(t, DATA, sizeof(elements));
	int fd = new_eventfd(t);

	if (is_over(t))
		return;
	memcpy(data, elements, sizeof(elements));
	assign(t, port(PORT, 2), fd);
	assign(t, port_value(PORT, 1, 6), fd);
	does(t, string_out(PORT, 1, 3, DATA), -1, 0, all, COUNT_OF(all));
}

static void no_elements(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 1), fd);
	does(t, string_out(PORT, 1, 0, DATA), -1, 0, NULL, 0);
	rings(t, out(PORT, 1, 0), fd);
}

static const struct conform_case cases[] = {
	{ .name = "a_string_rings_once_for_each_element",
	  .says = "Elements of 1, 2 and 4 bytes, and any length.",
	  .run = per_element },
	{ .name = "each_element_of_a_string_is_compared",
	  .says = "Three of six elements have the value; the others exit, in order.",
	  .run = element_values },
	{ .name = "elements_of_a_string_ring_different_doorbells",
	  .says = "By their values.",
	  .run = values_of_two },
	{ .name = "a_long_string_rings_for_each_element",
	  .says = "3,000 elements from four pages.",
	  .run = long_string },
	{ .name = "a_string_of_the_wrong_width_exits",
	  .says = "Element by element, with each one's value.",
	  .run = no_match },
	{ .name = "a_string_of_no_elements_does_nothing",
	  .says = "A count of 0 is no write.",
	  .run = no_elements },
};

const struct conform_group group_string = CONFORM_GROUP("string", cases);
