/* SPDX-License-Identifier: MIT
 *
 * Round trips, a batch at a time: the clocks are related before and after each, so that every
 * moment of it can be told in either.
 */
#include "cli/rtt.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "endpoint/process.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_ERROR_NS 2000.0 /* of the relation: beyond it, one-way times mean nothing */
#define PATIENCE_S 30u      /* a guest whose ring was lost waits for ever */

/* The endpoint's part, of one that is a thread of this process. */
struct answering {
	_Atomic(uint64_t *) word; /* in the guest's memory */
	int call;                 /* the eventfd that is rung instead, or -1 */
	struct answers answers;
};

static void answer_ring(void *opaque, uint64_t rings)
{
	struct answering *a = opaque;
	uint64_t number = answer_note(&a->answers, rings);

	if (number && a->call >= 0)
		answer_call(a->call);
	else if (number)
		answer_word(a->word, number);
}

static struct answers *answers_of(struct path *path, struct answering *a)
{
	return path->rig->opts->place == &bench_thread ? &a->answers
						       : endpoint_process_answers(path->endpoint);
}

int rtt_command(struct path *path, const struct guest_access *ring, uint64_t answer, uint64_t trips,
		uint64_t count)
{
	struct rig *rig = path->rig;
	struct guest_mailbox *mailbox = vcpu_mailbox(rig->vcpu);
	uint64_t *word = vm_memory(rig->vm, answer, sizeof(*word));
	int err;

	mailbox->op = GUEST_ROUND_TRIP;
	mailbox->count = count;
	mailbox->ring = *ring;
	mailbox->trips = trips;
	mailbox->answer = answer;
	__atomic_store_n(word, 0, __ATOMIC_RELAXED);
	interrupt_after(PATIENCE_S);
	err = run_guest(path);
	interrupt_after(0);
	return err;
}

/* From anchor a on, linear between the two moments at which both clocks are known. */
static double host_ns(const struct anchor anchors[2], uint64_t tick)
{
	const struct anchor *a = &anchors[0], *b = &anchors[1];
	double ns_per_tick = (double)(b->ns - a->ns) / (double)(b->tick - a->tick);

	return ns_per_tick * (double)(int64_t)(tick - a->tick);
}

static void note_error(struct rtt_row *row, const struct anchor anchors[2])
{
	for (int i = 0; i < 2; i++) {
		double error = host_ns(anchors, anchors[0].tick + anchors[i].error_ticks);

		if (error > row->error_ns)
			row->error_ns = error;
	}
	row->related = row->error_ns <= MAX_ERROR_NS;
}

static void note_trips(struct rtt_row *row, const struct anchor anchors[2],
		       const struct guest_trip *trips, const struct answers *answers,
		       uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		double rung = host_ns(anchors, trips[i].rung);
		double answered = host_ns(anchors, trips[i].answered);
		uint64_t heard_ns =
			atomic_load_explicit(&answers->heard_ns[i], memory_order_relaxed);

		row->trip_ns[row->trips] = answered - rung;
		row->oneway_ns[row->trips] = (double)(int64_t)(heard_ns - anchors[0].ns) - rung;
		row->trips++;
	}
}

/* The last trips; they are sorted, for all of them will be. */
static void note_batch(struct rtt_row *row, uint64_t count)
{
	double *last = row->trip_ns + row->trips - count;

	stats_sort(last, count);
	row->batch_p50[row->batches] = stats_percentile(last, count, 0.5);
	row->batch_p99[row->batches] = stats_percentile(last, count, 0.99);
	row->batches++;
}

static int run_batch(struct rtt_row *row, struct rig *rig, struct answering *a, uint64_t count)
{
	struct path *path = &rig->paths[0];
	struct guest_access ring = {
		.kind = path->type->instruction,
		.len = path->type->len,
		.addr = path->addr,
	};
	const struct guest_trip *trips = vm_memory(rig->vm, RTT_TRIPS, count * sizeof(*trips));
	struct answers *answers = answers_of(path, a);
	struct anchor anchors[2];
	int err = rtt_anchor(rig, &anchors[0]);

	if (err)
		return err;
	atomic_store_explicit(&answers->before, endpoint_rings(path->endpoint),
			      memory_order_relaxed);
	endpoint_resume(path->endpoint);
	err = rtt_command(path, &ring, rig->opts->answer, RTT_TRIPS, count);
	endpoint_pause(path->endpoint); /* the clocks are related by a thread in its place */
	if (!err)
		err = rtt_anchor(rig, &anchors[1]);
	if (err)
		return err;
	note_error(row, anchors);
	note_trips(row, anchors, trips, answers, count);
	note_batch(row, count);
	return 0;
}

