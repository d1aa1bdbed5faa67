/* SPDX-License-Identifier: MIT
 *
 * Doorbell pages: two vCPUs that store as often as they like into two slots, the poller's consumer,
 * and a control call, on x86-TSO. README.md maps names to the code, and says what is left out.
 *
 * A slot's memory is a bit, idle or not, and counts are bits, none or some: all that the protocol
 * asks of them. So the number of stores, switches and control calls is not bounded.
 *
 * -DPROTECT: the way write-protect, else slot. -DPAGES=2: each slot in a page of its own.
 * -DEMULATOR: no eventfd; traps are rung by the bus, through the ready list. -DREMOVE: the control
 * call may also take the doorbells away. Every other -D leaves something out, see scripts/model.
 */
#ifndef VCPUS
#define VCPUS 2 /* or 1 */
#endif
#define SLOTS 2
#ifndef DEPTH
#define DEPTH 1 /* of a vCPU's store buffer */
#endif
#ifndef PAGES
#define PAGES 1
#endif
#if PAGES == 1
#define PAGE(s) 0
#else
#define PAGE(s) (s)
#endif

/* ---- the machine ---- */

chan buffer[2] = [DEPTH] of { bit }; /* stores not yet in memory: their slots, oldest first */
bit stored[SLOTS];                   /* memory: not idle */
bit mapped[PAGES];                   /* the memslot is there */
bit protected[PAGES];                /* userfaultfd write-protection */
bit writable[PAGES];                 /* what the kernel asks before it lets a vCPU wait */
bool reach[2 * PAGES];               /* a translation that lets the vCPU store */
#define REACH(v, p) reach[(v) * PAGES + (p)]

/* A vCPU inside KVM: memslot changes and deassign wait until it has left. */
#define OUTSIDE 0
#define EXITED 1   /* a store trapped */
#define FAULTED 2  /* it found the page protected */
#define ENQUEUED 3 /* and can be read from the page's fault fd */
#define TOLD 4     /* was read; is told once */
#define DEQUEUED 5 /* woken */
byte inside[2];
bit at_page[2]; /* of its fault */
bit in_section[2];

/* ---- the library ---- */

#define AWAY 0
#define COLD 1
#define HOT 2
byte state[PAGES];
bit pages_lock;

#ifdef EMULATOR
#define MAY_CLAIM 0
#else
#define MAY_CLAIM 1
#endif

bit claim = MAY_CLAIM; /* the hypervisor signals for traps */
bit view = 1;  /* the bus does, for what the hypervisor leaves it */
bit swept;
bit trapped; /* the eventfd's count; with EMULATOR the notifier's pending */
#define NOWHERE 0
#define READY 1
#define TODO 2
byte queue; /* where the notifier's entry is; queued: not NOWHERE */

bit sleeping;
bit wake_fd;
bit timer;                         /* runs: may fire at any time */

/* ---- what is checked ---- */

bit unseen[SLOTS]; /* a store came into memory since the last look */
bit removed;       /* a control call returned that took the doorbells away */
byte alive = VCPUS + 1;
#define QUIET (alive == 0 && len(buffer[0]) == 0 && len(buffer[1]) == 0)

/* ---- signals ---- */

inline wake_sleeper()
{
#ifndef NO_WAKE
	atomic {
		if
		:: sleeping -> sleeping = 0; wake_fd = 1
		:: else
		fi
	}
#else
	skip
#endif
}

inline entry_ready()
{
	if
	:: atomic { queue == NOWHERE -> queue = READY }
	   wake_sleeper()
	:: queue != NOWHERE
	fi
}

inline ring_swept()
{
	atomic { assert(!removed); swept = 1 }
	entry_ready()
}

inline ring_trapped()
{
	atomic { assert(!removed); trapped = 1 }
#ifdef EMULATOR
	entry_ready()
#endif
}

/* ---- the machine's own steps ---- */

