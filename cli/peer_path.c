/* SPDX-License-Identifier: MIT
 *
 * A test of pci-testdev in QEMU as a path of bellwire bench.
 */
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/peer.h"

#include <errno.h>
#include <math.h>

static const char *needs_peer(const struct rig *rig, const struct path *path)
{
	(void)path;
	if (!rig->opts->peer)
		return "only with --peer qemu";
	return rig->peer.why[0] ? rig->peer.why : NULL;
}

/* Nobody waits for QEMU's eventfd, so it cannot be told how often it was signalled. */
static int setup_peer(struct path *path)
{
	path->counted = path->type->test == TESTDEV_NO_EVENTFD;
	return 0;
}

static int say(const struct path *path, int err)
{
	if (err != -EINTR)
		cli_failed("%s %s: %s", vm_backend_name(path->rig->be), path->type->name,
			   path->rig->peer.why);
	return err;
}

/* Without an eventfd every ring reaches the device model, with one none may. */
static int account(const struct path *path, const struct testdev *dev, uint64_t rings)
{
	struct peer *peer = &path->rig->peer;
	uint32_t count = 0;
	int err = testdev_count(peer, dev, &count);

	if (err)
		return err;
	path->row->rings += rings;
	if (path->counted)
		path->row->signals += count;
	else if (count > 0)
		return peer_error(peer, EPROTO, "%u of %ju rings passed QEMU's ioeventfd", count,
				  (uintmax_t)rings);
	return 0;
}

static int measure(const struct path *path, uint64_t rings, struct sample *sample)
{
	struct testdev dev = {
		.test = path->type->test,
		.pio = path->type->space == BW_PIO,
	};
	struct peer *peer = &path->rig->peer;
	uint64_t cpu_ns;
	double ns = 0;
	int err = testdev_select(peer, &dev);

	if (err)
		return err;
	cpu_ns = peer_vcpu_cpu_ns(peer);
	err = peer_ring(peer, &dev.ring, rings, &ns);
	*sample = (struct sample){
		.ns = ns / (double)rings,
		.vcpu_cpu_ns = (double)(peer_vcpu_cpu_ns(peer) - cpu_ns) / (double)rings,
		.endpoint_cpu_ns = NAN,
		.exits = NAN,
	};
	return err ? err : account(path, &dev, rings);
}

/* We wait on the other CPU, because QEMU's vCPU is where ours was. */
static int sample_peer(struct path *path, uint64_t rings, struct sample *sample)
{
	const struct bench_opts *opts = path->rig->opts;
	int err = pin_thread(opts->endpoint.cpu);

	if (err)
		return err;
	err = measure(path, rings, sample);
	if (err)
		return say(path, err);
	err = pin_thread(opts->vcpu_cpu);
	return err ? err : interrupted() ? -EINTR : 0;
}

const struct path_kind path_peer = {
	.unavailable = needs_peer,
	.setup = setup_peer,
	.sample = sample_peer,
};