static uint64_t batch(uint64_t left)
{
	return left < RTT_BATCH ? left : RTT_BATCH;
}

/* The first batch warms up: what it noted is dropped. */
static int run_batches(struct rtt_row *row, struct rig *rig, struct answering *a)
{
	uint64_t rings = rig->opts->rings;
	int err = run_batch(row, rig, a, batch(rings));

	row->trips = row->batches = 0;
	row->error_ns = 0;
	while (!err && row->trips < rings)
		err = run_batch(row, rig, a, batch(rings - row->trips));
	return err;
}

static int measure(struct rtt_row *row, struct rig *rig, struct answering *a)
{
	uint64_t rings = rig->opts->rings;
	int err;

	atomic_store(&a->word, vm_memory(rig->vm, RTT_ANSWER, sizeof(uint64_t)));
	row->trip_ns = calloc(rings, sizeof(*row->trip_ns));
	row->oneway_ns = calloc(rings, sizeof(*row->oneway_ns));
	if (!row->trip_ns || !row->oneway_ns)
		return cli_failed("no memory for %ju round trips", (uintmax_t)rings), -ENOMEM;
	interrupt_vcpu(rig->vcpu);
	err = run_batches(row, rig, a);
	interrupt_vcpu(NULL);
	return err;
}

/* Alone in its VM: the endpoint of another path would spin beside it. */
static void only_this_path(struct bench_opts *opts, const struct rtt_row *row, struct answering *a)
{
	memset(opts->selected, 0, sizeof(opts->selected));
	opts->selected[row->type - bench_paths] = true;
	/* Another process waits for the connection too. */
	opts->blocking = row->consumer->blocking && opts->place == &bench_thread;
	opts->start_thread = row->consumer->start;
	opts->answer = row->consumer->interrupts ? GUEST_INTERRUPTS : RTT_ANSWER;
	opts->endpoint.spin = row->consumer->spin;
	opts->endpoint.rang = answer_ring;
	opts->endpoint.opaque = a;
}

static void say_why(struct rtt_row *row, const char *why)
{
	if (why)
		snprintf(row->why, sizeof(row->why), "%s", why);
}

/* Why the guest would wait for ever, or NULL. */
static const char *why_no_answer(struct rig *rig, const struct row *row)
{
	if (!row->available)
		return row->why;
	if (!row->rung || !rig->paths[0].endpoint)
		return "nobody is rung, and so nobody answers";
	if (!rig->opts->place->answers)
		return "the endpoint counts, and does not answer";
	if (rig->opts->call >= 0 && vm_irqfd(rig->vm, rig->opts->call) < 0)
		return vm_last_error();
	return NULL;
}

static int open_and_measure(struct rtt_row *row, const struct bench_opts *opts, struct bench *bench,
			    struct answering *a)
{
	struct rig rig;
	int err;

	say_why(row, row->consumer->unavailable());
	if (row->why[0])
		return 0;
	bench->be = row->be;
	err = rig_open(&rig, opts, bench);
	if (!err)
		err = pin_thread(opts->vcpu_cpu);
	if (!err)
		say_why(row, why_no_answer(&rig, &bench->rows[0]));
	row->available = !err && !row->why[0];
	if (row->available)
		err = measure(row, &rig, a);
	rig_close(&rig);
	return err;
}

/* What interrupts the guest: an eventfd that is opened before the endpoint is given it. */
static int open_call(struct bench_opts *opts, struct answering *a, bool interrupts)
{
	if (interrupts) {
		opts->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (opts->call < 0)
			return cli_failed("eventfd: %s", strerror(errno)), -EMFILE;
	}
	a->call = opts->call;
	return 0;
}

static int call_and_measure(struct rtt_row *row, struct bench_opts *opts, struct bench *bench,
			    struct answering *a)
{
	int err = open_call(opts, a, row->consumer->interrupts);

	if (err)
		return err;
	err = open_and_measure(row, opts, bench, a);
	if (opts->call >= 0)
		close(opts->call);
	return err;
}

int rtt_measure(struct rtt_row *row, const struct bench_opts *all)
{
	struct answering *a = calloc(1, sizeof(*a));
	struct bench *bench = calloc(1, sizeof(*bench));
	struct bench_opts opts = *all;
	int err = -ENOMEM;

	if (a && bench) {
		only_this_path(&opts, row, a);
		err = call_and_measure(row, &opts, bench, a);
	} else {
		cli_failed("no memory");
	}
	free(bench);
	free(a);
	return err;
}
