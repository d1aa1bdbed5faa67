/* SPDX-License-Identifier: MIT
 *
 * Bellwire: ioeventfd for any VMM or emulator. This header is the whole contract.
 *
 * A guest write to a doorbell, an address assigned to a notifier, signals that notifier and goes no
 * further. What a doorbell means, and each errno, is KVM_IOEVENTFD's (Linux virt/kvm/eventfd.c and
 * Documentation/virt/kvm/api.rst, 4.59), on any hypervisor and on none.
 *
 * Results are >= 0 or -errno; after a failure bw_last_error() says it in words. Any call that
 * allocates may fail with -ENOMEM, any that makes an eventfd with -EMFILE or -ENFILE.
 *
 * The library starts no thread, installs no signal handler, never prints and never aborts. No
 * thread registers itself by hand.
 *
 * Who may call when          bw_bus_access  in a handler  in a poller fn  any other thread
 *   bw_bus_access                  X          X (depth 4)        X        X
 *   bw_bus_kvm_exit                X          X (depth 4)        X        X
 *   control calls                  -          X                  X        X (one after another)
 *   bw_bus_synchronize             -          -EDEADLK       -EDEADLK     X
 *   bw_bus_free                    -          -                  -        X (bus no longer in use)
 *   bw_notifier_ring, _take        X          X                  X        X
 *   bw_poller_run, _poll, _arm     -          -                  -        X (one thread at a time)
 *   bw_poller_add, _del, _thaw     -          X                  X        X
 *   bw_poller_stop                 -          X                  X        X
 *   bw_capture_take                X          X                  X        X (one thread at a time)
 *   bw_capture_last                X          X                  X        X
 *   bw_poller_freeze               -          X               -EDEADLK    X
 * The first column is the inside of a lookup, where no code of the caller runs: X means that the
 * two may go on at once.
 * A control call is any call on a bus, region, page or ioeventfd that the table does not name. It
 * never waits for a running handler or poller fn, so it may be made with the caller's device lock
 * held.
 *
 * Order. Whoever sees a ring (a count taken, a poller callback, a read of the eventfd) sees every
 * store that the ringing vCPU made before it, on every path.
 *
 * Fork. A child may not use its parent's bus: every control call there fails with -EIO, as KVM's
 * ioctls do, but for the *_free calls, which only close the child's copies of the fds. Nor its
 * parent's pollers, but to free them: their epoll sets are the same in both, and a child cannot
 * change them (bw_poller_add() of a notifier that has an eventfd is -EIO, as is bw_notifier_fd() of
 * one in a poller that has none yet). A bus of its own it may make only if no other thread of the
 * parent used the library while it forked, or if the parent wraps fork() in urcu_bp_before_fork(),
 * _after_fork_parent() and _after_fork_child().
 *
 * System calls after bw_bus_new(), for a seccomp filter (docs/seccomp.md, also for other
 * architectures than x86-64): membarrier, futex, mmap, munmap, madvise, mremap, mprotect, brk,
 * sysinfo (glibc's qsort), poll (grace periods), clock_gettime where the vDSO cannot (pollers);
 * write and poll (a ring whose eventfd exists); eventfd2, fcntl, close, preadv2, read (notifiers);
 * kcmp, openat, newfstatat and readlink below /proc/self (bw_notifier_import and
 * bw_kvm_ioeventfd); memfd_create and fallocate, or newfstatat and pread64 (bw_capture_new,
 * bw_capture_open); epoll_create1, epoll_ctl, epoll_wait (pollers); ioctl on the VM's fd
 * (offload); userfaultfd, ioctl on what it gives, timerfd_create, timerfd_settime (doorbell pages);
 * sched_yield, getpid, getrandom, gettid, rt_sigprocmask.
 */
#ifndef BELLWIRE_H
#define BELLWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct kvm_run;
struct kvm_ioeventfd;
struct bw_bus;
struct bw_region;
struct bw_notifier;
struct bw_ioeventfd;
struct bw_page;
struct bw_capture;
struct bw_poller;

/* MMIO: guest-physical addresses. PIO: ports. HYPERCALL: Hyper-V connection ids
 * (HvCallSignalEvent). */
enum bw_space { BW_MMIO, BW_PIO, BW_HYPERCALL };

/* What became of an access, least to most served. */
enum bw_result { BW_UNCLAIMED, BW_HANDLED, BW_SIGNALLED };

