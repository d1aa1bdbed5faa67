/* SPDX-License-Identifier: MIT
 *
 * What the guest does in a case, and what came of it.
 */
#include "trial.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct guest_access store(uint64_t addr, uint32_t len, uint64_t value)
{
	return (struct guest_access){
		.kind = GUEST_STORE, .len = len, .addr = addr, .value = value
	};
}

struct guest_access load(uint64_t addr, uint32_t len)
{
	return (struct guest_access){ .kind = GUEST_LOAD, .len = len, .addr = addr };
}

struct guest_access out(uint64_t addr, uint32_t len, uint64_t value)
{
	return (struct guest_access){ .kind = GUEST_OUT, .len = len, .addr = addr, .value = value };
}

struct guest_access in(uint64_t addr, uint32_t len)
{
	return (struct guest_access){ .kind = GUEST_IN, .len = len, .addr = addr };
}

static uint64_t low_bytes(uint64_t value, uint32_t len)
{
	return value & (~0ull >> (64 - 8 * len));
}

struct seen seen_out(uint64_t addr, uint32_t len, uint64_t value)
{
	return (struct seen){ BW_PIO, true, len, addr, low_bytes(value, len) };
}

struct seen seen_store(uint64_t addr, uint32_t len, uint64_t value)
{
	return (struct seen){ BW_MMIO, true, len, addr, low_bytes(value, len) };
}

static bool is_port(const struct guest_access *a)
{
	return a->kind == GUEST_OUT || a->kind == GUEST_IN || a->kind == GUEST_OUTS;
}

static bool is_write(const struct guest_access *a)
{
	return a->kind != GUEST_IN && a->kind != GUEST_LOAD;
}

/* The access as it reaches userspace, whole. */
static struct seen as_seen(const struct guest_access *a)
{
	uint64_t value = is_write(a) ? a->value : ~0ull;

	return (struct seen){ is_port(a) ? BW_PIO : BW_MMIO, is_write(a), a->len, a->addr,
			      low_bytes(value, a->len) };
}

static void describe_access(const struct guest_access *a, char *text, size_t size)
{
	static const char *const kinds[] = {
		[GUEST_OUT] = "out",     [GUEST_IN] = "in",     [GUEST_OUTS] = "rep outs",
		[GUEST_STORE] = "store", [GUEST_LOAD] = "load", [GUEST_HYPERCALL] = "hypercall",
	};

	snprintf(text, size, "%s of %u bytes at 0x%llx, value 0x%llx", kinds[a->kind], a->len,
		 (unsigned long long)a->addr, (unsigned long long)a->value);
}

