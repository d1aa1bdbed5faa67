/* SPDX-License-Identifier: MIT
 *
 * An eventfd that interrupts the guest.
 */
#include "vm_world.h"

#include <errno.h>
#include <sys/eventfd.h>

#define INTERRUPTS 20u
#define BELL 0x520u

static struct world *make_interruptible(void **state, int *fd)
{
	struct world *w = make_world(state, note, 1);
	int r;

	*fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r = vm_irqfd(w->vm, *fd);
	if (r == -EOPNOTSUPP) {
		print_message("%s\n", vm_last_error());
		close(*fd);
		free_world(w);
		skip();
	}
	if (r < 0)
		fail_msg("%s", vm_last_error());
	return w;
}

static void end(struct world *w, int fd)
{
	free_world(w);
	close(fd);
}

static uint64_t interrupts(struct world *w)
{
	return *(volatile uint64_t *)vm_memory(w->vm, GUEST_INTERRUPTS, sizeof(uint64_t));
}

/* KVM may inject one from a thread of its own: the guest runs until it has come. */
static uint64_t wait_for_interrupts(struct world *w, uint64_t expected)
{
	for (int i = 0; interrupts(w) < expected && i < 10000; i++) {
		play(w, out(PORT, 1, 0));
		usleep(100);
	}
	return interrupts(w);
}

/* The bus rings it on the vCPU's own thread, and usually the next instruction is
 * the interrupt handler's. */
static void interrupt(void *opaque, struct bw_access *access)
{
	(void)access;
	eventfd_write(*(int *)opaque, 1);
}

static void each_signal_is_one_interrupt(void **state)
{
	int fd;
	struct world *w = make_interruptible(state, &fd);
	struct bw_region_opts opts = {
		.size = sizeof(opts), .space = BW_PIO, .len = 1, .handler = interrupt, .opaque = &fd
	};
	struct bw_region *region;

	assert_int_equal(bw_region_new(w->bus, &region, &opts), 0);
	assert_int_equal(bw_region_map(region, BELL), 0);
	for (uint64_t i = 1; i <= INTERRUPTS; i++) {
		play(w, out(BELL, 1, 0));
		assert_int_equal(wait_for_interrupts(w, i), i);
	}
	end(w, fd);
}

/* The guest goes on after each where it was: its stack, its registers and its ports are whole. */
static void the_guest_goes_on_where_it_was(void **state)
{
	int fd;
	struct world *w = make_interruptible(state, &fd);

	for (unsigned int i = 0; i < INTERRUPTS; i++) {
		assert_int_equal(eventfd_write(fd, 1), 0);
		play(w, out(PORT, 2, 0x1000 + i));
		assert_int_equal(w->nr_seen, 1);
		assert_int_equal(w->seen[0].value, 0x1000 + i);
		assert_int_equal(play(w, in(PORT, 4)), bytes_at(PORT, 4));
		assert_int_equal(play(w, load(BAR, 8)), bytes_at(BAR, 8));
		assert_int_equal(wait_for_interrupts(w, i + 1), i + 1);
	}
	end(w, fd);
}

static void without_a_signal_there_is_none(void **state)
{
	int fd;
	struct world *w = make_interruptible(state, &fd);

	play(w, out(PORT, 1, 0));
	assert_int_equal(interrupts(w), 0);
	end(w, fd);
}

static void what_is_no_eventfd_is_refused(void **state)
{
	struct world *w = make_world(state, note, 1);
	int r = vm_irqfd(w->vm, -1);

	assert_true(r < 0);
	assert_true(vm_last_error()[0]);
	play(w, out(PORT, 1, 0));
	free_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL(each_signal_is_one_interrupt),
		ON_ALL(the_guest_goes_on_where_it_was),
		ON_ALL(without_a_signal_there_is_none),
		ON_ALL(what_is_no_eventfd_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
