/* SPDX-License-Identifier: MIT
 *
 * The front end against a back end that answers as it should, and against one that answers a single
 * request in every way that it should not: an error in words, in time, and no fd is left.
 */
#define _GNU_SOURCE
#include "vhost_peer.h"
#include "world.h"

#include <endpoint/vhost_user.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIT(n) (UINT64_C(1) << (n))
#define FEATURES (BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(6) | BIT(7))
#define PROTOCOL (BIT(VHOST_USER_PROTOCOL_F_CONFIG) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK))
#define PATIENCE_MS 20000u /* for what comes at once */
#define SHORT_MS 50u       /* for what never comes */

/* Both ends, the guest's memory, and the eventfds. */
struct front {
	struct vhost_peer peer;
	struct vhost_user vu;
	struct vhost_user_ram ram;
	struct vhost_user_queue queue;
	uint8_t config[PEER_CONFIG];
	uint16_t taken;
	unsigned int fds; /* open before */
	int socket;
};

static struct front *make_front(void)
{
	static struct front front;
	struct front *f = &front;
	int pair[2];

	memset(f, 0, sizeof(*f));
	f->fds = count_fds();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	f->socket = pair[0];
	f->peer = (struct vhost_peer){ .fd = pair[1],
				       .features = FEATURES,
				       .protocol = PROTOCOL,
				       .kick = -1,
				       .call = -1,
				       .memory = -1 };
	f->ram.fd = memfd_create("ram", MFD_CLOEXEC);
	f->ram.guest_addr = 0x200000;
	f->ram.size = 0x10000;
	assert_int_equal(ftruncate(f->ram.fd, 0x10000), 0);
	f->ram.address = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, f->ram.fd, 0);
	assert_ptr_not_equal(f->ram.address, MAP_FAILED);
	f->queue = (struct vhost_user_queue){ .size = 128,
					      .desc = f->ram.address,
					      .avail = (uint8_t *)f->ram.address + 0x1000,
					      .used = (uint8_t *)f->ram.address + 0x2000,
					      .kick = eventfd(0, EFD_CLOEXEC),
					      .call = eventfd(0, EFD_CLOEXEC) };
	return f;
}

static unsigned int patience(const struct front *f, enum vhost_user_request request)
{
	return f->peer.fault == SILENT && f->peer.at == request ? SHORT_MS : PATIENCE_MS;
}

/* From the first request to the last. */
static int talk(struct front *f)
{
	int err = vhost_user_adopt(&f->vu, f->socket, patience(f, VHOST_USER_GET_FEATURES), BIT(6));

	if (err)
		return err;
	err = vhost_user_get_config(&f->vu, f->config, PEER_CONFIG);
	f->vu.timeout_ms = patience(f, VHOST_USER_SET_MEM_TABLE);
	if (!err)
		err = vhost_user_set_memory(&f->vu, &f->ram);
	if (!err)
		err = vhost_user_start(&f->vu, &f->queue);
	f->vu.timeout_ms = patience(f, VHOST_USER_GET_VRING_BASE);
	if (!err)
		err = vhost_user_stop(&f->vu, &f->taken);
	vhost_user_close(&f->vu);
	return err;
}

static int drive(struct front *f)
{
	pthread_t thread;
	int err;

	assert_int_equal(pthread_create(&thread, NULL, vhost_peer_main, &f->peer), 0);
	err = talk(f);
	pthread_join(thread, NULL);
	return err;
}

static void free_front(struct front *f)
{
	const int kept[] = { f->peer.kick, f->peer.call, f->peer.memory };

	for (unsigned int i = 0; i < 3; i++)
		if (kept[i] >= 0)
			close(kept[i]);
	close(f->peer.fd);
	close(f->queue.kick);
	close(f->queue.call);
	munmap(f->ram.address, f->ram.size);
	close(f->ram.fd);
	assert_int_equal(count_fds(), f->fds);
}

/* ---- a back end as it should be ---- */

static void the_back_end_gets_the_queue(void **state)
{
	struct front *f = make_front();
	eventfd_t value;

	(void)state;
	assert_int_equal(drive(f), 0);
	assert_int_equal(f->peer.num, 128);
	assert_int_equal(f->peer.base, 0);
	assert_int_equal(f->peer.enabled, 1);
	assert_true(f->peer.addr.desc_user_addr == (uintptr_t)f->queue.desc);
	assert_true(f->peer.addr.avail_user_addr == (uintptr_t)f->queue.avail);
	assert_true(f->peer.addr.used_user_addr == (uintptr_t)f->queue.used);
	eventfd_write(f->queue.kick, 3);
	assert_int_equal(eventfd_read(f->peer.kick, &value), 0);
	assert_int_equal(value, 3);
	eventfd_write(f->peer.call, 5);
	assert_int_equal(eventfd_read(f->queue.call, &value), 0);
	assert_int_equal(value, 5);
	assert_int_equal(f->taken, PEER_TAKEN);
	free_front(f);
}

