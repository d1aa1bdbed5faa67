/* SPDX-License-Identifier: MIT
 *
 * Answers, by a word or by a call.
 */
#include "endpoint/answer.h"
#include "endpoint/clock.h"

#include <sys/eventfd.h>

uint64_t answer_note(struct answers *answers, uint64_t rings)
{
	uint64_t number = rings - atomic_load_explicit(&answers->before, memory_order_relaxed);

	/* What is not of this command: the ring that ends an endpoint, or one counted before. */
	if (number == 0 || number > ANSWERS_MAX)
		return 0;
	atomic_store_explicit(&answers->heard_ns[number - 1], clock_ns(CLOCK_MONOTONIC_RAW),
			      memory_order_relaxed);
	return number;
}

void answer_word(uint64_t *word, uint64_t number)
{
	/* pairs with the guest's load, which is an acquire on x86 */
	__atomic_store_n(word, number, __ATOMIC_RELEASE);
}

void answer_call(int call)
{
	eventfd_write(call, 1);
}
