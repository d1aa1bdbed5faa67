/* SPDX-License-Identifier: MIT
 *
 * HvCallSignalEvent: KVM_HYPERV_EVENTFD, and the library's hypercall space.
 */
#include "trial.h"

#include <sys/ioctl.h>

#define CONNECTION 0x1234u
#define LAST_CONNECTION 0xffffffu

#define HV_STATUS_SUCCESS 0u
#define HV_STATUS_INVALID_CONNECTION_ID 0x12u

/* One ioeventfd, by the library's handle or the kernel's key. */
struct connection {
	uint32_t id;
	int fd;
	struct bw_ioeventfd *handle;
};

static int by_ioctl(struct trial *t, const struct connection *c, uint32_t flags)
{
	struct kvm_hyperv_eventfd request = { .conn_id = c->id, .fd = c->fd, .flags = flags };

	return ioctl(vm_kvm_fd(t->s->vm), KVM_HYPERV_EVENTFD, &request) < 0 ? -errno : 0;
}

static int by_handle(struct trial *t, struct connection *c)
{
	struct bw_match any = { .len = BW_ANY_LEN };
	struct bw_notifier *n;
	int err = bw_notifier_import(&n, c->fd, NULL);

	if (err)
		return err;
	err = bw_ioeventfd_assign(t->s->bus, &c->handle, BW_HYPERCALL, c->id, any, n);
	bw_notifier_free(n);
	return err;
}

static void connect_gives(struct trial *t, struct connection *c, int err)
{
	int got;

	if (is_over(t))
		return;
	got = t->s->bus ? by_handle(t, c) : by_ioctl(t, c, 0);
	check(t, got == -err, "connection 0x%x gave %d, not %d", c->id, got, -err);
}

static void disconnect(struct trial *t, struct connection *c)
{
	if (is_over(t))
		return;
	if (t->s->bus)
		bw_ioeventfd_deassign(c->handle);
	else
		check(t, by_ioctl(t, c, KVM_HYPERV_EVENTFD_DEASSIGN) == 0, "deassign failed");
}

static struct guest_access signal_event(uint32_t id)
{
	return (struct guest_access){ .kind = GUEST_HYPERCALL, .addr = id };
}

static void signals(struct trial *t, uint32_t id, int fd, uint64_t count, uint64_t status)
{
	struct guest_access access = signal_event(id);

	play(t, &access, 1);
	counted(t, fd, count);
	check(t, is_over(t) || access.result == status, "the guest was told 0x%llx, not 0x%llx",
	      (unsigned long long)access.result, (unsigned long long)status);
}

static void a_hypercall_rings(struct trial *t)
{
	struct connection c = { .id = CONNECTION, .fd = new_eventfd(t) };

	connect_gives(t, &c, 0);
	signals(t, CONNECTION, c.fd, 1, HV_STATUS_SUCCESS);
	signals(t, CONNECTION, c.fd, 1, HV_STATUS_SUCCESS);
	check(t, is_over(t) || subject_nr_seen(t->s) == 0, "it reached userspace");
}

static void unknown_connections(struct trial *t)
{
	struct connection c = { .id = CONNECTION, .fd = new_eventfd(t) };

	connect_gives(t, &c, 0);
	signals(t, CONNECTION + 1, -1, 0, HV_STATUS_INVALID_CONNECTION_ID);
	check(t, is_over(t) || subject_nr_seen(t->s) == 1, "it did not reach userspace");
	disconnect(t, &c);
	signals(t, CONNECTION, -1, 0, HV_STATUS_INVALID_CONNECTION_ID);
}

static void connection_ids(struct trial *t)
{
	struct connection first = { .id = 0, .fd = new_eventfd(t) };
	struct connection last = { .id = LAST_CONNECTION, .fd = new_eventfd(t) };
	struct connection beyond = { .id = LAST_CONNECTION + 1, .fd = new_eventfd(t) };

	connect_gives(t, &first, 0);
	connect_gives(t, &last, 0);
	connect_gives(t, &beyond, EINVAL);
	signals(t, 0, first.fd, 1, HV_STATUS_SUCCESS);
	signals(t, LAST_CONNECTION, last.fd, 1, HV_STATUS_SUCCESS);
}

static void collisions(struct trial *t)
{
	struct connection c = { .id = CONNECTION, .fd = new_eventfd(t) };
	struct connection again = { .id = CONNECTION, .fd = new_eventfd(t) };

	connect_gives(t, &c, 0);
	connect_gives(t, &again, EEXIST);
	signals(t, CONNECTION, c.fd, 1, HV_STATUS_SUCCESS);
	disconnect(t, &c);
	connect_gives(t, &again, 0);
	signals(t, CONNECTION, again.fd, 1, HV_STATUS_SUCCESS);
}

static void bad_fds(struct trial *t)
{
	struct connection c = { .id = CONNECTION, .fd = -1 };

	connect_gives(t, &c, EBADF);
	c.fd = new_eventfd(t);
	connect_gives(t, &c, 0);
	signals(t, CONNECTION, c.fd, 1, HV_STATUS_SUCCESS);
}

static void another_space(struct trial *t)
{
	struct connection c = { .id = PORT, .fd = new_eventfd(t) };
	int ports = new_eventfd(t), memory = new_eventfd(t);

	connect_gives(t, &c, 0);
	assign(t, port(PORT, 0), ports);
	assign(t, mmio(PORT, 0), memory);
	signals(t, PORT, c.fd, 1, HV_STATUS_SUCCESS);
	rings(t, out(PORT, 1, 0), ports);
	rings(t, store(PORT, 4, 0), memory);
}

static void many(struct trial *t)
{
	enum { NR = 32 };
	struct connection c[NR];

	for (uint32_t i = 0; i < NR; i++) {
		c[i] = (struct connection){ .id = i * 0x1001, .fd = new_eventfd(t) };
		connect_gives(t, &c[i], 0);
	}
	for (uint32_t i = 0; i < NR; i++)
		signals(t, c[i].id, c[i].fd, 1, HV_STATUS_SUCCESS);
}

static const struct conform_case cases[] = {
	{ .name = "a_hypercall_rings",
	  .says = "HvCallSignalEvent succeeds and does not reach userspace.",
	  .run = a_hypercall_rings,
	  .needs = NEEDS_HYPERCALL },
	{ .name = "a_hypercall_of_an_unknown_connection_fails",
	  .says = "It reaches userspace, and the guest is told so; also after deassign.",
	  .run = unknown_connections,
	  .needs = NEEDS_HYPERCALL },
	{ .name = "connection_ids_have_24_bits",
	  .says = "0 and 2^24-1 ring, 2^24 is EINVAL.",
	  .run = connection_ids,
	  .needs = NEEDS_HYPERCALL },
	{ .name = "a_connection_collides_with_itself",
	  .says = "EEXIST, until it is deassigned.",
	  .run = collisions,
	  .needs = NEEDS_HYPERCALL },
	{ .name = "a_connection_needs_an_eventfd",
	  .says = "A closed fd is EBADF, and nothing is left of it.",
	  .run = bad_fds,
	  .needs = NEEDS_HYPERCALL },
	{ .name = "a_connection_is_in_a_space_of_its_own",
	  .says = "The number as a port and as an address: three ioeventfds.",
	  .run = another_space,
	  .needs = NEEDS_HYPERCALL },
	{ .name = "many_connections_each_ring_their_own",
	  .says = "32 of them.",
	  .run = many,
	  .needs = NEEDS_HYPERCALL },
};

const struct conform_group group_hypercall = CONFORM_GROUP("hypercall", cases);