active proctype store_buffers()
{
	bit s;
end:
	do
	:: atomic { buffer[0]?s -> stored[s] = 1; unseen[s] = 1; s = 0 }
	:: atomic { buffer[1]?s -> stored[s] = 1; unseen[s] = 1; s = 0 }
	od
}

/* Every vCPU has dropped its translation, and what it had stored through it is in memory. */
inline flush(p)
{
#ifndef NO_FLUSH
	atomic { len(buffer[0]) == 0 -> REACH(0, p) = 0 }
	atomic { len(buffer[1]) == 0 -> REACH(1, p) = 0 }
#else
	atomic { REACH(0, p) = 0; REACH(1, p) = 0 }
#endif
}

/* A change of memslots waits for vCPUs that are inside KVM. */
inline wait_for_vcpus()
{
	inside[0] == OUTSIDE;
	inside[1] == OUTSIDE
}

inline map(p)
{
	wait_for_vcpus();
	mapped[p] = 1
}

inline unmap(p)
{
	mapped[p] = 0;
	wait_for_vcpus();
	flush(p)
}

/* UFFDIO_WAKE: all that wait, told or not. */
inline wake_one(v, p)
{
	if
	:: (inside[v] == ENQUEUED || inside[v] == TOLD) && at_page[v] == p -> inside[v] = DEQUEUED
	:: else
	fi
}

inline wake(p)
{
	atomic { wake_one(0, p); wake_one(1, p) }
}

inline protect(p)
{
	atomic { protected[p] = 1; writable[p] = 0 }
	flush(p)
}

inline unprotect(p)
{
	protected[p] = 0;
#ifndef NO_TOUCH
	writable[p] = 1;
#endif
	wake(p)
}

/* ---- a vCPU ---- */

#define ME (_pid - 1)
#define IS_DRAINED (len(buffer[ME]) == 0)
#define IS_OPEN(p) (mapped[p] && !protected[p])
#define LANDS(p) ((REACH(ME, p) || IS_OPEN(p)) && len(buffer[ME]) < DEPTH)
#define TRAPS(p) (!mapped[p] && IS_DRAINED)
#define FAULTS(p) (mapped[p] && protected[p] && IS_DRAINED)

inline land(s)
{
	REACH(ME, PAGE(s)) = 1;
	writable[PAGE(s)] = writable[PAGE(s)] || IS_OPEN(PAGE(s));
	buffer[ME]!s
}

/* handle_userfault() of the kernel: it can be read before it looks whether it must wait. */
inline fault(p)
{
	inside[ME] = ENQUEUED;
	if
	:: protected[p] || !writable[p] -> inside[ME] == DEQUEUED
	:: !protected[p] && writable[p]
	fi;
	atomic { inside[ME] = OUTSIDE; at_page[ME] = 0 }
}

/* What the hypervisor does not signal for comes to the bus. */
inline trap()
{
	if
	:: claim ->
		ring_trapped();
		inside[ME] = OUTSIDE
	:: atomic { !claim -> inside[ME] = OUTSIDE }
	   if
	   :: atomic { view -> in_section[ME] = 1 }
	      ring_trapped();
	      in_section[ME] = 0
	   :: !view
	   fi
	fi
}

/* After a fault any store may follow, not only the same: more than happens, in fewer states. */
active [VCPUS] proctype vcpu()
{
	do
	:: atomic { alive--; break }
	:: atomic { LANDS(PAGE(0)) -> land(0) }
	:: atomic { LANDS(PAGE(1)) -> land(1) }
	:: atomic { TRAPS(PAGE(0)) || TRAPS(PAGE(1)) -> inside[ME] = EXITED }
	   trap()
	:: atomic { FAULTS(0) -> inside[ME] = FAULTED }
	   fault(0)
#if PAGES == 2
	:: atomic { FAULTS(1) -> inside[ME] = FAULTED; at_page[ME] = 1 }
	   fault(1)
#endif
	od
}

/* ---- a page: page.c, page_way.c ---- */

inline lock() { atomic { !pages_lock -> pages_lock = 1 } }
inline unlock() { pages_lock = 0 }

