/* SPDX-License-Identifier: MIT
 *
 * Runs a program. Writes between two controls are one list for the guest: an exit to userspace and
 * back for each would take ten times as long.
 */
#define _GNU_SOURCE
#include "differ.h"
#include "trial.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_BATCH 256u /* writes, of two pieces each */
#define MAX_PIECES (2 * MAX_BATCH)
#define PAGE 0x1000u

/* What a batch does. */
struct effects {
	uint64_t counts[NR_EVENTFDS];
	struct seen seen[MAX_PIECES];
	size_t nr_seen;
};

struct differ {
	struct subject *s;
	struct model model;
	int fds[NR_FDS];
	struct guest_access batch[MAX_BATCH];
	uint32_t nr_batch;
	size_t first; /* the operation that the batch begins with */
	/* What is right, and what the bare kernel does with its defect. */
	struct effects right, kernel, got;
	uint64_t to_hide; /* writes in which the two differ */
	struct tally tally;
	struct difference *difference;
};

static int open_eventfds(struct differ *d)
{
	for (unsigned int i = 0; i < NR_FDS; i++)
		d->fds[i] = -1;
	for (unsigned int i = 0; i < NR_EVENTFDS; i++) {
		d->fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		d->fds[FD_DUP + i] = fcntl(d->fds[i], F_DUPFD_CLOEXEC, 0);
		if (d->fds[FD_DUP + i] < 0)
			return -errno;
	}
	d->fds[FD_PIPE] = open("/dev/null", O_RDWR | O_CLOEXEC);
	return d->fds[FD_PIPE] < 0 ? -errno : 0;
}

int differ_new(struct differ **out, const struct subject_type *type)
{
	struct subject_opts opts = { .nr_vcpus = 1, .cpl = 3 };
	struct differ *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	err = open_eventfds(d);
	if (!err)
		err = subject_new(&d->s, type, &opts);
	if (err) {
		differ_free(d);
		return err;
	}
	*out = d;
	return 0;
}

void differ_free(struct differ *d)
{
	if (!d)
		return;
	subject_free(d->s);
	for (unsigned int i = 0; i < NR_FDS; i++)
		if (d->fds[i] >= 0)
			close(d->fds[i]);
	model_free(&d->model);
	free(d);
}

__attribute__((format(printf, 3, 4))) static int differs(struct differ *d, size_t at,
							 const char *format, ...)
{
	va_list args;

	d->difference->at = at;
	va_start(args, format);
	vsnprintf(d->difference->what, sizeof(d->difference->what), format, args);
	va_end(args);
	return 1;
}

/* ---- assign and deassign ---- */

static int control(struct differ *d, const struct op *op, size_t at)
{
	struct kvm_ioeventfd io = {
		.datamatch = op->value,
		.addr = op->addr,
		.len = op->len,
		.fd = d->fds[op->fd],
		.flags = (op->pio ? KVM_IOEVENTFD_FLAG_PIO : 0u) |
			 (op->has_value ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0u) |
			 (op->kind == OP_DEASSIGN ? KVM_IOEVENTFD_FLAG_DEASSIGN : 0u),
	};
	int right = model_control(&d->model, op), got = -subject_ioeventfd(d->s, &io);

	d->tally.refused += right != 0;
	if (got == right)
		return 0;
	return differs(d, at, "gave %s, not %s", got ? strerrorname_np(got) : "0",
		       right ? strerrorname_np(right) : "0");
}

/* ---- writes ---- */

static void add_seen(struct effects *e, const struct seen *piece)
{
	e->seen[e->nr_seen++] = *piece;
}

static void expect_piece(struct differ *d, const struct seen *piece)
{
	bool pio = piece->space == BW_PIO;
	int fd = model_write(&d->model, pio, piece->addr, piece->len, piece->value);

	if (fd < 0) {
		add_seen(&d->right, piece);
		add_seen(&d->kernel, piece);
		return;
	}
	d->right.counts[fd]++;
	if (!d->s->type->bare || subject_predict(d->s, pio, piece->addr, piece->len,
						 piece->value) == TAKEN_BY_IOEVENTFD) {
		d->kernel.counts[fd]++;
		return;
	}
	add_seen(&d->kernel, piece);
	d->to_hide++;
}

