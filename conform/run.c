/* SPDX-License-Identifier: MIT
 *
 * Runs a case on a subject of its own, and says what came of it.
 */
#include "deadline.h"
#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[NR_VERDICTS] = { "pass", "FAIL", "skip", "known" };

	return names[verdict];
}

/* How a defect of the kernel showed, if the case came upon one. */
static void judge(struct trial *t)
{
	struct outcome *o = t->outcome;
	const struct defect *d = t->defect ? t->defect : t->c->defect;

	if (is_over(t) || !d)
		return;
	if (t->shown < t->predicted && t->shown > 0) {
		fails(t, "%s showed in %u of %u accesses: its condition is another here", d->name,
		      t->shown, t->predicted);
	} else if (t->shown > 0) {
		o->verdict = KNOWN;
		o->defect = d;
		snprintf(o->why, sizeof(o->why), "%s (seen on Linux %s) showed in %u accesses",
			 d->name, d->seen, t->shown);
	} else if (t->predicted > 0) {
		snprintf(o->why, sizeof(o->why),
			 "%s (seen on Linux %s) is gone: it showed in none of %u accesses", d->name,
			 d->seen, t->predicted);
	} else if (t->s->type->bare) {
		fails(t, "the case does not come upon %s", d->name);
	}
}

static void check_needs(struct trial *t)
{
	const struct subject *s = t->s;

	if ((t->c->needs & NEEDS_LIBRARY) && s->type->bare)
		skips(t, "the library's alone: the kernel has no regions, handles or transactions");
	if ((t->c->needs & NEEDS_KVM) && s->type->be != &vm_kvm)
		skips(t, "KVM's alone: soft has no memslots and no coalesced zones");
	if ((t->c->needs & NEEDS_HYPERCALL) && vm_hypercall_probe(s->vm) < 0)
		skips(t, "%s", vm_last_error());
}

static void close_eventfds(struct trial *t)
{
	for (unsigned int i = 0; i < t->nr_eventfds; i++)
		close(t->eventfds[i]);
}

static void run_on(struct trial *t)
{
	check_needs(t);
	if (!is_over(t))
		t->c->run(t);
	t->about[0] = '\0';
	stop_ringers(t);
	share_no_cpu(t);
	judge(t);
	subject_free(t->s);
	close_eventfds(t);
}

void conform_run(const struct conform_case *c, const struct subject_type *type,
		 struct outcome *outcome)
{
	struct subject_opts opts = { .nr_vcpus = c->nr_vcpus ? c->nr_vcpus : 1,
				     .cpl = c->needs & NEEDS_HYPERCALL ? 0 : 3 };
	struct trial *t = calloc(1, sizeof(*t));

	*outcome = (struct outcome){ .verdict = PASS };
	if (!t) {
		*outcome = (struct outcome){ .verdict = FAIL, .why = "no memory" };
		return;
	}
	t->c = c;
	t->outcome = outcome;
	deadline_start(c->name, type->name);
	if (subject_new(&t->s, type, &opts) < 0)
		fails(t, "no machine: %s", vm_last_error());
	else
		run_on(t);
	deadline_end();
	free(t);
}
