/* SPDX-License-Identifier: MIT
 *
 * The steps of a program: each takes its operands from the program, does one thing to the bus and
 * to the model, and compares the results.
 */
#ifndef BELLWIRE_FUZZ_BUS_STEPS_H
#define BELLWIRE_FUZZ_BUS_STEPS_H

#include "bus_world.h"

/* ---- operands ---- */

#define WINDOW 0x4000u /* where the ports lie in MMIO, if they do */

/* Once the program is at its end: zeros. */
uint8_t choose_byte(struct world *w);
unsigned int choose(struct world *w, unsigned int limit);
/* Few and close together, so that things meet, around the boundaries that there are. */
uint64_t choose_addr(struct world *w);
struct bw_match choose_match(struct world *w);
/* NULL: none is in the chosen place. */
struct model_ioeventfd *choose_ioeventfd(struct world *w);
struct model_region *choose_region(struct world *w);

/* ---- bus_assign.c ---- */

void step_assign(struct world *w);
void step_doorbell(struct world *w);
void step_deassign(struct world *w);
void step_dropin(struct world *w);

/* ---- bus_capture.c ---- */

/* The one that lives as long as the process, as it was left. */
void open_capture(struct world *w);
/* What a ring of answer's ioeventfd stores, or where it goes if there is no room. */
void store_captured(struct world *w, const struct bw_access *access, struct model_answer *answer);

void step_capture(struct world *w);
void step_take(struct world *w);

/* ---- bus_region.c ---- */

void step_region_new(struct world *w);
void step_region_free(struct world *w);
void step_region_map(struct world *w);
void step_region_unmap(struct world *w);
void step_region_at(struct world *w);

/* ---- bus_access.c ---- */

void step_access(struct world *w); /* anything */
void step_write(struct world *w);  /* where an ioeventfd is, or almost */

/* The hook for what nobody took; opaque is the world. */
bw_handler_fn serve_unclaimed;
bw_handler_fn serve_region; /* opaque: its device */

/* ---- bus_fuzz.c ---- */

/* The next step, whatever it is: also inside a handler. */
void next_step(struct world *w);

#endif