static void expect_write(struct differ *d, const struct op *op)
{
	uint32_t left = (uint32_t)(PAGE - op->addr % PAGE);
	uint32_t first = op->pio || op->len < left ? op->len : left;
	struct seen piece = op->pio ? seen_out(op->addr, first, op->value)
				    : seen_store(op->addr, first, op->value);

	expect_piece(d, &piece);
	if (first == op->len)
		return;
	piece = seen_store(op->addr + first, op->len - first, op->value >> (8 * first));
	expect_piece(d, &piece);
}

static void look(struct differ *d)
{
	d->got.nr_seen = (size_t)subject_nr_seen(d->s);
	memcpy(d->got.seen, d->s->seen, sizeof(d->got.seen));
	for (unsigned int i = 0; i < NR_EVENTFDS; i++)
		if (read(d->fds[i], &d->got.counts[i], sizeof(d->got.counts[i])) < 0)
			d->got.counts[i] = 0;
}

static bool same_effects(const struct effects *a, const struct effects *b)
{
	if (memcmp(a->counts, b->counts, sizeof(a->counts)) != 0 || a->nr_seen != b->nr_seen)
		return false;
	for (size_t i = 0; i < a->nr_seen; i++)
		if (!same_seen(&a->seen[i], &b->seen[i]))
			return false;
	return true;
}

static int say_effects(struct differ *d)
{
	const struct effects *right = &d->right, *got = &d->got;

	for (unsigned int i = 0; i < NR_EVENTFDS; i++)
		if (got->counts[i] != right->counts[i])
			return differs(d, d->first,
				       "the writes from here to the next control: eventfd %u rang "
				       "%llu times, not %llu",
				       i, (unsigned long long)got->counts[i],
				       (unsigned long long)right->counts[i]);
	return differs(d, d->first,
		       "the writes from here to the next control: %zu accesses reached userspace, "
		       "not these %zu, or not as they were",
		       got->nr_seen, right->nr_seen);
}

static int judge(struct differ *d)
{
	for (unsigned int i = 0; i < NR_EVENTFDS; i++)
		d->tally.rung += d->got.counts[i];
	d->tally.exited += d->got.nr_seen;
	if (same_effects(&d->got, &d->right)) {
		d->tally.gone += d->to_hide;
		return 0;
	}
	if (!d->to_hide || !same_effects(&d->got, &d->kernel))
		return say_effects(d);
	d->tally.hidden += d->to_hide;
	return 0;
}

static int flush(struct differ *d)
{
	int r;

	if (!d->nr_batch)
		return 0;
	subject_forget(d->s);
	r = subject_play(d->s, d->batch, d->nr_batch);
	if (r < 0)
		return r;
	look(d);
	r = judge(d);
	d->nr_batch = 0;
	d->to_hide = 0;
	memset(d->right.counts, 0, sizeof(d->right.counts));
	memset(d->kernel.counts, 0, sizeof(d->kernel.counts));
	d->right.nr_seen = d->kernel.nr_seen = 0;
	return r;
}

static int write_op(struct differ *d, const struct op *op, size_t at)
{
	int r = d->nr_batch == MAX_BATCH ? flush(d) : 0;

	if (!d->nr_batch)
		d->first = at;
	d->batch[d->nr_batch++] =
		op->pio ? out(op->addr, op->len, op->value) : store(op->addr, op->len, op->value);
	expect_write(d, op);
	return r;
}

static int step(struct differ *d, const struct op *op, size_t at)
{
	int r;

	d->tally.operations++;
	if (op->kind == OP_WRITE)
		return write_op(d, op, at);
	r = flush(d);
	return r ? r : control(d, op, at);
}

int differ_run(struct differ *d, const struct program *p, struct difference *difference,
	       struct tally *tally)
{
	int r = 0;

	d->difference = difference;
	d->tally = tally ? *tally : (struct tally){ 0 };
	for (size_t i = 0; i < p->nr && !r; i++)
		r = step(d, &p->ops[i], i);
	if (!r)
		r = flush(d);
	if (tally)
		*tally = d->tally;
	return r;
}
