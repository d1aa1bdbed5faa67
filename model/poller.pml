/* SPDX-License-Identifier: MIT
 *
 * Notifiers and the poller: two ringers, of whom one may be a sweep that found a store in a page,
 * the consumer, and a control thread, on x86-TSO. README.md maps names to the code.
 *
 * Counts are exact, so each ringer rings only RINGS times. -DDELETES: the control thread deletes
 * the notifier from the poller and adds it again, else it may make the eventfd or hand it out.
 */
#ifndef RINGS
#define RINGS 1
#endif

/* ---- x86-TSO: a FIFO store buffer for each thread, loads forward from their own ---- */

#define FD 0        /* the notifier's: published */
#define HANDED 1    /* handed_out */
#define ENTRY 2     /* the notifier's entry: none, or the first or second one */
#define QUEUED 3    /* and 4: of the entries */
#define SLEEPING 5
#define DEAD 6      /* and 7: of the entries */
#define RUNNING 8
byte memory[9];

#define THREADS 4
#define CONSUMER 0
#define CONTROL 3
typedef stores {
	byte count, where[2], what[2]
};
stores buffer[THREADS];
#define B buffer[me]
#define DRAINED (B.count == 0)

inline store(at, value)
{
	atomic {
		B.count < 2 ->
		B.where[B.count] = at;
		B.what[B.count] = value;
		B.count++
	}
}

#define LOAD(at) (B.count == 2 && B.where[1] == (at) -> B.what[1] : \
		 (B.count >= 1 && B.where[0] == (at) -> B.what[0] : memory[at]))

/* A sequentially consistent store is a locked instruction on x86, as every exchange is. */
inline store_seq_cst(at, value)
{
	atomic { DRAINED -> memory[at] = value }
}

inline drain(t)
{
	atomic {
		buffer[t].count > 0 ->
		memory[buffer[t].where[0]] = buffer[t].what[0];
		buffer[t].where[0] = buffer[t].where[1];
		buffer[t].what[0] = buffer[t].what[1];
		buffer[t].where[1] = 0;
		buffer[t].what[1] = 0;
		buffer[t].count--
	}
}

active proctype store_buffers()
{
end:
	do
	:: drain(0)
	:: drain(1)
	:: drain(2)
	:: drain(3)
	od
}

/* ---- what only locked instructions and the kernel change ---- */

byte pending, swept, eventfd;
bit watched; /* the eventfd is in the epoll set */
bit wake_fd;
byte ready, todo; /* bits: the entries that are on the ready list, and in todo */
bit in_section[THREADS];

/* ---- what is checked ---- */

byte rung, delivered;
bit deleted;    /* bw_poller_del() returned */
bit handed_out; /* bw_notifier_fd() returned: who else reads the fd finds all in it */
byte alive = THREADS - 1;

/* ---- a ring: notifier.c, poller_entry.c ---- */

inline wake_sleeper()
{
	if
	:: LOAD(SLEEPING) ->
		atomic {
			DRAINED ->
			wake_fd = wake_fd || memory[SLEEPING];
			memory[SLEEPING] = 0
		}
	:: else
	fi
}

/* e: 1 or 2 */
inline entry_ready(e)
{
	if
	:: LOAD(QUEUED + e - 1)
	:: else ->
		atomic {
			DRAINED ->
			if
			:: memory[QUEUED + e - 1] -> pushes = 0
			:: else -> memory[QUEUED + e - 1] = 1; pushes = 1
			fi
		}
		if
		:: pushes ->
			pushes = 0;
#ifdef LOOK_BEFORE_PUSH
			wake_sleeper();
#endif
			atomic { DRAINED -> ready = ready | e }
#ifndef LOOK_BEFORE_PUSH
			wake_sleeper()
#endif
		:: else
		fi
	fi
}

inline move_pending()
{
	atomic { DRAINED -> moved = pending; pending = 0 }
	atomic { DRAINED -> moved = moved + swept; swept = 0 }
	atomic { eventfd = eventfd + moved; moved = 0 }
}

inline ring_plain()
{
	if
	:: LOAD(FD) -> atomic { eventfd++; rung++ }
	:: else ->
		atomic { DRAINED -> pending++; rung++ }
#ifndef NO_SECOND_LOOK
		if
		:: LOAD(FD) -> move_pending(); goto rung_it
		:: else
		fi;
#endif
		entry = LOAD(ENTRY);
		if
		:: entry -> entry_ready(entry)
		:: else
		fi
	fi;
rung_it:
	entry = 0
}

inline ring_swept()
{
	entry = LOAD(ENTRY);
	if
	:: !entry || LOAD(HANDED) -> ring_plain()
	:: else ->
		atomic { DRAINED -> assert(!handed_out); swept++; rung++ }
#ifndef ENTRY_BEFORE_COUNT
		entry = LOAD(ENTRY);
#endif
		if
		:: entry -> entry_ready(entry)
		:: else
		fi;
		entry = 0
	fi
}