/*
 * One guest access, the same for callers and handlers.
 */
struct bw_access {
	enum bw_space space;
	bool is_write;
	uint32_t len;    /* bytes, 1 to 8; a hypercall may have 0 */
	uint64_t addr;   /* guest-physical address, port, or connection id */
	uint64_t offset; /* set by the bus: addr - region's base, as when the region was found */
	void *data;      /* len bytes in host order: the value written, or where a read goes */
	void *vcpu;      /* the caller's, passed through untouched */
};

/*
 * Serves one access. Runs on the thread that made the access, outside every lock and read section
 * of the library: any control call is legal in it, also one that frees the region being served. The
 * access lies whole in the region: offset + len <= the region's length.
 */
typedef void bw_handler_fn(void *opaque, struct bw_access *access);

/* The last failure of the calling thread, one sentence without a full stop; "" if there was none.
 * Valid until the thread's next failing call. */
const char *bw_last_error(void);

/* ---- bus: one guest's three spaces ---- */

/* size is sizeof(struct) in every options struct; what a caller leaves out is zero. -EINVAL if it
 * is 0, -E2BIG if it is larger than the library knows and the rest is not zero. */
struct bw_bus_opts {
	size_t size;
	/* Gets every access (each element of a string) that nobody took. A read's data is preset to
	 * all ones, and may be overwritten. May be NULL. */
	bw_handler_fn *unclaimed;
	void *opaque; /* for unclaimed; borrowed until bw_bus_free() */
	/* arm64, riscv, powerpc: the 64 KiB of ports lie in MMIO from pio_mmio_base on. An MMIO
	 * access there becomes a PIO access, PIO ioeventfds go to KVM's MMIO bus, and nothing else
	 * can be assigned (-EINVAL) or is visible there. */
	uint64_t pio_mmio_base;
	bool pio_is_mmio;
};

/* opts may be NULL. -EINVAL: the window of ports wraps. */
int bw_bus_new(struct bw_bus **bus, const struct bw_bus_opts *opts);

/* Frees the bus and every region and ioeventfd left in it, whose handles die with it, and takes
 * what was offloaded out of the kernel. Nobody may be inside the bus; NULL is fine. Notifiers and
 * the caller's fds stay. */
void bw_bus_free(struct bw_bus *bus);

/*
 * Routes one access: to the ioeventfd that matches it (writes only), else to the visible region
 * that holds all of its bytes, else to unclaimed. Returns an enum bw_result, or -EINVAL (space, len
 * or data is bad), -ELOOP (handlers nested deeper than 4). Takes no lock and allocates nothing, but
 * for the first call of a thread, which registers it with liburcu; a
 * bounded number of steps up to the handler or the signal. Any thread; concurrent calls do not wait
 * for one another.
 */
int bw_bus_access(struct bw_bus *bus, struct bw_access *access);

/*
 * Routes what KVM_RUN returned with: KVM_EXIT_IO (element by element), KVM_EXIT_MMIO, and
 * KVM_EXIT_HYPERV's HvCallSignalEvent, whose result it sets. run_size is KVM_GET_VCPU_MMAP_SIZE;
 * nothing beyond it is touched. Returns the least enum bw_result of the elements, -ENOMSG if the
 * exit is not of these (the caller's to serve), -EINVAL if run is malformed, or what
 * bw_bus_access() fails with.
 */
int bw_bus_kvm_exit(struct bw_bus *bus, struct kvm_run *run, size_t run_size, void *vcpu);

/* Waits until no handler is running of a region that was unmapped or freed before the call. One
 * that was mapped again since is waited for until, for an instant, none of its handlers is running.
 * -EDEADLK inside a handler, a poller callback or a transaction. */
int bw_bus_synchronize(struct bw_bus *bus);

/*
 * A transaction: the control calls that this thread makes between begin and commit take effect at
 * once, with one grace period, or not at all. Other threads' control calls wait meanwhile; accesses
 * do not. Calls are checked, and fail, one by one, against what the ones before them will have
 * done; one that fails changes nothing, and the transaction goes on. Transactions nest: only the
 * outermost takes effect.
 */
int bw_bus_begin(struct bw_bus *bus);

