/* SPDX-License-Identifier: MIT
 *
 * The device, once for each way, and its operations by hand and by the library.
 */
#include "cli/cli.h"
#include "cli/regions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As in an NVMe controller with a doorbell stride of 4 bytes. */
#define HERE 0xd0000000u
#define THERE 0xe0000000u
#define FIRST_OFFSET 0x1000u
#define LEN 4u

/* ---- by hand ---- */

static int set_all(const struct regions_rig *rig, const struct bare_vm *vm, uint64_t base,
		   bool deassign)
{
	int err = 0;

	for (uint64_t i = 0; i < rig->opts->doorbells && !err; i++)
		err = bare_vm_ioeventfd(vm, base + FIRST_OFFSET + i * LEN, LEN, rig->eventfds[i],
					deassign);
	if (err)
		cli_failed("KVM_IOEVENTFD: %s", strerror(-err));
	return err;
}

/* New before old, as the library does: no ring is lost in between. */
static int by_hand(const struct regions_rig *rig, const struct bare_vm *vm,
		   enum region_operation operation)
{
	int err;

	if (operation == REGION_MAP)
		return set_all(rig, vm, HERE, false);
	if (operation == REGION_UNMAP)
		return set_all(rig, vm, THERE, true);
	err = set_all(rig, vm, THERE, false);
	return err ? err : set_all(rig, vm, HERE, true);
}

/* ---- by the library ---- */

static int in_transaction(struct regions_device *d, enum region_operation operation)
{
	int err = bw_bus_begin(d->bus);

	if (err)
		return err;
	if (operation == REGION_UNMAP)
		err = bw_region_unmap(d->region);
	else
		err = bw_region_map(d->region, operation == REGION_MAP ? HERE : THERE);
	if (err)
		bw_bus_abort(d->bus);
	return err ? err : bw_bus_commit(d->bus);
}

static int by_bellwire(struct regions_device *d, enum region_operation operation)
{
	int err = in_transaction(d, operation);

	if (err)
		cli_failed("%s", bw_last_error());
	return err;
}

int regions_do(struct regions_rig *rig, enum region_way way, enum region_operation operation)
{
	struct regions_device *d = &rig->devices[way];

	return d->bus ? by_bellwire(d, operation) : by_hand(rig, &d->vm, operation);
}

/* ---- making and ending ---- */

static int add_doorbells(const struct regions_rig *rig, struct bw_region *region)
{
	struct bw_match match = { .len = LEN };
	struct bw_ioeventfd *ioeventfd;
	int err = 0;

	for (uint64_t i = 0; i < rig->opts->doorbells && !err; i++)
		err = bw_region_doorbell(region, &ioeventfd, FIRST_OFFSET + i * LEN, match,
					 rig->notifiers[i]);
	return err;
}

/* A vCPU's thread has been on the bus: without a reader a grace period would cost nothing. */
static void be_a_reader(struct bw_bus *bus)
{
	uint32_t value = 0;
	struct bw_access access = { .space = BW_MMIO, .is_write = true, .len = 4, .data = &value };

	bw_bus_access(bus, &access);
}

static int fill_bus(struct regions_rig *rig, struct regions_device *d)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = "device",
		.space = BW_MMIO,
		.len = FIRST_OFFSET + rig->opts->doorbells * LEN,
	};
	struct bw_kvm_opts kvm = { .size = sizeof(kvm), .vm_fd = d->vm.fd };
	int err = d->vm.fd >= 0 ? bw_bus_offload_kvm(d->bus, &kvm) : 0;

	if (!err)
		err = bw_region_new(d->bus, &d->region, &opts);
	if (!err)
		err = add_doorbells(rig, d->region);
	if (!err)
		be_a_reader(d->bus);
	return err;
}

static int open_bus(struct regions_rig *rig, struct regions_device *d)
{
	int err = bw_bus_new(&d->bus, NULL);

	if (!err)
		err = fill_bus(rig, d);
	if (err)
		cli_failed("%s", bw_last_error());
	return err;
}

static int open_device(struct regions_rig *rig, enum region_way way)
{
	struct regions_device *d = &rig->devices[way];
	int err = way == WAY_ALONE ? 0 : bare_vm_open(&d->vm);

	if (!err && (way == WAY_BELLWIRE || way == WAY_ALONE))
		err = open_bus(rig, d);
	return err;
}

static int make_notifiers(struct regions_rig *rig)
{
	uint64_t nr = rig->opts->doorbells;
	int err = 0;

	rig->notifiers = calloc(nr, sizeof(struct bw_notifier *));
	rig->eventfds = calloc(nr, sizeof(int));
	if (!rig->notifiers || !rig->eventfds)
		return cli_failed("no memory"), -ENOMEM;
	for (uint64_t i = 0; i < nr && !err; i++) {
		err = bw_notifier_new(&rig->notifiers[i], NULL);
		if (!err)
			rig->eventfds[i] = bw_notifier_fd(rig->notifiers[i]);
		if (!err && rig->eventfds[i] < 0)
			err = rig->eventfds[i];
	}
	if (err)
		cli_failed("%s", bw_last_error());
	return err;
}

int regions_rig_open(struct regions_rig *rig, const struct regions_opts *opts)
{
	int err;

	*rig = (struct regions_rig){ .opts = opts };
	for (unsigned int way = 0; way < NR_WAYS; way++)
		rig->devices[way].vm = (struct bare_vm){ -1, -1 };
	err = make_notifiers(rig);
	for (unsigned int way = 0; way < NR_WAYS && !err; way++)
		err = open_device(rig, (enum region_way)way);
	return err;
}

int regions_rig_add_vcpus(struct regions_rig *rig)
{
	int err = 0;

	for (unsigned int way = 0; way < NR_WAYS && !err; way++)
		if (rig->devices[way].vm.fd >= 0)
			err = bare_vm_add_vcpu(&rig->devices[way].vm);
	return err;
}

void regions_rig_close(struct regions_rig *rig)
{
	for (unsigned int way = 0; way < NR_WAYS; way++) {
		bw_bus_free(rig->devices[way].bus);
		bare_vm_close(&rig->devices[way].vm);
	}
	for (uint64_t i = 0; rig->notifiers && i < rig->opts->doorbells; i++)
		bw_notifier_free(rig->notifiers[i]);
	free(rig->notifiers);
	free(rig->eventfds);
}
