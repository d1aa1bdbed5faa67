/* SPDX-License-Identifier: MIT
 *
 * The deadline, by SIGALRM.
 */
#include "deadline.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECONDS 120u /* what is done takes less than one, but a sanitizer may be in between */

static char message[160];

static void on_alarm(int signal)
{
	(void)signal;
	if (write(STDERR_FILENO, message, strlen(message)) < 0)
		_exit(1);
	_exit(1);
}

void deadline_start(const char *what, const char *where)
{
	struct sigaction action = { .sa_handler = on_alarm };

	snprintf(message, sizeof(message), "bellwire: %s hangs on %s: given up after %u s\n", what,
		 where, SECONDS);
	sigaction(SIGALRM, &action, NULL);
	alarm(SECONDS);
}

void deadline_end(void)
{
	alarm(0);
}
