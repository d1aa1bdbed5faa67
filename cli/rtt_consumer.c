/* SPDX-License-Identifier: MIT
 *
 * The ways in which a consumer may wait for its eventfd.
 */
#include "cli/rtt.h"
#include "endpoint/uring.h"

#include <string.h>

static const char *always(void)
{
	return NULL;
}

#define WAITS(way, how, why) .name = way, .start = how, .unavailable = why

const struct rtt_consumer rtt_consumers[RTT_NR_CONSUMERS] = {
	{ WAITS("block", endpoint_start_eventfd, always), .anywhere = true, .blocking = true },
	{ WAITS("epoll", endpoint_start_epoll, always) },
	{ WAITS("uring-read", endpoint_start_uring_read, endpoint_uring_read_unavailable) },
	{ WAITS("uring-poll", endpoint_start_uring_poll, endpoint_uring_poll_unavailable) },
	{ WAITS("spin", endpoint_start_eventfd, always), .anywhere = true, .spin = true },
	{ WAITS("exitless", NULL, always), .in_page = true },
	{ WAITS("block", endpoint_start_eventfd, always), .anywhere = true, .blocking = true,
	  .interrupts = true },
	{ WAITS("spin", endpoint_start_eventfd, always), .anywhere = true, .spin = true,
	  .interrupts = true },
};

static bool is_plain(const struct rtt_consumer *consumer)
{
	return consumer->anywhere && !consumer->interrupts;
}

bool rtt_consumer_applies(const struct rtt_consumer *consumer, const struct vm_backend *be,
			  const struct path_type *type, const struct bench_opts *opts)
{
	if (consumer->interrupts && be != &vm_kvm)
		return false;
	if (opts->brief && !is_plain(consumer) && strcmp(type->name, RTT_WHOLE_PATH) != 0)
		return false;
	if (consumer->in_page || type->kind == &path_exitless)
		return consumer->in_page && type->kind == &path_exitless;
	if (type->kind->own_thread) /* which looks now and then, or always */
		return consumer->spin && !consumer->interrupts;
	return consumer->anywhere || (type->kind != &path_elided && opts->place == &bench_thread);
}

const char *rtt_answer(const struct rtt_consumer *consumer)
{
	return consumer->interrupts ? "interrupt" : "word";
}
