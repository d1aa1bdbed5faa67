/* SPDX-License-Identifier: MIT
 *
 * A region of a device that another server models: what the guest does to it, what the device does
 * to the guest's memory, and the doorbells that need neither.
 */
#define _GNU_SOURCE
#include "vfio_user_world.h"

#include <stdatomic.h>
#include <stdio.h>

#define BASE 0xd0000000u
#define PORT 0xc000u
#define MEMORY 0x200000u
#define MEMORY_LEN 0x2000u

struct world {
	struct server server;
	struct vfio_user_client *client;
	struct bw_bus *bus;
	struct vfio_user_region *region;
	atomic_uint failures, timeouts; /* timeouts: that were waited for */
	int err;                        /* of the last one */
	char why[256];
};

static void note_failure(void *opaque, int err, const char *why)
{
	struct world *w = opaque;

	w->failures++;
	w->err = err;
	snprintf(w->why, sizeof(w->why), "%s", why);
}

static void count_timeout(void *opaque, int err, const char *why)
{
	struct world *w = opaque;

	w->failures++;
	w->timeouts += err == -ETIMEDOUT && !strstr(why, "has ended");
}

static struct world *make_world(void (*script)(struct server *server))
{
	struct world *w = calloc(1, sizeof(*w));
	int fd = start_server(&w->server, script);

	assert_int_equal(vfio_user_connected(&w->client, fd, PATIENCE_MS), 0);
	w->bus = make_bus();
	return w;
}

static void free_world(struct world *w)
{
	vfio_user_region_free(w->region);
	bw_bus_free(w->bus);
	vfio_user_disconnect(w->client);
	join_server(&w->server);
	free(w);
}

static void map_region_and(struct world *w, enum bw_space space, bool no_ioeventfds,
			   void (*failed)(void *opaque, int err, const char *why))
{
	const struct vfio_user_region_opts opts = {
		.name = "doorbells",
		.space = space,
		.index = space == BW_PIO ? DOORBELL_DEVICE_PIO : DOORBELL_DEVICE_MMIO,
		.no_ioeventfds = no_ioeventfds,
		.failed = failed,
		.opaque = w,
	};

	assert_int_equal(vfio_user_region_new(&w->region, w->bus, w->client, &opts), 0);
	assert_int_equal(
		bw_region_map(vfio_user_region_bw(w->region), space == BW_PIO ? PORT : BASE), 0);
}

static void map_region(struct world *w, enum bw_space space, bool no_ioeventfds)
{
	map_region_and(w, space, no_ioeventfds, note_failure);
}

/* As the guest reads them. An eventfd's rings are counted when the server wakes. */
static uint64_t rings(struct world *w)
{
	uint64_t value;

	assert_int_equal(read_from(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_RINGS, 8, &value),
			 BW_HANDLED);
	return value;
}

static void an_access_is_a_message(void **state)
{
	struct world *w = make_world(NULL);

	(void)state;
	map_region(w, BW_MMIO, true);
	assert_int_equal(vfio_user_region_doorbells(w->region), 0);
	assert_int_equal(rings(w), 0);
	assert_int_equal(write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_BELL(1), 4, 7),
			 BW_HANDLED);
	assert_int_equal(write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_BELL(2), 1, 7),
			 BW_HANDLED);
	assert_int_equal(rings(w), 2);
	assert_int_equal(w->failures, 0);
	free_world(w);
}

static void an_offered_doorbell_is_no_message(void **state)
{
	struct world *w = make_world(NULL);

	(void)state;
	map_region(w, BW_MMIO, false);
	assert_int_equal(vfio_user_region_doorbells(w->region), DOORBELL_DEVICE_BELLS);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_BELL(i), 4, 0),
				 BW_SIGNALLED);
	assert_int_equal(rings(w), 4);
	free_world(w);
}