static void the_back_end_gets_the_memory(void **state)
{
	struct front *f = make_front();
	uint8_t byte = 0;

	(void)state;
	assert_int_equal(drive(f), 0);
	assert_int_equal(f->peer.table.nr_regions, 1);
	assert_true(f->peer.table.region.guest_addr == f->ram.guest_addr);
	assert_true(f->peer.table.region.size == f->ram.size);
	assert_true(f->peer.table.region.user_addr == (uintptr_t)f->ram.address);
	assert_true(f->peer.table.region.mmap_offset == 0);
	((uint8_t *)f->ram.address)[77] = 0x5a;
	assert_int_equal(pread(f->peer.memory, &byte, 1, 77), 1);
	assert_int_equal(byte, 0x5a);
	free_front(f);
}

static void only_what_both_have_is_negotiated(void **state)
{
	struct front *f = make_front();

	(void)state;
	f->peer.protocol |= BIT(0) | BIT(5);
	assert_int_equal(drive(f), 0);
	assert_true(f->vu.features == (FEATURES & ~BIT(7)));
	assert_true(f->peer.accepted == f->vu.features);
	assert_true(f->peer.protocol_accepted == PROTOCOL);
	for (unsigned int i = 0; i < PEER_CONFIG; i++)
		assert_int_equal(f->config[i], i);
	free_front(f);
}

static void a_back_end_without_acknowledgements_will_do(void **state)
{
	struct front *f = make_front();

	(void)state;
	f->peer.protocol &= ~BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);
	assert_int_equal(drive(f), 0);
	assert_false(f->vu.acks);
	assert_int_equal(f->taken, PEER_TAKEN);
	free_front(f);
}

static void the_queue_is_described_before_its_kick(void **state)
{
	static const uint32_t order[] = {
		VHOST_USER_GET_FEATURES,          VHOST_USER_GET_PROTOCOL_FEATURES,
		VHOST_USER_SET_PROTOCOL_FEATURES, VHOST_USER_SET_OWNER,
		VHOST_USER_SET_FEATURES,          VHOST_USER_GET_CONFIG,
		VHOST_USER_SET_MEM_TABLE,         VHOST_USER_SET_VRING_NUM,
		VHOST_USER_SET_VRING_BASE,        VHOST_USER_SET_VRING_ADDR,
		VHOST_USER_SET_VRING_CALL,        VHOST_USER_SET_VRING_KICK,
		VHOST_USER_SET_VRING_ENABLE,      VHOST_USER_GET_VRING_BASE,
	};
	struct front *f = make_front();

	(void)state;
	assert_int_equal(drive(f), 0);
	assert_int_equal(f->peer.nr_seen, COUNT_OF(order));
	assert_memory_equal(f->peer.seen, order, sizeof(order));
	free_front(f);
}

/* ---- and as it should not ---- */

static const struct {
	enum fault fault;
	uint32_t at;
	int err;
	const char *why;
} faults[] = {
	{ SILENT, VHOST_USER_GET_FEATURES, -ETIMEDOUT, "does not answer GET_FEATURES within" },
	{ SILENT, VHOST_USER_SET_MEM_TABLE, -ETIMEDOUT, "does not answer SET_MEM_TABLE within" },
	{ SILENT, VHOST_USER_GET_VRING_BASE, -ETIMEDOUT, "does not answer GET_VRING_BASE" },
	{ CLOSES, VHOST_USER_GET_FEATURES, -ECONNRESET, "closed the connection at GET_FEATURES" },
	{ CLOSES, VHOST_USER_SET_VRING_KICK, -ECONNRESET, "closed the connection at SET_VRING_K" },
	{ CLOSES_MIDWAY, VHOST_USER_GET_CONFIG, -ECONNRESET, "closed the connection at GET_CON" },
	{ CLOSES_BEFORE_PAYLOAD, VHOST_USER_GET_CONFIG, -ECONNRESET, "closed the connection" },
	{ OTHER_REQUEST, VHOST_USER_GET_FEATURES, -EPROTO, "to GET_FEATURES it answers with req" },
	{ OTHER_REQUEST, VHOST_USER_SET_VRING_ADDR, -EPROTO, "to SET_VRING_ADDR it answers with" },
	{ OTHER_VERSION, VHOST_USER_GET_FEATURES, -EPROTO, "is of version 2, not 1" },
	{ NOT_A_REPLY, VHOST_USER_GET_PROTOCOL_FEATURES, -EPROTO, "is not marked as one" },
	{ NO_PAYLOAD, VHOST_USER_GET_FEATURES, -EPROTO, "has 0 bytes, not 8" },
	{ NO_PAYLOAD, VHOST_USER_GET_CONFIG, -EPROTO, "refuses to give its configuration" },
	{ ONE_BYTE_LESS, VHOST_USER_GET_VRING_BASE, -EPROTO, "has 7 bytes, not 8" },
	{ ONE_BYTE_LESS, VHOST_USER_GET_CONFIG, -EPROTO, "has 35 bytes, not 36" },
	{ ENDLESS, VHOST_USER_GET_FEATURES, -EPROTO, "has 4294967295 bytes, not 8" },
	{ ENDLESS, VHOST_USER_GET_CONFIG, -EPROTO, "has 4294967295 bytes, not 36" },
	{ AN_FD, VHOST_USER_GET_FEATURES, -EPROTO, "answer to GET_FEATURES comes with an fd" },
	{ AN_FD, VHOST_USER_SET_VRING_CALL, -EPROTO, "answer to SET_VRING_CALL comes with an" },
	{ MANY_FDS, VHOST_USER_GET_CONFIG, -EPROTO, "answer to GET_CONFIG comes with an fd" },
	{ AN_FD_WITH_THE_PAYLOAD, VHOST_USER_GET_CONFIG, -EPROTO, "comes with an fd" },
	{ REFUSES, VHOST_USER_SET_OWNER, -EPROTO, "it refuses SET_OWNER" },
	{ REFUSES, VHOST_USER_SET_MEM_TABLE, -EPROTO, "it refuses SET_MEM_TABLE" },
	{ REFUSES, VHOST_USER_SET_VRING_ENABLE, -EPROTO, "it refuses SET_VRING_ENABLE" },
	{ OTHER_QUEUE, VHOST_USER_GET_VRING_BASE, -EPROTO, "it tells of queue 1" },
	{ BASE_TOO_HIGH, VHOST_USER_GET_VRING_BASE, -EPROTO, "stands at 65536" },
	{ OTHER_OFFSET, VHOST_USER_GET_CONFIG, -EPROTO, "it gives 24 at 8" },
	{ OTHER_SIZE, VHOST_USER_GET_CONFIG, -EPROTO, "it gives 23 at 0" },
};

