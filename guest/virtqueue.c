/* SPDX-License-Identifier: MIT
 *
 * The driver of a split virtqueue: for each request it builds a chain of three descriptors, makes
 * it available and kicks; it spins on the used index and takes back what the device returns. What
 * the device writes is not believed: an index that it never had ends the command.
 */
#include <guest/insn.h>
#include <guest/virtqueue.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#define CHAIN 3u /* descriptors: header, data, status */

_Static_assert(sizeof(struct virtio_blk_outhdr) == sizeof(((struct guest_request *)0)->header),
	       "the header has its place");

static uint32_t free_slot(const struct guest_virtqueue *vq)
{
	uint32_t slot = 0;

	while (vq->slots[slot])
		slot++;
	return slot;
}

static void fill_header(struct guest_request *request)
{
	struct virtio_blk_outhdr *header = (struct virtio_blk_outhdr *)request->header;

	header->type = VIRTIO_BLK_T_IN;
	header->ioprio = 0;
	header->sector = request->sector;
}

static void fill_chain(struct vring_desc *desc, uint32_t head, const struct guest_request *request)
{
	desc[0] = (struct vring_desc){
		.addr = (uint64_t)request->header,
		.len = sizeof(request->header),
		.flags = VRING_DESC_F_NEXT,
		.next = (uint16_t)(head + 1),
	};
	desc[1] = (struct vring_desc){
		.addr = request->data,
		.len = request->len,
		.flags = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE,
		.next = (uint16_t)(head + 2),
	};
	desc[2] = (struct vring_desc){
		.addr = (uint64_t)&request->status,
		.len = sizeof(request->status),
		.flags = VRING_DESC_F_WRITE,
	};
}

/* Release: pairs with the device's acquire of idx, which then sees the chain. The kick is an exit
 * or a system call, and no store is late behind one. It is never left out, whatever used->flags
 * says: the kick is what is measured. */
static void submit(struct guest_mailbox *mailbox, struct guest_virtqueue *vq, uint32_t index)
{
	struct guest_request *request = (struct guest_request *)mailbox->requests + index;
	struct vring_avail *avail = (struct vring_avail *)vq->avail;
	const struct guest_access *kick = &mailbox->ring;
	uint32_t slot = free_slot(vq), head = slot * CHAIN;

	vq->slots[slot] = index + 1;
	fill_header(request);
	fill_chain((struct vring_desc *)vq->desc + head, head, request);
	avail->ring[vq->avail_idx & (vq->size - 1)] = (uint16_t)head;
	__atomic_store_n(&avail->idx, ++vq->avail_idx, __ATOMIC_RELEASE);
	request->trip.rung = insn_rdtsc();
	insn_perform(kick->kind, kick->len, kick->addr, kick->value, kick->count);
}

static void complete(struct guest_mailbox *mailbox, struct guest_virtqueue *vq,
		     const struct vring_used_elem *used)
{
	struct guest_request *request;
	uint32_t id = *(const volatile uint32_t *)&used->id, slot = id / CHAIN;

	if (id % CHAIN || slot >= vq->in_flight || !vq->slots[slot]) {
		vq->wrong_id = id;
		vq->wrong = 1;
		return;
	}
	request = (struct guest_request *)mailbox->requests + vq->slots[slot] - 1;
	request->used_len = used->len;
	request->trip.answered = insn_rdtsc();
	request->done = 1;
	vq->slots[slot] = 0;
}

/* Acquire: pairs with the device's release of idx, behind which the data and the status lie. */
static uint32_t collect(struct guest_mailbox *mailbox, struct guest_virtqueue *vq)
{
	const struct vring_used *used = (const struct vring_used *)vq->used;
	uint16_t idx = __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
	uint32_t completed = 0;

	for (; vq->used_idx != idx && !vq->wrong; completed++, vq->used_idx++)
		complete(mailbox, vq, &used->ring[vq->used_idx & (vq->size - 1)]);
	return completed;
}

void virtqueue_command(struct guest_mailbox *mailbox)
{
	struct guest_virtqueue *vq = (struct guest_virtqueue *)mailbox->virtqueue;
	uint32_t submitted = 0, completed = 0, count = (uint32_t)mailbox->count;

	while (completed < count && !vq->wrong) {
		while (submitted < count && submitted - completed < vq->in_flight)
			submit(mailbox, vq, submitted++);
		completed += collect(mailbox, vq);
	}
}