inline take_slot(s)
{
	if
	:: stored[s] ->
#ifndef NO_EXCHANGE
		atomic { assert(unseen[s]); stored[s] = 0; unseen[s] = 0 }
#else
		atomic { assert(unseen[s]); unseen[s] = 0 }
		stored[s] = 0;
#endif
		found = 1;
		ring_swept()
	:: else
	fi
}

inline sweep(p)
{
#if PAGES == 1
	take_slot(0);
	take_slot(1)
#else
	if
	:: p == 0 -> take_slot(0)
	:: else -> take_slot(1)
	fi
#endif
}

#if PAGES == 1
#define IS_IDLE(p) (!stored[0] && !stored[1])
#else
#define IS_IDLE(p) (!stored[p])
#endif

inline heat(p)
{
#ifdef PROTECT
	unprotect(p);
#else
	map(p);
#endif
	state[p] = HOT
}

/* found: -EAGAIN */
inline cool(p)
{
#ifdef PROTECT
	protect(p);
	state[p] = COLD;
#ifndef NO_LAST_LOOK
	if
	:: IS_IDLE(p)
	:: else -> heat(p); sweep(p); found = 1
	fi
#endif
#else
#ifdef SWEEP_FIRST
	sweep(p);
	found = 0;
#endif
	unmap(p);
	state[p] = COLD;
#if defined(NO_LAST_SWEEP) || defined(SWEEP_FIRST)
	skip
#else
	sweep(p)
#endif
#endif
}

/* Before memslots change: no page of the poller stops a vCPU. */
inline heat_one(p)
{
	if
	:: state[p] == COLD -> heat(p); wake_sleeper()
	:: else
	fi
}

#ifdef KEEP_PROTECTION
#define let_all_go(p) skip
#elif PAGES == 1 || defined(KEEP_OTHERS)
#define let_all_go(p) heat_one(p)
#else
#define let_all_go(p) heat_one(0); heat_one(1)
#endif

inline place(p)
{
#ifdef PROTECT
	let_all_go(p);
	map(p);
	state[p] = HOT
#else
	state[p] = COLD
#endif
}

inline withdraw(p)
{
	if
	:: state[p] == AWAY
	:: else ->
#ifdef PROTECT
		let_all_go(p);
		unmap(p);
#else
		if
		:: state[p] == HOT -> unmap(p)
		:: else
		fi;
#endif
		state[p] = AWAY;
#ifndef NO_SWEEP_AWAY
		sweep(p);
		found = 0
#endif
	fi
}

/* page_collect_slots() makes the memory idle. */
inline collect(p)
{
#if PAGES == 1
	atomic { stored[0] = 0; stored[1] = 0 }
#else
	stored[p] = 0
#endif
}

/* ---- a control call: pages_commit.c, poller_place.c, commit.c ---- */

#define CHANGED (PAGES - 1)

inline suspend(p)
{
	lock();
	withdraw(p);
	unlock()
}

inline resume(p)
{
	lock();
	collect(p);
	place(p);
	unlock();
#ifndef NO_WAKE_AT_RESUME
	wake_sleeper()
#endif
}

inline take_doorbells_away()
{
	claim = 0;
	wait_for_vcpus();
	view = 0;
#ifndef NO_GRACE
	!in_section[0];
	!in_section[1];
#endif
	removed = 1
}

active proctype control()
{
	bit found;

#if PAGES == 2
	resume(0);
#endif
	resume(CHANGED);
	do
	:: break
	:: suspend(CHANGED); resume(CHANGED)
#ifdef REMOVE
	:: suspend(CHANGED);
	   take_doorbells_away();
	   if
	   :: break
	   :: removed = 0
	   fi;
	   claim = MAY_CLAIM;
	   view = 1;
	   resume(CHANGED)
#endif
	od;
	alive--
}

/* ---- the consumer: poller.c, poller_pages.c ---- */