/*
 * Makes it so. No ring is lost on the way: a doorbell that moves rings at its old place until the
 * new one rings too, and what collides in the kernel (two BARs change places) is signalled by the
 * bus meanwhile. If it fails everything, the kernel's side included, is as before: handles made in
 * the transaction are gone, those given up in it are valid again. -ECANCELED: an inner one was
 * aborted. -EINVAL: this thread has no transaction. Else what the calls in it could have failed
 * with.
 */
int bw_bus_commit(struct bw_bus *bus);

/* Undoes every call since begin, as a commit that fails does. An inner one makes the outermost
 * fail. */
void bw_bus_abort(struct bw_bus *bus);

/* ---- offload: what a hypervisor can do itself ----
 * It only ever makes things faster: what the kernel refuses or misses still reaches userspace,
 * arrives at the bus and is signalled there. */

/* How the guest's stores into a doorbell page are turned into traps again: see "doorbell pages". */
enum bw_page_way { BW_PAGE_WAY_AUTO, BW_PAGE_WAY_SLOT, BW_PAGE_WAY_WRITE_PROTECT };

struct bw_kvm_opts {
	size_t size;
	int vm_fd; /* borrowed until bw_bus_free() */
	/* Memslots lent to doorbell pages until bw_bus_free(): the VMM uses none of
	 * [first_slot, first_slot + nr_slots). 0: pages stay cold, as they do off x86-64, where a
	 * guest's stores into a device may go past the cache. If there are some,
	 * KVM_X86_QUIRK_SLOT_ZAP_ALL is disabled for the VM where this KVM can: without that the
	 * deletion of any memslot makes KVM forget all of the guest's memory. */
	uint32_t first_slot, nr_slots;
	/* AUTO: SLOT where that quirk is off, else WRITE_PROTECT where userfaultfd(2) may watch
	 * faults of the kernel, else pages stay cold. Once switches by SLOT were found to take more
	 * than 2 ms all pages are placed by WRITE_PROTECT from the next change of MMIO on, if they
	 * can be. */
	enum bw_page_way page_way;
};

/*
 * Registers every ioeventfd of the bus, present and future, with KVM_IOEVENTFD or
 * KVM_HYPERV_EVENTFD too. All or nothing, at once, and not undone with a transaction. -EBUSY: the
 * bus has an offload. -ENOTTY, -EBADF: vm_fd is not a KVM VM. Otherwise what KVM answers, for
 * instance -EEXIST where the VMM registered the address behind the bus's back. Not an error, the
 * bus carries those alone: a VM without KVM_CAP_HYPERV_EVENTFD, length 0 without
 * KVM_CAP_IOEVENTFD_ANY_LENGTH, and a KVM bus that is full
 * (-ENOSPC).
 */
int bw_bus_offload_kvm(struct bw_bus *bus, const struct bw_kvm_opts *opts);

#define BW_CAP_MMIO 1u      /* MMIO ioeventfds are signalled by the kernel */
#define BW_CAP_PIO 2u       /* PIO ioeventfds */
#define BW_CAP_HYPERCALL 4u /* HvCallSignalEvent */
#define BW_CAP_PAGE 8u      /* doorbell pages may be hot */

/*
 * For emulators: what makes doorbell pages hot where there is no KVM. Both are called by one thread
 * at a time, with locks of the library held: they must neither call it nor wait for a handler.
 */
struct bw_emulator_opts {
	size_t size;
	/* From now on a store of any vCPU to [gpa, gpa + 4096) goes to memory, in one piece if it
	 * is aligned, and a load comes from there. 0 or -errno. */
	int (*map)(void *opaque, uint64_t gpa, void *memory);
	/* When it returns no vCPU stores into memory any more, and accesses reach the bus again. */
	void (*unmap)(void *opaque, uint64_t gpa);
	void *opaque; /* borrowed until bw_bus_free() */
};

/* -EBUSY: the bus has an offload. -EINVAL: map or unmap is missing. */
int bw_bus_offload_emulator(struct bw_bus *bus, const struct bw_emulator_opts *opts);

/* What is offloaded: BW_CAP_*, 0 without an offload. */
unsigned int bw_bus_caps(struct bw_bus *bus);

/* ---- notifier: a counter that can be waited for ----
 * It becomes an eventfd only when somebody needs the fd: bw_notifier_fd(), or an offload. Until
 * then a ring is an atomic add, and a write(2) happens only if the poller that it was added to
 * sleeps. From then on, for good, every ring is a write(2) or the kernel's own signal. The count
 * saturates at 2^64-2, as an eventfd's does; what comes beyond is dropped. */

