/* SPDX-License-Identifier: MIT
 *
 * The command line of bellwire bench.
 */
#define _GNU_SOURCE
#include "cli/adaptive.h"
#include "cli/bench.h"
#include "cli/cli.h"
#include "cli/cpus.h"
#include "cli/rtt.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DEFAULT_ROUNDS 101u
#define REPORT_ROUNDS 51u /* there is more to measure */
#define RTT_DEFAULT_RINGS 10000u
#define RTT_PATHS "userspace-*,ioeventfd-*,elided-*,exitless-*"
#define ADAPTIVE_DEFAULT_ROUNDS 3u
#define ADAPTIVE_DEFAULT_SECONDS 60u

static bool parse_accel(void *to, char *text)
{
	struct bench_opts *opts = to;
	const struct vm_backend *be;
	bool all = strcmp(text, "all") == 0;

	opts->nr_accels = 0;
	for (unsigned int i = 0; (be = vm_backend_at(i)) && i < BENCH_MAX_ACCELS; i++)
		if (all || strcmp(text, vm_backend_name(be)) == 0)
			opts->accels[opts->nr_accels++] = be;
	if (opts->nr_accels == 0)
		cli_usage("'%s' is no accel; there are kvm, soft and all", text);
	return opts->nr_accels > 0;
}

static void say_paths(const char *unknown)
{
	char list[BENCH_MAX_PATHS * 24] = "";

	for (unsigned int i = 0; i < bench_nr_paths; i++) {
		strcat(list, i ? ", " : "");
		strcat(list, bench_paths[i].name);
	}
	cli_usage("'%s' is no path; there are %s", unknown, list);
}

/* One name or pattern. One that adds nothing was given before. */
static bool select_paths(struct bench_opts *opts, const char *pattern)
{
	bool found = false, added = false;

	for (unsigned int i = 0; i < bench_nr_paths; i++) {
		if (fnmatch(pattern, bench_paths[i].name, 0) != 0)
			continue;
		found = true;
		added |= !opts->selected[i];
		opts->selected[i] = true;
	}
	if (!found)
		say_paths(pattern);
	else if (!added)
		cli_usage("path '%s' is given twice", pattern);
	return added;
}

static bool parse_paths(void *to, char *text)
{
	struct bench_opts *opts = to;
	char *copy = strdup(text), *rest = copy, *pattern;
	bool ok = copy;

	memset(opts->selected, 0, sizeof(opts->selected));
	while (ok && (pattern = strsep(&rest, ",")))
		ok = select_paths(opts, pattern);
	free(copy);
	return ok;
}

/* What is measured for the sake of a peer is not run without one. */
static void select_default(struct bench_opts *opts)
{
	for (unsigned int i = 0; i < bench_nr_paths && !opts->paths_given; i++)
		opts->selected[i] = opts->peer || !bench_paths[i].beside_peer;
}

static bool parse_peer(void *to, char *text)
{
	struct bench_opts *opts = to;

	opts->peer = strcmp(text, "qemu") == 0;
	if (!opts->peer)
		cli_usage("'%s' is no peer; there is qemu", text);
	return opts->peer;
}

static bool parse_cpl(void *to, char *text)
{
	struct bench_opts *opts = to;

	if (strcmp(text, "0") != 0 && strcmp(text, "3") != 0) {
		cli_usage("--cpl takes 0 or 3, not '%s'", text);
		return false;
	}
	opts->cpl = (unsigned int)(text[0] - '0');
	return true;
}

static bool default_cpus(struct bench_opts *opts)
{
	cpu_set_t cpus;

	if (!cpus_allowed(&cpus))
		return false;
	opts->vcpu_cpu = cpus_first(&cpus, 0);
	opts->endpoint.cpu = cpus_first(&cpus, opts->vcpu_cpu + 1);
	if (opts->endpoint.cpu < 0)
		opts->endpoint.cpu = opts->vcpu_cpu;
	return true;
}

static bool parse_cpu(const char *role, const char *text, int *cpu)
{
	cpu_set_t cpus;
	uint64_t number;

	if (!cli_number(role, text, 0, CPU_SETSIZE - 1, &number) || !cpus_allowed(&cpus))
		return false;
	if (!CPU_ISSET(number, &cpus)) {
		cli_usage("%s=%s: there is no such CPU, or this process may not use it", role,
			  text);
		return false;
	}
	*cpu = (int)number;
	return true;
}

/* One role=N. */
static bool parse_role(struct bench_opts *opts, const char *item, bool given[2])
{
	static const char *const roles[] = { "vcpu", "endpoint" };
	int *const cpus[] = { &opts->vcpu_cpu, &opts->endpoint.cpu };

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(roles[i]);

		if (strncmp(item, roles[i], len) != 0 || item[len] != '=')
			continue;
		if (!given[i]) {
			given[i] = true;
			return parse_cpu(roles[i], item + len + 1, cpus[i]);
		}
		cli_usage("--cpus: %s is given twice", roles[i]);
		return false;
	}
	cli_usage("--cpus takes vcpu=N,endpoint=M, not '%s'", item);
	return false;
}

