/* SPDX-License-Identifier: MIT
 *
 * A thread that waits for what must not happen: that the back end goes away while the guest waits
 * for it. That it only hangs is found by the time.
 */
#include "cli/vhost.h"
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void *watch_socket(void *opaque)
{
	const struct vhost_watch *watch = opaque;
	struct pollfd fds[] = {
		{ .fd = watch->socket, .events = POLLIN },
		{ .fd = watch->end, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0)
		;
	if (fds[0].revents)
		vcpu_stop(watch->vcpu);
	return NULL;
}

int vhost_watch_start(struct vhost_watch *watch, int socket, struct vcpu *vcpu)
{
	int err;

	*watch = (struct vhost_watch){ .vcpu = vcpu, .socket = socket };
	watch->end = eventfd(0, EFD_CLOEXEC);
	if (watch->end < 0) {
		err = -errno;
		cli_failed("eventfd: %s", strerror(-err));
		return err;
	}
	err = -pthread_create(&watch->thread, NULL, watch_socket, watch);
	if (err) {
		cli_failed("cannot start a thread: %s", strerror(-err));
		close(watch->end);
	}
	return err;
}

void vhost_watch_stop(struct vhost_watch *watch)
{
	eventfd_write(watch->end, 1);
	pthread_join(watch->thread, NULL);
	close(watch->end);
}
