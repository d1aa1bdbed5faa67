/* SPDX-License-Identifier: MIT
 *
 * bw_kvm_ioeventfd(): the ioctl's struct, checks and errno. KVM tells eventfds apart by what they
 * are, not by their number: so do we, by the kernel's id for them or by kcmp(2).
 */
#include "dropin.h"
#include "error.h"
#include "eventfd.h"
#include "ioeventfd.h"
#include "notifier.h"
#include "txn.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>

#define VALID_FLAGS 0x1fu /* the kernel takes bit 4, its own fast MMIO bus, and ignores it */

struct import {
	struct cds_list_head in_bus;
	unsigned int uses;
	struct bw_notifier *notifier;
	int64_t id;   /* eventfd-id, or -1 */
	int original; /* the number that the caller gave */
};

/* 1, 0, or -1: cannot be told. */
static int same_eventfd(const struct import *import, int fd, int64_t id)
{
	if (id >= 0 && import->id >= 0)
		return id == import->id;
	return eventfd_same_file(import->notifier->fd, fd);
}

/* Where it cannot be told each assign has a notifier of its own: the number may be another's now.
 */
static struct import *import_find(struct bw_bus *bus, int fd)
{
	int64_t id = eventfd_id(fd);
	struct import *import;

	cds_list_for_each_entry (import, &bus->imports, in_bus)
		if (same_eventfd(import, fd, id) == 1)
			return import;
	return NULL;
}

static int import_new(struct bw_bus *bus, struct import **out, int fd)
{
	struct import *import = calloc(1, sizeof(*import));
	char name[32];
	int err;

	if (!import)
		return fail(-ENOMEM, "no memory for an eventfd's duplicate");
	snprintf(name, sizeof(name), "eventfd %d", fd);
	err = bw_notifier_import(&import->notifier, fd, name);
	if (err) {
		free(import);
		return err;
	}
	import->id = eventfd_id(fd);
	import->original = fd;
	cds_list_add(&import->in_bus, &bus->imports);
	*out = import;
	return 0;
}

void import_put(struct import *import)
{
	if (import->uses && --import->uses)
		return;
	cds_list_del(&import->in_bus);
	bw_notifier_free(import->notifier);
	free(import);
}

static unsigned int space_of(const struct kvm_ioeventfd *io)
{
	if (io->flags & KVM_IOEVENTFD_FLAG_PIO)
		return BW_PIO;
	return io->flags & KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY ? SPACE_CCW : BW_MMIO;
}

static struct bw_match match_of(const struct kvm_ioeventfd *io)
{
	bool has_value = io->flags & KVM_IOEVENTFD_FLAG_DATAMATCH;

	return (struct bw_match){ io->len, has_value, has_value ? io->datamatch : 0 };
}

static int assign(struct bw_bus *bus, const struct kvm_ioeventfd *io)
{
	struct bw_match match = match_of(io);
	struct import *import;
	struct bw_ioeventfd *ie;
	int err;

	import = import_find(bus, io->fd);
	err = import ? 0 : import_new(bus, &import, io->fd);
	if (err)
		return err;
	err = ioeventfd_want(bus, &ie, NULL, space_of(io), io->addr, &match, import->notifier);
	if (err) {
		if (!import->uses)
			import_put(import);
		return err;
	}
	ie->import = import;
	import->uses++;
	return 0;
}

static bool is_meant(const struct bw_ioeventfd *ie, const struct bw_match *match, int fd,
		     int64_t id)
{
	int same;

	if (ie->gone || !ie->import || ie->match.len != match->len ||
	    ie->match.has_value != match->has_value || ie->match.value != match->value)
		return false;
	same = same_eventfd(ie->import, fd, id);
	return same < 0 ? fd == ie->import->original : same;
}

static int deassign(struct bw_bus *bus, const struct kvm_ioeventfd *io)
{
	struct place *place = index_find(&bus->index, NULL, space_of(io), io->addr);
	struct bw_match match = match_of(io);
	int64_t id = eventfd_id(io->fd);
	struct bw_ioeventfd *ie;

	if (place)
		cds_list_for_each_entry (ie, &place->ioeventfds, at_place)
			if (is_meant(ie, &match, io->fd, id)) {
				ioeventfd_forget(ie);
				return 0;
			}
	return fail(-ENOENT, "no ioeventfd with this eventfd, address 0x%llx, length and value",
		    (unsigned long long)io->addr);
}

static int check_assign(const struct kvm_ioeventfd *io)
{
	struct bw_match match = { .len = io->len };
	int err = match_check(space_of(io), io->addr, &match);

	if (err)
		return err;
	if (io->flags & ~VALID_FLAGS)
		return fail(-EINVAL, "unknown flags 0x%x", io->flags & ~VALID_FLAGS);
	match = match_of(io);
	return match_check(space_of(io), io->addr, &match);
}

int bw_kvm_ioeventfd(struct bw_bus *bus, const struct kvm_ioeventfd *io)
{
	bool removes = io->flags & KVM_IOEVENTFD_FLAG_DEASSIGN;
	int err = txn_check(bus), committed = 0;

	if (!err && !removes)
		err = check_assign(io);
	if (!err)
		err = notifier_check_fd(io->fd);
	if (!err)
		err = txn_begin(bus);
	if (err)
		return err;
	err = removes ? deassign(bus, io) : assign(bus, io);
	if (removes)
		txn_end_removal(bus);
	else
		committed = txn_end(bus);
	return err ? err : committed;
}