static bool parse_cpus(void *to, char *text)
{
	struct bench_opts *opts = to;
	bool given[2] = { false, false };
	const char *item;

	while ((item = strsep(&text, ",")))
		if (!parse_role(opts, item, given))
			return false;
	return true;
}

static bool parse_endpoint(void *to, char *text)
{
	return bench_parse_endpoint(to, text);
}

static uint32_t any_seed(void)
{
	uint32_t seed = 0;

	/* Where there is no randomness one order is as good as another. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = 1;
	return seed;
}

static int set_defaults(struct bench_opts *opts)
{
	parse_accel(opts, "all");
	opts->start_thread = endpoint_start_eventfd;
	opts->place = &bench_thread;
	opts->call = -1;
	return default_cpus(opts) ? CLI_OK : CLI_FAILED;
}

int bench_opts_parse(struct bench_opts *opts, int argc, char **argv)
{
	const struct cli_option options[] = {
		{ "accel", .parse = parse_accel, .to = opts },
		{ "path", .flag = &opts->paths_given, .parse = parse_paths, .to = opts },
		{ "rings", .number = &opts->rings, .min = 1, .max = 1000000000 },
		{ "rounds", .number = &opts->rounds, .min = 1, .max = STATS_MAX },
		{ "cpl", .parse = parse_cpl, .to = opts },
		{ "cpus", .parse = parse_cpus, .to = opts },
		{ "seed", .number = &opts->seed, .max = UINT32_MAX },
		{ "json", .flag = &opts->json },
		{ "svg", .text = &opts->svg },
		{ "report", .text = &opts->report },
		{ "endpoint", .parse = parse_endpoint, .to = opts },
		{ "image", .text = &opts->image },
		{ "peer", .parse = parse_peer, .to = opts },
		{},
	};
	int status;

	*opts = (struct bench_opts){ .cpl = 3, .seed = any_seed() };
	status = set_defaults(opts);
	if (status == CLI_OK)
		status = cli_parse(argc, argv, options);
	select_default(opts);
	if (opts->rounds == 0)
		opts->rounds = opts->report ? REPORT_ROUNDS : DEFAULT_ROUNDS;
	return status;
}

int rtt_opts_parse(struct bench_opts *opts, int argc, char **argv)
{
	const struct cli_option options[] = {
		{ "accel", .parse = parse_accel, .to = opts },
		{ "path", .flag = &opts->paths_given, .parse = parse_paths, .to = opts },
		{ "rings", .number = &opts->rings, .min = 1, .max = RTT_MAX_RINGS },
		{ "cpl", .parse = parse_cpl, .to = opts },
		{ "cpus", .parse = parse_cpus, .to = opts },
		{ "json", .flag = &opts->json },
		{ "endpoint", .parse = parse_endpoint, .to = opts },
		{},
	};
	int status;

	*opts = (struct bench_opts){ .rings = RTT_DEFAULT_RINGS, .cpl = 3 };
	parse_paths(opts, RTT_PATHS);
	status = set_defaults(opts);
	return status == CLI_OK ? cli_parse(argc, argv, options) : status;
}

void rtt_opts_like(struct bench_opts *rtt, const struct bench_opts *opts, uint64_t rings)
{
	*rtt = *opts;
	rtt->rings = rings;
	rtt->brief = true;
	parse_paths(rtt, RTT_PATHS);
	for (unsigned int i = 0; i < bench_nr_paths; i++)
		rtt->selected[i] = rtt->selected[i] && opts->selected[i];
}

static bool select_policy(struct adaptive_opts *opts, const char *name)
{
	for (unsigned int i = 0; i < ADAPTIVE_NR_POLICIES; i++) {
		if (strcmp(name, adaptive_policies[i]) != 0)
			continue;
		if (opts->policies[i])
			cli_usage("policy '%s' is given twice", name);
		return !opts->policies[i] && (opts->policies[i] = true);
	}
	cli_usage("'%s' is no policy; there are adaptive, fixed-hot and fixed-cold", name);
	return false;
}

static bool parse_policies(void *to, char *text)
{
	struct adaptive_opts *opts = to;
	const char *name;

	memset(opts->policies, 0, sizeof(opts->policies));
	while ((name = strsep(&text, ",")))
		if (!select_policy(opts, name))
			return false;
	return true;
}

int adaptive_opts_parse(struct adaptive_opts *opts, int argc, char **argv)
{
	const struct cli_option options[] = {
		{ "accel", .parse = parse_accel, .to = &opts->bench },
		{ "policy", .parse = parse_policies, .to = opts },
		{ "rounds", .number = &opts->bench.rounds, .min = 1, .max = STATS_MAX },
		{ "seconds", .number = &opts->seconds, .min = 1, .max = 3600 },
		{ "cpl", .parse = parse_cpl, .to = &opts->bench },
		{ "cpus", .parse = parse_cpus, .to = &opts->bench },
		{ "json", .flag = &opts->bench.json },
		{},
	};
	int status;

	*opts = (struct adaptive_opts){
		.bench = { .rounds = ADAPTIVE_DEFAULT_ROUNDS, .cpl = 3 },
		.policies = { true, true, true },
		.seconds = ADAPTIVE_DEFAULT_SECONDS,
	};
	status = set_defaults(&opts->bench);
	return status == CLI_OK ? cli_parse(argc, argv, options) : status;
}
