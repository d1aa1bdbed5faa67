/* SPDX-License-Identifier: MIT
 *
 * Ctrl-C ends a measurement early instead of throwing it away; a second one ends the program.
 */
#ifndef BELLWIRE_INTERRUPT_H
#define BELLWIRE_INTERRUPT_H

#include "vmm/vm.h"

/* Before other threads are started: SIGINT and SIGTERM then go to a thread of their own. -errno:
 * has said why. */
int interrupt_start(void);

/* The enum cli_exit of a bench in rounds, which ended with err: -EINTR if it was interrupted.
 * shown: that of its report. */
int interrupt_status(int err, int shown);

/* The vCPU that is stopped, NULL: none. Interrupted already, this one stops as it begins to run.
 * After it returns the one before is not touched any more. */
void interrupt_vcpu(struct vcpu *vcpu);

bool interrupted(void);

/* Stops the vCPU too, without counting as interrupted, if so many seconds go by. 0: no longer. */
void interrupt_after(unsigned int seconds);

#endif
