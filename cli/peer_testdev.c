/* SPDX-License-Identifier: MIT
 *
 * QEMU's pci-testdev (docs/specs/pci-testdev.txt), PCI 1b36:0005. BAR 0 is memory, BAR 1 ports. A
 * test's number written to byte 0 begins that test, and then the header of the test can be read
 * there: where to write what, and how many writes the device model has seen.
 */
#include "cli/peer.h"

#include <errno.h>
#include <string.h>

#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA 0xcfcu
#define CONFIG_ENABLE 0x80000000u
#define DEVICE 4u /* addr=4 on QEMU's command line */
#define CONFIG_ID 0x00u
#define CONFIG_BAR0 0x10u
#define CONFIG_BAR1 0x14u
#define TESTDEV_ID 0x00051b36u

/* struct PCITestDevHdr */
#define HEADER_WIDTH 1u
#define HEADER_OFFSET 4u
#define HEADER_DATA 8u
#define HEADER_COUNT 12u
#define HEADER_NAME 16u
#define NAME_LEN 26u /* the longest with its zero is portio-datamatch-eventfd */

static struct guest_access out(uint16_t port, uint32_t value)
{
	return (struct guest_access){ .kind = GUEST_OUT, .len = 4, .addr = port, .value = value };
}

static int read_config(struct peer *peer, uint32_t reg, uint32_t *value)
{
	struct guest_access cycle[] = {
		out(CONFIG_ADDRESS, CONFIG_ENABLE | DEVICE << 11 | reg),
		{ .kind = GUEST_IN, .len = 4, .addr = CONFIG_DATA },
	};
	int err = peer_play(peer, cycle, 2);

	*value = (uint32_t)cycle[1].result;
	return err;
}

/* The firmware has placed the BARs. */
int testdev_find(struct peer *peer)
{
	uint32_t id = 0, bars[2] = { 0, 0 };
	int err = read_config(peer, CONFIG_ID, &id);

	if (!err)
		err = read_config(peer, CONFIG_BAR0, &bars[0]);
	if (!err)
		err = read_config(peer, CONFIG_BAR1, &bars[1]);
	if (err)
		return err;
	peer->bars[0] = bars[0] & ~0xfu;
	peer->bars[1] = bars[1] & ~0x3u;
	if (id != TESTDEV_ID || !peer->bars[0] || !peer->bars[1])
		return peer_error(peer, ENODEV, "QEMU's guest finds no pci-testdev, but %08x", id);
	return 0;
}

static uint64_t bar(const struct peer *peer, const struct testdev *dev)
{
	return peer->bars[dev->pio];
}

static struct guest_access read_of(const struct peer *peer, const struct testdev *dev,
				   uint32_t offset, uint32_t len)
{
	return (struct guest_access){
		.kind = dev->pio ? GUEST_IN : GUEST_LOAD,
		.len = len,
		.addr = bar(peer, dev) + offset,
	};
}

static struct guest_access byte_write(const struct testdev *dev, uint64_t addr, uint8_t value)
{
	return (struct guest_access){
		.kind = dev->pio ? GUEST_OUT : GUEST_STORE,
		.len = 1,
		.addr = addr,
		.value = value,
	};
}

/* Its header must name the test that we mean, and want bytes as we write them. */
static int check_header(struct peer *peer, const struct testdev *dev, uint8_t width,
			const char *name)
{
	static const char *const tests[] = { "no-eventfd", "wildcard-eventfd",
					     "datamatch-eventfd" };
	const char *type = dev->pio ? "portio-" : "mmio-";
	size_t len = strlen(type);

	if (strncmp(name, type, len) == 0 && strcmp(name + len, tests[dev->test]) == 0 &&
	    width == 1)
		return 0;
	return peer_error(peer, EPROTO, "test %s%s of pci-testdev is \"%s\", %u bytes wide", type,
			  tests[dev->test], name, width);
}

int testdev_select(struct peer *peer, struct testdev *dev)
{
	struct guest_access list[4 + NAME_LEN] = {
		byte_write(dev, bar(peer, dev), (uint8_t)dev->test),
		read_of(peer, dev, HEADER_WIDTH, 1),
		read_of(peer, dev, HEADER_OFFSET, 4),
		read_of(peer, dev, HEADER_DATA, 1),
	};
	char name[NAME_LEN + 1] = "";
	int err;

	for (uint32_t i = 0; i < NAME_LEN; i++)
		list[4 + i] = read_of(peer, dev, HEADER_NAME + i, 1);
	err = peer_play(peer, list, 4 + NAME_LEN);
	if (err)
		return err;
	for (uint32_t i = 0; i < NAME_LEN; i++)
		name[i] = (char)list[4 + i].result;
	dev->ring = byte_write(dev, bar(peer, dev) + list[2].result, (uint8_t)list[3].result);
	return check_header(peer, dev, (uint8_t)list[1].result, name);
}

int testdev_count(struct peer *peer, const struct testdev *dev, uint32_t *count)
{
	struct guest_access read = read_of(peer, dev, HEADER_COUNT, 4);
	int err = peer_play(peer, &read, 1);

	*count = (uint32_t)read.result;
	return err;
}
