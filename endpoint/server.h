/* SPDX-License-Identifier: MIT
 *
 * The endpoint's side of a connection.
 */
#ifndef BELLWIRE_ENDPOINT_SERVER_H
#define BELLWIRE_ENDPOINT_SERVER_H

/*
 * Serves one client on the calling thread, a process of its own: receives what it is to count,
 * counts and answers until the connection ends. conn is borrowed. 0: it has ended; -errno: what the
 * client asked for cannot be done, which the client was told if it still listens.
 */
int endpoint_serve(int conn);

#endif
