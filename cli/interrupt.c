/* SPDX-License-Identifier: MIT
 *
 * A thread that waits for the signal, so that it may take a lock, as no handler could.
 */
#include "cli/interrupt.h"
#include "cli/cli.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vcpu *running;
static atomic_bool asked;

bool interrupted(void)
{
	return atomic_load(&asked);
}

static void stop_vcpu(void)
{
	pthread_mutex_lock(&lock);
	if (running)
		vcpu_stop(running);
	pthread_mutex_unlock(&lock);
}

static void *wait_for_signals(void *opaque)
{
	const sigset_t *signals = opaque;
	int signal;

	for (;;) {
		sigwait(signals, &signal);
		if (signal != SIGALRM && atomic_exchange(&asked, true))
			_exit(CLI_INTERRUPTED);
		stop_vcpu();
	}
}

int interrupt_start(void)
{
	static sigset_t signals;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	err = pthread_attr_init(&attr);
	if (!err) {
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		err = pthread_create(&thread, &attr, wait_for_signals, &signals);
		pthread_attr_destroy(&attr);
	}
	if (err)
		cli_failed("cannot start a thread: %s", strerror(err));
	return -err;
}

int interrupt_status(int err, int shown)
{
	if (err == -EINTR) {
		cli_note("interrupted: what is shown are the rounds that were finished");
		return CLI_INTERRUPTED;
	}
	return err ? CLI_FAILED : shown;
}

void interrupt_vcpu(struct vcpu *vcpu)
{
	pthread_mutex_lock(&lock);
	running = vcpu;
	if (vcpu && interrupted())
		vcpu_stop(vcpu); /* nobody does it any more */
	pthread_mutex_unlock(&lock);
}

void interrupt_after(unsigned int seconds)
{
	alarm(seconds);
}
