/* SPDX-License-Identifier: MIT
 *
 * A queue for the values of some ioeventfds, which is soon full: what is in it, what went to a
 * handler, and what was dropped.
 */
#include "bus_steps.h"

#include <errno.h>
#include <string.h>

static uint64_t sequence; /* of the newest value, in any world */

/* Made before the world looks which fds there are, and emptied of what the last one left. */
void open_capture(struct world *w)
{
	struct bw_capture_opts opts = { .size = sizeof(opts),
					.mode = BW_CAPTURE_QUEUE,
					.entries = QUEUE };
	static struct bw_capture *capture;
	struct bw_captured v;

	if (!capture)
		expect(w, "bw_capture_new()", bw_capture_new(&capture, &opts), 0);
	while (bw_capture_take(capture, &v, 1) == 1)
		;
	w->capture = capture;
	w->dropped = bw_capture_dropped(capture);
}

void store_captured(struct world *w, const struct bw_access *access, struct model_answer *answer)
{
	struct bw_captured v = { .len = access->len, .tag = answer->rung->tag };

	if (w->nr_queued == QUEUE) {
		model_pass_by(&w->seen, access, answer);
		w->dropped += !answer->passed_by;
		return;
	}
	memcpy(&v.value, access->data, access->len);
	v.sequence = ++sequence;
	w->queued[w->nr_queued++] = v;
}

void step_capture(struct world *w)
{
	struct model_ioeventfd *ie = choose_ioeventfd(w);
	uint8_t how = choose_byte(w);
	int modelled, result;

	if (!ie || !ie->handle)
		return;
	modelled = how & 1 && ie->space == BW_HYPERCALL ? -EINVAL : 0;
	result = bw_ioeventfd_capture(ie->handle, how & 1 ? w->capture : NULL, how);
	if (!modelled) {
		ie->captured = how & 1;
		ie->tag = how;
	}
	settle(w, result, modelled);
}

void step_take(struct world *w)
{
	unsigned int max = choose(w, QUEUE + 2), wanted = max < w->nr_queued ? max : w->nr_queued;
	struct bw_captured v[QUEUE + 1];

	expect(w, "what was taken", bw_capture_take(w->capture, v, max), wanted);
	for (unsigned int i = 0; i < wanted; i++) {
		expect(w, "a value", (int64_t)v[i].value, (int64_t)w->queued[i].value);
		expect(w, "its length", v[i].len, w->queued[i].len);
		expect(w, "its tag", v[i].tag, w->queued[i].tag);
		expect(w, "its sequence", (int64_t)v[i].sequence, (int64_t)w->queued[i].sequence);
	}
	w->nr_queued -= wanted;
	memmove(w->queued, w->queued + wanted, w->nr_queued * sizeof(w->queued[0]));
	expect(w, "what was dropped", (int64_t)bw_capture_dropped(w->capture), (int64_t)w->dropped);
}
