/* SPDX-License-Identifier: MIT
 *
 * QEMU from its start, up to the first command, to its end.
 */
#include "cli/peer.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOOT_NS 60000000000u

int peer_error(struct peer *peer, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(peer->why, sizeof(peer->why), format, args);
	va_end(args);
	return -err;
}

void peer_version(char *text, size_t size)
{
	FILE *out = popen(PEER_PROGRAM " --version 2>/dev/null", "re");

	text[0] = '\0';
	if (!out)
		return;
	if (!fgets(text, (int)size, out))
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	pclose(out);
}

int peer_open(struct peer *peer, const struct peer_opts *opts)
{
	int err;

	*peer = PEER_NONE;
	peer->opts = *opts;
	err = peer_start_process(peer);
	if (!err)
		err = peer_wait(peer, 1, BOOT_NS);
	peer_stop(peer);
	if (!err)
		err = peer_pin_vcpu(peer);
	if (!err)
		err = testdev_find(peer);
	if (!err)
		err = peer_relate_clocks(peer);
	return err;
}

void peer_close(struct peer *peer)
{
	if (peer->pid > 0) {
		kill(peer->pid, SIGKILL);
		waitpid(peer->pid, NULL, 0);
	}
	if (peer->ram)
		munmap(peer->ram, PEER_RAM_SIZE);
	if (peer->log >= 0)
		close(peer->log);
	*peer = PEER_NONE;
}
