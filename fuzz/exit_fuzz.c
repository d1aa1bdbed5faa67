/* SPDX-License-Identifier: MIT
 *
 * bw_bus_kvm_exit() with whatever a struct kvm_run can hold, in exactly the memory that it is said
 * to have: the address sanitizer sees a step too far, the model says what each element comes to.
 *
 * An input is two bytes of sizes, the exit reason, the first bytes of the exit, and the data.
 */
#include "model.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DATA 256u
#define MAX_SIZE (sizeof(struct kvm_run) + MAX_DATA)
#define ANSWER 0x5a /* each byte of what a read is given */
#define HV_SIGNAL_EVENT 0x5du
#define HV_STATUS_INVALID_CONNECTION_ID 0x12u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* A kvm_run as it was before the call, and as it is to be after it. */
union image {
	struct kvm_run run;
	uint8_t bytes[MAX_SIZE];
};

static struct {
	struct bw_bus *bus;
	struct bw_notifier *n;
	struct model model;
	const uint8_t *memory; /* of the exit under way */
	size_t size;
	unsigned int rung;
} world;

static void expect(const char *what, int64_t got, int64_t wanted)
{
	if (got == wanted)
		return;
	fprintf(stderr, "%s is %" PRId64 ", the model says %" PRId64 " (%s)\n", what, got, wanted,
		bw_last_error());
	abort();
}

static void serve(void *opaque, struct bw_access *access)
{
	const uint8_t *data = access->data;

	(void)opaque;
	if (!data)
		return;
	expect("whether the data lies in the exit",
	       data >= world.memory && data + access->len <= world.memory + world.size, true);
	if (!access->is_write)
		memset(access->data, ANSWER, access->len);
}

static void add(enum bw_space space, uint64_t addr, struct bw_match match)
{
	struct model_ioeventfd *ie = model_room(&world.model);

	*ie = (struct model_ioeventfd){ true, NULL, -1, space, addr, match, 0 };
	expect("the result of assign",
	       bw_ioeventfd_assign(world.bus, &ie->handle, space, addr, match, world.n), 0);
}