static uint64_t drain(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	uint64_t count;

	/* Once: somebody may be ringing all the time. */
	if (poll(&ready, 1, 0) != 1 || read(fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

static void watch(struct trial *t)
{
	for (unsigned int i = 0; i < t->nr_eventfds; i++)
		t->counts[i] += drain(t->eventfds[i]);
}

uint64_t take(struct trial *t, int fd)
{
	uint64_t count;

	watch(t);
	for (unsigned int i = 0; i < t->nr_eventfds; i++) {
		if (t->eventfds[i] != fd)
			continue;
		count = t->counts[i];
		t->counts[i] = 0;
		return count;
	}
	return 0;
}

void play(struct trial *t, struct guest_access *accesses, uint32_t nr)
{
	char text[128];

	if (is_over(t))
		return;
	if (subject_play(t->s, accesses, nr) < 0) {
		describe_access(accesses, text, sizeof(text));
		fails(t, "the guest failed, at or after %s: %s", text, vm_last_error());
	}
	for (uint32_t i = 0; i < nr; i++)
		check(t, accesses[i].done, "the guest did not come to its access %u", i);
}

void counted(struct trial *t, int fd, uint64_t count)
{
	watch(t);
	for (unsigned int i = 0; i < t->nr_eventfds; i++) {
		uint64_t right = t->eventfds[i] == fd ? count : 0;

		check(t, t->counts[i] == right, "eventfd %u rang %llu times, not %llu", i,
		      (unsigned long long)t->counts[i], (unsigned long long)right);
		t->counts[i] = 0;
	}
}

bool same_seen(const struct seen *a, const struct seen *b)
{
	return a->space == b->space && a->is_write == b->is_write && a->len == b->len &&
	       a->addr == b->addr && a->value == b->value;
}

void exited(struct trial *t, const struct seen *seen, size_t nr)
{
	uint64_t got = subject_nr_seen(t->s);

	check(t, got == nr, "%llu accesses reached userspace, not %zu", (unsigned long long)got,
	      nr);
	for (size_t i = 0; i < nr && !is_over(t); i++) {
		const struct seen *s = &t->s->seen[i];

		check(t, same_seen(s, &seen[i]),
		      "what reached userspace is a %s of %u bytes at 0x%llx, value 0x%llx, not "
		      "%u bytes at 0x%llx, value 0x%llx",
		      s->is_write ? "write" : "read", s->len, (unsigned long long)s->addr,
		      (unsigned long long)s->value, seen[i].len, (unsigned long long)seen[i].addr,
		      (unsigned long long)seen[i].value);
	}
	subject_forget(t->s);
}

static bool none_rang(struct trial *t)
{
	watch(t);
	for (unsigned int i = 0; i < t->nr_eventfds; i++)
		if (t->counts[i])
			return false;
	return true;
}

static bool was_seen(struct trial *t, const struct seen *seen, size_t nr)
{
	if (subject_nr_seen(t->s) != nr)
		return false;
	for (size_t i = 0; i < nr; i++)
		if (!same_seen(&t->s->seen[i], &seen[i]))
			return false;
	return true;
}

bool has_shown(struct trial *t, const struct defect *defect, const struct seen *seen, size_t nr)
{
	if (is_over(t) || !t->s->type->bare)
		return false;
	t->defect = defect;
	t->predicted++;
	if (!none_rang(t) || !was_seen(t, seen, nr))
		return false;
	t->shown++;
	subject_forget(t->s);
	return true;
}

/* handle_ept_misconfig() in arch/x86/kvm/vmx/vmx.c looks at nothing but the address. */
static bool has_ept(const struct trial *t)
{
	FILE *file = fopen("/sys/module/kvm_intel/parameters/ept", "re");
	bool has = file && fgetc(file) == 'Y';

	if (file)
		fclose(file);
	return has && t->s->type->be == &vm_kvm;
}

bool has_shown_fast(struct trial *t, int fd)
{
	bool only = true;

	if (is_over(t) || !has_ept(t))
		return false;
	t->defect = &defect_fast;
	t->predicted++;
	watch(t);
	for (unsigned int i = 0; i < t->nr_eventfds; i++)
		only &= t->counts[i] == (t->eventfds[i] == fd);
	if (!only || subject_nr_seen(t->s))
		return false;
	t->shown++;
	take(t, fd);
	return true;
}

/* The kernel's known defects: a write that should have rung exits, or a zone takes it. */
static bool is_known(struct trial *t, const struct guest_access *a)
{
	struct seen whole = as_seen(a);
	enum kernel_taker taker;

	if (is_over(t) || !t->s->type->bare || !is_write(a))
		return false;
	taker = subject_predict(t->s, is_port(a), a->addr, a->len, whole.value);
	if (taker == TAKEN_BY_IOEVENTFD)
		return false;
	if (taker == TAKEN_BY_ZONE)
		return has_shown(t, &defect_zone, NULL, 0);
	return has_shown(t, &defect_nested, &whole, 1);
}

void does(struct trial *t, struct guest_access access, int fd, uint64_t count,
	  const struct seen *seen, size_t nr_seen)
{
	char before[sizeof(t->about)], text[128];

	if (is_over(t))
		return;
	subject_forget(t->s);
	play(t, &access, 1);
	describe_access(&access, text, sizeof(text));
	snprintf(before, sizeof(before), "%s", t->about);
	about(t, "%.60s%s%s", before, before[0] ? ", " : "", text);
	counted(t, fd, count);
	exited(t, seen, nr_seen);
	about(t, "%s", before);
}

void rings(struct trial *t, struct guest_access access, int fd)
{
	char before[sizeof(t->about)], text[128];

	if (is_over(t))
		return;
	subject_forget(t->s);
	play(t, &access, 1);
	if (is_known(t, &access))
		return;
	describe_access(&access, text, sizeof(text));
	snprintf(before, sizeof(before), "%s", t->about);
	about(t, "%.60s%s%s", before, before[0] ? ", " : "", text);
	counted(t, fd, 1);
	exited(t, NULL, 0);
	about(t, "%s", before);
}

void exited_whole(struct trial *t, const struct guest_access *access)
{
	struct seen seen = as_seen(access);

	counted(t, -1, 0);
	exited(t, &seen, 1);
}

void exits(struct trial *t, struct guest_access access)
{
	struct seen seen = as_seen(&access);

	does(t, access, -1, 0, &seen, 1);
}

void *scratch(struct trial *t, uint64_t offset, uint64_t len)
{
	return is_over(t) ? NULL : vm_memory(t->s->vm, GUEST_SCRATCH + offset, len);
}
