/* SPDX-License-Identifier: MIT
 *
 * Doorbell pages on KVM: memslots that the VMM has lent, one for each page that is in the guest's
 * memory. With KVM's old ways (KVM_X86_QUIRK_SLOT_ZAP_ALL) the deletion of a memslot makes it
 * forget all of the guest's memory, which the guest then faults in again: some 50 ms for 256 MiB.
 * So where that quirk cannot be switched off, no page is taken out of memory unless asked for.
 */
#include "error.h"
#include "kvm.h"
#include "page.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Not in the headers of Linux 6.1. */
#ifndef KVM_CAP_DISABLE_QUIRKS2
#define KVM_CAP_DISABLE_QUIRKS2 213
#endif
#ifndef KVM_X86_QUIRK_SLOT_ZAP_ALL
#define KVM_X86_QUIRK_SLOT_ZAP_ALL (1 << 7)
#endif

/* A guest may map a device's registers past the cache that we look into; only x86 keeps such stores
 * coherent, whatever the guest says. Elsewhere a ring could be lost. */
#ifdef __x86_64__
#define STORES_ARE_SEEN true
#else
#define STORES_ARE_SEEN false
#endif

static bool disable_zap_all(int vm_fd)
{
	struct kvm_enable_cap request = { .cap = KVM_CAP_DISABLE_QUIRKS2,
					  .args = { KVM_X86_QUIRK_SLOT_ZAP_ALL } };
	int quirks = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_DISABLE_QUIRKS2);

	return quirks > 0 && quirks & KVM_X86_QUIRK_SLOT_ZAP_ALL &&
	       !ioctl(vm_fd, KVM_ENABLE_CAP, &request);
}

static const char *why_no_faults(void)
{
	int fd = page_fault_fd();

	if (fd >= 0) {
		close(fd);
		return NULL;
	}
	switch (-fd) {
	case EPERM:
	case EACCES:
		return "no permission for userfaultfd: it takes CAP_SYS_PTRACE, access to "
		       "/dev/userfaultfd, or vm.unprivileged_userfaultfd=1";
	case ENOSYS:
	case ENOENT:
		return "this kernel has no userfaultfd";
	default:
		return "this kernel's userfaultfd cannot write-protect (Linux 5.7 can)";
	}
}

static void choose_way(struct kvm *kvm, enum bw_page_way wanted)
{
	bool cheap;

	if (!STORES_ARE_SEEN) {
		kvm->pages.why_not = "on this processor a guest's stores may go past the cache";
		return;
	}
	cheap = disable_zap_all(kvm->vm_fd);
	kvm->pages.why_not = NULL;
	if (wanted == BW_PAGE_WAY_SLOT) {
		kvm->pages.way = &page_way_slot;
		return;
	}
	kvm->pages.why_not = why_no_faults();
	kvm->pages.may_protect = !kvm->pages.why_not;
	if (wanted == BW_PAGE_WAY_AUTO && cheap)
		kvm->pages.way = &page_way_slot;
	else if (kvm->pages.may_protect)
		kvm->pages.way = &page_way_write_protect;
}

int kvm_pages_init(struct kvm *kvm, const struct bw_kvm_opts *opts)
{
	int slots = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);

	pthread_mutex_init(&kvm->pages.lock, NULL);
	kvm->pages.why_not = "the VMM lends no memslots";
	if (opts->page_way > BW_PAGE_WAY_WRITE_PROTECT)
		return fail(-EINVAL, "there is no way %u of doorbell pages", opts->page_way);
	if (!opts->nr_slots)
		return 0;
	if (slots < 0 || opts->nr_slots > (uint32_t)slots ||
	    opts->first_slot > (uint32_t)slots - opts->nr_slots)
		return fail(-EINVAL, "memslots %u + %u: this KVM has %d", opts->first_slot,
			    opts->nr_slots, slots);
	kvm->pages.taken = calloc(opts->nr_slots, sizeof(*kvm->pages.taken));
	if (!kvm->pages.taken)
		return fail(-ENOMEM, "no memory for %u memslots", opts->nr_slots);
	kvm->pages.first_slot = opts->first_slot;
	kvm->pages.nr_slots = opts->nr_slots;
	choose_way(kvm, opts->page_way);
	return 0;
}

void kvm_pages_fini(struct kvm *kvm)
{
	pthread_mutex_destroy(&kvm->pages.lock);
	free(kvm->pages.taken);
}

const struct page_way *kvm_page_way(void *state, bool slot_is_slow, const char **why_not)
{
	struct kvm *kvm = state;

	*why_not = kvm->pages.why_not;
	if (slot_is_slow && kvm->pages.may_protect)
		return &page_way_write_protect;
	return kvm->pages.way;
}

static int take_slot(struct kvm *kvm, unsigned int *slot)
{
	int err = -ENOSPC;

	pthread_mutex_lock(&kvm->pages.lock);
	for (uint32_t i = 0; i < kvm->pages.nr_slots && err; i++) {
		if (kvm->pages.taken[i])
			continue;
		kvm->pages.taken[i] = true;
		*slot = kvm->pages.first_slot + i;
		err = 0;
	}
	pthread_mutex_unlock(&kvm->pages.lock);
	return err;
}

static void give_slot_back(struct kvm *kvm, unsigned int slot)
{
	pthread_mutex_lock(&kvm->pages.lock);
	kvm->pages.taken[slot - kvm->pages.first_slot] = false;
	pthread_mutex_unlock(&kvm->pages.lock);
}

int kvm_page_map(void *state, uint64_t gpa, void *memory, unsigned int *place)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = gpa,
		.memory_size = BW_PAGE_SIZE,
		.userspace_addr = (uintptr_t)memory,
	};
	struct kvm *kvm = state;
	int err = take_slot(kvm, place);

	if (err)
		return err;
	region.slot = *place;
	if (!ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
		return 0;
	err = -errno;
	give_slot_back(kvm, *place);
	return err;
}

/* A deletion cannot fail but for a few bytes that the kernel needs for it: it gets them, or the VM
 * is gone. */
void kvm_page_unmap(void *state, uint64_t gpa, unsigned int place)
{
	struct kvm_userspace_memory_region region = { .slot = place, .guest_phys_addr = gpa };
	struct kvm *kvm = state;

	while (ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) && errno == ENOMEM)
		sched_yield();
	give_slot_back(kvm, place);
}
