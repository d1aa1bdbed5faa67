/* SPDX-License-Identifier: MIT
 *
 * Operations as text. The format is documented in docs/conformance.md.
 */
#define _GNU_SOURCE
#include "op.h"

#include <guest/abi.h>

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 8u

static const char *const kinds[NR_OP_KINDS] = { "assign", "deassign", "write" };

bool program_add(struct program *p, const struct op *op)
{
	if (p->nr == p->capacity) {
		size_t capacity = p->capacity ? 2 * p->capacity : 64;
		struct op *ops = realloc(p->ops, capacity * sizeof(*ops));

		if (!ops)
			return false;
		p->ops = ops;
		p->capacity = capacity;
	}
	p->ops[p->nr++] = *op;
	return true;
}

void program_free(struct program *p)
{
	free(p->ops);
	*p = (struct program){ 0 };
}

static void print_fd(unsigned int fd, char *text, size_t size)
{
	if (fd == FD_CLOSED)
		snprintf(text, size, "closed");
	else if (fd == FD_PIPE)
		snprintf(text, size, "pipe");
	else
		snprintf(text, size, "%u%s", fd % NR_EVENTFDS, fd >= FD_DUP ? "d" : "");
}

void op_print(const struct op *op, char *text, size_t size)
{
	char value[24] = "any", fd[24];
	const char *space = op->pio ? "pio" : "mmio";

	if (op->has_value || op->kind == OP_WRITE)
		snprintf(value, sizeof(value), "0x%llx", (unsigned long long)op->value);
	print_fd(op->fd, fd, sizeof(fd));
	snprintf(text, size, "%s %s 0x%llx %u %s%s%s", kinds[op->kind], space,
		 (unsigned long long)op->addr, op->len, value, op->kind == OP_WRITE ? "" : " ",
		 op->kind == OP_WRITE ? "" : fd);
}

char *program_script(const struct program *p)
{
	char *text = NULL, line[128];
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	for (size_t i = 0; i < p->nr; i++) {
		op_print(&p->ops[i], line, sizeof(line));
		fprintf(file, "%s\n", line);
	}
	return fclose(file) == 0 ? text : NULL;
}

/* ---- reading ---- */

struct reader {
	char *words[MAX_WORDS];
	unsigned int nr;
	char *why;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct reader *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->why, r->size, format, args);
	va_end(args);
	return false;
}

static bool read_number(struct reader *r, const char *what, unsigned int word, uint64_t max,
			uint64_t *number)
{
	const char *text = r->words[word];
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	if (isdigit((unsigned char)*text) && !*end && !errno && *number <= max)
		return true;
	return refuse(r, "the %s is a number up to 0x%llx, not '%s'", what, (unsigned long long)max,
		      text);
}

static bool read_kind(struct reader *r, struct op *op)
{
	for (unsigned int i = 0; i < NR_OP_KINDS; i++) {
		if (strcmp(r->words[0], kinds[i]) != 0)
			continue;
		op->kind = (enum op_kind)i;
		return true;
	}
	return refuse(r, "'%s' is none of assign, deassign and write", r->words[0]);
}

static bool read_space(struct reader *r, struct op *op)
{
	op->pio = strcmp(r->words[1], "pio") == 0;
	if (op->pio || strcmp(r->words[1], "mmio") == 0)
		return true;
	return refuse(r, "'%s' is neither pio nor mmio", r->words[1]);
}

static bool read_value(struct reader *r, struct op *op)
{
	op->has_value = strcmp(r->words[4], "any") != 0;
	if (op->has_value)
		return read_number(r, "value", 4, UINT64_MAX, &op->value);
	return op->kind != OP_WRITE || refuse(r, "a write needs a value");
}

static bool read_fd(struct reader *r, struct op *op)
{
	const char *text = r->words[5];
	unsigned int number = (unsigned int)(text[0] - '0');

	if (strcmp(text, "closed") == 0)
		op->fd = FD_CLOSED;
	else if (strcmp(text, "pipe") == 0)
		op->fd = FD_PIPE;
	else if (number < NR_EVENTFDS && !text[1])
		op->fd = number;
	else if (number < NR_EVENTFDS && text[1] == 'd' && !text[2])
		op->fd = FD_DUP + number;
	else
		return refuse(r, "the fd is 0 to %u, 0d to %ud, closed or pipe, not '%s'",
			      NR_EVENTFDS - 1, NR_EVENTFDS - 1, text);
	return true;
}

