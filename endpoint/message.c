/* SPDX-License-Identifier: MIT
 *
 * What comes from a socket is believed only after it has passed here.
 */
#include "endpoint/message.h"

#include <errno.h>

static int check_header(uint32_t magic, uint32_t version)
{
	if (magic != ENDPOINT_MAGIC)
		return -EPROTO;
	return version == ENDPOINT_VERSION ? 0 : -EPROTONOSUPPORT;
}

static unsigned int nr_fds_of(uint32_t flags)
{
	return 2u + !!(flags & ENDPOINT_CALL) + !!(flags & ENDPOINT_MEMORY);
}

int endpoint_attach_check(const struct endpoint_attach *attach, unsigned int nr_fds)
{
	int err = check_header(attach->magic, attach->version);

	if (err)
		return err;
	if (attach->flags & ~ENDPOINT_FLAGS || nr_fds != nr_fds_of(attach->flags))
		return -EPROTO;
	if (attach->cpu > ENDPOINT_MAX_CPU && attach->cpu != ENDPOINT_ANY_CPU)
		return -EPROTO;
	/* An off_t in the end. */
	if (attach->answer % sizeof(uint64_t) || attach->answer > INT64_MAX)
		return -EPROTO;
	return attach->answer && !(attach->flags & ENDPOINT_MEMORY) ? -EPROTO : 0;
}

int endpoint_reply_check(const struct endpoint_reply *reply)
{
	int err = check_header(reply->magic, reply->version);

	if (err)
		return err;
	return reply->error < 0 || reply->error > 4095 || reply->pid < 0 ? -EPROTO : 0;
}
