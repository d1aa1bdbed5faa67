/* SPDX-License-Identifier: MIT
 *
 * Assigning and deassigning, by handle and as the ioctl does.
 */
#include "bus_steps.h"

#include <errno.h>
#include <linux/kvm.h>

void step_assign(struct world *w)
{
	struct model_ioeventfd new = { .used = true, .region = -1, .space = choose(w, 5) };
	struct model_ioeventfd *room = model_room(&w->now);
	int modelled, result;

	new.addr = choose_addr(w);
	new.match = choose_match(w);
	new.target = choose(w, NOTIFIERS);
	if (!room)
		return;
	modelled = new.space > BW_HYPERCALL ? -EINVAL : model_check(&w->now, &new);
	result = bw_ioeventfd_assign(w->bus, &new.handle, new.space, new.addr, new.match,
				     w->notifiers[new.target]);
	expect(w, "whether there is a handle", new.handle != NULL, !result);
	if (!modelled)
		*room = new;
	settle(w, result, modelled);
}

void step_doorbell(struct world *w)
{
	struct model_region *region = choose_region(w);
	struct model_ioeventfd new = { .used = true }, *room = model_room(&w->now);
	int modelled, result;

	new.addr = choose(w, 4) ? choose(w, 24) : choose_addr(w);
	new.match = choose_match(w);
	new.target = choose(w, NOTIFIERS);
	if (!room || !region)
		return;
	new.region = (int)(region - w->now.regions);
	new.space = region->space;
	modelled = model_check(&w->now, &new);
	result = bw_region_doorbell(region->handle, &new.handle, new.addr, new.match,
				    w->notifiers[new.target]);
	expect(w, "whether there is a handle", new.handle != NULL, !result);
	if (!modelled)
		*room = new;
	settle(w, result, modelled);
}

void step_deassign(struct world *w)
{
	struct model_ioeventfd *ie = choose_ioeventfd(w);

	if (!ie || !ie->handle)
		return;
	ie->used = false;
	bw_ioeventfd_deassign(ie->handle);
	settle_removal(w);
}

static bool is_meant(const struct model_ioeventfd *ie, const struct model_ioeventfd *wanted)
{
	const struct bw_match *a = &ie->match, *b = &wanted->match;

	return ie->used && !ie->handle && ie->space == wanted->space && ie->addr == wanted->addr &&
	       ie->target == wanted->target && a->len == b->len && a->has_value == b->has_value &&
	       (!a->has_value || a->value == b->value);
}

static int model_remove(struct model *m, const struct model_ioeventfd *wanted)
{
	for (unsigned int i = 0; i < MODEL_IOEVENTFDS; i++)
		if (is_meant(&m->ioeventfds[i], wanted)) {
			m->ioeventfds[i].used = false;
			return 0;
		}
	return -ENOENT;
}

static unsigned int space_of(const struct kvm_ioeventfd *io)
{
	if (io->flags & KVM_IOEVENTFD_FLAG_PIO)
		return BW_PIO;
	return io->flags & KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY ? MODEL_CCW : BW_MMIO;
}

/* fd: its number for world_fd(). */
static int model_dropin(struct model *m, const struct kvm_ioeventfd *io, unsigned int fd)
{
	static const int fd_checks[NR_FDS] = { 0, 0, 0, -EINVAL, -EBADF };
	struct model_ioeventfd new = {
		.used = true,
		.region = -1,
		.space = space_of(io),
		.addr = io->addr,
		.match = { io->len, io->flags & KVM_IOEVENTFD_FLAG_DATAMATCH, io->datamatch },
		.target = NOTIFIERS + fd % EVENTFDS,
	};
	bool removes = io->flags & KVM_IOEVENTFD_FLAG_DEASSIGN;
	int err = removes ? 0 : model_check_match(new.space, new.addr, &new.match);

	if (!err && !removes && io->flags > 0x1f)
		err = -EINVAL;
	if (!err)
		err = fd_checks[fd];
	if (!err)
		err = removes ? model_remove(m, &new) : model_check(m, &new);
	if (!err && !removes)
		*model_room(m) = new;
	return err;
}

void step_dropin(struct world *w)
{
	unsigned int fd = choose(w, NR_FDS);
	struct model_ioeventfd *aim = choose_ioeventfd(w);
	struct bw_match match = choose_match(w);
	struct kvm_ioeventfd io = {
		.fd = world_fd(fd),
		.addr = choose_addr(w),
		.len = match.len,
		.datamatch = match.value,
		.flags = choose(w, 64),
	};
	int modelled, result;

	if (aim && !aim->handle) { /* a deassign has to hit something at times */
		io.addr = aim->addr;
		io.len = aim->match.len;
		io.datamatch = aim->match.value;
	}
	if (!model_room(&w->now))
		return;
	modelled = model_dropin(&w->now, &io, fd);
	result = bw_kvm_ioeventfd(w->bus, &io);
	if (io.flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
		w->hypervisor->failure = 0; /* what it would not take back is no failure */
	settle(w, result, modelled);
}
