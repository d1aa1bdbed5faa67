/* SPDX-License-Identifier: MIT
 *
 * An endpoint in the kernel: module/doorbell.ko.
 */
#ifndef BELLWIRE_ENDPOINT_MODULE_H
#define BELLWIRE_ENDPOINT_MODULE_H

#include "endpoint/endpoint.h"

/*
 * Binds the eventfd, borrowed until endpoint_stop(), to a doorbell of its own. Whoever rings
 * counts, so it has no CPU time; opts is of no use to it. endpoint_ring() is the ioctl. -ENOENT:
 * the module is not loaded.
 */
int endpoint_start_module(struct endpoint **ep, int eventfd, const struct endpoint_opts *opts);

#endif
