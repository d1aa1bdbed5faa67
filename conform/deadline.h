/* SPDX-License-Identifier: MIT
 *
 * A vCPU that hangs cannot be taken out of the process: past its deadline the process ends.
 */
#ifndef BELLWIRE_CONFORM_DEADLINE_H
#define BELLWIRE_CONFORM_DEADLINE_H

/* From now on; what and where are for the message. */
void deadline_start(const char *what, const char *where);
void deadline_end(void);

#endif
