/* SPDX-License-Identifier: MIT
 *
 * A Ctrl-C between two steps of a bench: the guest that is about to run must not run on.
 */
#include "vm_world.h"
#include "cli/interrupt.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define FOR_EVER UINT64_MAX

static int run_for_ever(struct world *w, unsigned int seconds)
{
	int err;

	load_ring(w->vcpu, out(PORT, 1, 1), FOR_EVER, 0);
	interrupt_vcpu(w->vcpu);
	interrupt_after(seconds);
	err = vcpu_run(w->vcpu);
	interrupt_after(0);
	interrupt_vcpu(NULL);
	return err;
}

static void a_time_limit_stops_the_guest_that_runs(void **state)
{
	struct world *w = make_world(state, note, 1);

	assert_int_equal(run_for_ever(w, 1), -EINTR);
	assert_false(interrupted());
	free_world(w);
}

/* The last tests: there is no way back. */
static void what_was_interrupted_already_does_not_begin(void **state)
{
	struct world *w = make_world(state, note, 1);

	if (!interrupted())
		kill(getpid(), SIGINT);
	while (!interrupted())
		sched_yield();
	assert_int_equal(run_for_ever(w, 0), -EINTR);
	free_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL(a_time_limit_stops_the_guest_that_runs),
		ON_ALL(what_was_interrupted_already_does_not_begin),
	};

	if (interrupt_start())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