static void add_region(void)
{
	struct model_region *region = model_region_room(&world.model);
	struct bw_region_opts opts = {
		.size = sizeof(opts), .space = BW_PIO, .len = 16, .handler = serve
	};

	*region = (struct model_region){ .used = true,
					 .space = BW_PIO,
					 .len = 16,
					 .has_handler = true,
					 .mapped = true,
					 .addr = 0x20 };
	expect("the result of new", bw_region_new(world.bus, &region->handle, &opts), 0);
	expect("the result of map", bw_region_map(region->handle, 0x20), 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct bw_bus_opts opts = { .size = sizeof(opts), .unclaimed = serve };

	(void)argc;
	(void)argv;
	expect("the result of bus_new", bw_bus_new(&world.bus, &opts), 0);
	expect("the result of notifier_new", bw_notifier_new(&world.n, NULL), 0);
	add(BW_PIO, 0x10, (struct bw_match){ .len = 2, .has_value = true, .value = 1 });
	add(BW_PIO, 0x11, (struct bw_match){ .len = 1 });
	add(BW_PIO, 0x2f, (struct bw_match){ .len = BW_ANY_LEN });
	add(BW_MMIO, 0x1000, (struct bw_match){ .len = 4 });
	add(BW_MMIO, UINT64_MAX - 8, (struct bw_match){ .len = 8, .has_value = true });
	add(BW_HYPERCALL, 3, (struct bw_match){ .len = BW_ANY_LEN });
	add_region();
	return 0;
}

/* ---- what is to come of it ---- */

/* One access, whose data is in the image; what a read gives goes there. */
static int modelled_access(struct bw_access access)
{
	struct model_answer answer = model_access(&world.model, &access);

	world.rung += answer.result == BW_SIGNALLED;
	if (!access.is_write && access.data && answer.result >= 0)
		memset(access.data, ANSWER, access.len);
	return answer.result;
}

static int modelled_io(union image *image, size_t run_size)
{
	uint64_t size = image->run.io.size, count = image->run.io.count;
	uint64_t data = image->run.io.data_offset;
	struct bw_access access = {
		.space = BW_PIO,
		.is_write = image->run.io.direction == KVM_EXIT_IO_OUT,
		.len = image->run.io.size,
		.addr = image->run.io.port,
	};
	int result = BW_SIGNALLED;

	if (!size || !count || data > run_size || size * count > run_size - data)
		return -EINVAL;
	for (uint64_t i = 0; i < count && result >= 0; i++) {
		int one;

		access.data = image->bytes + data + i * size;
		one = modelled_access(access);
		result = one < result ? one : result;
	}
	return result;
}

static int modelled_hyperv(union image *image)
{
	struct bw_access access = {
		.space = BW_HYPERCALL,
		.is_write = true,
		.addr = image->run.hyperv.u.hcall.params[0],
	};
	int result;

	if (image->run.hyperv.type != KVM_EXIT_HYPERV_HCALL ||
	    (image->run.hyperv.u.hcall.input & 0xffff) != HV_SIGNAL_EVENT)
		return -ENOMSG;
	result = modelled_access(access);
	image->run.hyperv.u.hcall.result =
		result == BW_SIGNALLED ? 0 : HV_STATUS_INVALID_CONNECTION_ID;
	return result;
}

static int modelled_exit(union image *image, size_t run_size)
{
	struct bw_access mmio = {
		.space = BW_MMIO,
		.is_write = image->run.mmio.is_write,
		.len = image->run.mmio.len,
		.addr = image->run.mmio.phys_addr,
		.data = image->run.mmio.data,
	};

	if (run_size < sizeof(struct kvm_run))
		return -EINVAL;
	switch (image->run.exit_reason) {
	case KVM_EXIT_IO:
		return modelled_io(image, run_size);
	case KVM_EXIT_MMIO:
		return modelled_access(mmio);
	case KVM_EXIT_HYPERV:
		return modelled_hyperv(image);
	default:
		return -ENOMSG;
	}
}

/* ---- the input ---- */

/* Returns the size that the kvm_run is to have. */
static size_t make_image(union image *image, const uint8_t *input, size_t size)
{
	static const uint32_t reasons[] = { KVM_EXIT_IO, KVM_EXIT_MMIO, KVM_EXIT_HYPERV };
	size_t where = offsetof(struct kvm_run, io), head;
	uint8_t sizes[3] = { 0 };

	memset(image, 0, sizeof(*image));
	memcpy(sizes, input, size < 3 ? size : 3);
	input += size < 3 ? size : 3;
	size -= size < 3 ? size : 3;
	image->run.exit_reason = sizes[2] < 64 ? reasons[sizes[2] % 3] : sizes[2] - 64u;
	head = size < 64 ? size : 64;
	memcpy(image->bytes + where, input, head);
	memcpy(image->bytes + sizeof(struct kvm_run), input + head,
	       size - head < MAX_DATA ? size - head : MAX_DATA);
	if (sizes[1] & 1 && image->run.exit_reason == KVM_EXIT_IO) /* where KVM has it, about */
		image->run.io.data_offset = sizeof(struct kvm_run) + (sizes[1] >> 1) - 16;
	return sizes[1] & 0x80 ? MAX_SIZE * sizes[0] / 256 : sizeof(struct kvm_run) + sizes[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static union image image;
	size_t run_size = make_image(&image, input, size);
	struct kvm_run *run = malloc(run_size);
	int wanted, got;

	if (!run)
		return 0;
	memcpy(run, &image, run_size);
	world.memory = (const uint8_t *)run;
	world.size = run_size;
	world.rung = 0;
	wanted = modelled_exit(&image, run_size);
	got = bw_bus_kvm_exit(world.bus, run, run_size, NULL);
	expect("the result", got, wanted);
	expect("the count", (int64_t)bw_notifier_take(world.n), world.rung);
	expect("the kvm_run afterwards", memcmp(run, &image, run_size), 0);
	free(run);
	return 0;
}
