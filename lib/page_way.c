/* SPDX-License-Identifier: MIT
 *
 * The two ways in which a doorbell page becomes cold.
 *
 * slot: it is taken out of the guest's memory; a store is MMIO again, and finds the doorbell in the
 * hypervisor or the bus. Cold and away are the same.
 *
 * write-protect: it stays in the guest's memory, and the kernel stops whoever stores into it until
 * heat() lets it go on; the poller learns of it from fault_fd. Our own stores would be stopped
 * too. While KVM changes its memslots there must be no protection: it waits there for vCPUs that
 * may wait in a fault. So the page is hot when it comes, and hot again before it goes, as are all
 * others of the bus: a poller whose callback waits for the control lock could not let stores in. A
 * freeze or thaw holds no control lock: it opens those of its own poller, whose lock it holds.
 */
#include "offload.h"
#include "page.h"
#include "poller_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int map(struct bw_page *page)
{
	const struct bw_bus *bus = page->bus;

	return bus->offload->map(bus->offload_state, page->plan.gpa, page->memory, &page->place);
}

static void unmap(struct bw_page *page)
{
	const struct bw_bus *bus = page->bus;

	bus->offload->unmap(bus->offload_state, page->plan.gpa, page->place);
}

/* ---- slot ---- */

static int slot_place(struct bw_page *page)
{
	(void)page;
	return 0;
}

static int slot_cool(struct bw_page *page)
{
	unmap(page);
	return 0;
}

static void slot_withdraw(struct bw_page *page)
{
	if (page->state == PAGE_HOT)
		unmap(page);
}

const struct page_way page_way_slot = {
	.name = "slot",
	.sweeps_cold = true,
	.place = slot_place,
	.heat = map,
	.cool = slot_cool,
	.withdraw = slot_withdraw,
};

/* ---- write-protect ---- */

int page_fault_fd(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	int device, fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
		fd = device < 0 ? -1 : ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
		if (device >= 0)
			close(device);
	}
	if (fd < 0)
		return -errno;
	if (!ioctl(fd, UFFDIO_API, &api))
		return fd;
	close(fd);
	return -EOPNOTSUPP;
}

static int open_faults(struct bw_page *page)
{
	struct uffdio_register watch = {
		.range = { (uintptr_t)page->memory, BW_PAGE_SIZE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int fd = page_fault_fd();

	if (fd < 0)
		return fd;
	if (ioctl(fd, UFFDIO_REGISTER, &watch)) {
		int err = -errno;

		close(fd);
		return err;
	}
	page->fault_fd = fd;
	return 0;
}

static int set_protection(struct bw_page *page, uint64_t mode)
{
	struct uffdio_writeprotect request = {
		.range = { (uintptr_t)page->memory, BW_PAGE_SIZE },
		.mode = mode,
	};
	int err;

	do {
		err = ioctl(page->fault_fd, UFFDIO_WRITEPROTECT, &request) ? -errno : 0;
	} while (err == -EAGAIN || err == -EINTR); /* the memory map is changing elsewhere */
	return err;
}

/* Nobody waits when it returns, nor will. A vCPU that is on its way to wait looks whether the page
 * is writable; for the kernel it only is after somebody has written it, so we do, before we wake
 * those who came earlier. */
static int unprotect(struct bw_page *page)
{
	struct uffdio_range range = { (uintptr_t)page->memory, BW_PAGE_SIZE };
	int err = set_protection(page, 0);
	uint64_t nothing = 0;

	if (err)
		return err;
	__asm__ volatile("" : "+r"(nothing)); /* knowing it to be 0, clang would only read */
	__atomic_fetch_or((uint64_t *)page->memory, nothing, __ATOMIC_RELAXED);
	return ioctl(page->fault_fd, UFFDIO_WAKE, &range) ? -errno : 0;
}

/* With its poller's lock held: whether it was protected, and is so no longer. */
static bool lift(struct bw_page *page)
{
	return page->state == PAGE_COLD && page->plan.way == &page_way_write_protect &&
	       !page_heat(page);
}

/* Of the whole poller: memslots are about to change, and a vCPU may wait for any page of it. Those
 * of another poller are let go by its own consumer, whom our lock does not stop. */
static void let_stores_in(const struct bw_page *page)
{
	struct bw_page *other;
	bool any = false;

	cds_list_for_each_entry (other, &page->poller->pages, in_poller)
		any |= lift(other);
	if (any)
		poller_wake_sleeper(page->poller); /* they want to be looked at */
}

static void open_page(struct bw_page *page)
{
	struct bw_poller *p = page->poller;

	if (!p)
		return;
	pthread_mutex_lock(&p->pages_lock);
	if (lift(page))
		poller_wake_sleeper(p); /* it wants to be looked at */
	pthread_mutex_unlock(&p->pages_lock);
}

void pages_hold_open(struct bw_bus *bus)
{
	struct bw_page *page;

	/* before each lock is taken: whoever cools a page afterwards, under it, sees this */
	__atomic_store_n(&bus->held_open, true, __ATOMIC_RELAXED);
	cds_list_for_each_entry (page, &bus->pages, in_bus)
		open_page(page);
}

void pages_let_close(struct bw_bus *bus)
{
	__atomic_store_n(&bus->held_open, false, __ATOMIC_RELAXED);
}

static int protect(struct bw_page *page)
{
	if (__atomic_load_n(&page->bus->held_open, __ATOMIC_RELAXED))
		return -EAGAIN;
	return set_protection(page, UFFDIO_WRITEPROTECT_MODE_WP);
}

static int protect_place(struct bw_page *page)
{
	int err = page->fault_fd < 0 ? open_faults(page) : 0;

	if (err)
		return err;
	let_stores_in(page);
	return map(page);
}

static void protect_withdraw(struct bw_page *page)
{
	let_stores_in(page);
	unmap(page);
}

/* The kernel lets everybody go who waits. */
void page_close_faults(struct bw_page *page)
{
	struct uffdio_range range = { (uintptr_t)page->memory, BW_PAGE_SIZE };

	if (page->fault_fd < 0)
		return;
	if (page->watched) {
		epoll_ctl(page->poller->epoll_fd, EPOLL_CTL_DEL, page->fault_fd, NULL);
		__atomic_sub_fetch(&page->poller->nr_faults, 1, __ATOMIC_RELAXED);
	}
	/* by hand: a forked child may have a copy of the fd, which would keep it alive */
	ioctl(page->fault_fd, UFFDIO_UNREGISTER, &range);
	close(page->fault_fd);
	page->fault_fd = -1;
	page->watched = false;
}

bool page_has_fault(const struct bw_page *page)
{
	struct uffd_msg message;

	return page->fault_fd >= 0 &&
	       read(page->fault_fd, &message, sizeof(message)) == sizeof(message);
}

int page_let_store_in(struct bw_page *page)
{
	return page->state == PAGE_COLD ? page_heat(page) : unprotect(page);
}

const struct page_way page_way_write_protect = {
	.name = "write-protect",
	.starts_hot = true,
	.place = protect_place,
	.heat = unprotect,
	.cool = protect,
	.withdraw = protect_withdraw,
};