static bool overlaps(uint64_t addr, uint64_t len, uint64_t base, uint64_t size)
{
	return addr < base + size && base < addr + len;
}

/* What the guest can write, and where only doorbells are: no RAM, and none of KVM's devices. */
static bool check_write(struct reader *r, const struct op *op)
{
	static const uint64_t own[] = { 0x20, 0xa0, 0x4d0 };
	uint64_t addr = op->addr, len = op->len;

	if (op->len > (op->pio ? 4 : 8) || (len & (len - 1)) || !len)
		return refuse(r, "no write of the guest has %u bytes there", op->len);
	if (!op->pio && addr >= 0x10000000 && addr + len <= 0xf0000000 && addr < 0xf0000000)
		return true;
	if (!op->pio)
		return refuse(r, "a write to MMIO is between 0x10000000 and 0xf0000000");
	if (addr + len > 0x10000 || addr > 0xffff)
		return refuse(r, "there is no port 0x%llx of %u bytes", (unsigned long long)addr,
			      op->len);
	for (unsigned int i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (overlaps(addr, len, own[i], 2))
			return refuse(r, "at port 0x%llx is KVM's interrupt controller",
				      (unsigned long long)own[i]);
	if (overlaps(addr, len, GUEST_DONE_PORT, 1))
		return refuse(r, "port 0x%x is the guest's own", GUEST_DONE_PORT);
	return true;
}

static bool read_op(struct reader *r, struct op *op)
{
	uint64_t len;
	unsigned int words;

	if (!read_kind(r, op))
		return false;
	words = op->kind == OP_WRITE ? 5 : 6;
	if (r->nr != words)
		return refuse(r, "%s has %u words, not %u", kinds[op->kind], words, r->nr);
	if (!read_space(r, op) || !read_number(r, "address", 2, UINT64_MAX, &op->addr) ||
	    !read_number(r, "length", 3, UINT32_MAX, &len) || !read_value(r, op))
		return false;
	op->len = (uint32_t)len;
	return op->kind == OP_WRITE ? check_write(r, op) : read_fd(r, op);
}

/* 1: an operation, 0: nothing but blanks or a comment, -1: neither. */
static int op_parse(struct op *op, const char *line, char *why, size_t size)
{
	struct reader r = { .why = why, .size = size };
	char *copy = strdup(line), *rest = copy, *word;
	int result = 0;

	if (!copy) {
		refuse(&r, "no memory");
		return -1;
	}
	copy[strcspn(copy, "#\n")] = '\0';
	while ((word = strsep(&rest, " \t\r")) && r.nr < MAX_WORDS)
		if (*word)
			r.words[r.nr++] = word;
	*op = (struct op){ 0 };
	if (r.nr > 0)
		result = read_op(&r, op) ? 1 : -1;
	free(copy);
	return result;
}

static int fail(int err, char *why, size_t size, const char *what)
{
	snprintf(why, size, "%s", what);
	return -err;
}

static int read_line(struct program *p, const char *line, size_t number, char *why, size_t size)
{
	char what[160];
	struct op op;
	int r = op_parse(&op, line, what, sizeof(what));

	if (r > 0 && !program_add(p, &op))
		return fail(ENOMEM, why, size, "no memory");
	if (r >= 0)
		return 0;
	snprintf(why, size, "line %zu: %s", number, what);
	return -EBADMSG;
}

static int read_lines(struct program *p, FILE *file, char *why, size_t size)
{
	size_t capacity = 0, number = 0;
	char *line = NULL;
	int err = 0;

	while (!err && getline(&line, &capacity, file) >= 0)
		err = read_line(p, line, ++number, why, size);
	if (!err && ferror(file))
		err = fail(errno, why, size, strerror(errno));
	else if (!err && !p->nr)
		err = fail(EBADMSG, why, size, "there is no operation in it");
	free(line);
	return err;
}

int program_read(struct program *p, const char *path, char *why, size_t size)
{
	FILE *file = fopen(path, "re");
	int err;

	if (!file)
		return fail(errno, why, size, strerror(errno));
	err = read_lines(p, file, why, size);
	fclose(file);
	if (err)
		program_free(p);
	return err;
}
