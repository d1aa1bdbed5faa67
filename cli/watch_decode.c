/* SPDX-License-Identifier: MIT
 *
 * From the bytes of perf's ring to events. Lengths are the kernel's, and checked all the same.
 */
#include "cli/watch_event.h"

#include <linux/perf_event.h>
#include <string.h>

struct sample {
	struct perf_event_header header;
	uint64_t id, time;
};

struct raw_sample {
	struct sample sample;
	uint32_t size;
	uint8_t bytes[];
};

#define RAW_BYTES offsetof(struct raw_sample, bytes)

const void *watch_ring_next(struct watch_ring_view *ring, void *bounce, size_t *size)
{
	uint64_t left = ring->head - ring->tail, at = ring->tail & (ring->size - 1);
	struct perf_event_header header;
	uint64_t first;

	*size = 0;
	if (left == 0)
		return NULL;
	*size = left;
	/* Records are aligned to 8 bytes, as long as the header: it is in one piece. */
	if (left < sizeof(header) || left > ring->size || ring->size - at < sizeof(header))
		return NULL;
	memcpy(&header, ring->data + at, sizeof(header));
	if (header.size < sizeof(header) || header.size > left)
		return NULL;
	*size = header.size;
	ring->tail += header.size;
	first = ring->size - at;
	if (first >= header.size)
		return ring->data + at;
	memcpy(bounce, ring->data + at, first);
	memcpy((uint8_t *)bounce + first, ring->data, header.size - first);
	return bounce;
}

static bool lost(struct watch_event *event, uint64_t nr)
{
	*event = (struct watch_event){ .kind = WATCH_LOST, .field = { nr } };
	return true;
}

static bool decode_lost(const void *record, size_t size, struct watch_event *event)
{
	struct {
		struct perf_event_header header;
		uint64_t id, lost;
	} r;

	if (size < sizeof(r))
		return lost(event, 1);
	memcpy(&r, record, sizeof(r));
	return lost(event, r.lost);
}

static const struct watch_layout *find(const struct watch_decoder *decoder, uint64_t id)
{
	for (unsigned int i = 0; i < decoder->nr; i++)
		if (decoder->sources[i].id == id)
			return decoder->sources[i].layout;
	return NULL;
}

/* Little-endian, as the program's one architecture is. */
static bool read_field(const struct watch_field *field, const uint8_t *raw, size_t size,
		       uint64_t *value)
{
	*value = 0;
	if ((size_t)field->offset + field->size > size)
		return false;
	memcpy(value, raw + field->offset, field->size);
	return true;
}

static bool decode_fields(const struct watch_layout *layout, const void *record, size_t size,
			  struct watch_event *event)
{
	const uint8_t *raw = (const uint8_t *)record + RAW_BYTES;
	uint32_t len = 0;

	if (!layout->tracepoint->fields[0])
		return true;
	if (size < RAW_BYTES)
		return false;
	memcpy(&len, raw - sizeof(len), sizeof(len));
	if (len > size - RAW_BYTES)
		return false;
	for (size_t i = 0; i < WATCH_MAX_FIELDS && layout->tracepoint->fields[i]; i++)
		if (!read_field(&layout->fields[i], raw, len, &event->field[i]))
			return false;
	return true;
}

static bool decode_sample(const struct watch_decoder *decoder, const void *record, size_t size,
			  struct watch_event *event)
{
	const struct watch_layout *layout;
	struct sample sample;

	if (size < sizeof(sample))
		return lost(event, 1);
	memcpy(&sample, record, sizeof(sample));
	layout = find(decoder, sample.id);
	if (!layout)
		return lost(event, 1);
	*event = (struct watch_event){ .kind = layout->tracepoint->kind, .ns = sample.time };
	return decode_fields(layout, record, size, event) || lost(event, 1);
}

bool watch_decode(const struct watch_decoder *decoder, const void *record, size_t size,
		  struct watch_event *event)
{
	struct perf_event_header header;

	if (size < sizeof(header))
		return lost(event, 1);
	memcpy(&header, record, sizeof(header));
	switch (header.type) {
	case PERF_RECORD_SAMPLE:
		return decode_sample(decoder, record, size, event);
	case PERF_RECORD_LOST:
		return decode_lost(record, size, event);
	default:
		return false;
	}
}
