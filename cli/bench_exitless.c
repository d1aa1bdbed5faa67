/* SPDX-License-Identifier: MIT
 *
 * exitless-mmio: a doorbell page that is always hot, in a poller on the endpoint's thread.
 *
 * Stores coalesce there, so none can be counted. The guest stores 1, 2, 3, ...; what the poller
 * delivers last tells up to where stores were seen, or followed by one that was.
 */
#include "cli/bench_setup.h"
#include "cli/cli.h"

#include <errno.h>

static int say(const struct path *path, int err)
{
	cli_failed("%s: %s", path->type->name, bw_last_error());
	return err;
}

static int make_page(struct path *path)
{
	struct bw_region_opts region = {
		.size = sizeof(region),
		.name = path->type->name,
		.space = BW_MMIO,
		.len = BW_PAGE_SIZE,
	};
	struct bw_page_opts page = {
		.size = sizeof(page),
		.idle = UINT64_MAX,
		.policy = BW_PAGE_HOT,
	};
	struct bw_match match = { .len = path->type->match_len };
	int err = bw_region_new(path->rig->bus, &path->region, &region);

	if (!err)
		err = bw_region_page(path->region, &path->page, &page);
	if (!err)
		err = bw_region_doorbell(path->region, &path->ioeventfd, 0, match, path->notifier);
	if (!err)
		err = bw_region_map(path->region, path->addr);
	return err;
}

static const char *why_not_hot(const struct path *path)
{
	struct bw_page_stats stats = { .size = sizeof(stats) };

	bw_page_stats(path->page, &stats);
	return stats.why_not;
}

/* Asks a page that nobody uses: it knows what is missing. */
static const char *needs_hot_pages(const struct rig *rig, const struct path *path)
{
	struct path trial = *path;
	const char *why = NULL;

	if (rig->opts->place != &bench_thread)
		return "the endpoint is not in this process: it needs the eventfd";
	if (bw_bus_caps(rig->bus) & BW_CAP_PAGE)
		return NULL;
	if (bw_notifier_new(&trial.notifier, NULL) == 0 && make_page(&trial) == 0)
		why = why_not_hot(&trial);
	bw_region_free(trial.region);
	bw_notifier_free(trial.notifier);
	return why ? why : "no doorbell page can be hot here";
}

static bool is_hot(const struct path *path, uint64_t rings)
{
	struct bw_page_stats stats = { .size = sizeof(stats) };

	(void)rings;
	bw_page_stats(path->page, &stats);
	return stats.hot;
}

static int heat(struct path *path)
{
	endpoint_resume(path->endpoint);
	wait_for_endpoint(path, 0, false, is_hot);
	endpoint_pause(path->endpoint);
	if (is_hot(path, 0))
		return 0;
	cli_failed("%s: the page does not become hot: %s", path->type->name, why_not_hot(path));
	return -EIO;
}

static int setup_exitless(struct path *path)
{
	int err = bw_notifier_new(&path->notifier, path->type->name);

	if (!err)
		err = make_page(path);
	if (!err)
		err = endpoint_start_page(&path->endpoint, path->notifier, path->page,
					  &path->rig->opts->endpoint);
	return err ? say(path, err) : heat(path);
}

/* The newest value delivered since the last sample, 0: none. */
static uint64_t newest(const struct path *path)
{
	uint64_t value = 0;

	if (endpoint_rings(path->endpoint) > path->heard)
		bw_ioeventfd_value(path->ioeventfd, &value);
	return value;
}

static bool has_heard_last(const struct path *path, uint64_t rings)
{
	return newest(path) == rings;
}

static uint64_t account(struct path *path, uint64_t rings)
{
	struct row *row = path->row;
	uint64_t value;

	wait_for_endpoint(path, rings, row->rings - rings > row->signals, has_heard_last);
	value = newest(path);
	path->heard = row->deliveries = endpoint_rings(path->endpoint);
	return value;
}

const struct path_kind path_exitless = {
	.unavailable = needs_hot_pages,
	.setup = setup_exitless,
	.account = account,
	.counts_up = true,
	.coalesces = true,
	.own_thread = true,
};