#define READABLE(p) ((inside[0] == ENQUEUED && at_page[0] == (p)) || \
		     (inside[1] == ENQUEUED && at_page[1] == (p)))
#if PAGES == 1
#define ANY_READABLE READABLE(0)
#define ANY_HOT (state[0] == HOT)
#else
#define ANY_READABLE (READABLE(0) || READABLE(1))
#define ANY_HOT (state[0] == HOT || state[1] == HOT)
#endif

#ifdef EMULATOR
#define EVENTFD 0
#else
#define EVENTFD trapped
#endif

/* has: the message of one of the vCPUs is read. */
inline read_fault(p)
{
	atomic {
		if
		:: inside[0] == ENQUEUED && at_page[0] == p -> inside[0] = TOLD; has = 1
		:: inside[1] == ENQUEUED && at_page[1] == p -> inside[1] = TOLD; has = 1
		:: else -> has = 0
		fi
	}
}

inline let_store_in(p)
{
	read_fault(p);
	if
	:: has && state[p] == COLD -> heat(p)
	:: has && state[p] != COLD ->
#ifndef TOLD_WHILE_HOT
		unprotect(p)
#else
		skip
#endif
	:: else
	fi;
	has = 0
}

inline take_watched()
{
	atomic {
		wake_fd = 0;
		timer = 0;
		has = ANY_READABLE;
		if
		:: EVENTFD ->
			signalled = 1;
			if
			:: queue == NOWHERE -> queue = TODO
			:: else
			fi
		:: else
		fi
	}
	if
	:: has ->
		lock();
		let_store_in(0);
#if PAGES == 2
		let_store_in(1);
#endif
		unlock()
	:: else
	fi
}

inline look(p)
{
	if
	:: state[p] == COLD && !QUIET -> heat(p); sweep(p); found = 0
	:: state[p] != HOT
	:: state[p] == HOT -> sweep(p); found = 0
	fi
}

/* again: -EAGAIN. What a page is worth is the policy's to say: anything, until all is quiet. */
inline rest(p)
{
	if
	:: state[p] == HOT && !QUIET -> again = 1
#ifndef NO_TIMER
	:: state[p] == HOT && !QUIET -> timer = 1
#else
	:: state[p] == HOT && !QUIET
#endif
	:: state[p] == HOT -> cool(p); again = found; found = 0
	:: state[p] != HOT
	fi
}

inline deliver()
{
	if
	:: atomic { queue == TODO -> queue = NOWHERE }
		atomic { got = swept; swept = 0 }
#ifndef EMULATOR
		if
		:: signalled
		:: else -> goto delivered
		fi;
#endif
		atomic { got = got | trapped; trapped = 0; signalled = 0 }
	:: queue != TODO
	fi;
delivered:
	skip
}

active proctype consumer()
{
	bit found, has, again, got, armed, signalled;

poll:
	if
	:: armed -> atomic { sleeping = 0; armed = 0 }
	   take_watched()
	:: !armed -> take_watched()
	:: !armed && ANY_HOT && !QUIET
	fi;
	lock();
	look(0);
#if PAGES == 2
	look(1);
#endif
	unlock();
	if
	:: atomic { queue == READY -> queue = TODO }
	:: queue != READY
	fi;
	deliver();
	if
	:: got -> got = 0; goto poll
	:: else
	fi;

	atomic { sleeping = 1; armed = 1 }
	lock();
	rest(0);
#if PAGES == 2
	if
	:: !again -> rest(1)
	:: else
	fi;
#endif
	unlock();
	if
	:: again || queue != NOWHERE ->
		atomic { sleeping = 0; armed = 0; again = 0 }
		goto poll
	:: else
	fi;
end:
	atomic { EVENTFD || wake_fd || timer || ANY_READABLE }
	take_watched();
	goto poll
}

/* ---- at the end nobody waits, and everything was delivered ---- */

active proctype quiescence()
{
	timeout ->
	assert(alive == 0);
	assert(!unseen[0] && !unseen[1]);
	assert(!swept && !trapped && queue == NOWHERE)
}
