/* SPDX-License-Identifier: MIT
 *
 * The command line: words, one a line, and after an empty line the script that --replay reads.
 * Nothing is run, and nothing is opened but that script: what comes after the options fails at its
 * first step.
 */
#define _GNU_SOURCE
#include "cli/compare.h"
#include "cli/host.h"
#include "cli/interrupt.h"
#include "cli/kvm_caps.h"
#include "cli/watch.h"
#include "conform/op.h"
#include "conform/subject.h"
#include "endpoint/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* For its table, and what finds a command in it. */
#define main bellwire_main
int main(int argc, char **argv);
#include "cli/main.c"
#undef main

#define MAX_WORDS 64

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static int script_fd;

/* ---- the first steps, which fail: scripts/fuzz links with --wrap ---- */

int __wrap_interrupt_start(void);
int __wrap_interrupt_start(void)
{
	return -EAGAIN;
}

int __wrap_subject_probe(const struct subject_type *type);
int __wrap_subject_probe(const struct subject_type *type)
{
	(void)type;
	return -ENODEV;
}

int __wrap_socket_listen(struct socket_listener *listener, const char *path);
int __wrap_socket_listen(struct socket_listener *listener, const char *path)
{
	(void)listener;
	(void)path;
	return -EACCES;
}

void __wrap_host_read(struct host *host);
void __wrap_host_read(struct host *host)
{
	memset(host, 0, sizeof(*host));
}

int __wrap_vm_backend_probe(const struct vm_backend *be);
int __wrap_vm_backend_probe(const struct vm_backend *be)
{
	(void)be;
	return -ENODEV;
}

int __wrap_kvm_caps_read(const struct kvm_cap **caps, size_t *nr);
int __wrap_kvm_caps_read(const struct kvm_cap **caps, size_t *nr)
{
	*caps = NULL;
	*nr = 0;
	return -ENOENT;
}

int __wrap_watch_process_open(struct watch_process *process, pid_t pid);
int __wrap_watch_process_open(struct watch_process *process, pid_t pid)
{
	(void)process;
	(void)pid;
	return CLI_FAILED;
}

/* Whatever file is named, it is the input's own script. */
int __real_program_read(struct program *p, const char *path, char *why, size_t size);
int __wrap_program_read(struct program *p, const char *path, char *why, size_t size);
int __wrap_program_read(struct program *p, const char *path, char *why, size_t size)
{
	char own[32];

	(void)path;
	snprintf(own, sizeof(own), "/proc/self/fd/%d", script_fd);
	return __real_program_read(p, own, why, size);
}

/* The same for what compare reads. */
bool __real_compare_doc_open(struct compare_doc *doc, const char *file);
bool __wrap_compare_doc_open(struct compare_doc *doc, const char *file);
bool __wrap_compare_doc_open(struct compare_doc *doc, const char *file)
{
	static char own[32]; /* it keeps the name */

	(void)file;
	snprintf(own, sizeof(own), "/proc/self/fd/%d", script_fd);
	return __real_compare_doc_open(doc, own);
}

/* A command that is not known here would be run for all it does. */
static void check_commands(const struct command *const *table)
{
	static const char *const known[] = { "bench",   "adaptive", "dispatch", "regions",
					     "compare", "conform",  "device",   "endpoint",
					     "info",    "watch" };

	for (; table && *table; table++) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], (*table)->name))
			i++;
		if (i == sizeof(known) / sizeof(known[0])) {
			fprintf(stderr, "what does '%s' do first? make that fail, in %s\n",
				(*table)->name, __FILE__);
			abort();
		}
		check_commands((*table)->subcommands);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	check_commands(commands);
	script_fd = memfd_create("script", MFD_CLOEXEC);
	return script_fd < 0;
}

/* ---- an input ---- */

static void set_script(const char *text, size_t size)
{
	if (ftruncate(script_fd, 0) || pwrite(script_fd, text, size, 0) != (ssize_t)size)
		abort();
}

/* A command line is given twice: what the first time left behind must not show. */
static int run_words(int argc, char **argv)
{
	optind = 0; /* glibc's getopt_long(3) begins anew */
	return dispatch(argc, argv);
}

static int run_copy(const char *text, size_t size)
{
	char *copy = strndup(text, size), *rest = copy, *argv[MAX_WORDS + 1] = { NULL };
	int argc = 0, status;

	while (argc < MAX_WORDS && rest && *rest)
		argv[argc++] = strsep(&rest, "\n");
	status = run_words(argc, argv);
	free(copy);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	const char *text = (const char *)input;
	const char *script = memmem(text, size, "\n\n", 2);
	size_t len = script ? (size_t)(script - text) : size;
	int first, second;

	set_script(script ? script + 2 : "", script ? size - len - 2 : 0);
	first = run_copy(text, len);
	second = run_copy(text, len);
	if (first == second && (first == CLI_OK || first == CLI_FAILED || first == CLI_USAGE))
		return 0;
	fprintf(stderr, "exit status %d, and when asked again %d\n", first, second);
	abort();
}
