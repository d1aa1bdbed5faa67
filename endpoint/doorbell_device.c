/* SPDX-License-Identifier: MIT
 *
 * The device model: registers, doorbells, and the loop that waits for messages and eventfds at
 * once.
 */
#include "endpoint/doorbell_device.h"
#include "endpoint/guest_memory.h"
#include "endpoint/vfio_user_transport.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MESSAGE_MS 1000u /* in which a client ends a message that it has begun */
#define NR_EVENTFDS (2u * DOORBELL_DEVICE_BELLS)

struct doorbell_device {
	uint64_t registers[2]; /* by their offsets / 8: the rings, and where they are stored */
	uint8_t config[DOORBELL_DEVICE_CONFIG_LEN];
	int eventfds[NR_EVENTFDS]; /* BAR 0's, then BAR 1's */
	struct guest_memory memory;
	struct vfio_user_server server;
};

static void count(struct doorbell_device *device, uint64_t rings)
{
	device->registers[DOORBELL_DEVICE_RINGS / 8] += rings;
	guest_memory_store(&device->memory, device->registers[DOORBELL_DEVICE_COMPLETION / 8],
			   device->registers[DOORBELL_DEVICE_RINGS / 8]);
}

static void region_info(void *opaque, struct vfio_user_region_info *info)
{
	static const uint64_t sizes[DOORBELL_DEVICE_REGIONS] = {
		[DOORBELL_DEVICE_MMIO] = DOORBELL_DEVICE_MMIO_LEN,
		[DOORBELL_DEVICE_PIO] = DOORBELL_DEVICE_PIO_LEN,
		[DOORBELL_DEVICE_CONFIG] = DOORBELL_DEVICE_CONFIG_LEN,
	};

	(void)opaque;
	info->size = sizes[info->index];
	info->flags = info->size ? VFIO_USER_REGION_READABLE | VFIO_USER_REGION_WRITEABLE : 0;
}

/* Copies what [at, at + count) and the len bytes from offset 0 have in common; the rest of data is
 * 0. */
static void read_bytes(void *data, const struct vfio_user_access *at, const void *bytes, size_t len)
{
	size_t rest = at->offset < len ? len - at->offset : 0;

	memset(data, 0, at->count);
	memcpy(data, (const uint8_t *)bytes + (rest ? at->offset : 0),
	       rest < at->count ? rest : at->count);
}

static int read_region(void *opaque, const struct vfio_user_access *access, void *data)
{
	struct doorbell_device *device = opaque;

	if (access->region == DOORBELL_DEVICE_CONFIG)
		read_bytes(data, access, device->config, sizeof(device->config));
	else
		read_bytes(data, access, device->registers, sizeof(device->registers));
	return 0;
}

static bool is_bell(uint64_t offset)
{
	return offset >= DOORBELL_DEVICE_BELL(0) && offset % 4 == 0 &&
	       offset < DOORBELL_DEVICE_BELL(DOORBELL_DEVICE_BELLS);
}

/* Of PCI's configuration space only the command register can be written. */
static int write_region(void *opaque, const struct vfio_user_access *access, const void *data)
{
	struct doorbell_device *device = opaque;
	uint64_t offset = access->offset, end = offset + access->count;

	if (access->region == DOORBELL_DEVICE_CONFIG) {
		if (offset >= 4 && end <= 6)
			memcpy(device->config + offset, data, access->count);
	} else if (offset >= DOORBELL_DEVICE_COMPLETION && end <= DOORBELL_DEVICE_COMPLETION + 8) {
		memcpy((uint8_t *)device->registers + offset, data, access->count);
	} else if (is_bell(offset)) {
		count(device, 1);
	}
	return 0;
}

static int io_fds(void *opaque, uint32_t region, struct vfio_user_sub_region *sub, int *fds,
		  unsigned int *nr_fds)
{
	struct doorbell_device *device = opaque;

	if (region != DOORBELL_DEVICE_MMIO && region != DOORBELL_DEVICE_PIO)
		return 0;
	for (uint32_t i = 0; i < DOORBELL_DEVICE_BELLS; i++) {
		fds[i] = device->eventfds[region * DOORBELL_DEVICE_BELLS + i];
		sub[i] = (struct vfio_user_sub_region){
			.offset = DOORBELL_DEVICE_BELL(i),
			.size = region == DOORBELL_DEVICE_PIO ? 2 : 4,
			.fd_index = i,
			.type = VFIO_USER_IOEVENTFD,
			.flags = region == DOORBELL_DEVICE_PIO ? VFIO_USER_PIO : 0,
		};
	}
	*nr_fds = DOORBELL_DEVICE_BELLS;
	return (int)DOORBELL_DEVICE_BELLS;
}