/* name is copied, may be NULL; errors print it. */
int bw_notifier_new(struct bw_notifier **n, const char *name);

/*
 * A notifier on the caller's eventfd, which is duplicated once: the caller may close its own.
 * -EBADF: not open. -EINVAL: not an eventfd. The flags are shared with the caller and left alone; a
 * blocking eventfd costs each ring through the bus one poll(2) more, because it could block the
 * vCPU at its maximum.
 */
int bw_notifier_import(struct bw_notifier **n, int eventfd, const char *name);

/* Gives the caller's reference up; ioeventfds and pollers hold their own. NULL is fine. */
void bw_notifier_free(struct bw_notifier *n);

/* The eventfd, borrowed until the notifier is freed. Owned ones are non-blocking and close-on-exec.
 * What is pending is in the fd when this returns. */
int bw_notifier_fd(struct bw_notifier *n);

/* Rings once by hand. Always 0. */
int bw_notifier_ring(struct bw_notifier *n);

/* The rings since the last take, 0 if there are none; never blocks. An eventfd's count is taken
 * too. */
uint64_t bw_notifier_take(struct bw_notifier *n);

/* ---- ioeventfd ---- */

#define BW_ANY_LEN 0u

/* Which writes at exactly the address ring. */
struct bw_match {
	uint32_t len;   /* BW_ANY_LEN, 1, 2, 4 or 8; others do not match */
	bool has_value; /* only writes of value do; not with BW_ANY_LEN */
	uint64_t value; /* one wider than len can never match; KVM takes it, so it is no error */
};

/*
 * Assigns (space, addr, match) to n. The handle is the bus's, valid until deassign or
 * bw_bus_free(); the reference to n is its own. It takes effect before the call returns. -EINVAL:
 * len is none of those, addr + len wraps (also addr 2^64-1 with len 1), a value with BW_ANY_LEN;
 * for BW_HYPERCALL: addr above 0xffffff, or a match other than {BW_ANY_LEN}. -EEXIST: an ioeventfd
 * at the same address, and either len is BW_ANY_LEN, or both are equal and either has no value or
 * the values are equal. As in KVM a port above 0xffff, an unaligned address and overlapping
 * neighbours are no error.
 */
int bw_ioeventfd_assign(struct bw_bus *bus, struct bw_ioeventfd **out, enum bw_space space,
			uint64_t addr, struct bw_match match, struct bw_notifier *n);

/* Cannot fail. After it returns no ring comes from this ioeventfd. NULL is fine. */
void bw_ioeventfd_deassign(struct bw_ioeventfd *ie);

/*
 * The drop-in for ioctl(vm_fd, KVM_IOEVENTFD, io): the same struct, the same checks in the same
 * order, the same errno. Deassign finds the entry by address, length, value and eventfd. The caller
 * may close its fd once it is assigned: the bus holds one duplicate per eventfd. A dup of the fd is
 * recognised by its eventfd-id in /proc/self/fdinfo (Linux 5.2 on) or by kcmp(2); where both are
 * out of reach there is a duplicate per ioeventfd, and only the number that assign was given counts
 * for deassign. Entries made by bw_ioeventfd_assign() are not found: those have a handle. An entry
 * whose eventfd the caller lost is freed by bw_bus_free().
 */
int bw_kvm_ioeventfd(struct bw_bus *bus, const struct kvm_ioeventfd *io);

/* ---- region: a BAR, a virtio-mmio block, a port range: a handler, and the doorbells inside ----
 */

struct bw_region_opts {
	size_t size;
	const char *name;    /* copied, may be NULL; errors print it */
	enum bw_space space; /* BW_MMIO or BW_PIO */
	uint64_t len;        /* bytes, at least 1 */
	int priority; /* where regions overlap the higher wins; among equals the one mapped last */
	/* NULL: what is no doorbell is unclaimed; the region still covers what lies below it. */
	bw_handler_fn *handler;
	void *opaque;
	/* Called once, after free and the last running handler, also if the transaction that made
	 * the region fails or bw_bus_free() takes it: release opaque here. May be NULL. */
	void (*unused)(void *opaque);
};

/* A region, not yet mapped. -EINVAL: the space or len. */
int bw_region_new(struct bw_bus *bus, struct bw_region **region, const struct bw_region_opts *opts);

