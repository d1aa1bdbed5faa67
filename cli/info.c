/* SPDX-License-Identifier: MIT
 *
 * bellwire info: what this host can do for doorbells, and for what it cannot, why.
 */
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/kvm_caps.h"
#include "vmm/vm.h"

#include <string.h>

struct info {
	struct host host;
	int kvm_err; /* of kvm_caps_read() */
	const struct kvm_cap *caps;
	size_t nr_caps;
};

static void print_backends(void)
{
	const struct vm_backend *be;

	puts("\nback ends");
	for (unsigned int i = 0; (be = vm_backend_at(i)); i++) {
		int err = vm_backend_probe(be);

		printf("  %-5s %s%s\n", vm_backend_name(be), err ? "no: " : "yes",
		       err ? vm_last_error() : "");
	}
}

static void print_cap(const struct kvm_cap *cap)
{
	printf("  %-30s", cap->name);
	if (cap->value > 1)
		printf("%#-8x %s\n", (unsigned int)cap->value, cap->use);
	else if (cap->value)
		printf("%-8s %s\n", "yes", cap->use);
	else
		printf("%-8s %s\n", "no", cap->without);
}

static void print_caps(const struct info *info)
{
	puts("\nKVM");
	if (info->kvm_err)
		printf("  /dev/kvm: %s\n", strerror(-info->kvm_err));
	for (size_t i = 0; i < info->nr_caps; i++)
		print_cap(&info->caps[i]);
}

static json_t *backends_json(void)
{
	json_t *array = json_array();
	const struct vm_backend *be;

	for (unsigned int i = 0; (be = vm_backend_at(i)); i++) {
		int err = vm_backend_probe(be);

		json_array_append_new(array, json_pack("{s:s, s:b, s:s*}", "name",
						       vm_backend_name(be), "available", !err,
						       "why", err ? vm_last_error() : NULL));
	}
	return array;
}

static json_t *kvm_json(const struct info *info)
{
	json_t *caps = json_array();

	for (size_t i = 0; i < info->nr_caps; i++) {
		const struct kvm_cap *cap = &info->caps[i];

		json_array_append_new(caps, json_pack("{s:s, s:i, s:i, s:s, s:s*}", "name",
						      cap->name, "number", (int)cap->number,
						      "value", cap->value, "use", cap->use, "why",
						      cap->value ? NULL : cap->without));
	}
	return json_pack("{s:b, s:s*, s:o}", "available", !info->kvm_err, "why",
			 info->kvm_err ? strerror(-info->kvm_err) : NULL, "capabilities", caps);
}

static int print_json(const struct info *info)
{
	json_t *root = json_pack("{s:s, s:o, s:o, s:o}", "schema", "bellwire.info/1", "host",
				 host_json(&info->host), "backends", backends_json(), "kvm",
				 kvm_json(info));
	int status = cli_print_json(root);

	json_decref(root);
	return status;
}

static int print_text(const struct info *info)
{
	host_print(&info->host, stdout);
	print_backends();
	print_caps(info);
	return CLI_OK;
}

static int info_main(int argc, char **argv)
{
	struct info info = {};
	bool json = false;
	const struct cli_option options[] = { { "json", .flag = &json }, {} };

	if (cli_parse(argc, argv, options) != CLI_OK)
		return CLI_USAGE;
	host_read(&info.host);
	info.kvm_err = kvm_caps_read(&info.caps, &info.nr_caps);
	return json ? print_json(&info) : print_text(&info);
}

const struct command command_info = {
	.name = "info",
	.main = info_main,
	.help = "what this host can do for doorbells, and why not",
	.usage = "usage: bellwire info [--json]\n"
		 "\n"
		 "The host, the back ends that a guest can run on, and what its KVM can do for\n"
		 "doorbells; for what is missing, what follows from that.\n"
		 "\n"
		 "  --json   one JSON document on standard output (schema bellwire.info/1)\n",
};
