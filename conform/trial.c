/* SPDX-License-Identifier: MIT
 *
 * How a case ends, its eventfds, and assign and deassign.
 */
#define _GNU_SOURCE
#include "trial.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void end(struct trial *t, enum verdict verdict, const char *format, va_list args)
{
	struct outcome *o = t->outcome;
	int len = 0;

	if (is_over(t))
		return;
	o->verdict = verdict;
	if (t->about[0])
		len = snprintf(o->why, sizeof(o->why), "%s: ", t->about);
	vsnprintf(o->why + len, sizeof(o->why) - (size_t)len, format, args);
}

void fails(struct trial *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end(t, FAIL, format, args);
	va_end(args);
}

void skips(struct trial *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end(t, SKIP, format, args);
	va_end(args);
}

bool is_over(const struct trial *t)
{
	return t->outcome->verdict != PASS;
}

void about(struct trial *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->about, sizeof(t->about), format, args);
	va_end(args);
}

void check(struct trial *t, bool ok, const char *format, ...)
{
	va_list args;

	if (ok)
		return;
	va_start(args, format);
	end(t, FAIL, format, args);
	va_end(args);
}

int new_eventfd_with(struct trial *t, unsigned int initial, int flags)
{
	int fd;

	if (is_over(t))
		return -1;
	if (t->nr_eventfds == MAX_EVENTFDS) {
		fails(t, "a case has at most %u eventfds", MAX_EVENTFDS);
		return -1;
	}
	fd = eventfd(initial, flags | EFD_CLOEXEC);
	if (fd < 0) {
		fails(t, "no eventfd: %s", strerror(errno));
		return -1;
	}
	t->counts[t->nr_eventfds] = 0;
	t->eventfds[t->nr_eventfds++] = fd;
	return fd;
}

int new_eventfd(struct trial *t)
{
	return new_eventfd_with(t, 0, EFD_NONBLOCK);
}

struct kvm_ioeventfd port(uint64_t addr, uint32_t len)
{
	return (struct kvm_ioeventfd){ .addr = addr, .len = len, .flags = KVM_IOEVENTFD_FLAG_PIO };
}

struct kvm_ioeventfd mmio(uint64_t addr, uint32_t len)
{
	return (struct kvm_ioeventfd){ .addr = addr, .len = len };
}

static struct kvm_ioeventfd with_value(struct kvm_ioeventfd io, uint64_t value)
{
	io.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
	io.datamatch = value;
	return io;
}

struct kvm_ioeventfd port_value(uint64_t addr, uint32_t len, uint64_t value)
{
	return with_value(port(addr, len), value);
}

struct kvm_ioeventfd mmio_value(uint64_t addr, uint32_t len, uint64_t value)
{
	return with_value(mmio(addr, len), value);
}

static void describe(const struct kvm_ioeventfd *io, char *text, size_t size)
{
	int len = snprintf(text, size, "%s of %s 0x%llx length %u",
			   io->flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? "deassign" : "assign",
			   io->flags & KVM_IOEVENTFD_FLAG_PIO ? "pio" : "mmio",
			   (unsigned long long)io->addr, io->len);

	if (io->flags & KVM_IOEVENTFD_FLAG_DATAMATCH)
		snprintf(text + len, size - (size_t)len, " value 0x%llx",
			 (unsigned long long)io->datamatch);
}

static const char *error_name(int err)
{
	return err ? strerrorname_np(err) : "0";
}

static void request(struct trial *t, struct kvm_ioeventfd *io, int fd, int err)
{
	char text[128];
	int got;

	if (is_over(t))
		return;
	io->fd = fd;
	got = -subject_ioeventfd(t->s, io);
	describe(io, text, sizeof(text));
	check(t, got == err, "%s gave %s, not %s", text, error_name(got), error_name(err));
}

void assign_gives(struct trial *t, struct kvm_ioeventfd io, int fd, int err)
{
	request(t, &io, fd, err);
}

void deassign_gives(struct trial *t, struct kvm_ioeventfd io, int fd, int err)
{
	io.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	request(t, &io, fd, err);
}

void assign(struct trial *t, struct kvm_ioeventfd io, int fd)
{
	assign_gives(t, io, fd, 0);
}

void deassign(struct trial *t, struct kvm_ioeventfd io, int fd)
{
	deassign_gives(t, io, fd, 0);
}