/* Unmaps the region, deassigns its doorbells, whose handles die with it, and frees it. Returns
 * without waiting for a running handler: opaque is in use until unused() is called. NULL is fine.
 */
void bw_region_free(struct bw_region *region);

/*
 * Maps the region at addr; if it is mapped elsewhere, moves it: its doorbells ring at one of the
 * two places or both until the call returns, then only at the new one, and none is lost. -EINVAL:
 * addr + len goes beyond the space (2^64, or port 0xffff). Overlap is no error, and a doorbell that
 * is covered by another region is inactive until uncovered. An ioeventfd assigned to the bus itself
 * is never covered.
 */
int bw_region_map(struct bw_region *region, uint64_t addr);

/* Idempotent. */
int bw_region_unmap(struct bw_region *region);

/* The region that the guest sees at addr, NULL if there is none. Somebody must keep it from being
 * freed. */
struct bw_region *bw_region_at(struct bw_bus *bus, enum bw_space space, uint64_t addr);

/*
 * Assigns (offset, match) inside the region to n: the doorbell is where the region is. It wins over
 * the handler, and loses to a colliding ioeventfd of the bus itself. -ERANGE: offset + len is
 * beyond the region. -EINVAL and -EEXIST as for bw_ioeventfd_assign(), among the doorbells of this
 * region.
 */
int bw_region_doorbell(struct bw_region *region, struct bw_ioeventfd **out, uint64_t offset,
		       struct bw_match match, struct bw_notifier *n);

/* ---- doorbell pages: a ring that costs the guest one store, and no exit ----
 *
 * A doorbell page is 4 KiB of a region that hold nothing but write-only doorbells, its slots. Each
 * slot has a width and a notifier, and the page an idle value that the guest never writes there.
 *
 * Hot, the page is plain memory of the guest. The poller that it is added to exchanges every slot
 * with the idle value again and again: another value is a ring. Cold, a store traps, and is what it
 * is at any doorbell; the poller may sleep. Who is the guest cannot tell:
 *   - Only an aligned store of exactly the slot's width is a ring. Any other may ring each slot
 *     that it touches, or none. A store of the idle value is none.
 *   - A write to bytes of the page that belong to no slot is swallowed. Reads give what the memory
 *     has: mostly the idle value, 0 outside slots. The region's handler sees no access to the page.
 *   - Stores between two looks of the poller coalesce: at least one delivery follows the last, and
 *     none comes without a store. Each delivery has a value, see bw_ioeventfd_value().
 * What changes the page (deassign, a commit that moves, covers or unmaps it, free) makes it cold
 * first, and sees to what was stored before: the promises of those calls hold as they stand.
 *
 * A page is hot only while the guest sees all of it, at a multiple of 4096, no ioeventfd of the bus
 * itself lies in it, it is in a poller, and the offload has a place for it. Otherwise it is cold,
 * which is no error; bw_page_stats() says why. Two ways to make it cold:
 *   SLOT            the page is taken out of the guest's memory: a ring is a light exit.
 *   WRITE_PROTECT   userfaultfd(2): the first store waits until the poller wakes and lets it in. It
 *                   needs a poller that is served: a vCPU waits for bw_poller_poll(). A VMM that
 *                   changes memslots of its own, for which KVM waits for that vCPU, must not hold
 *                   a lock meanwhile that callbacks of its pollers take.
 */

#define BW_PAGE_SIZE 4096u

/* When to be hot. A hot page is polled: where its guest rings seldom that is wasted, where it rings
 * often an exit each is. */
enum bw_page_policy {
	BW_PAGE_ADAPTIVE, /* by the rate of rings, and what a switch and an exit cost */
	BW_PAGE_HOT,      /* whenever it can be; bw_poller_run() never sleeps */
	BW_PAGE_COLD,     /* never */
};

struct bw_page_opts {
	size_t size;
	uint64_t offset; /* in the region, a multiple of 4096 */
	uint64_t idle;   /* narrower slots have its low bytes */
	enum bw_page_policy policy;
	uint32_t exit_ns; /* what a trapped ring costs the guest on this host; 0: 3000 */
};

/*
 * Makes [offset, offset + 4096) of the region a doorbell page; doorbells in it, before or after,
 * are its slots. -EINVAL: the region is not MMIO, offset is no multiple of 4096, or a doorbell that
 * is there already cannot be a slot (a value, BW_ANY_LEN, not aligned, captured). -ERANGE: beyond
 * the region. -EEXIST: a page is there, or two doorbells there overlap. bw_region_doorbell() fails
 * likewise from then on. Valid until bw_page_free(), or the region or the bus is freed.
 */
