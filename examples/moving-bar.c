/* SPDX-License-Identifier: MIT
 *
 * A BAR that moves, and six doorbells that go with it:
 *
 *   cc moving-bar.c $(pkg-config --cflags --libs bellwire) && ./a.out
 *
 * The guest writes the BAR's register, and the handler of that register moves the region, on the
 * vCPU's own thread. Two devices that change places do so in one transaction. Other vCPUs may go on
 * ringing meanwhile: at each moment a doorbell is at its old place, at its new one, or at both, and
 * no ring is lost.
 */
#include <bellwire.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUES 6u
#define BAR_SIZE 0x1000u
#define CONFIG 0xe0000000u /* one register of 4 bytes a device: its BAR */

struct device {
	struct bw_region *bar;
	struct bw_notifier *kicks[QUEUES];
};

static void must(const char *what, int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, bw_last_error());
	exit(1);
}

/* A guest's write; what became of it. */
static int guest_writes(struct bw_bus *bus, uint64_t addr, uint32_t value)
{
	struct bw_access access = {
		.space = BW_MMIO,
		.is_write = true,
		.len = sizeof(value),
		.addr = addr,
		.data = &value,
	};
	int result = bw_bus_access(bus, &access);

	must("access", result);
	return result;
}

static void move_bar(void *opaque, struct bw_access *access)
{
	struct device *device = opaque;
	uint32_t addr;

	if (!access->is_write || access->len != sizeof(addr))
		return;
	memcpy(&addr, access->data, sizeof(addr));
	must("move", bw_region_map(device->bar, addr));
}

static void make_bar(struct bw_bus *bus, struct device *device, const char *name)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = name,
		.space = BW_MMIO,
		.len = BAR_SIZE,
	};
	struct bw_ioeventfd *doorbell;

	must("BAR", bw_region_new(bus, &device->bar, &opts));
	for (unsigned int i = 0; i < QUEUES; i++) {
		must("notifier", bw_notifier_new(&device->kicks[i], name));
		must("doorbell",
		     bw_region_doorbell(device->bar, &doorbell, i * 4,
					(struct bw_match){ .len = 4 }, device->kicks[i]));
	}
}

static void make_config(struct bw_bus *bus, struct device *device, uint64_t addr)
{
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = "config",
		.space = BW_MMIO,
		.len = 4,
		.handler = move_bar,
		.opaque = device,
	};
	struct bw_region *region;

	must("config", bw_region_new(bus, &region, &opts));
	must("config", bw_region_map(region, addr));
}

/* Rings every doorbell at addr once: how many of the device's did that ring? */
static uint64_t ring_all(struct bw_bus *bus, struct device *device, uint64_t addr)
{
	uint64_t rung = 0;

	for (unsigned int i = 0; i < QUEUES; i++)
		guest_writes(bus, addr + i * 4, i);
	for (unsigned int i = 0; i < QUEUES; i++)
		rung += bw_notifier_take(device->kicks[i]);
	return rung;
}

static bool is(const char *what, uint64_t got, uint64_t want)
{
	printf("%-40s %ju\n", what, (uintmax_t)got);
	return got == want;
}

int main(void)
{
	struct device net, disk;
	struct bw_bus *bus;
	bool good;

	must("bus", bw_bus_new(&bus, NULL));
	make_bar(bus, &net, "net");
	make_bar(bus, &disk, "disk");
	make_config(bus, &net, CONFIG);
	make_config(bus, &disk, CONFIG + 4);

	guest_writes(bus, CONFIG, 0xf0000000);
	guest_writes(bus, CONFIG + 4, 0xf0100000);
	good = is("net's doorbells rung at 0xf0000000:", ring_all(bus, &net, 0xf0000000), QUEUES);

	guest_writes(bus, CONFIG, 0xf0200000);
	good &= is("moved, at the old place:", ring_all(bus, &net, 0xf0000000), 0);
	good &= is("moved, at the new place:", ring_all(bus, &net, 0xf0200000), QUEUES);

	must("begin", bw_bus_begin(bus));
	must("net", bw_region_map(net.bar, 0xf0100000));
	must("disk", bw_region_map(disk.bar, 0xf0200000));
	must("commit", bw_bus_commit(bus));
	good &= is("changed places, net at disk's:", ring_all(bus, &net, 0xf0100000), QUEUES);
	good &= is("changed places, disk at net's:", ring_all(bus, &disk, 0xf0200000), QUEUES);

	bw_bus_free(bus);
	for (unsigned int i = 0; i < QUEUES; i++) {
		bw_notifier_free(net.kicks[i]);
		bw_notifier_free(disk.kicks[i]);
	}
	return good ? 0 : 1;
}