static int dma_map(void *opaque, const struct vfio_user_dma_map *map, int fd)
{
	return guest_memory_map(&((struct doorbell_device *)opaque)->memory, map, fd);
}

static int dma_unmap(void *opaque, const struct vfio_user_dma_unmap *unmap)
{
	return guest_memory_unmap(&((struct doorbell_device *)opaque)->memory, unmap->address,
				  unmap->size);
}

/* What an eventfd still holds has been rung before the reset. */
static void reset(void *opaque)
{
	struct doorbell_device *device = opaque;
	eventfd_t rings;

	for (unsigned int i = 0; i < NR_EVENTFDS; i++)
		eventfd_read(device->eventfds[i], &rings);
	memset(device->registers, 0, sizeof(device->registers));
	device->config[4] = 0;
	device->config[5] = 0;
}

static const struct vfio_user_model model = {
	.flags = VFIO_USER_DEVICE_PCI | VFIO_USER_DEVICE_RESETS,
	.nr_regions = DOORBELL_DEVICE_REGIONS,
	.region_info = region_info,
	.read = read_region,
	.write = write_region,
	.io_fds = io_fds,
	.dma_map = dma_map,
	.dma_unmap = dma_unmap,
	.reset = reset,
};

/* A device of QEMU's vendor for what is not real, "unassigned class", BAR 1 of ports. */
static void init_config(uint8_t *config)
{
	static const uint8_t head[] = { 0x34, 0x12, 0x77, 0xbe, 0, 0, 0, 0, 0, 0, 0, 0xff };

	memcpy(config, head, sizeof(head));
	config[0x14] = 1;
}

static int open_eventfds(struct doorbell_device *device)
{
	for (unsigned int i = 0; i < NR_EVENTFDS; i++) {
		device->eventfds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (device->eventfds[i] >= 0)
			continue;
		while (i)
			close(device->eventfds[--i]);
		return vfio_user_fail(-errno, "eventfd: %s", strerror(errno));
	}
	return 0;
}

int doorbell_device_new(struct doorbell_device **out)
{
	struct doorbell_device *device = calloc(1, sizeof(*device));
	int err;

	if (!device)
		return vfio_user_fail(-ENOMEM, "no memory for a device");
	init_config(device->config);
	err = open_eventfds(device);
	if (err) {
		free(device);
		return err;
	}
	*out = device;
	return 0;
}

void doorbell_device_free(struct doorbell_device *device)
{
	if (!device)
		return;
	for (unsigned int i = 0; i < NR_EVENTFDS; i++)
		close(device->eventfds[i]);
	free(device);
}

uint64_t doorbell_device_rings(const struct doorbell_device *device)
{
	return device->registers[DOORBELL_DEVICE_RINGS / 8];
}

/* What is waited for. The client first: poll(2) looks at one fd after the other, and where it finds
 * a message it must find what was rung before it. */
enum { CLIENT, STOP, EVENTFDS, NR_WAITS = EVENTFDS + NR_EVENTFDS };

static void take_rings(struct doorbell_device *device, const struct pollfd *pfds)
{
	eventfd_t rings;

	for (unsigned int i = EVENTFDS; i < NR_WAITS; i++)
		if (pfds[i].revents && eventfd_read(pfds[i].fd, &rings) == 0)
			count(device, rings);
}

static int serve_ready(struct doorbell_device *device, const struct pollfd *pfds)
{
	take_rings(device, pfds);
	if (pfds[STOP].revents)
		return -EINTR;
	return pfds[CLIENT].revents ? vfio_user_serve(&device->server) : 0;
}

static void wait_for(struct pollfd *pfds, const struct doorbell_device *device, int conn, int stop)
{
	pfds[CLIENT] = (struct pollfd){ .fd = conn, .events = POLLIN };
	pfds[STOP] = (struct pollfd){ .fd = stop, .events = POLLIN };
	for (unsigned int i = 0; i < NR_EVENTFDS; i++)
		pfds[EVENTFDS + i] = (struct pollfd){ .fd = device->eventfds[i], .events = POLLIN };
}

int doorbell_device_serve(struct doorbell_device *device, int conn, int stop, bool spin)
{
	struct vfio_user_model mine = model;
	struct pollfd pfds[NR_WAITS];
	int err = 0;

	mine.device = device;
	device->server.model = &mine;
	device->server.fd = conn;
	device->server.timeout_ms = MESSAGE_MS;
	device->server.agreed = false;
	wait_for(pfds, device, conn, stop);
	while (!err) {
		if (poll(pfds, NR_WAITS, spin ? 0 : -1) >= 0)
			err = serve_ready(device, pfds);
		else if (errno != EINTR)
			err = vfio_user_fail(-errno, "poll: %s", strerror(errno));
	}
	guest_memory_clear(&device->memory);
	return err == -ENODATA ? 0 : err;
}
