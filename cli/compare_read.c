/* SPDX-License-Identifier: MIT
 *
 * Reads one document and checks all of it that will be looked at. The file may be anybody's: what
 * is wrong is said in one line that names the file and the place.
 */
#include "cli/compare.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_BYTES (64u << 20) /* the largest that the program writes has one */
#define MAX_NUMBER 1e15       /* ns: eleven days */
#define MIN_NUMBER 1e-6

/* ---- the file ---- */

static bool refuse(const struct compare_doc *doc, const char *why)
{
	cli_usage("%s: %s", doc->file, why);
	return false;
}

static FILE *open_file(const struct compare_doc *doc)
{
	FILE *file = fopen(doc->file, "re");
	struct stat st;

	if (!file || fstat(fileno(file), &st) < 0)
		refuse(doc, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		refuse(doc, strerror(EISDIR));
	else if (st.st_size > MAX_BYTES)
		refuse(doc, "is too large for a document of bellwire's");
	else
		return file;
	if (file)
		fclose(file);
	return NULL;
}

/* For json_load_callback(). Also a pipe comes to an end. */
struct source {
	FILE *file;
	size_t left;
};

static size_t read_some(void *buffer, size_t size, void *opaque)
{
	struct source *source = opaque;
	size_t n = fread(buffer, 1, size < source->left ? size : source->left, source->file);

	source->left -= n;
	return n;
}

/* read: all bytes that there were. What ends within a word has a wrong one at its end. */
static void refuse_text(const struct compare_doc *doc, const json_error_t *error, size_t read)
{
	enum json_error_code code = json_error_code(error);

	if (code == json_error_invalid_syntax && (size_t)error->position >= read)
		code = json_error_premature_end_of_input;
	switch (code) {
	case json_error_premature_end_of_input:
		cli_usage("%s: truncated: it ends in line %d, within the document", doc->file,
			  error->line);
		break;
	case json_error_out_of_memory:
		refuse(doc, "no memory");
		break;
	default:
		cli_usage("%s: no JSON: line %d, column %d", doc->file, error->line, error->column);
	}
}

bool compare_doc_open(struct compare_doc *doc, const char *file)
{
	struct source source = { .left = MAX_BYTES };
	json_error_t error;
	json_t *root;

	*doc = (struct compare_doc){ .file = file };
	source.file = open_file(doc);
	if (!source.file)
		return false;
	root = json_load_callback(read_some, &source, JSON_REJECT_DUPLICATES, &error);
	if (!root && ferror(source.file))
		refuse(doc, "cannot be read");
	else if (!root)
		refuse_text(doc, &error, MAX_BYTES - source.left);
	fclose(source.file);
	return root && compare_doc_check(doc, root);
}

void compare_doc_close(struct compare_doc *doc)
{
	json_decref(doc->rows);
	json_decref(doc->root);
}

/* ---- what kind it is ---- */

static const struct compare_kind *find_kind(const char *schema, size_t len, const char *kind)
{
	for (size_t i = 0; i < compare_nr_kinds; i++) {
		const struct compare_kind *k = &compare_kinds[i];

		if (strlen(k->schema) == len && strncmp(k->schema, schema, len) == 0 &&
		    (!k->kind || !kind || strcmp(k->kind, kind) == 0))
			return k;
	}
	return NULL;
}

static bool check_version(const struct compare_doc *doc, const char *schema, const char *version)
{
	char *end;
	unsigned long number = strtoul(version, &end, 10);

	if (*version < '1' || *version > '9' || *end)
		return refuse(doc, "its schema has no version");
	if (number == doc->kind->version)
		return true;
	cli_usage("%s: schema %.64s is newer than this program, which knows %s/%u", doc->file,
		  schema, doc->kind->schema, doc->kind->version);
	return false;
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
			return false;
	return true;
}

static bool check_kind(struct compare_doc *doc)
{
	const char *schema = json_string_value(json_object_get(doc->root, "schema"));
	const char *kind = json_string_value(json_object_get(doc->root, "kind"));
	const char *slash = schema ? strrchr(schema, '/') : NULL;

	if (!slash || strncmp(schema, "bellwire.", 9) != 0 || !is_plain(schema))
		return refuse(doc, "no document of bellwire's: it has no schema that says so");
	doc->kind = find_kind(schema, (size_t)(slash - schema), kind);
	if (doc->kind)
		return check_version(doc, schema, slash + 1);
	cli_usage("%s: %.64s has nothing that could be compared%s", doc->file, schema,
		  kind ? ", or is of a kind that is not known here" : "");
	return false;
}

/* ---- what is in it ---- */

static bool refuse_row(const struct compare_doc *doc, const char *array, size_t row,
		       const char *field, const char *what)
{
	cli_usage("%s: %s[%zu]: '%s' is %s", doc->file, array, row, field, what);
	return false;
}

/* Where there is a figure and an interval, they are in range, and in order. */
static bool check_metric(const struct compare_doc *doc, const char *array, size_t row,
			 const json_t *object, const char *const fields[3])
{
	double before = MIN_NUMBER;

	for (size_t i = 0; i < 3; i++) {
		const json_t *value = fields[i] ? json_object_get(object, fields[i]) : NULL;
		double number = json_number_value(value);

		if (!value || json_is_null(value))
			continue;
		if (!json_is_number(value))
			return refuse_row(doc, array, row, fields[i], "no number");
		if (!(number >= MIN_NUMBER && number <= MAX_NUMBER))
			return refuse_row(doc, array, row, fields[i], "out of range");
		if (i > 0 && number < before)
			return refuse_row(doc, array, row, fields[i], "below the other end");
		if (i > 0)
			before = number;
	}
	return true;
}

static bool check_metrics(const struct compare_doc *doc, size_t row, const json_t *object)
{
	const struct compare_kind *kind = doc->kind;
	const char *const aa[3] = { NULL, kind->aa_low, kind->aa_high };

	for (size_t i = 0; i < COMPARE_METRICS && kind->metrics[i].title; i++) {
		const struct compare_metric *m = &kind->metrics[i];
		const char *const fields[3] = { m->value, m->low, m->high };

		if (!json_object_get(object, m->value))
			return refuse_row(doc, kind->rows, row, m->value, "missing");
		if (!check_metric(doc, kind->rows, row, object, fields))
			return false;
	}
	return check_metric(doc, kind->rows, row, object, aa);
}

static bool check_result(const struct compare_doc *doc, size_t row, const json_t *object)
{
	static const char *const results[] = { "pass", "fail", "skip", "known" };
	const char *result = json_string_value(json_object_get(object, "result"));

	for (size_t i = 0; result && i < sizeof(results) / sizeof(results[0]); i++)
		if (strcmp(result, results[i]) == 0)
			return true;
	return refuse_row(doc, doc->kind->rows, row, "result",
			  "none of pass, fail, skip and known");
}

/* What is printed as it is must not move the terminal's cursor. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* "kvm ioeventfd-pio", "hit 1000 2" */
static bool name_row(const struct compare_doc *doc, size_t row, const json_t *object,
		     char name[256])
{
	size_t len = 0;

	for (size_t i = 0; i < COMPARE_KEYS && doc->kind->keys[i]; i++) {
		const char *key = doc->kind->keys[i];
		const json_t *value = json_object_get(object, key);

		if (json_is_string(value))
			len += (size_t)snprintf(name + len, 256 - len, "%s%s", i ? " " : "",
						json_string_value(value));
		else if (json_is_integer(value))
			len += (size_t)snprintf(name + len, 256 - len, "%s%jd", i ? " " : "",
						(intmax_t)json_integer_value(value));
		else
			return refuse_row(doc, doc->kind->rows, row, key, "missing");
		if (len >= 256)
			return refuse_row(doc, doc->kind->rows, row, key, "too long");
	}
	make_plain(name);
	return true;
}

static bool add_row(struct compare_doc *doc, size_t row, json_t *object)
{
	char name[256];

	if (!json_is_object(object)) {
		cli_usage("%s: %s[%zu] is no object", doc->file, doc->kind->rows, row);
		return false;
	}
	if (!name_row(doc, row, object, name))
		return false;
	if (json_object_get(doc->rows, name)) {
		cli_usage("%s: it has '%s' twice", doc->file, name);
		return false;
	}
	if (json_object_set(doc->rows, name, object) < 0)
		return refuse(doc, "no memory");
	return doc->kind->metrics[0].title ? check_metrics(doc, row, object)
					   : check_result(doc, row, object);
}

static bool add_rows(struct compare_doc *doc)
{
	json_t *array = json_object_get(doc->root, doc->kind->rows), *object;
	size_t i;

	doc->rows = json_object();
	if (!doc->rows)
		return refuse(doc, "no memory");
	if (!json_is_array(array)) {
		cli_usage("%s: it has no array '%s'", doc->file, doc->kind->rows);
		return false;
	}
	json_array_foreach(array, i, object) if (!add_row(doc, i, object)) return false;
	return true;
}

static bool check_aa(const struct compare_doc *doc)
{
	static const char *const fields[3] = { "ratio", "ci_low", "ci_high" };
	json_t *array = json_object_get(doc->root, "aa"), *object;
	size_t i;

	json_array_foreach(array, i,
			   object) if (!check_metric(doc, "aa", i, object, fields)) return false;
	return true;
}

bool compare_doc_check(struct compare_doc *doc, json_t *root)
{
	doc->root = root;
	return check_kind(doc) && add_rows(doc) && check_aa(doc);
}
