/* SPDX-License-Identifier: MIT
 *
 * A program of the differential run: operations, as data and as a script, a line for each.
 */
#ifndef BELLWIRE_CONFORM_OP_H
#define BELLWIRE_CONFORM_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum op_kind { OP_ASSIGN, OP_DEASSIGN, OP_WRITE };
#define NR_OP_KINDS 3u

/* Which fd: an eventfd's number, the same eventfd by its duplicate, or a bad one. */
#define NR_EVENTFDS 8u
#define FD_DUP NR_EVENTFDS /* + the number */
#define FD_CLOSED (2 * NR_EVENTFDS)
#define FD_PIPE (FD_CLOSED + 1)
#define NR_FDS (FD_PIPE + 1)

struct op {
	enum op_kind kind;
	bool pio;
	bool has_value;
	uint32_t len;
	uint64_t addr;
	uint64_t value; /* a write's is cut down to len */
	unsigned int fd;
};

struct program {
	struct op *ops;
	size_t nr, capacity;
};

/* false: no memory. */
bool program_add(struct program *p, const struct op *op);
void program_free(struct program *p);

/* One line, without its end. */
void op_print(const struct op *op, char *text, size_t size);

/* The script, to be freed; NULL: no memory. */
char *program_script(const struct program *p);

/* Reads a script. 0, -EBADMSG if there is something wrong in it, another -errno if it cannot be
 * read; why says it in a sentence. */
int program_read(struct program *p, const char *path, char *why, size_t size);

#endif