int bw_region_page(struct bw_region *region, struct bw_page **out, const struct bw_page_opts *opts);

/* The doorbells stay, and are doorbells as others are. Takes the page out of its poller. NULL is
 * fine. */
void bw_page_free(struct bw_page *page);

struct bw_page_stats {
	size_t size;         /* set by the caller */
	bool hot;            /* now */
	uint64_t deliveries; /* slots found with a value, while hot or on the way to cold */
	uint64_t switches;   /* of the poller's, from cold to hot and back, each counts */
	uint64_t switch_ns;  /* what the last ones cost, weighted; 0: there was none */
	const char *way;     /* "slot", "write-protect", or NULL: none */
	const char *why_not; /* why it cannot be hot now; NULL: it can. Never freed */
};

int bw_page_stats(struct bw_page *page, struct bw_page_stats *stats);

/* The newest value that a slot's ring delivered: set before the callback. -ENODATA: there was none,
 * or a ring has trapped, or may have, since, whose value nobody saw; also if its notifier's rings
 * go elsewhere than to callbacks of the page's poller (but for bw_notifier_take(), which the page
 * does not notice). -EINVAL: no slot of a page. Any thread. */
int bw_ioeventfd_value(struct bw_ioeventfd *ie, uint64_t *value);

/* ---- capture: the value of each ring, where there is no page ----
 *
 * An eventfd says that the guest wrote, not what. A capture keeps what: in memory that another
 * process can map, stored before the signal, so that whoever is told of a ring finds its value. One
 * capture may serve any number of ioeventfds, which then have one order and are told apart by tags.
 *
 *   BW_CAPTURE_LAST    the newest value. It is never half of one and half of another, however many
 *                      vCPUs write at once; the newest is the one with the highest sequence.
 *   BW_CAPTURE_QUEUE   each value, in the order in which the vCPUs' writes found a place; those of
 *                      one vCPU in its own order.
 *
 * A queue that is full: the write goes to the handler of the region that the guest sees there, as
 * if there were no doorbell (BW_HANDLED; nothing is signalled or counted). Where there is none, or
 * a doorbell page, the notifier is signalled all the same (BW_SIGNALLED), the value is lost, and
 * bw_capture_dropped() has counted it before the signal. What the queue takes afterwards is newer;
 * the handler may still be running while that is delivered.
 *
 * The consumer is not trusted: whatever it does to the memory, values are lost or wrong that were
 * its own, and nothing else happens. No vCPU waits for it. It cannot make the memory shorter, and
 * that of BW_CAPTURE_LAST it cannot write (Linux 5.1 on).
 *
 * The hypervisor signals without a value, so what is captured is not offloaded: each ring costs an
 * exit to userspace.
 */

enum bw_capture_mode { BW_CAPTURE_LAST, BW_CAPTURE_QUEUE };

struct bw_capture_opts {
	size_t size;
	enum bw_capture_mode mode;
	uint32_t entries; /* QUEUE: how many values, a power of two, 2 to 2^20; LAST: 0 */
	const char *name; /* copied, may be NULL; errors and the dump print it */
};

/* -EINVAL: the mode or entries. Else what memfd_create(2), fallocate(2) and mmap(2) fail with; all
 * of the memory is there when it returns, 32 bytes an entry. */
int bw_capture_new(struct bw_capture **c, const struct bw_capture_opts *opts);

/*
 * For a consumer in another process: the same memory, from an fd that was passed on, which may be
 * closed afterwards. It can be read as below and nothing else. Nothing in the memory is trusted.
 * -EBADF: not open. -EINVAL: no capture, or one whose memory could be made shorter.
 */
int bw_capture_open(struct bw_capture **c, int fd);

/* Gives the caller's reference up; ioeventfds hold their own. NULL is fine. */
void bw_capture_free(struct bw_capture *c);

/* The memory, to be passed on; borrowed until the capture is freed, close-on-exec. -EINVAL: it was
 * opened. */
int bw_capture_fd(struct bw_capture *c);

