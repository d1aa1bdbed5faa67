/* SPDX-License-Identifier: MIT
 *
 * The differential run: the same program for a subject and for the model, every errno, every count
 * and everything that reached userspace compared.
 */
#ifndef BELLWIRE_CONFORM_DIFFER_H
#define BELLWIRE_CONFORM_DIFFER_H

#include <conform/conform.h>
#include <conform/model.h>

struct tally {
	uint64_t operations, refused, rung, exited;
	/* On the bare kernel: writes that the defect of nested ranges is to hide, by its condition,
	 * and has hidden; and those that it has not. */
	uint64_t hidden, gone;
};

struct difference {
	size_t at; /* the operation at which it shows */
	char what[256];
};

struct differ;

/* A fresh subject. On failure vm_last_error() says why. */
int differ_new(struct differ **out, const struct subject_type *type);
void differ_free(struct differ *d);

/* 0: they agree, 1: they differ, -errno: the subject failed, vm_last_error(). Starts from what the
 * programs before have left. tally may be NULL. */
int differ_run(struct differ *d, const struct program *p, struct difference *difference,
	       struct tally *tally);

/* Makes a program that differs on a fresh subject as short as can be. false: it does not differ
 * there, and is left as it is. */
bool shrink(struct program *p, const struct subject_type *type, struct difference *difference);

/* A random program of about nr operations, which leaves nothing assigned. false: no memory. */
bool generate(struct program *p, size_t nr, uint64_t *random);

/*
 * Random programs of nr operations in all. Where they differ, script is the shortest program found
 * that does, to be freed; else NULL.
 */
void conform_random(const struct subject_type *type, uint64_t nr, uint64_t seed,
		    struct outcome *outcome, char **script);

void conform_replay(const struct subject_type *type, const struct program *p,
		    struct outcome *outcome);

#endif
