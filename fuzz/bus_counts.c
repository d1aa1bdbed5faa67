/* SPDX-License-Identifier: MIT
 *
 * Rings and near misses, each ioeventfd's counts against what the model says that the access does.
 */
#include "bus_counts.h"

#include <string.h>

static struct bw_ioeventfd_stats ask(const struct world *w, struct bw_ioeventfd *handle)
{
	struct bw_ioeventfd_stats stats = { .size = sizeof(stats) };

	expect(w, "bw_ioeventfd_stats()", bw_ioeventfd_stats(handle, &stats), 0);
	return stats;
}

static void expect_ring(struct bw_ioeventfd_stats *stats, const struct bw_access *access)
{
	stats->rings++;
	stats->last_value = 0;
	if (access->data)
		memcpy(&stats->last_value, access->data, access->len);
}

static void expect_one(struct bw_ioeventfd_stats *stats, const struct model_ioeventfd *ie,
		       const struct bw_access *access, const struct model_answer *answer)
{
	if (answer->rung == ie)
		expect_ring(stats, access);
	else if (answer->rung || answer->passed_by || !access->is_write)
		return;
	else if (ie->match.len != access->len)
		stats->near_width++;
	else
		stats->near_value++;
}

void expect_counts(struct world *w, struct counts *c, const struct bw_access *access,
		   const struct model_answer *answer)
{
	for (unsigned int i = 0; i < MODEL_IOEVENTFDS && answer->result >= 0; i++) {
		const struct model_ioeventfd *ie = &w->seen.ioeventfds[i];
		uint64_t addr;

		if (!ie->handle || !model_active(&w->seen, ie, &addr) ||
		    ie->space != answer->space || addr != answer->addr)
			continue;
		c->handles[c->nr] = ie->handle;
		c->expected[c->nr] = ask(w, ie->handle);
		expect_one(&c->expected[c->nr++], ie, access, answer);
	}
}

void verify_counts(const struct world *w, const struct counts *c)
{
	for (unsigned int i = 0; i < c->nr; i++) {
		struct bw_ioeventfd_stats stats = ask(w, c->handles[i]);
		const struct bw_ioeventfd_stats *expected = &c->expected[i];

		expect(w, "whether it is active", stats.active, true);
		expect(w, "its rings", (int64_t)stats.rings, (int64_t)expected->rings);
		expect(w, "its near misses by width", (int64_t)stats.near_width,
		       (int64_t)expected->near_width);
		expect(w, "its near misses by value", (int64_t)stats.near_value,
		       (int64_t)expected->near_value);
		expect(w, "its last value", (int64_t)stats.last_value,
		       (int64_t)expected->last_value);
	}
}
