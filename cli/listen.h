/* SPDX-License-Identifier: MIT
 *
 * What the subcommands share that listen on a socket until SIGINT or SIGTERM.
 */
#ifndef BELLWIRE_LISTEN_H
#define BELLWIRE_LISTEN_H

#include "endpoint/socket.h"

/* The command line of one, --listen SOCKET alone. CLI_OK, or CLI_USAGE and has said why. */
int listen_parse(int argc, char **argv, const char **path);

/* Serves a client, whose connection is its own to close. Anything but CLI_OK ends the program.
 * signals is readable once it is to end. */
typedef int client_fn(void *opaque, struct socket_listener *listener, int conn, int signals);

/* Listens at path, where one that was killed may have left its socket, calls fn for each client,
 * and removes the socket at the end. An enum cli_exit, and has said why. */
int listen_for_clients(const char *path, client_fn *fn, void *opaque);

#endif