static void expect_failure(struct front *f, int err, const char *why)
{
	assert_int_equal(drive(f), err);
	if (!strstr(vhost_user_why(&f->vu), why))
		fail_msg("'%s' does not say '%s'", vhost_user_why(&f->vu), why);
	free_front(f);
}

static void every_fault_is_told_and_leaves_no_fd(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		struct front *f = make_front();

		f->peer.fault = faults[i].fault;
		f->peer.at = faults[i].at;
		expect_failure(f, faults[i].err, faults[i].why);
	}
}

static void a_device_of_another_kind_is_refused(void **state)
{
	struct front *f = make_front();

	(void)state;
	f->peer.features &= ~BIT(VIRTIO_F_VERSION_1);
	expect_failure(f, -EPROTO, "not of virtio 1");
	f = make_front();
	f->peer.features &= ~BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	expect_failure(f, -EPROTO, "VHOST_USER_F_PROTOCOL_FEATURES");
	f = make_front();
	f->peer.protocol &= ~BIT(VHOST_USER_PROTOCOL_F_CONFIG);
	expect_failure(f, -EPROTO, "does not tell its configuration");
}

static void a_connection_is_watched_between_requests(void **state)
{
	int pair[2];
	struct vhost_user vu = {};

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	vu.fd = pair[0];
	assert_int_equal(vhost_user_check(&vu), 0);
	assert_int_equal(send(pair[1], "x", 1, 0), 1);
	assert_int_equal(vhost_user_check(&vu), -EPROTO);
	assert_non_null(strstr(vhost_user_why(&vu), "nobody asked"));
	assert_int_equal(recv(pair[0], &(char){ 0 }, 1, 0), 1);
	close(pair[1]);
	assert_int_equal(vhost_user_check(&vu), -ECONNRESET);
	assert_non_null(strstr(vhost_user_why(&vu), "closed the connection"));
	vhost_user_close(&vu);
}

static void where_nobody_listens_is_told(void **state)
{
	struct vhost_user vu;

	(void)state;
	assert_int_equal(vhost_user_connect(&vu, "/nowhere/at all", PATIENCE_MS, 0), -ENOENT);
	assert_string_not_equal(vhost_user_why(&vu), "");
}

static void a_configuration_has_its_limits(void **state)
{
	struct vhost_user vu = { .fd = -1 };
	uint8_t byte;

	(void)state;
	assert_int_equal(vhost_user_get_config(&vu, &byte, 0), -EINVAL);
	assert_int_equal(vhost_user_get_config(&vu, &byte, VHOST_USER_MAX_CONFIG + 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_back_end_gets_the_queue),
		cmocka_unit_test(the_back_end_gets_the_memory),
		cmocka_unit_test(only_what_both_have_is_negotiated),
		cmocka_unit_test(a_back_end_without_acknowledgements_will_do),
		cmocka_unit_test(the_queue_is_described_before_its_kick),
		cmocka_unit_test(every_fault_is_told_and_leaves_no_fd),
		cmocka_unit_test(a_device_of_another_kind_is_refused),
		cmocka_unit_test(a_connection_is_watched_between_requests),
		cmocka_unit_test(where_nobody_listens_is_told),
		cmocka_unit_test(a_configuration_has_its_limits),
	};

	return cmocka_run_group_tests_name("vhost_user", tests, NULL, NULL);
}
