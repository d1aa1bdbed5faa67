/* SPDX-License-Identifier: MIT
 *
 * A doorbell page inside one's own event loop:
 *
 *   cc exitless.c $(pkg-config --cflags --libs bellwire) && ./a.out
 *
 * The guest, a thread that plays an emulator's CPU, queues work and rings, in bursts. While it is
 * busy the page is memory, and a ring one store; when it pauses the page is cold, and poll()
 * sleeps. A ring says "look", and what there is to do stands in the queue's own index, as in
 * virtio: stores coalesce, so a loop that counted rings would be wrong.
 */
#include <bellwire.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BAR 0xd0000000u
#define DOORBELL (BAR + 0x1000u)
#define BURSTS 3u
#define WORK 200000u /* in a burst */
#define PAUSE_US 250000u

struct machine {
	struct bw_bus *bus;
	pthread_mutex_t map_lock; /* held for a store: unmap() waits for it */
	uint32_t *page;           /* where DOORBELL's page is now; NULL: it traps */
	uint32_t queued;          /* the queue's index, in the guest's RAM */
	int halted;               /* an eventfd, for the event loop */
};

struct device {
	struct machine *machine;
	uint32_t done;
	uint64_t heard;
};

static void must(const char *what, int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, bw_last_error());
	exit(1);
}

/* ---- the emulator ---- */

static int map(void *opaque, uint64_t gpa, void *memory)
{
	struct machine *m = opaque;

	(void)gpa; /* there is but one page */
	pthread_mutex_lock(&m->map_lock);
	m->page = memory;
	pthread_mutex_unlock(&m->map_lock);
	return 0;
}

static void unmap(void *opaque, uint64_t gpa)
{
	map(opaque, gpa, NULL);
}

static void store_doorbell(struct machine *m, uint32_t value)
{
	struct bw_access access = {
		.space = BW_MMIO,
		.is_write = true,
		.len = sizeof(value),
		.addr = DOORBELL,
		.data = &value,
	};
	uint32_t *page;

	pthread_mutex_lock(&m->map_lock);
	page = m->page;
	if (page)
		__atomic_store_n(page, value, __ATOMIC_RELEASE); /* as x86 stores */
	pthread_mutex_unlock(&m->map_lock);
	if (!page)
		must("access", bw_bus_access(m->bus, &access));
}

static void *run_guest(void *opaque)
{
	struct machine *m = opaque;

	for (uint32_t i = 1; i <= BURSTS * WORK; i++) {
		__atomic_store_n(&m->queued, i, __ATOMIC_RELAXED);
		store_doorbell(m, i);
		if (i % WORK == 0 && i < BURSTS * WORK)
			usleep(PAUSE_US);
	}
	eventfd_write(m->halted, 1);
	return NULL;
}

/* ---- the device ---- */

static void look_at_queue(void *opaque, struct bw_notifier *n, uint64_t count)
{
	struct device *device = opaque;

	(void)n;
	device->heard += count;
	device->done = __atomic_load_n(&device->machine->queued, __ATOMIC_RELAXED);
}

static struct bw_page *make_device(struct bw_bus *bus, struct bw_notifier *kick)
{
	struct bw_region_opts bar = { .size = sizeof(bar), .name = "bar", .len = 0x2000 };
	struct bw_page_opts opts = { .size = sizeof(opts), .offset = 0x1000, .idle = UINT32_MAX };
	struct bw_match match = { .len = 4 };
	struct bw_ioeventfd *doorbell;
	struct bw_region *region;
	struct bw_page *page;

	must("region", bw_region_new(bus, &region, &bar));
	must("page", bw_region_page(region, &page, &opts));
	must("doorbell", bw_region_doorbell(region, &doorbell, 0x1000, match, kick));
	must("region", bw_region_map(region, BAR));
	return page;
}

/* One's own loop: poll() on what it has anyway, here whether the guest has halted, and on what the
 * poller arms. -EAGAIN: the page is worth another look, and nobody sleeps. */
static unsigned int serve(struct bw_poller *poller, int halted)
{
	struct pollfd fds[2] = { { .fd = halted, .events = POLLIN }, { .events = POLLIN } };
	unsigned int sleeps = 0;

	for (;;) {
		must("poll", bw_poller_poll(poller, 0));
		fds[1].fd = bw_poller_arm(poller);
		if (fds[1].fd != -EAGAIN)
			must("arm", fds[1].fd);
		sleeps += fds[1].fd >= 0;
		if (poll(fds, 2, fds[1].fd >= 0 ? -1 : 0) > 0 && fds[0].revents)
			return sleeps;
	}
}

int main(void)
{
	struct machine m = { .map_lock = PTHREAD_MUTEX_INITIALIZER, .halted = eventfd(0, 0) };
	struct bw_emulator_opts emulator = {
		.size = sizeof(emulator), .map = map, .unmap = unmap, .opaque = &m
	};
	struct bw_page_stats stats = { .size = sizeof(stats) };
	struct device device = { .machine = &m };
	struct bw_notifier *kick;
	struct bw_poller *poller;
	struct bw_page *page;
	unsigned int sleeps;
	pthread_t guest;

	must("bus", bw_bus_new(&m.bus, NULL));
	must("emulator", bw_bus_offload_emulator(m.bus, &emulator));
	must("notifier", bw_notifier_new(&kick, "kick"));
	page = make_device(m.bus, kick);
	must("poller", bw_poller_new(&poller));
	must("poller", bw_poller_add(poller, kick, look_at_queue, &device));
	must("poller", bw_poller_add_page(poller, page));
	if (pthread_create(&guest, NULL, run_guest, &m) != 0)
		return 1;
	sleeps = serve(poller, m.halted);
	pthread_join(guest, NULL);
	bw_poller_del_page(poller, page); /* what was stored is in the notifier now */
	must("poll", bw_poller_poll(poller, 0));
	must("stats", bw_page_stats(page, &stats));
	printf("%u rings, %ju heard, %u done; %ju switches between hot and cold, %u sleeps\n",
	       BURSTS * WORK, (uintmax_t)device.heard, device.done, (uintmax_t)stats.switches,
	       sleeps);
	bw_poller_free(poller);
	bw_bus_free(m.bus);
	bw_notifier_free(kick);
	close(m.halted);
	return device.done == BURSTS * WORK && device.heard <= device.done ? 0 : 1;
}