/*
 * From now on c keeps what the guest writes there; NULL: nobody does. A control call: until it
 * returns, or the transaction commits, a ring is as before or as after it; assigned and captured in
 * one transaction, no ring comes without its value. The ioeventfd holds a reference. tag is given
 * back with each value. -EINVAL: a hypercall, which has no value; a slot of a doorbell page, which
 * has bw_ioeventfd_value(); c was opened. Without c: also what the offload can fail with.
 */
int bw_ioeventfd_capture(struct bw_ioeventfd *ie, struct bw_capture *c, uint32_t tag);

struct bw_captured {
	uint64_t value;    /* what was written, its upper bytes 0 */
	uint64_t sequence; /* from 1 on; each value has its own */
	uint32_t len;      /* bytes written: 1 to 8 */
	uint32_t tag;
};

/*
 * QUEUE: the oldest values, at most max of them, which are the caller's then; how many, 0: there
 * are none. Never blocks. One consumer at a time; one that dies in between leaves them to the next.
 * Rings coalesce in a notifier: take until there are none. -EINVAL: the mode.
 */
int bw_capture_take(struct bw_capture *c, struct bw_captured *values, unsigned int max);

/*
 * LAST: the newest value; any number of readers. -ENODATA: there was none yet. -EAGAIN: so many are
 * in the middle of writing that no whole value is there; their rings are yet to come. -EINVAL: the
 * mode.
 */
int bw_capture_last(struct bw_capture *c, struct bw_captured *newest);

/* QUEUE: values that were lost because it was full and no handler was there. */
uint64_t bw_capture_dropped(struct bw_capture *c);

/* ---- seeing: where did my kick go? ----
 * Control calls, from which accesses take no notice. They tell what the guest sees: a transaction
 * that is open has changed nothing yet. */

/*
 * What came of one ioeventfd since it was assigned, wherever its region was mapped meanwhile.
 * Counts only grow, and each is exact: what an access counts is there when bw_bus_access() returns.
 * They are read one after another, so while the guest rings they may be some accesses apart. What
 * the hypervisor signals by itself never reaches the bus, and is not in them.
 */
struct bw_ioeventfd_stats {
	size_t size;
	uint64_t rings;   /* writes through the bus that it took: signals + elided */
	uint64_t signals; /* of them, those that made a system call: a write(2) to an eventfd */
	uint64_t elided;  /* and those that were an atomic add: nobody had to be woken */
	/* Writes at its address while it was active, which no ioeventfd took: of another width; of
	 * its width, but of another value. One with a value counts neither until it is active
	 * anew if there was no memory for it. */
	uint64_t near_width;
	uint64_t near_value;
	uint64_t last_value; /* what the last ring wrote, its upper bytes 0; 0 if there was none */
	bool active;         /* the guest can ring it now */
	bool offloaded;      /* the hypervisor signals it, too */
	/* Why not, a sentence without a full stop that is never freed; NULL if it does. */
	const char *why_not_offloaded;
};

/* Fills *stats, of stats->size bytes. -EINVAL: the size is 0. */
int bw_ioeventfd_stats(struct bw_ioeventfd *ie, struct bw_ioeventfd_stats *stats);

/* What people read, a line an object, or schema bellwire.dump/1: docs/dump.md. */
enum bw_dump_format { BW_DUMP_TEXT, BW_DUMP_JSON };

/*
 * The whole bus: regions, what the guest sees where, ioeventfds and their counts. *text is the
 * caller's, to be freed with free(3); NULL after a failure. -EINVAL: there is no such format.
 */
int bw_bus_dump(struct bw_bus *bus, enum bw_dump_format format, char **text);

/*
 * What this access would do, without doing it: the enum bw_result that bw_bus_access() would return
 * if no handler were running, or -EINVAL where it would. *text says it in words, to be freed with
 * free(3): who takes it, why the others at that address do not, what region lies there, what covers
 * it, whether the hypervisor takes it before it comes here, and where the kernel is known not to.
 * Its time grows with the number of ioeventfds. access is not changed.
 */
int bw_bus_explain(struct bw_bus *bus, const struct bw_access *access, char **text);

/* ---- where specifications put doorbells ---- */

/* Where, in its BAR or register block, and which writes: for bw_region_doorbell(). */
struct bw_doorbell {
	uint64_t offset;
	struct bw_match match;
};

/* struct virtio_pci_notify_cap (virtio 1.2, 4.1.4.4), and whether VIRTIO_F_NOTIFICATION_DATA was
 * negotiated. */
