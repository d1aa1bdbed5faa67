/* SPDX-License-Identifier: MIT
 *
 * One command to the guest: so many reads, one after another or many at once. Then every byte is
 * looked at, by the host, when no time is taken.
 */
#include "cli/vhost.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "endpoint/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_blk.h>
#include <stddef.h>
#include <string.h>

#define PATIENCE_S 10u /* for a whole batch */
#define NO_STATUS 0xffu
#define STALE 0xa5u /* no line has it: what was not read cannot pass for what was */

static struct vhost_read next_read(struct vhost_world *world)
{
	uint64_t left = world->bench->capacity - world->next;
	struct vhost_read read = {
		.offset = world->next,
		.len = left < VHOST_BLOCK ? (uint32_t)left : VHOST_BLOCK,
	};

	world->next = left > VHOST_BLOCK ? world->next + VHOST_BLOCK : 0;
	return read;
}

static void prepare(struct vhost_world *world, uint32_t count)
{
	struct vhost_memory *memory = world->memory;

	memset(memory->data, STALE, count * sizeof(memory->data[0]));
	for (uint32_t i = 0; i < count; i++) {
		world->reads[i] = next_read(world);
		memory->requests[i] = (struct guest_request){
			.status = NO_STATUS,
			.len = world->reads[i].len,
			.sector = world->reads[i].offset / VHOST_SECTOR,
			.data = VHOST_GPA + offsetof(struct vhost_memory, data) + i * VHOST_BLOCK,
		};
	}
}

static void command(struct vhost_world *world, const struct vhost_row *row, uint32_t count,
		    uint32_t in_flight)
{
	struct guest_mailbox *mailbox = vcpu_mailbox(world->vcpu);

	world->memory->virtqueue.in_flight = in_flight;
	mailbox->op = GUEST_VIRTQUEUE;
	mailbox->count = count;
	mailbox->virtqueue = VHOST_GPA + offsetof(struct vhost_memory, virtqueue);
	mailbox->requests = VHOST_GPA + offsetof(struct vhost_memory, requests);
	mailbox->ring = (struct guest_access){
		.kind = row->type->instruction,
		.len = row->type->len,
		.addr = row->addr, /* the value is the queue's number, 0 */
	};
}

static uint32_t done(const struct vhost_memory *memory, uint32_t count)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		n += memory->requests[i].done;
	return n;
}

/* Somebody stopped the vCPU: the user, the watch, or the time. */
static int say_stopped(struct vhost_world *world, const struct vhost_row *row, uint32_t count)
{
	int err = vhost_user_check(&world->vu);

	if (interrupted())
		return -EINTR;
	if (err)
		return vhost_lost(world, err);
	cli_failed("%s: %s %s: %u of %u requests were answered within %u s",
		   world->bench->opts->vhost_user, vm_backend_name(world->bench->be),
		   row->type->name, done(world->memory, count), count, PATIENCE_S);
	return -ETIMEDOUT;
}

static int run(struct vhost_world *world, const struct vhost_row *row, uint32_t count)
{
	const struct guest_mailbox *mailbox = vcpu_mailbox(world->vcpu);
	uint64_t begin = clock_ns(CLOCK_MONOTONIC_RAW);
	int err;

	interrupt_after(PATIENCE_S);
	err = vcpu_run(world->vcpu);
	interrupt_after(0);
	if (err == -EINTR)
		return say_stopped(world, row, count);
	if (err) {
		cli_failed("%s %s: %s", vm_backend_name(world->bench->be), row->type->name,
			   vm_last_error());
		return err;
	}
	world->ns[1] = clock_ns(CLOCK_MONOTONIC_RAW);
	world->ticks[1] = mailbox->tsc_end;
	if (!world->ns[0]) {
		world->ns[0] = begin;
		world->ticks[0] = mailbox->tsc_start;
	}
	return interrupted() ? -EINTR : 0;
}

static int check_answers(const struct vhost_world *world, uint32_t count)
{
	const struct vhost_memory *memory = world->memory;
	const char *endpoint = world->bench->opts->vhost_user;

	if (memory->virtqueue.wrong) {
		cli_failed("%s: it returns descriptor %u, which it does not have", endpoint,
			   memory->virtqueue.wrong_id);
		return -EPROTO;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct vhost_read *read = &world->reads[i];
		const struct guest_request *r = &memory->requests[i];

		if (r->status == VIRTIO_BLK_S_OK && r->used_len == read->len + 1)
			continue;
		cli_failed("%s: a read of %u bytes at %" PRIu64
			   " ends with status %u and %u bytes written",
			   endpoint, read->len, read->offset, r->status, r->used_len);
		return -EIO;
	}
	return 0;
}

/* Only the first wrong byte is worth a line. */
static void say_wrong(const struct vhost_world *world, const struct vhost_row *row, uint64_t offset,
		      uint8_t byte, uint8_t expected)
{
	if (row->wrong_bytes > 0)
		return;
	cli_failed("%s: %s %s: byte %" PRIu64 " of the device is read as 0x%02x, not as 0x%02x%s",
		   world->bench->opts->vhost_user, vm_backend_name(world->bench->be),
		   row->type->name, offset, byte, expected,
		   world->expect.path ? "" : ": does it hold the lines that --help shows?");
}

static int check_bytes(const struct vhost_world *world, struct vhost_row *row,
		       const struct vhost_read *read, const uint8_t *data)
{
	uint8_t expected[VHOST_BLOCK];
	int err = vhost_expect_read(&world->expect, expected, read->len, read->offset);

	if (err)
		return err;
	row->requests++;
	row->bytes += read->len;
	if (memcmp(data, expected, read->len) == 0)
		return 0;
	for (uint32_t i = 0; i < read->len; i++) {
		if (data[i] == expected[i])
			continue;
		say_wrong(world, row, read->offset + i, data[i], expected[i]);
		row->wrong_bytes++;
	}
	return 0;
}

int vhost_batch(struct vhost_world *world, struct vhost_row *row, uint32_t count,
		uint32_t in_flight)
{
	const struct vhost_memory *memory = world->memory;
	int err;

	prepare(world, count);
	command(world, row, count, in_flight);
	err = run(world, row, count);
	if (!err)
		err = check_answers(world, count);
	for (uint32_t i = 0; i < count && !err; i++)
		err = check_bytes(world, row, &world->reads[i], memory->data[i]);
	return err;
}
