/* SPDX-License-Identifier: MIT
 *
 * A server that lies, hangs or dies: each is an error to the caller, in time, and no fd stays open.
 */
#include "vfio_user_world.h"

#include <semaphore.h>
#include <stdio.h>

#define LEN 4096u /* of the region that is asked for */

/* One lie: what the server does after the version, and what the caller is to get. */
struct lie {
	const char *name;
	void (*script)(struct server *server);
	int (*ask)(struct vfio_user_client *client);
	int err;
	const char *word; /* in the sentence */
	bool silent;      /* nothing comes, or not what is waited for */
};

/* ---- what callers ask ---- */

static int ask_nothing(struct vfio_user_client *client)
{
	(void)client;
	return 0;
}

static int ask_info(struct vfio_user_client *client)
{
	struct vfio_user_device_info info;

	return vfio_user_device_info(client, &info);
}

static int ask_region(struct vfio_user_client *client)
{
	struct vfio_user_region_info info;

	return vfio_user_region_info(client, 2, &info);
}

static int ask_read(struct vfio_user_client *client)
{
	uint32_t value;

	return vfio_user_region_read(client, 2, 0x10, &value, sizeof(value));
}

static int ask_write(struct vfio_user_client *client)
{
	uint32_t value = 0;

	return vfio_user_region_write(client, 2, 0x10, &value, sizeof(value));
}

static int ask_io_fds(struct vfio_user_client *client)
{
	const struct vfio_user_io_place place = { .index = 2, .len = LEN };
	struct vfio_user_message *reply = malloc(sizeof(*reply));
	int err = vfio_user_region_io_fds(client, &place, reply);

	if (!err)
		socket_close_fds(&reply->fds);
	free(reply);
	return err;
}

static int ask_doorbells(struct vfio_user_client *client)
{
	const struct vfio_user_region_opts opts = { .space = BW_MMIO, .index = 2 };
	struct bw_bus *bus = make_bus();
	struct vfio_user_region *region = NULL;
	int err = vfio_user_region_new(&region, bus, client, &opts);

	vfio_user_region_free(region);
	bw_bus_free(bus);
	return err;
}

/* ---- what servers do ---- */

static void die(struct server *server)
{
	agree(server);
	hear(server);
}

static void die_at_once(struct server *server)
{
	(void)server;
}

static void hang(struct server *server)
{
	agree(server);
	hear(server);
	hear(server); /* until the client leaves */
}

/* A header, and nothing after it. */
static void hang_in_the_middle(struct server *server)
{
	agree(server);
	hear(server);
	server->message.header.flags |= VFIO_USER_REPLY;
	server->message.header.size = sizeof(struct vfio_user_header) + 16;
	socket_send(server->conn, &server->message, sizeof(struct vfio_user_header), NULL, 0,
		    soon());
	hear(server);
}

static void die_in_the_middle(struct server *server)
{
	agree(server);
	hear(server);
	server->message.header.flags |= VFIO_USER_REPLY;
	server->message.header.size = sizeof(struct vfio_user_header) + 16;
	socket_send(server->conn, &server->message, sizeof(struct vfio_user_header) + 4, NULL, 0,
		    soon());
}

/* Speaks all the time, so that no single wait is long. */
static void chatter(struct server *server)
{
	struct vfio_user_message command = {
		.header = { .command = VFIO_USER_DMA_READ, .size = 32 },
		.dma_access = { .address = 0, .count = 8 },
	};

	agree(server);
	hear(server);
	while (!vfio_user_send(server->conn, &command, NULL, 0, soon()) && hear(server))
		;
}

static void say_another_id(struct server *server)
{
	agree(server);
	hear(server);
	server->message.header.id++;
	say(server, sizeof(struct vfio_user_device_info), NULL, 0);
}

static void say_another_command(struct server *server)
{
	agree(server);
	hear(server);
	server->message.header.command++;
	say(server, sizeof(struct vfio_user_device_info), NULL, 0);
}