struct bw_virtio_pci_notify {
	uint32_t offset;     /* cap.offset, in the BAR */
	uint32_t length;     /* cap.length */
	uint32_t multiplier; /* notify_off_multiplier */
	bool notification_data;
};

/*
 * A queue's notification: by its address, or where the multiplier is 0 and all queues share one, by
 * the queue's index. -EINVAL: the capability is not as the specification wants it. -ERANGE: it is
 * too short. -EOPNOTSUPP: no ioeventfd can tell the queues apart (multiplier 0 with notification
 * data).
 */
int bw_virtio_pci_doorbell(struct bw_doorbell *doorbell, const struct bw_virtio_pci_notify *cap,
			   uint16_t queue_notify_off, uint16_t queue);

/* QueueNotify of virtio-mmio (virtio 1.2, 4.2.2), without VIRTIO_F_NOTIFICATION_DATA. */
struct bw_doorbell bw_virtio_mmio_doorbell(uint16_t queue);

/*
 * Submission Queue y Tail Doorbell, or with head Completion Queue y Head Doorbell (NVMe 1.4, 3.1.24
 * and 3.1.25), in BAR 0. stride is CAP.DSTRD, 0 to 15 (-EINVAL).
 */
int bw_nvme_doorbell(struct bw_doorbell *doorbell, uint16_t queue, bool head, uint32_t stride);

/* ---- poller: the consumer's loop ----
 * One thread at a time is in run, poll or arm; add, del and stop are for any thread. */

/* Delivers count rings of n, at least 1. No lock is held: any call but those the table excludes is
 * legal. */
typedef void bw_ring_fn(void *opaque, struct bw_notifier *n, uint64_t count);

int bw_poller_new(struct bw_poller **p);

/* Nobody may be inside, nor free a page of it meanwhile. What was pending stays in the notifiers.
 * NULL is fine. */
void bw_poller_free(struct bw_poller *p);

/* A notifier is in one poller at most: -EBUSY. What is pending is delivered next. */
int bw_poller_add(struct bw_poller *p, struct bw_notifier *n, bw_ring_fn *fn, void *opaque);

/* On return fn is not running and will not be called, unless called from a callback of this poller:
 * then fn may be the one that is running. Waits for fn otherwise: hold no lock that fn takes. */
void bw_poller_del(struct bw_poller *p, struct bw_notifier *n);

/* Delivers rings and sleeps, until bw_poller_stop(). While they keep coming it does not sleep, and
 * looks every half a microsecond or so, every two where a notifier has several by then: that costs
 * the guest less than a look at each. Also returns -errno if the system refuses to wait. */
int bw_poller_run(struct bw_poller *p);

/* Ends the running run, or the next one if none is running. Async-signal-safe. */
void bw_poller_stop(struct bw_poller *p);

/* For the caller's own event loop: delivers what is pending, from at most budget notifiers (0:
 * all), and returns how many. Never sleeps. */
int bw_poller_poll(struct bw_poller *p, unsigned int budget);

/* Before the caller sleeps, each time: the fd to sleep on (POLLIN), owned by the poller, or
 * -EAGAIN: something came, or a page is hot and worth more looks: poll first. While the poller is
 * frozen it is another fd. After waking call bw_poller_poll(). */
int bw_poller_arm(struct bw_poller *p);

/* Serves the page too: makes it hot and cold, and delivers what its slots hold. A page is in one
 * poller at most (-EBUSY). A slot whose notifier is not in this poller rings it all the same. Done
 * at once, and not undone by an abort, as is bw_poller_del_page(). */
int bw_poller_add_page(struct bw_poller *p, struct bw_page *page);

/* Makes the page cold; what was stored is in the notifiers when it returns. */
void bw_poller_del_page(struct bw_poller *p, struct bw_page *page);

/*
 * For a snapshot or migration, with the vCPUs stopped: makes all pages cold and delivers nothing
 * from then on, until thaw. What was stored is in the notifiers, where bw_notifier_take() tells and
 * takes it; nothing is lost if that is left to be delivered after thaw. Returns how many notifiers
 * of this poller have something pending. Waits for a running callback: call it in no transaction,
 * and hold no lock that a callback takes. -EDEADLK in one of this poller.
 */
int bw_poller_freeze(struct bw_poller *p);

/* Before the vCPUs run again: pages come back into the guest's memory, and KVM may let that wait
 * for a vCPU that waits for another page's poller. */
void bw_poller_thaw(struct bw_poller *p);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