proctype ringer(byte me)
{
	byte n, entry, moved;
	bit pushes;

	do
	:: atomic { alive--; n = 0; break }
	:: n < RINGS ->
		in_section[me] = 1;
		if
		:: ring_plain()
		:: me == 1 -> ring_swept()
		fi;
		atomic { in_section[me] = 0; n++ }
	od
}

/* ---- the consumer: poller.c, poller_entry.c ---- */

/* What epoll says of the entry that watches. */
inline take_watched()
{
	atomic {
		DRAINED ->
		wake_fd = 0;
		if
		:: watched && eventfd ->
			entry = memory[ENTRY];
			signalled = signalled | entry;
			if
			:: !entry || memory[QUEUED + entry - 1]
			:: else -> memory[QUEUED + entry - 1] = 1; todo = todo | entry
			fi;
			entry = 0
		:: else
		fi
	}
}

inline take(e)
{
	if
	:: swept -> atomic { DRAINED -> got = swept; swept = 0 }
	:: else
	fi;
	if
	:: !(signalled & e) && LOAD(FD)
	:: else ->
		atomic { DRAINED -> got = got + pending; pending = 0 }
		if
		:: LOAD(FD) -> atomic { got = got + eventfd; eventfd = 0 }
		:: else
		fi
	fi;
	signalled = signalled & (3 - e)
}

inline deliver(e)
{
	if
	:: todo & e ->
		todo = todo & (3 - e);
#ifndef QUEUED_RELAXED
		store_seq_cst(QUEUED + e - 1, 0);
#else
		store(QUEUED + e - 1, 0);
#endif
#ifndef RUNNING_RELAXED
		store_seq_cst(RUNNING, 1);
#else
		store(RUNNING, 1);
#endif
		if
		:: LOAD(DEAD + e - 1)
		:: else ->
			take(e);
			if
			:: got ->
				atomic {
					assert(e != 1 || !deleted);
					delivered = delivered + got;
					got = 0;
					any = 1
				}
				assert(e != 1 || !deleted)
			:: else
			fi
		fi;
		store_seq_cst(RUNNING, 0)
	:: else
	fi
}

active proctype consumer()
{
	byte got, signalled, entry;
	bit any, armed;
	byte me = CONSUMER;

poll:
	if
	:: armed -> armed = 0; store(SLEEPING, 0)
	:: else
	fi;
	if
	:: take_watched()
	:: !watched
	fi;
	atomic { DRAINED -> todo = todo | ready; ready = 0 }
	deliver(1);
	deliver(2);
	if
	:: any -> any = 0; goto poll
	:: else
	fi;
#ifndef ARM_RELAXED
	store_seq_cst(SLEEPING, 1);
#else
	store(SLEEPING, 1);
#endif
	armed = 1;
	if
	:: ready || todo -> store(SLEEPING, 0); armed = 0; goto poll
	:: else
	fi;
end:
	atomic { wake_fd || (watched && eventfd) }
	take_watched();
	goto poll
}

/* ---- control calls ---- */

inline wait_for_sections()
{
	!in_section[1];
	!in_section[2]
}

/* notifier_publish(), for an offload */
inline publish()
{
	watched = 1;
#ifdef TAKE_BEFORE_FD
	move_pending();
#endif
	store_seq_cst(FD, 1);
#ifndef TAKE_BEFORE_FD
	move_pending()
#else
	skip
#endif
}

/* bw_notifier_fd() */
inline hand_out()
{
	publish();
	store(HANDED, 1);
	DRAINED; /* rcu_wait() begins with a fence */
#ifndef NO_GRACE
	wait_for_sections();
#endif
	move_pending();
	handed_out = 1;
	assert(!swept)
}

/* bw_poller_add(), with a new entry */
inline add_again()
{
	store_seq_cst(ENTRY, 2);
	if
#ifndef SWEPT_IS_FORGOTTEN
	:: pending || swept -> entry_ready(2)
#else
	:: pending -> entry_ready(2)
#endif
	:: else
	fi
}

inline wait_for_callback()
{
	LOAD(RUNNING) == 0
}

/* bw_poller_del(): another thread may add the notifier while it waits. */
inline delete()
{
	store(ENTRY, 0);
#ifndef NO_DEAD
	store_seq_cst(DEAD, 1);
#endif
	DRAINED; /* the notifier's lock */
	if
	:: add_again();
	   added = 1
	:: skip
	fi;
	wait_for_sections();
	wake_sleeper();
#ifndef NO_WAIT_FOR_CALLBACK
	wait_for_callback();
#endif
	deleted = 1;
	if
	:: !added -> add_again()
	:: else
	fi
}

proctype control(byte me)
{
	byte moved;
	bit pushes, added;

#ifdef DELETES
	delete();
#else
	if
	:: skip
	:: publish()
	:: hand_out()
	fi;
#endif
	atomic { alive--; moved = 0; added = 0 }
}

init {
	atomic {
		memory[ENTRY] = 1;
		run ringer(1);
		run ringer(2);
		run control(CONTROL)
	}
}

/* ---- at the end each ring has been delivered, once ---- */

active proctype quiescence()
{
	timeout ->
	assert(alive == 0);
	assert(delivered == rung)
}