static void say_a_strange_type(struct server *server)
{
	agree(server);
	hear(server);
	server->message.header.flags = 2;
	say(server, sizeof(struct vfio_user_device_info), NULL, 0);
}

static void say_too_little(struct server *server)
{
	agree(server);
	hear(server);
	say(server, 12, NULL, 0);
}

static void say_less_than_a_header(struct server *server)
{
	agree(server);
	hear(server);
	server->message.header.flags |= VFIO_USER_REPLY;
	server->message.header.size = 15;
	socket_send(server->conn, &server->message, 16, NULL, 0, soon());
	hear(server);
}

static void say_an_absurd_size(struct server *server)
{
	agree(server);
	hear(server);
	server->message.header.flags |= VFIO_USER_REPLY;
	server->message.header.size = UINT32_MAX;
	socket_send(server->conn, &server->message, 16, NULL, 0, soon());
	hear(server);
}

static void refuse(struct server *server)
{
	agree(server);
	while (hear(server)) {
		server->message.header.flags |= VFIO_USER_ERROR;
		server->message.header.error = EACCES;
		say(server, 0, NULL, 0);
	}
}

static void refuse_and_not_say_why(struct server *server)
{
	agree(server);
	hear(server);
	server->message.header.flags |= VFIO_USER_ERROR;
	say(server, 0, NULL, 0);
}

static void say_another_region(struct server *server)
{
	agree(server);
	hear(server);
	server->message.region_info.index++;
	say(server, sizeof(struct vfio_user_region_info), NULL, 0);
}

static void say_another_offset(struct server *server)
{
	agree(server);
	hear(server);
	server->message.access.offset += 4;
	say(server, sizeof(struct vfio_user_access) + 4, NULL, 0);
}

static void say_more_data(struct server *server)
{
	agree(server);
	hear(server);
	say(server, sizeof(struct vfio_user_access) + 8, NULL, 0);
}

static void say_less_data(struct server *server)
{
	agree(server);
	hear(server);
	say(server, sizeof(struct vfio_user_access), NULL, 0);
}

/* The doorbells of region 2, LEN long, with fds. change makes a lie of them. */
static void say_doorbells(struct server *server, uint32_t count, unsigned int nr_fds,
			  void (*change)(struct vfio_user_io_fds *head,
					 struct vfio_user_sub_region *sub))
{
	struct vfio_user_io_fds *head = &server->message.io_fds;
	struct vfio_user_sub_region *sub = (void *)(server->message.payload + sizeof(*head));
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fds[SOCKET_MAX_FDS];

	for (unsigned int i = 0; i < nr_fds; i++)
		fds[i] = event;
	*head = (struct vfio_user_io_fds){
		.argsz = (uint32_t)(sizeof(*head) + count * sizeof(*sub)),
		.index = 2,
		.count = count,
	};
	for (uint32_t i = 0; i < count; i++)
		sub[i] = (struct vfio_user_sub_region){ .offset = 4 * i, .size = 4 };
	if (change)
		change(head, sub);
	say(server, sizeof(*head) + count * sizeof(*sub), fds, nr_fds);
	close(event);
}

static void lie_about_doorbells(struct server *server, uint32_t count, unsigned int nr_fds,
				void (*change)(struct vfio_user_io_fds *head,
					       struct vfio_user_sub_region *sub))
{
	agree(server);
	hear(server);
	say_doorbells(server, count, nr_fds, change);
	hear(server);
}

