/* SPDX-License-Identifier: MIT
 *
 * Where the thread of an endpoint that would never sleep by itself waits while nobody measures it.
 */
#ifndef BELLWIRE_ENDPOINT_GATE_H
#define BELLWIRE_ENDPOINT_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open, passed;
};

/* Closed at first. */
void gate_init(struct gate *gate);
void gate_fini(struct gate *gate);

/* Returns once the thread is through. */
void gate_open(struct gate *gate);
void gate_close(struct gate *gate);

/* The thread's: waits while the gate is closed. */
void gate_pass(struct gate *gate);

#endif