/* Of another length than the doorbell's: what is no doorbell's goes to the server all the same. */
static void a_near_miss_is_a_message(void **state)
{
	struct world *w = make_world(NULL);

	(void)state;
	map_region(w, BW_MMIO, false);
	assert_int_equal(write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_BELL(0), 2, 0),
			 BW_HANDLED);
	assert_int_equal(rings(w), 1);
	free_world(w);
}

static void ports_too(void **state)
{
	struct world *w = make_world(NULL);
	uint64_t value;

	(void)state;
	map_region(w, BW_PIO, false);
	assert_int_equal(write_to(w->bus, BW_PIO, PORT + DOORBELL_DEVICE_BELL(0), 2, 0),
			 BW_SIGNALLED);
	assert_int_equal(write_to(w->bus, BW_PIO, PORT + DOORBELL_DEVICE_BELL(0), 4, 0),
			 BW_HANDLED);
	assert_int_equal(read_from(w->bus, BW_PIO, PORT + DOORBELL_DEVICE_RINGS, 4, &value),
			 BW_HANDLED);
	assert_int_equal(value, 2);
	free_world(w);
}

static void a_moved_region_takes_its_doorbells_along(void **state)
{
	struct world *w = make_world(NULL);

	(void)state;
	map_region(w, BW_MMIO, false);
	assert_int_equal(bw_region_map(vfio_user_region_bw(w->region), BASE + 0x100000), 0);
	assert_int_equal(write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_BELL(0), 4, 0),
			 BW_UNCLAIMED);
	assert_int_equal(write_to(w->bus, BW_MMIO, BASE + 0x100000 + DOORBELL_DEVICE_BELL(0), 4, 0),
			 BW_SIGNALLED);
	free_world(w);
}

static void the_device_is_as_it_says(void **state)
{
	struct world *w = make_world(NULL);
	struct vfio_user_device_info info;
	struct vfio_user_region_info region;
	uint32_t id;

	(void)state;
	assert_int_equal(vfio_user_device_info(w->client, &info), 0);
	assert_int_equal(info.flags, VFIO_USER_DEVICE_PCI | VFIO_USER_DEVICE_RESETS);
	assert_int_equal(info.num_regions, 9);
	assert_int_equal(vfio_user_region_info(w->client, DOORBELL_DEVICE_PIO, &region), 0);
	assert_int_equal(region.size, DOORBELL_DEVICE_PIO_LEN);
	assert_int_equal(vfio_user_region_info(w->client, 9, &region), -EREMOTEIO);
	assert_int_equal(vfio_user_region_read(w->client, DOORBELL_DEVICE_CONFIG, 0, &id, 4), 0);
	assert_int_equal(id, 0xbe771234);
	free_world(w);
}

static void an_access_beyond_the_region_is_refused(void **state)
{
	struct world *w = make_world(NULL);
	static const uint64_t offsets[] = { 4093, 4096, UINT64_MAX - 1 };
	uint32_t value;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(offsets); i++) {
		assert_int_equal(vfio_user_region_read(w->client, 0, offsets[i], &value, 4),
				 -EREMOTEIO);
		assert_int_equal(vfio_user_region_write(w->client, 0, offsets[i], &value, 4),
				 -EREMOTEIO);
	}
	assert_int_equal(vfio_user_region_read(w->client, 2, 0, &value, 4), -EREMOTEIO);
	assert_int_equal(vfio_user_region_read(w->client, 0, 0, &value, 0), -EINVAL);
	free_world(w);
}

/* ---- memory ---- */

struct shared {
	int fd;
	uint64_t *words;
	struct vfio_user_memory memory;
};

static struct shared share(struct world *w)
{
	struct shared s = { .fd = memfd_create("guest", MFD_CLOEXEC) };

	assert_int_equal(ftruncate(s.fd, MEMORY_LEN), 0);
	s.words = mmap(NULL, MEMORY_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd, 0);
	assert_ptr_not_equal(s.words, MAP_FAILED);
	s.memory = (struct vfio_user_memory){
		.address = MEMORY, .size = MEMORY_LEN, .fd = s.fd, .host = s.words
	};
	assert_int_equal(vfio_user_dma_map(w->client, &s.memory), 0);
	return s;
}

