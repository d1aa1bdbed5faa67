/* SPDX-License-Identifier: MIT
 *
 * How an endpoint answers the rings of one command: it notes when it has heard of each, and tells
 * the guest by a word in its memory or by a call, an eventfd.
 */
#ifndef BELLWIRE_ENDPOINT_ANSWER_H
#define BELLWIRE_ENDPOINT_ANSWER_H

#include <stdatomic.h>
#include <stdint.h>

#define ANSWERS_MAX 1000u /* rings in one command */

/* Shared by who rings and who answers, perhaps two processes. Each of these is ordered by the ring
 * and by the answer, but of the two only the guest sees both: hence the atomics. */
struct answers {
	_Atomic uint64_t before;                /* rings that belong to earlier commands */
	_Atomic uint64_t heard_ns[ANSWERS_MAX]; /* CLOCK_MONOTONIC_RAW */
};

/* So many rings have been counted: notes when the last of them was heard of. Its number in its
 * command, from 1; 0: it belongs to none. */
uint64_t answer_note(struct answers *answers, uint64_t rings);

/* Sets the word that the guest waits for, 8 bytes, aligned. */
void answer_word(uint64_t *word, uint64_t number);

/* Rings an eventfd, such as KVM's irqfd. */
void answer_call(int call);

#endif
