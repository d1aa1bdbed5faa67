/* SPDX-License-Identifier: MIT
 *
 * vCPUs that ring on threads of their own, while the case does something else.
 */
#define _GNU_SOURCE
#include "trial.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void share_one_cpu(struct trial *t)
{
	unsigned int first = 0;
	cpu_set_t one;

	if (is_over(t) || sched_getaffinity(0, sizeof(t->cpus), &t->cpus))
		return;
	while (first < CPU_SETSIZE && !CPU_ISSET(first, &t->cpus))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	t->on_one_cpu = sched_setaffinity(0, sizeof(one), &one) == 0;
}

void share_no_cpu(struct trial *t)
{
	if (t->on_one_cpu)
		sched_setaffinity(0, sizeof(t->cpus), &t->cpus);
}

static void *run_vcpu(void *arg)
{
	struct ringer *r = arg;

	r->result = subject_run(r->t->s, r->vcpu);
	if (r->result < 0)
		snprintf(r->why, sizeof(r->why), "%s", vm_last_error());
	__atomic_store_n(&r->running, false, __ATOMIC_RELEASE);
	return NULL;
}

void go_on_ringing(struct trial *t, unsigned int vcpu)
{
	struct ringer *r = &t->ringers[vcpu];

	if (is_over(t))
		return;
	*r = (struct ringer){ .t = t, .vcpu = vcpu, .running = true };
	if (pthread_create(&r->thread, NULL, run_vcpu, r)) {
		r->t = NULL;
		fails(t, "no thread for a vCPU");
	}
}

void start_ringing(struct trial *t, unsigned int vcpu, struct guest_access access, uint64_t count,
		   uint64_t sequence)
{
	struct guest_mailbox *mailbox;

	if (is_over(t))
		return;
	mailbox = vcpu_mailbox(vm_vcpu(t->s->vm, vcpu));
	mailbox->op = GUEST_RING;
	mailbox->ring = access;
	mailbox->count = count;
	mailbox->sequence = sequence;
	go_on_ringing(t, vcpu);
}

/* pairs with the release in run_vcpu(): what it did is seen. */
bool is_ringing(struct trial *t, unsigned int vcpu)
{
	return !is_over(t) && __atomic_load_n(&t->ringers[vcpu].running, __ATOMIC_ACQUIRE);
}

static void join(struct ringer *r)
{
	pthread_join(r->thread, NULL);
	r->t = NULL;
}

void finish_ringing(struct trial *t, unsigned int vcpu)
{
	struct ringer *r = &t->ringers[vcpu];

	if (is_over(t))
		return;
	join(r);
	check(t, r->result == 0, "vCPU %u did not finish: %s", vcpu, r->why);
}

bool stop_ringing(struct trial *t, unsigned int vcpu)
{
	struct ringer *r = &t->ringers[vcpu];

	if (is_over(t))
		return false;
	vcpu_stop(vm_vcpu(t->s->vm, vcpu));
	join(r);
	check(t, r->result == 0 || r->result == -EINTR, "vCPU %u failed: %s", vcpu, r->why);
	return r->result == -EINTR;
}

void stop_ringers(struct trial *t)
{
	for (unsigned int i = 0; i < VM_MAX_VCPUS; i++) {
		if (!t->ringers[i].t)
			continue;
		vcpu_stop(vm_vcpu(t->s->vm, i));
		join(&t->ringers[i]);
	}
}

static bool any_ringing(struct trial *t)
{
	for (unsigned int i = 0; i < VM_MAX_VCPUS; i++)
		if (t->ringers[i].t && is_ringing(t, i))
			return true;
	return false;
}

void wait_for_exits(struct trial *t, uint64_t more_than)
{
	while (any_ringing(t) && subject_nr_seen(t->s) <= more_than)
		wait_a_little();
}

void wait_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}
