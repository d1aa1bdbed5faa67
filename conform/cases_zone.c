/* SPDX-License-Identifier: MIT
 *
 * Coalesced zones, which swallow writes into a ring for later: KVM_REGISTER_COALESCED_MMIO.
 */
#include "trial.h"

#include <string.h>
#include <sys/ioctl.h>

#define ZONE 0x100u /* bytes */

static void set_zone(struct trial *t, bool pio, uint64_t addr)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = addr, .size = ZONE, .pio = pio };
	struct kernel_range range = { .addr = addr, .len = ZONE, .taker = TAKEN_BY_ZONE };
	struct subject *s = t->s;

	if (is_over(t))
		return;
	if (ioctl(vm_kvm_fd(s->vm), KVM_CHECK_EXTENSION,
		  pio ? KVM_CAP_COALESCED_PIO : KVM_CAP_COALESCED_MMIO) <= 0)
		skips(t, "this KVM has no coalesced %s", pio ? "PIO" : "MMIO");
	else if (ioctl(vm_kvm_fd(s->vm), KVM_REGISTER_COALESCED_MMIO, &zone) < 0)
		fails(t, "KVM_REGISTER_COALESCED_MMIO: %s", strerror(errno));
	else if (!kernel_bus_register(pio ? &s->ports : &s->memory, &range))
		fails(t, "no memory");
}

/* Neither rings nor exits. */
static void is_coalesced(struct trial *t, struct guest_access access)
{
	does(t, access, -1, 0, NULL, 0);
}

static void beside_mmio(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, mmio(BAR - 4, 4), fd);
	set_zone(t, false, BAR);
	assign(t, mmio(BAR + ZONE, 4), fd);
	rings(t, store(BAR - 4, 4, 0), fd);
	is_coalesced(t, store(BAR, 4, 0));
	is_coalesced(t, store(BAR + ZONE - 4, 4, 0));
	rings(t, store(BAR + ZONE, 4, 0), fd);
	exits(t, store(BAR + ZONE - 2, 4, 0));
}

static void beside_ports(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(0x5ff, 1), fd);
	set_zone(t, true, 0x600);
	assign(t, port(0x600 + ZONE, 2), fd);
	rings(t, out(0x5ff, 1, 0), fd);
	is_coalesced(t, out(0x600, 4, 0));
	is_coalesced(t, out(0x600 + ZONE - 1, 1, 0));
	rings(t, out(0x600 + ZONE, 2, 0), fd);
}

static void zone_later(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, mmio(BAR + 0x10, 4), fd);
	set_zone(t, false, BAR);
	rings(t, store(BAR + 0x10, 4, 0), fd);
	is_coalesced(t, store(BAR + 0x10, 2, 0));
	is_coalesced(t, store(BAR + 0x14, 4, 0));
}

static void zone_before(struct trial *t)
{
	int fd = new_eventfd(t);

	if (t->s->bus)
		skips(t,
		      "what KVM's zone takes never reaches the library; kernel shows the defect");
	set_zone(t, false, BAR);
	assign(t, mmio(BAR + 0x10, 4), fd);
	rings(t, store(BAR + 0x10, 4, 0), fd);
}

static const struct conform_case cases[] = {
	{ .name = "a_doorbell_beside_a_coalesced_zone_rings",
	  .says = "In front of it and behind it; what is inside neither rings nor exits.",
	  .run = beside_mmio,
	  .needs = NEEDS_KVM },
	{ .name = "a_port_beside_a_coalesced_zone_rings",
	  .says = "The same for ports.",
	  .run = beside_ports,
	  .needs = NEEDS_KVM },
	{ .name = "a_doorbell_in_a_later_zone_rings",
	  .says = "And other writes there are coalesced.",
	  .run = zone_later,
	  .needs = NEEDS_KVM },
	{ .name = "a_doorbell_in_an_earlier_zone_rings",
	  .says = "The order of registering does not matter.",
	  .run = zone_before,
	  .needs = NEEDS_KVM,
	  .defect = &defect_zone },
};

const struct conform_group group_zone = CONFORM_GROUP("zone", cases);