static void unshare_memory(struct shared *s)
{
	munmap(s->words, MEMORY_LEN);
	close(s->fd);
}

static void the_device_stores_the_count_in_guest_memory(void **state)
{
	struct world *w = make_world(NULL);
	struct shared s = share(w);

	(void)state;
	map_region(w, BW_MMIO, false);
	write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_COMPLETION, 8, MEMORY + 0x1008);
	write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_BELL(0), 1, 0);
	assert_int_equal(s.words[0x1008 / 8], 1);
	write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_BELL(0), 4, 0);
	assert_int_equal(rings(w), 2);
	assert_int_equal(s.words[0x1008 / 8], 2);
	free_world(w);
	unshare_memory(&s);
}

static void unmapped_memory_is_left_alone(void **state)
{
	struct world *w = make_world(NULL);
	struct shared s = share(w);

	(void)state;
	map_region(w, BW_MMIO, true);
	write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_COMPLETION, 8, MEMORY);
	assert_int_equal(vfio_user_dma_unmap(w->client, MEMORY, MEMORY_LEN), 0);
	write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_BELL(0), 4, 0);
	assert_int_equal(s.words[0], 0);
	assert_int_equal(rings(w), 1);
	assert_int_equal(vfio_user_dma_unmap(w->client, MEMORY, MEMORY_LEN), -EREMOTEIO);
	free_world(w);
	unshare_memory(&s);
}

static void memory_that_cannot_be_is_refused(void **state)
{
	struct world *w = make_world(NULL);
	struct shared s = share(w);
	struct vfio_user_memory bad[] = { s.memory, s.memory, s.memory, s.memory };

	(void)state;
	bad[0].address += 0x1000; /* overlaps */
	bad[1].address = 0x10000000;
	bad[1].size += 0x1000; /* beyond the file */
	bad[2].address = 0xfffffffffffff000;
	bad[3].address = 0x10000000;
	bad[3].fd = w->server.conn; /* no memory */
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(vfio_user_dma_map(w->client, &bad[i]), -EREMOTEIO);
	free_world(w);
	unshare_memory(&s);
}

/* ---- failures, as the guest sees them ---- */

/* Region info, no doorbells, then silence. */
static void serve_a_region_and(struct server *server, bool hang)
{
	agree(server);
	hear(server);
	server->message.region_info.size = 4096;
	say(server, sizeof(struct vfio_user_region_info), NULL, 0);
	hear(server);
	server->message.header.flags |= VFIO_USER_ERROR;
	say(server, 0, NULL, 0);
	if (hang) {
		hear(server);
		hear(server);
	}
}

static void serve_and_hang(struct server *server)
{
	serve_a_region_and(server, true);
}

static void serve_and_die(struct server *server)
{
	serve_a_region_and(server, false);
}

static void a_read_of_a_dead_server_is_all_ones(void **state)
{
	struct world *w = make_world(serve_and_die);
	uint64_t value;

	(void)state;
	map_region(w, BW_MMIO, false);
	assert_int_equal(vfio_user_region_doorbells(w->region), 0);
	assert_int_equal(read_from(w->bus, BW_MMIO, BASE, 4, &value), BW_HANDLED);
	assert_int_equal(value, 0xffffffff);
	assert_int_equal(w->failures, 1);
	assert_int_equal(w->err, -ECONNRESET);
	free_world(w);
}

static void a_read_of_a_server_that_hangs_is_all_ones_in_time(void **state)
{
	struct world *w = make_world(serve_and_hang);
	uint64_t value;

	(void)state;
	map_region(w, BW_MMIO, false);
	expect_silence(w->client);
	assert_int_equal(read_from(w->bus, BW_MMIO, BASE, 8, &value), BW_HANDLED);
	assert_int_equal(value, UINT64_MAX);
	assert_int_equal(w->err, -ETIMEDOUT);
	assert_int_equal(write_to(w->bus, BW_MMIO, BASE, 8, 0), BW_HANDLED);
	assert_int_equal(w->failures, 2);
	assert_non_null(strstr(w->why, "has ended"));
	free_world(w);
}

