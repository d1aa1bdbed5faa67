/* SPDX-License-Identifier: MIT
 *
 * Guest accesses, and what serves them: handlers, in which the program goes on.
 */
#include "bus_counts.h"
#include "bus_steps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NESTING 4u /* of handlers, bellwire.h */
#define ANSWER 0x5a    /* each byte of what a read is given */

/* An access under way, and who is to get it: copied, as the program may free the region. */
struct served {
	struct served *outer;
	const struct bw_access *access;
	struct model_answer answer;
	struct device *device;
	uint64_t offset;
	struct counts counts;
	bool came;
};

static void go_on(struct world *w)
{
	w->handlers++;
	if (choose_byte(w) & 1)
		next_step(w);
	w->handlers--;
}

static void serve(struct world *w, struct bw_access *access, int result)
{
	struct served *s = w->serving;

	expect(w, "what is called", result, s->answer.result);
	expect(w, "the number of calls", s->came, false);
	s->came = true;
	verify_counts(w, &s->counts);
	expect(w, "the space", access->space, s->answer.space);
	expect(w, "the address", (int64_t)access->addr, (int64_t)s->answer.addr);
	expect(w, "the length", access->len, s->access->len);
	expect(w, "the direction", access->is_write, s->access->is_write);
	expect(w, "whether there is data", access->data != NULL, s->access->data != NULL);
	if (access->is_write && access->data)
		expect(w, "the data", memcmp(access->data, s->access->data, access->len), 0);
}

static void answer_read(const struct bw_access *access)
{
	if (!access->is_write && access->data)
		memset(access->data, ANSWER, access->len);
}

void serve_region(void *opaque, struct bw_access *access)
{
	struct device *device = opaque;
	struct world *w = device->world;

	serve(w, access, BW_HANDLED);
	expect(w, "the device", (intptr_t)device, (intptr_t)w->serving->device);
	expect(w, "the offset", (int64_t)access->offset, (int64_t)w->serving->offset);
	answer_read(access);
	device->running++;
	go_on(w);
	device->running--;
}

void serve_unclaimed(void *opaque, struct bw_access *access)
{
	struct world *w = opaque;
	uint64_t preset = UINT64_MAX;

	serve(w, access, BW_UNCLAIMED);
	if (!access->is_write && access->data)
		expect(w, "a read's preset", memcmp(access->data, &preset, access->len), 0);
	answer_read(access);
	go_on(w);
}

/* What is foretold is what the model says, and then what is done. */
static void ask_first(struct world *w, const struct served *s)
{
	char *text = NULL;

	expect(w, "what is foretold", bw_bus_explain(w->bus, s->access, &text), s->answer.result);
	expect(w, "whether it is told in words", text != NULL, s->answer.result >= 0);
	free(text);
}

/* Past the hypervisor, or through it: what it does not take goes to the bus. */
static int make_access(struct world *w, struct bw_access *access, bool through)
{
	uint64_t value = 0;
	bool taken;

	if (!through || !access->is_write || !access->data || w->serving->answer.result < 0)
		return bw_bus_access(w->bus, access);
	memcpy(&value, access->data, access->len);
	return fake_write(&w->hypervisor->fake, w->bus, access->space, access->addr, access->len,
			  value, &taken);
}

static int access_bus(struct world *w, struct bw_access *access, bool through)
{
	struct served s = { .outer = w->serving, .access = access };
	bool served;
	int result;

	s.answer = model_access(&w->seen, access);
	if (s.answer.rung && s.answer.rung->captured)
		store_captured(w, access, &s.answer);
	served = s.answer.result == BW_HANDLED || s.answer.result == BW_UNCLAIMED;
	if (s.answer.handled) {
		s.device = s.answer.handled->device;
		s.offset = s.answer.addr - s.answer.handled->addr;
	}
	if (s.answer.rung)
		w->rings[s.answer.rung->target]++;
	ask_first(w, &s);
	if (!through)
		expect_counts(w, &s.counts, access, &s.answer);
	w->serving = &s;
	result = make_access(w, access, through);
	w->serving = s.outer;
	if (served && w->handlers == MAX_NESTING)
		s.answer.result = -ELOOP;
	expect(w, "the result", result, s.answer.result);
	if (result == BW_SIGNALLED)
		verify_counts(w, &s.counts);
	expect(w, "the number of calls", s.came, served && result >= 0);
	verify_rings(w);
	return result;
}

/* Whatever becomes of it, nothing but the bytes of a read may change. */
static void verify_data(const struct world *w, const struct bw_access *access, int result,
			const uint8_t before[8], const uint8_t after[8])
{
	uint32_t len = access->data && !access->is_write && result != -EINVAL ? access->len : 0;

	for (uint32_t i = 0; i < 8; i++)
		if (i >= len)
			expect(w, "a byte that is not read", after[i], before[i]);
		else if (result >= 0)
			expect(w, "a byte that is read", after[i], ANSWER);
}

void step_access(struct world *w)
{
	uint8_t data[8] = { 0 }, before[8], how = choose_byte(w), more = choose_byte(w);
	struct bw_access access = {
		.space = how & 3,
		.is_write = how & 4,
		.len = how >> 4,
		.addr = choose_addr(w),
		.data = more & 1 ? NULL : data,
	};
	int result;

	for (unsigned int i = 0; i < sizeof(data) && how & 8; i++)
		data[i] = choose_byte(w);
	memcpy(before, data, sizeof(data));
	result = access_bus(w, &access, more & 2);
	verify_data(w, &access, result, before, data);
}

void step_write(struct world *w)
{
	const struct model_ioeventfd *ie = &w->seen.ioeventfds[choose(w, MODEL_IOEVENTFDS)];
	uint8_t how = choose_byte(w);
	uint64_t value = ie->match.value, addr;
	struct bw_access access = { .is_write = true, .data = &value };

	if (!model_active(&w->seen, ie, &addr) || ie->space > BW_HYPERCALL)
		return;
	if (ie->space == BW_PIO && w->seen.pio_is_mmio && how & 1) {
		access.space = BW_MMIO; /* as the guest does it */
		addr += WINDOW;
	} else {
		access.space = ie->space;
	}
	access.addr = addr;
	access.len = ie->match.len ? ie->match.len : 1 + (how >> 5);
	if (how & 2)
		value ^= 1ull << (how >> 2);
	access_bus(w, &access, how & 0x80);
}
