/* SPDX-License-Identifier: MIT
 *
 * The host in words and as JSON.
 */
#include "cli/host.h"

#include <stdlib.h>
#include <string.h>

static const char *or_none(const char *text)
{
	return text[0] ? text : "none";
}

static void print_hypervisor(const struct host *host, FILE *out)
{
	if (host->in_vm)
		fprintf(out, "      in a VM (hypervisor %s): a KVM here is nested\n",
			or_none(host->hypervisor));
	else
		fputs("      on no hypervisor that the CPU reports\n", out);
	fprintf(out, "      KVM module %s%s, halt_poll_ns %s\n", or_none(host->kvm_module),
		strcmp(host->kvm_module, "kvm_pvm") == 0 ? " (software, no VMX or SVM)" : "",
		or_none(host->halt_poll_ns));
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static unsigned int count_states(const struct host *host, const char *start)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < host->nr_vulnerabilities; i++)
		count += starts_with(host->vulnerabilities[i].state, start);
	return count;
}

static void print_mitigations(const struct host *host, FILE *out)
{
	const char *comma = ": ";

	fprintf(out, "      CPU flaws: %u mitigated, %u not affected, %u vulnerable",
		count_states(host, "Mitigation"), count_states(host, "Not affected"),
		count_states(host, "Vulnerable"));
	for (unsigned int i = 0; i < host->nr_vulnerabilities; i++) {
		if (!starts_with(host->vulnerabilities[i].state, "Vulnerable"))
			continue;
		fprintf(out, "%s%s", comma, host->vulnerabilities[i].name);
		comma = ", ";
	}
	fputc('\n', out);
}

void host_print(const struct host *host, FILE *out)
{
	fprintf(out, "host  %s on %s, %ld CPU%s\n", host->kernel, or_none(host->cpu), host->cpus,
		host->cpus == 1 ? "" : "s");
	print_hypervisor(host, out);
	fprintf(out, "      governor %s, clocksource %s\n", or_none(host->governor),
		or_none(host->clocksource));
	print_mitigations(host, out);
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *mitigations_json(const struct host *host)
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < host->nr_vulnerabilities; i++)
		json_object_set_new(object, host->vulnerabilities[i].name,
				    json_string(host->vulnerabilities[i].state));
	return object;
}

json_t *host_json(const struct host *host)
{
	json_t *object = json_object();

	json_object_set_new(object, "kernel", text_or_null(host->kernel));
	json_object_set_new(object, "cpu", text_or_null(host->cpu));
	json_object_set_new(object, "cpus", json_integer(host->cpus));
	json_object_set_new(object, "in_vm", json_boolean(host->in_vm));
	json_object_set_new(object, "hypervisor", text_or_null(host->hypervisor));
	json_object_set_new(object, "kvm_module", text_or_null(host->kvm_module));
	json_object_set_new(object, "governor", text_or_null(host->governor));
	json_object_set_new(object, "clocksource", text_or_null(host->clocksource));
	json_object_set_new(object, "halt_poll_ns",
			    host->halt_poll_ns[0] ? json_integer(atoll(host->halt_poll_ns))
						  : json_null());
	json_object_set_new(object, "mitigations", mitigations_json(host));
	return object;
}
