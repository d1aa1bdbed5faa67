/* SPDX-License-Identifier: MIT
 *
 * What a bus is to do, as plainly as it can be said: lists, and loops over them. It knows nothing
 * of tables, generations or flattened maps, and a copy of it is all that a transaction needs.
 */
#ifndef BELLWIRE_FUZZ_MODEL_H
#define BELLWIRE_FUZZ_MODEL_H

#include <bellwire.h>

#define MODEL_IOEVENTFDS 48u
#define MODEL_REGIONS 12u
#define MODEL_CCW 3u /* the space that only the drop-in can name */

struct device; /* the caller's, one for each region */

struct model_region {
	bool used;
	struct bw_region *handle;
	struct device *device;
	enum bw_space space;
	uint64_t len;
	int priority;
	bool has_handler;
	bool mapped;
	uint64_t addr;
	uint64_t order; /* of mapping */
};

struct model_ioeventfd {
	bool used;
	struct bw_ioeventfd *handle; /* NULL: the drop-in's */
	int region;                  /* by index, -1: assigned to the bus itself */
	unsigned int space;
	uint64_t addr; /* or the offset in its region */
	struct bw_match match;
	unsigned int target; /* who is rung; of the drop-in's, which eventfd it is */
	bool captured;
	uint32_t tag;
};

struct model {
	struct model_ioeventfd ioeventfds[MODEL_IOEVENTFDS];
	struct model_region regions[MODEL_REGIONS];
	uint64_t last_order;
	bool pio_is_mmio;
	uint64_t pio_mmio_base;
};

/* What the guest's access comes to. */
struct model_answer {
	int result;                         /* an enum bw_result or -errno */
	const struct model_ioeventfd *rung; /* BW_SIGNALLED */
	bool passed_by;                     /* it would have rung, but for a full queue */
	const struct model_region *handled; /* BW_HANDLED */
	enum bw_space space;                /* as whoever gets it sees it */
	uint64_t addr;
};

/* Free places, NULL if there are none. */
struct model_ioeventfd *model_room(struct model *m);
struct model_region *model_region_room(struct model *m);

/* What assigning it gives: 0 or -errno. The first is KVM's part of it, without looking at others.
 */
int model_check_match(unsigned int space, uint64_t addr, const struct bw_match *match);
int model_check(const struct model *m, const struct model_ioeventfd *new);

int model_check_mapping(const struct model_region *region, uint64_t addr);

/* With its doorbells. */
void model_free_region(struct model *m, struct model_region *region);

/* Whether the guest can ring it, and where. */
bool model_active(const struct model *m, const struct model_ioeventfd *ie, uint64_t *addr);

/* The region that the guest sees at addr, or NULL. */
const struct model_region *model_region_at(const struct model *m, enum bw_space space,
					   uint64_t addr);

struct model_answer model_access(const struct model *m, const struct bw_access *access);

/* The same write, if a handler is there to get it instead of the ioeventfd. */
void model_pass_by(const struct model *m, const struct bw_access *access,
		   struct model_answer *answer);

#endif