/* What the kernel or the bus signals does not need the connection. */
static void a_doorbell_outlives_the_connection(void **state)
{
	struct world *w = make_world(NULL);

	(void)state;
	map_region(w, BW_MMIO, false);
	shutdown(vfio_user_fd(w->client), SHUT_RDWR);
	assert_int_equal(write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_BELL(0), 4, 0),
			 BW_SIGNALLED);
	assert_int_equal(w->failures, 0);
	free_world(w);
}

/* ---- many vCPUs ---- */

#define THREADS 4u
#define WRITES 200u

static void *ring_and_read(void *opaque)
{
	struct world *w = opaque;
	uintptr_t bad = 0;

	for (unsigned int i = 0; i < WRITES; i++) {
		uint64_t value = 0;

		write_to(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_BELL(i % 4), 4, i);
		/* Rings, at least those of this thread; config space; what no other reply could be.
		 */
		read_from(w->bus, BW_MMIO, BASE + DOORBELL_DEVICE_RINGS, 8, &value);
		bad += value < i + 1 || value > THREADS * WRITES;
		bad += vfio_user_region_read(w->client, DOORBELL_DEVICE_CONFIG, 0, &value, 4) ||
		       (uint32_t)value != 0xbe771234;
	}
	return (void *)bad;
}

static void threads_get_their_own_replies(void **state)
{
	struct world *w = make_world(NULL);
	pthread_t threads[THREADS];
	void *bad;

	(void)state;
	map_region(w, BW_MMIO, true);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ring_and_read, w), 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(rings(w), THREADS * WRITES);
	assert_int_equal(w->failures, 0);
	free_world(w);
}

static void *read_once(void *opaque)
{
	struct world *w = opaque;
	uint64_t value;

	read_from(w->bus, BW_MMIO, BASE, 8, &value);
	return (void *)(uintptr_t)(value == UINT64_MAX);
}

/* Who waits for the lock meanwhile does not wait for a timeout of its own. */
static void one_timeout_is_all_that_many_threads_wait(void **state)
{
	struct world *w = make_world(serve_and_hang);
	pthread_t threads[THREADS];
	void *ones;

	(void)state;
	map_region_and(w, BW_MMIO, true, count_timeout);
	expect_silence(w->client);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_once, w), 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ones);
		assert_non_null(ones);
	}
	assert_int_equal(w->failures, THREADS);
	assert_int_equal(w->timeouts, 1);
	free_world(w);
}

static void nothing_leaks(void **state)
{
	struct world *w;
	struct shared s;
	unsigned int before;

	(void)state;
	bw_bus_free(make_bus());
	before = count_fds();
	w = make_world(NULL);
	s = share(w);
	map_region(w, BW_MMIO, false);
	free_world(w);
	unshare_memory(&s);
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_access_is_a_message),
		cmocka_unit_test(an_offered_doorbell_is_no_message),
		cmocka_unit_test(a_near_miss_is_a_message),
		cmocka_unit_test(ports_too),
		cmocka_unit_test(a_moved_region_takes_its_doorbells_along),
		cmocka_unit_test(the_device_is_as_it_says),
		cmocka_unit_test(an_access_beyond_the_region_is_refused),
		cmocka_unit_test(the_device_stores_the_count_in_guest_memory),
		cmocka_unit_test(unmapped_memory_is_left_alone),
		cmocka_unit_test(memory_that_cannot_be_is_refused),
		cmocka_unit_test(a_read_of_a_dead_server_is_all_ones),
		cmocka_unit_test(a_read_of_a_server_that_hangs_is_all_ones_in_time),
		cmocka_unit_test(a_doorbell_outlives_the_connection),
		cmocka_unit_test(threads_get_their_own_replies),
		cmocka_unit_test(one_timeout_is_all_that_many_threads_wait),
		cmocka_unit_test(nothing_leaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
