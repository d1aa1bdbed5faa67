/* SPDX-License-Identifier: MIT
 *
 * A VMM with one doorbell, on /dev/kvm by hand:
 *
 *   cc vmm.c $(pkg-config --cflags --libs bellwire) && ./a.out
 *
 * The guest writes port 0x510 a thousand times. KVM rings the notifier itself, a thread hears it,
 * and only what the guest reads from the region at 0x600 exits to this program.
 */
#define _GNU_SOURCE
#include <bellwire.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RINGS 1000u
#define DOORBELL 0x510u
#define STATUS 0x600u
#define RAM 0x2000u
#define CODE 0x1000u
#define ANSWER 0x1800u /* where the guest leaves what it read */

/* 16-bit code, as a processor starts. */
static const uint8_t code[] = {
	0xba, 0x10, 0x05, /* mov dx, 0x510 */
	0xb9, 0xe8, 0x03, /* mov cx, 1000 */
	0xef,             /* ring: out dx, ax */
	0xe2, 0xfd,       /* loop ring */
	0xba, 0x00, 0x06, /* mov dx, 0x600 */
	0xec,             /* in al, dx */
	0xa2, 0x00, 0x18, /* mov [0x1800], al */
	0xf4,             /* hlt */
};

static struct bw_bus *bus;
static struct bw_notifier *kick;
static struct bw_poller *poller;
static struct kvm_run *run;
static uint8_t *ram;
static int vm, vcpu, run_size, exits;
static uint64_t heard;

/* A system call fails with -1 and errno, the library with -errno. */
static int must(const char *what, int r)
{
	if (r >= 0)
		return r;
	fprintf(stderr, "%s: %s\n", what, r == -1 ? strerror(errno) : bw_last_error());
	exit(1);
}

static void *map(const char *what, size_t size, int flags, int fd)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);

	must(what, memory == MAP_FAILED ? -1 : 0);
	return memory;
}

static void make_vm(int sys)
{
	struct kvm_userspace_memory_region memory = { .memory_size = RAM };
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	ram = map("guest memory", RAM, MAP_ANONYMOUS, -1);
	memcpy(ram + CODE, code, sizeof(code));
	memory.userspace_addr = (uintptr_t)ram;
	vm = must("KVM_CREATE_VM", (int)TEMP_FAILURE_RETRY(ioctl(sys, KVM_CREATE_VM, 0)));
	must("memory", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &memory));
	vcpu = must("KVM_CREATE_VCPU", ioctl(vm, KVM_CREATE_VCPU, 0));
	run_size = must("KVM_GET_VCPU_MMAP_SIZE", ioctl(sys, KVM_GET_VCPU_MMAP_SIZE, 0));
	run = map("struct kvm_run", (size_t)run_size, 0, vcpu);
	must("KVM_GET_SREGS", ioctl(vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.base = sregs.cs.selector = 0;
	must("KVM_SET_SREGS", ioctl(vcpu, KVM_SET_SREGS, &sregs));
	must("KVM_SET_REGS", ioctl(vcpu, KVM_SET_REGS, &regs));
}

/* The device model: what is no doorbell comes here, on the vCPU's thread. */
static void serve_status(void *opaque, struct bw_access *access)
{
	(void)opaque;
	if (!access->is_write)
		memset(access->data, 0x42, access->len);
}

/* The device's worker, on another thread. */
static void hear(void *opaque, struct bw_notifier *n, uint64_t count)
{
	(void)opaque, (void)n;
	heard += count;
	if (heard == RINGS)
		bw_poller_stop(poller);
}

static void make_device(void)
{
	struct bw_region_opts opts = { .size = sizeof(opts), .space = BW_PIO, .len = 1 };
	struct bw_kvm_opts offload = { .size = sizeof(offload), .vm_fd = vm };
	struct bw_match match = { .len = 2 };
	struct bw_ioeventfd *doorbell;
	struct bw_region *status;

	opts.handler = serve_status;
	must("bus", bw_bus_new(&bus, NULL));
	must("offload", bw_bus_offload_kvm(bus, &offload));
	must("notifier", bw_notifier_new(&kick, "kick"));
	must("doorbell", bw_ioeventfd_assign(bus, &doorbell, BW_PIO, DOORBELL, match, kick));
	must("region", bw_region_new(bus, &status, &opts));
	must("region", bw_region_map(status, STATUS));
	must("poller", bw_poller_new(&poller));
	must("poller", bw_poller_add(poller, kick, hear, NULL));
}

static void *run_vcpu(void *opaque)
{
	for (;; exits++) {
		must("KVM_RUN", (int)TEMP_FAILURE_RETRY(ioctl(vcpu, KVM_RUN, 0)));
		if (run->exit_reason == KVM_EXIT_HLT)
			return opaque;
		must("exit", bw_bus_kvm_exit(bus, run, (size_t)run_size, NULL));
	}
}

int main(void)
{
	int sys = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	pthread_t thread;

	if (sys < 0 || ioctl(sys, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return perror("/dev/kvm"), 77;
	make_vm(sys);
	make_device();
	must("thread", pthread_create(&thread, NULL, run_vcpu, NULL) == 0 ? 0 : -1);
	must("poller", bw_poller_run(poller));
	pthread_join(thread, NULL);
	printf("%u rings, %ju heard, %d exits; the guest read 0x%x\n", RINGS, (uintmax_t)heard,
	       exits, ram[ANSWER]);
	bw_poller_free(poller);
	bw_bus_free(bus); /* before the VM: the offload borrows its fd */
	bw_notifier_free(kick);
	return heard == RINGS && ram[ANSWER] == 0x42 ? 0 : 1;
}
