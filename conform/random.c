/* SPDX-License-Identifier: MIT
 *
 * The differential run as a whole: programs until there were enough operations, or until one
 * differs.
 */
#include "deadline.h"
#include "differ.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM 1000u /* operations */

__attribute__((format(printf, 3, 4))) static void set(struct outcome *o, enum verdict verdict,
						      const char *format, ...)
{
	va_list args;

	*o = (struct outcome){ .verdict = verdict };
	va_start(args, format);
	vsnprintf(o->why, sizeof(o->why), format, args);
	va_end(args);
}

/* They agree: what came of it, and of the defect of nested ranges. */
static void sum_up(struct outcome *o, const struct tally *t)
{
	const struct defect *d = &defect_nested;
	int len;

	set(o, PASS,
	    "%" PRIu64 " operations agree with the model: %" PRIu64 " rings, %" PRIu64
	    " exits, %" PRIu64 " refusals",
	    t->operations, t->rung, t->exited, t->refused);
	len = (int)strlen(o->why);
	if (t->hidden && t->gone)
		set(o, FAIL,
		    "%s hid %" PRIu64 " writes of %" PRIu64 ": its condition is another here",
		    d->name, t->hidden, t->hidden + t->gone);
	else if (t->hidden || t->gone)
		snprintf(o->why + len, sizeof(o->why) - (size_t)len,
			 "; %s (seen on Linux %s) %s %" PRIu64 " writes", d->name, d->seen,
			 t->hidden ? "hid exactly the expected" : "is gone: it hid none of",
			 t->hidden + t->gone);
	if (t->hidden && !t->gone) {
		o->verdict = KNOWN;
		o->defect = d;
	}
}

static void explain(struct outcome *o, struct program *p, const struct subject_type *type,
		    struct difference *difference)
{
	char line[128];

	if (!shrink(p, type, difference)) {
		set(o, FAIL, "differs, but not on a fresh machine: operation %zu, %s",
		    difference->at + 1, difference->what);
		return;
	}
	op_print(&p->ops[difference->at], line, sizeof(line));
	set(o, FAIL, "differs; the least script for it has %zu lines, at line %zu, '%s': %s", p->nr,
	    difference->at + 1, line, difference->what);
}

/* false: the end. */
static bool run_one(struct differ *d, const struct subject_type *type, uint64_t *random,
		    struct tally *tally, struct outcome *o, char **script)
{
	struct difference difference;
	struct program p = { 0 };
	int r = -1;

	deadline_start("a random program", type->name);
	if (!generate(&p, PROGRAM, random))
		set(o, FAIL, "no memory");
	else if ((r = differ_run(d, &p, &difference, tally)) < 0)
		set(o, FAIL, "the guest failed: %s", vm_last_error());
	deadline_end();
	if (r == 1) {
		explain(o, &p, type, &difference);
		*script = program_script(&p);
	}
	program_free(&p);
	return r == 0;
}

void conform_random(const struct subject_type *type, uint64_t nr, uint64_t seed,
		    struct outcome *outcome, char **script)
{
	uint64_t random = seed * 2 + 1; /* xorshift must not start at 0 */
	struct tally tally = { 0 };
	struct differ *d;
	bool agree = true;

	*script = NULL;
	if (differ_new(&d, type) < 0) {
		set(outcome, FAIL, "no machine: %s", vm_last_error());
		return;
	}
	while (agree && tally.operations < nr)
		agree = run_one(d, type, &random, &tally, outcome, script);
	if (agree)
		sum_up(outcome, &tally);
	differ_free(d);
}

void conform_replay(const struct subject_type *type, const struct program *p,
		    struct outcome *outcome)
{
	struct difference difference;
	struct tally tally = { 0 };
	struct differ *d;
	char line[128];
	int r;

	if (differ_new(&d, type) < 0) {
		set(outcome, FAIL, "no machine: %s", vm_last_error());
		return;
	}
	deadline_start("the script", type->name);
	r = differ_run(d, p, &difference, &tally);
	deadline_end();
	differ_free(d);
	if (r < 0) {
		set(outcome, FAIL, "the guest failed: %s", vm_last_error());
	} else if (r > 0) {
		op_print(&p->ops[difference.at], line, sizeof(line));
		set(outcome, FAIL, "operation %zu, '%s': %s", difference.at + 1, line,
		    difference.what);
	} else {
		sum_up(outcome, &tally);
	}
}
