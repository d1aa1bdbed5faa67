/* SPDX-License-Identifier: MIT
 *
 * Which ioeventfds are captured: a control call, and what a transaction makes of it.
 *
 * A handle has room for two captures. The slots that readers find say which of them is theirs: so
 * one can be given or taken away as everything else changes, by a new slot, and while both are
 * found each keeps its own.
 */
#include "capture.h"
#include "error.h"
#include "ioeventfd.h"
#include "txn.h"

#include <errno.h>
#include <stdlib.h>

static void drop(struct captured_by *by)
{
	if (by->capture)
		capture_put(by->capture);
	by->capture = NULL;
}

static int want(struct bw_ioeventfd *ie, struct bw_capture *c, uint32_t tag)
{
	unsigned int spare = ie->captured == 1 ? 2 : 1;
	struct captured_by *by;

	if (!ie->captures)
		ie->captures = calloc(2, sizeof(*ie->captures));
	if (!ie->captures)
		return fail(-ENOMEM, "no memory for what captures an ioeventfd");
	by = &ie->captures[spare - 1];
	drop(by); /* of an earlier call in this transaction */
	if (c)
		*by = (struct captured_by){ capture_get(c), tag };
	ie->wants_captured = c ? (uint8_t)spare : 0;
	touch_ioeventfd(ie);
	return 0;
}

static int check(const struct bw_ioeventfd *ie, const struct bw_capture *c)
{
	if (!c)
		return 0;
	if (c->fd < 0)
		return fail(-EINVAL, "capture %s was opened from an fd: it can only be read",
			    c->name);
	if (ie->space == BW_HYPERCALL)
		return fail(-EINVAL, "a hypercall that signals has no value to capture");
	if (ie->in_page)
		return fail(-EINVAL, "a slot of a doorbell page has bw_ioeventfd_value()");
	return 0;
}

int bw_ioeventfd_capture(struct bw_ioeventfd *ie, struct bw_capture *c, uint32_t tag)
{
	struct bw_bus *bus = ie->bus;
	int err = txn_begin(bus), ended;

	if (err)
		return err;
	err = check(ie, c);
	if (!err && (c || ie->captures))
		err = want(ie, c, tag);
	ended = txn_end(bus);
	return err ? err : ended;
}

void capture_settle(struct bw_ioeventfd *ie, bool committed)
{
	if (!ie->captures)
		return;
	if (committed)
		ie->captured = ie->wants_captured;
	ie->wants_captured = ie->captured;
	for (unsigned int i = 0; i < 2; i++)
		if (ie->captured != i + 1)
			drop(&ie->captures[i]);
}

void capture_forget(struct bw_ioeventfd *ie)
{
	if (!ie->captures)
		return;
	drop(&ie->captures[0]);
	drop(&ie->captures[1]);
	free(ie->captures);
}

const struct bw_capture *capture_of(const struct bw_ioeventfd *ie)
{
	return ie->captured ? ie->captures[ie->captured - 1].capture : NULL;
}
