/* SPDX-License-Identifier: MIT
 *
 * The device model in a process of its own: rung by a message and by its ioeventfd, killed, and
 * taken down.
 */
#define _GNU_SOURCE
#include "world.h"
#include "endpoint/doorbell_device.h"
#include "endpoint/remote.h"
#include "vmm/vm.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define BASE 0xd0000000u
#define WORD (GUEST_SCRATCH + 0x100u)
#define PATIENCE 20000u /* times a millisecond */

struct remote_world {
	struct bw_bus *bus;
	struct vm *vm;
	struct endpoint *ep;
	struct vfio_user_region *region;
	int err; /* of the last access that was not served */
};

static void note_failure(void *opaque, int err, const char *why)
{
	(void)why;
	((struct remote_world *)opaque)->err = err;
}

static int first_cpu(void)
{
	cpu_set_t cpus;
	int cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	while (!CPU_ISSET((size_t)cpu, &cpus))
		cpu++;
	return cpu;
}

static void start_endpoint(struct remote_world *w)
{
	const struct endpoint_opts opts = { .cpu = first_cpu() };
	const struct vfio_user_memory memory = {
		.address = GUEST_RAM_BASE,
		.size = vm_ram_size(w->vm),
		.fd = vm_memory_fd(w->vm),
		.host = vm_memory(w->vm, GUEST_RAM_BASE, vm_ram_size(w->vm)),
	};

	assert_int_equal(endpoint_start_remote(&w->ep, &opts, &memory, WORD), 0);
}

static struct remote_world *make_remote(bool no_ioeventfds)
{
	struct remote_world *w = calloc(1, sizeof(*w));
	const struct vfio_user_region_opts opts = { .space = BW_MMIO,
						    .index = DOORBELL_DEVICE_MMIO,
						    .no_ioeventfds = no_ioeventfds,
						    .failed = note_failure,
						    .opaque = w };

	if (vm_backend_probe(&vm_soft)) {
		print_message("%s\n", vm_last_error());
		free(w);
		skip();
	}
	w->bus = make_bus();
	assert_int_equal(
		vm_new(&w->vm, &vm_soft, &(struct vm_opts){ .bus = w->bus, .nr_vcpus = 1 }), 0);
	start_endpoint(w);
	assert_int_equal(
		vfio_user_region_new(&w->region, w->bus, endpoint_remote_client(w->ep), &opts), 0);
	assert_int_equal(bw_region_map(vfio_user_region_bw(w->region), BASE), 0);
	return w;
}

static void free_remote(struct remote_world *w)
{
	vfio_user_region_free(w->region);
	bw_bus_free(w->bus);
	endpoint_stop(w->ep);
	vm_free(w->vm);
	free(w);
}

static void wait_for_rings(struct remote_world *w, uint64_t rings)
{
	for (unsigned int i = 0; endpoint_rings(w->ep) != rings && i < PATIENCE; i++)
		usleep(1000);
	assert_int_equal(endpoint_rings(w->ep), rings);
}

static void ring_by_guest(struct remote_world *w, uint64_t count)
{
	struct guest_mailbox *mailbox = vcpu_mailbox(vm_vcpu(w->vm, 0));

	mailbox->op = GUEST_RING;
	mailbox->count = count;
	mailbox->sequence = 0;
	mailbox->ring = (struct guest_access){ .kind = GUEST_STORE,
					       .len = 4,
					       .addr = BASE + DOORBELL_DEVICE_BELL(1) };
	assert_int_equal(vcpu_run(vm_vcpu(w->vm, 0)), 0);
}

/* A message is answered when it has been counted: there is nothing to wait for. */
static void a_guest_rings_it_by_messages(void **state)
{
	struct remote_world *w = make_remote(true);

	(void)state;
	ring_by_guest(w, 100);
	assert_int_equal(endpoint_rings(w->ep), 100);
	endpoint_ring(w->ep);
	assert_int_equal(endpoint_rings(w->ep), 101);
	assert_true(endpoint_cpu_ns(w->ep) > 0);
	assert_int_equal(w->err, 0);
	free_remote(w);
}

static void a_guest_rings_it_by_its_ioeventfd(void **state)
{
	struct remote_world *w = make_remote(false);

	(void)state;
	assert_int_equal(vfio_user_region_doorbells(w->region), DOORBELL_DEVICE_BELLS);
	ring_by_guest(w, 1000);
	wait_for_rings(w, 1000);
	free_remote(w);
}

static void killed_it_is_an_error_to_who_rings(void **state)
{
	struct remote_world *w = make_remote(true);
	uint64_t value;

	(void)state;
	assert_int_equal(kill(endpoint_remote_pid(w->ep), SIGKILL), 0);
	read_from(w->bus, BW_MMIO, BASE, 8, &value);
	assert_int_equal(value, UINT64_MAX);
	assert_int_equal(w->err, -ECONNRESET);
	free_remote(w);
}

static void it_leaves_nothing_behind(void **state)
{
	unsigned int before;

	(void)state;
	free_remote(make_remote(false));
	before = count_fds();
	free_remote(make_remote(false));
	assert_int_equal(count_fds(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_rings_it_by_messages),
		cmocka_unit_test(a_guest_rings_it_by_its_ioeventfd),
		cmocka_unit_test(killed_it_is_an_error_to_who_rings),
		cmocka_unit_test(it_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