#define DOORBELLS(name, count, nr_fds, ...)                                                        \
	static void change_##name(struct vfio_user_io_fds *head, struct vfio_user_sub_region *sub) \
	{                                                                                          \
		(void)head;                                                                        \
		(void)sub;                                                                         \
		__VA_ARGS__;                                                                       \
	}                                                                                          \
	static void say_##name(struct server *server)                                              \
	{                                                                                          \
		lie_about_doorbells(server, count, nr_fds, change_##name);                         \
	}

DOORBELLS(too_many_fds, 1, VFIO_USER_MAX_FDS + 1, )
DOORBELLS(no_fd, 1, 0, )
DOORBELLS(the_next_fd, 1, 2, sub->fd_index = 2)
DOORBELLS(fds_alone, 0, 1, )
DOORBELLS(more_than_come, 2, 1, head->count = 3)
DOORBELLS(an_absurd_count, 1, 1, head->count = UINT32_MAX)
DOORBELLS(an_absurd_argsz, 1, 1, head->argsz = UINT32_MAX)
DOORBELLS(as_many_as_fit, VFIO_USER_MAX_SUB_REGIONS + 1, 1, )
DOORBELLS(flags, 1, 1, head->flags = 1)
DOORBELLS(region_3, 1, 1, head->index = 3)
DOORBELLS(a_place_beyond, 1, 1, sub->offset = LEN)
DOORBELLS(a_place_across, 1, 1, sub->offset = LEN - 2)
DOORBELLS(a_place_that_wraps, 1, 1, sub->offset = UINT64_MAX)
DOORBELLS(3_bytes, 1, 1, sub->size = 3)
DOORBELLS(16_bytes, 1, 1, sub->size = 16)
DOORBELLS(strange_flags, 1, 1, sub->flags = 8)
DOORBELLS(ports, 1, 1, sub->flags = VFIO_USER_PIO)
DOORBELLS(a_value_of_any_length, 1, 1, sub->size = 0; sub->flags = VFIO_USER_DATAMATCH)

static void say_a_region(struct server *server)
{
	agree(server);
	hear(server);
	server->message.region_info.size = LEN;
	say(server, sizeof(struct vfio_user_region_info), NULL, 0);
	hear(server);
}

static void say_an_empty_region(struct server *server)
{
	agree(server);
	hear(server);
	server->message.region_info.size = 0;
	say(server, sizeof(struct vfio_user_region_info), NULL, 0);
}

/* A socket where an eventfd should be. */
static void say_a_wrong_fd(struct server *server)
{
	struct vfio_user_io_fds head = { .argsz = 56, .index = 2, .count = 1 };
	struct vfio_user_sub_region sub = { .size = 4 };

	say_a_region(server);
	server->message.io_fds = head;
	memcpy(server->message.payload + sizeof(head), &sub, sizeof(sub));
	say(server, 56, &server->conn, 1);
	hear(server);
}

static void collide(struct vfio_user_io_fds *head, struct vfio_user_sub_region *sub)
{
	(void)head;
	sub[1].offset = sub[0].offset;
}

static void say_doorbells_that_collide(struct server *server)
{
	say_a_region(server);
	say_doorbells(server, 2, 1, collide);
	hear(server);
}

/* ---- versions ---- */

static void say_version(struct server *server, uint16_t major, uint16_t minor, const char *json)
{
	hear(server);
	server->message.version = (struct vfio_user_version){ major, minor };
	strcpy((char *)server->message.payload + 4, json);
	say(server, 4 + strlen(json) + 1, NULL, 0);
	hear(server);
}

static void say_major_1(struct server *server)
{
	say_version(server, 1, 0, "");
}

static void say_minor_2(struct server *server)
{
	say_version(server, 0, 2, "");
}

static void say_no_json(struct server *server)
{
	say_version(server, 0, 1, "{\"capabilities\":");
}

static void say_a_list(struct server *server)
{
	say_version(server, 0, 1, "{\"capabilities\":[]}");
}

static void say_a_negative_number(struct server *server)
{
	say_version(server, 0, 1, "{\"capabilities\":{\"max_msg_fds\":-1}}");
}

static void say_half_a_version(struct server *server)
{
	hear(server);
	say(server, 2, NULL, 0);
	hear(server);
}

static const struct lie lies[] = {
	{ "it dies before the version", die_at_once, ask_nothing, -ECONNRESET, "closed", false },
	{ "it dies before it replies", die, ask_info, -ECONNRESET, "closed", false },
	{ "it dies in a reply", die_in_the_middle, ask_info, -ECONNRESET, "closed", false },
	{ "it hangs", hang, ask_info, -ETIMEDOUT, "in time", true },
	{ "it hangs in a write", hang, ask_write, -ETIMEDOUT, "in time", true },
	{ "it hangs in a reply", hang_in_the_middle, ask_info, -ETIMEDOUT, "in time", true },
	{ "it speaks of other things", chatter, ask_read, -ETIMEDOUT, "in time", true },
	{ "another message id", say_another_id, ask_info, -EPROTO, "message id", false },
	{ "another command", say_another_command, ask_info, -EPROTO, "another command", false },
	{ "a strange type", say_a_strange_type, ask_info, -EPROTO, "neither", false },
	{ "info too short", say_too_little, ask_info, -EPROTO, "too short", false },
	{ "region info too short", say_too_little, ask_region, -EPROTO, "too short", false },
	{ "less than a header", say_less_than_a_header, ask_info, -EPROTO, "header", false },
	{ "an absurd size", say_an_absurd_size, ask_info, -EPROTO, "absurd", false },
	{ "refused", refuse, ask_info, -EREMOTEIO, "Permission denied", false },
	{ "refused without a reason", refuse_and_not_say_why, ask_read, -EREMOTEIO, "why", false },
	{ "another region", say_another_region, ask_region, -EPROTO, "another region", false },
	{ "a read elsewhere", say_another_offset, ask_read, -EPROTO, "another place", false },
	{ "a read of more", say_more_data, ask_read, -EPROTO, "another length", false },
	{ "a read of less", say_less_data, ask_read, -EPROTO, "another length", false },
	{ "a write with data", say_more_data, ask_write, -EPROTO, "another length", false },
	{ "too many fds", say_too_many_fds, ask_io_fds, -EPROTO, "more than 64 fds", false },
	{ "no fd", say_no_fd, ask_io_fds, -EPROTO, "did not come", false },
	{ "an fd beyond", say_the_next_fd, ask_io_fds, -EPROTO, "did not come", false },
	{ "fds alone", say_fds_alone, ask_io_fds, -EPROTO, "without", false },
	{ "more than come", say_more_than_come, ask_io_fds, -EPROTO, "room", false },
	{ "an absurd count", say_an_absurd_count, ask_io_fds, -EPROTO, "absurd", false },
	{ "an absurd argsz", say_an_absurd_argsz, ask_io_fds, -EPROTO, "absurd", false },
	{ "1025 of them", say_as_many_as_fit, ask_io_fds, -EPROTO, "absurd", false },
	{ "flags", say_flags, ask_io_fds, -EPROTO, "another region", false },
	{ "those of region 3", say_region_3, ask_io_fds, -EPROTO, "another region", false },
	{ "a place beyond", say_a_place_beyond, ask_io_fds, -EPROTO, "outside", false },
	{ "a place across", say_a_place_across, ask_io_fds, -EPROTO, "outside", false },
	{ "a place that wraps", say_a_place_that_wraps, ask_io_fds, -EPROTO, "outside", false },
	{ "3 bytes", say_3_bytes, ask_io_fds, -EPROTO, "size", false },
	{ "16 bytes", say_16_bytes, ask_io_fds, -EPROTO, "size", false },
	{ "strange flags", say_strange_flags, ask_io_fds, -EPROTO, "unknown", false },
	{ "ports in memory", say_ports, ask_io_fds, -EPROTO, "ports", false },
	{ "a value of any length", say_a_value_of_any_length, ask_io_fds, -EPROTO, "value", false },
	{ "no eventfd", say_a_wrong_fd, ask_doorbells, -EPROTO, "no eventfd", false },
	{ "they collide", say_doorbells_that_collide, ask_doorbells, -EPROTO, "collide", false },
	{ "empty", say_an_empty_region, ask_doorbells, -EOPNOTSUPP, "empty", false },
	{ "major 1", say_major_1, ask_nothing, -EPROTO, "major", false },
	{ "minor 2", say_minor_2, ask_nothing, -EPROTO, "minor", false },
	{ "no JSON", say_no_json, ask_nothing, -EPROTO, "no JSON", false },
	{ "a list", say_a_list, ask_nothing, -EPROTO, "no JSON object", false },
	{ "a negative number", say_a_negative_number, ask_nothing, -EPROTO, "positive", false },
	{ "half a version", say_half_a_version, ask_nothing, -EPROTO, "too short", false },
};

static int ask_server(const struct lie *lie, int fd)
{
	struct vfio_user_client *client;
	int err = vfio_user_connected(&client, fd, PATIENCE_MS);

	if (err)
		return err;
	if (lie->silent)
		expect_silence(client);
	err = lie->ask(client);
	vfio_user_disconnect(client);
	return err;
}

static void is_an_error_and_leaks_nothing(void **state)
{
	const struct lie *lie = *state;
	struct server *server = calloc(1, sizeof(*server));
	unsigned int before;
	int err;

	/* What is opened once and stays: liburcu's, the address sanitizer's. */
	bw_bus_free(make_bus());
	before = count_fds();
	err = ask_server(lie, start_server(server, lie->script));
	join_server(server);
	assert_int_equal(err, lie->err);
	if (!strstr(vfio_user_last_error(), lie->word))
		fail_msg("'%s' does not say '%s'", vfio_user_last_error(), lie->word);
	assert_int_equal(count_fds(), before);
	free(server);
}

static sem_t timed_out, said;

/* The late reply to the first read must not be the answer to the second. */
static void reply_late(struct server *server)
{
	struct vfio_user_header first;

	agree(server);
	hear(server);
	first = server->message.header;
	sem_wait(&timed_out);
	server->message.header = first;
	say(server, sizeof(struct vfio_user_access) + 4, NULL, 0);
	sem_post(&said);
	hear(server);
}

static void what_ended_stays_so(void **state)
{
	struct server *server = calloc(1, sizeof(*server));
	struct vfio_user_client *client;
	int fd;

	(void)state;
	sem_init(&timed_out, 0, 0);
	sem_init(&said, 0, 0);
	fd = start_server(server, reply_late);
	assert_int_equal(vfio_user_connected(&client, fd, PATIENCE_MS), 0);
	expect_silence(client);
	assert_int_equal(ask_read(client), -ETIMEDOUT);
	sem_post(&timed_out);
	sem_wait(&said);
	assert_int_equal(ask_read(client), -ETIMEDOUT);
	assert_non_null(strstr(vfio_user_last_error(), "has ended: the peer does not answer"));
	assert_int_equal(ask_info(client), -ETIMEDOUT);
	vfio_user_disconnect(client);
	join_server(server);
	free(server);
}

static void a_refusal_is_not_the_end(void **state)
{
	struct server *server = calloc(1, sizeof(*server));
	struct vfio_user_client *client;
	int fd = start_server(server, refuse);

	(void)state;
	assert_int_equal(vfio_user_connected(&client, fd, PATIENCE_MS), 0);
	assert_int_equal(ask_read(client), -EREMOTEIO);
	assert_int_equal(ask_read(client), -EREMOTEIO);
	vfio_user_disconnect(client);
	join_server(server);
	free(server);
}

int main(void)
{
	struct CMUnitTest tests[COUNT_OF(lies) + 2];
	size_t nr = 0;

	for (; nr < COUNT_OF(lies); nr++)
		tests[nr] = (struct CMUnitTest){
			.name = lies[nr].name,
			.test_func = is_an_error_and_leaks_nothing,
			.initial_state = (void *)&lies[nr],
		};
	tests[nr++] = (struct CMUnitTest)cmocka_unit_test(what_ended_stays_so);
	tests[nr++] = (struct CMUnitTest)cmocka_unit_test(a_refusal_is_not_the_end);
	return _cmocka_run_group_tests("vfio-user lies", tests, nr, NULL, NULL);
}
