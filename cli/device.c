/* SPDX-License-Identifier: MIT
 *
 * bellwire device: a device model in a process of its own, for whoever speaks vfio-user.
 */
#include "cli/cli.h"
#include "cli/listen.h"
#include "endpoint/doorbell_device.h"
#include "endpoint/vfio_user.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* One client after the other; what one of them does wrong ends its connection alone. */
static int serve_client(void *opaque, struct socket_listener *listener, int conn, int signals)
{
	int err = doorbell_device_serve(opaque, conn, signals, false);

	(void)listener;
	close(conn);
	if (err && err != -EINTR)
		cli_note("a client is turned away: %s", vfio_user_last_error());
	return CLI_OK;
}

static int run(const char *path)
{
	struct doorbell_device *device;
	int status;

	if (doorbell_device_new(&device))
		return cli_failed("%s", vfio_user_last_error());
	status = listen_for_clients(path, serve_client, device);
	if (status == CLI_OK)
		printf("%" PRIu64 " rings\n", doorbell_device_rings(device));
	doorbell_device_free(device);
	return status;
}

static int device_main(int argc, char **argv)
{
	const char *path;
	int status = listen_parse(argc, argv, &path);

	return status == CLI_OK ? run(path) : status;
}

const struct command command_device = {
	.name = "device",
	.main = device_main,
	.help = "a device that counts rings, for a client of vfio-user",
	.usage =
		"usage: bellwire device --listen SOCKET\n"
		"\n"
		"Listens on a Unix socket of mode 0600 and serves one client of vfio-user after "
		"the\n"
		"other a PCI device with doorbells: a write to one, by a message or by the\n"
		"ioeventfd that the device offers for it, is counted, and the count is stored in\n"
		"the guest's memory. docs/vfio-user.md says where. SIGINT or SIGTERM ends it, and\n"
		"removes the socket; it then prints how many rings there were.\n",
};
