/* SPDX-License-Identifier: MIT
 *
 * The chains in which accesses find their doorbell page: a reader who looks for one place again and
 * again, and commits that put another page there, take neighbours away and bring them back, are
 * aborted, or find that the chains have to grow. All hash alike: there is one chain. README.md maps
 * names to the code, and says what is left out.
 *
 * Every -D leaves something out, see scripts/model.
 */

/* Two pages take turns at the place, and the neighbours' keys are others. */
#define NEIGHBOUR 0
#define OTHER 1
#define PAGE(which) (2 + (which))
#define LINKS 4
#define NONE LINKS

/* ---- memory ---- */

byte first[2];        /* of the chains whose turn it is */
byte following[2 * LINKS];
bit turn;             /* which chains region->pages points to */
bool live[LINKS];
bool freed[LINKS];
bool freed_chains[2];
#ifdef ONE_NEXT
#define NEXT(link, t) following[2 * (link)]
#else
#define NEXT(link, t) following[2 * (link) + (t)]
#endif

/* ---- the reader: page_at() in its read section ---- */

bool in_section, waited_for;

inline grace_period()
{
	waited_for = in_section;
	!waited_for
}

proctype reader()
{
	byte link;
	bit t;
	bool found;

	do
	:: in_section = true;
	   t = turn;
	   assert(!freed_chains[t]);
	   link = first[t];
	   do
	   :: link == NONE -> break
	   :: else ->
		assert(!freed[link]);
		if
		:: link >= PAGE(0) && live[link] -> found = true; break
		:: else
		fi;
		link = NEXT(link, t)
	   od;
	   assert(found);
	   d_step {
		found = false;
		in_section = false;
		waited_for = false;
		link = 0;
		t = 0
	   }
	od
}

/* ---- the writer, who holds the control lock ---- */

/* Where readers see it: one store. */
inline link_in(link, t)
{
	d_step {
#ifdef NEW_FIRST
		NEXT(link, t) = first[t];
		first[t] = link;
#else
		NEXT(link, t) = NONE;
		before = NONE;
		at = first[t];
		do
		:: at == NONE -> break
		:: else -> before = at; at = NEXT(at, t)
		od;
		if
		:: before == NONE -> first[t] = link
		:: else -> NEXT(before, t) = link
		fi;
#endif
		at = 0;
		before = 0
	}
}

/* chains_add() of what was allocated, and is not in the chains yet */
inline add(link)
{
	freed[link] = false;
	link_in(link, turn)
}

inline remove(link)
{
	d_step {
		before = NONE;
		at = first[turn];
		do
		:: at == link -> break
		:: else -> before = at; at = NEXT(at, turn)
		od;
		if
		:: before == NONE -> first[turn] = NEXT(link, turn)
		:: else -> NEXT(before, turn) = NEXT(link, turn)
		fi;
		at = 0;
		before = 0
	}
}

inline free_link(link)
{
	d_step {
		freed[link] = true;
		live[link] = false;
		NEXT(link, turn) = NONE
	}
}

/* grow(): each link goes over in the order of the old chain. What nobody reads any more is made
 * equal, so that there are fewer states. */
inline grow()
{
	freed_chains[!turn] = false;
	first[!turn] = NONE;
	moving = first[turn];
	do
	:: moving == NONE -> break
	:: else ->
		then = NEXT(moving, turn);
		link_in(moving, !turn);
		moving = then
	od;
	turn = !turn;
#ifndef GROW_NO_GRACE
	grace_period();
#endif
	d_step {
		freed_chains[!turn] = true;
		first[!turn] = NONE;
#ifndef ONE_NEXT
		NEXT(NEIGHBOUR, !turn) = NONE;
		NEXT(OTHER, !turn) = NONE;
		NEXT(PAGE(0), !turn) = NONE;
		NEXT(PAGE(1), !turn) = NONE;
#endif
		moving = 0;
		then = 0
	}
}

/* What else the transaction may add. */
inline may_add_more()
{
	if
	:: grow()
	:: other == 0 -> add(OTHER); other = 1
	:: skip
	fi
}

/* A neighbour that is there may go in any commit, before the page or after it. */
inline may_remove(link, there)
{
	if
	:: there == 1 -> remove(link); there = 2
	:: skip
	fi
}

inline may_free(link, there)
{
	if
	:: there == 2 -> free_link(link); there = 0
	:: else
	fi
}

inline remove_old()
{
	may_remove(NEIGHBOUR, neighbour);
	remove(PAGE(current));
	may_remove(OTHER, other)
}

/* pages_publish() and pages_finish() */
inline replace()
{
	add(PAGE(!current));
	may_add_more();
#ifdef GONE_FIRST
	remove_old();
	live[PAGE(!current)] = true;
#else
	live[PAGE(!current)] = true;
	remove_old();
#endif
#ifndef NO_GRACE
	grace_period();
#endif
	may_free(NEIGHBOUR, neighbour);
	may_free(OTHER, other);
	free_link(PAGE(current));
	current = !current
}

inline abort()
{
	add(PAGE(!current));
	may_add_more();
	remove(PAGE(!current));
	grace_period();
	free_link(PAGE(!current))
}

proctype writer()
{
	byte at, before, moving, then;
	byte neighbour, other; /* 0: it is not there, 1: it is, 2: it was removed */
	bit current;

	do
	:: replace()
	:: abort()
	:: grow()
	:: neighbour == 0 -> add(NEIGHBOUR); neighbour = 1
	:: other == 0 -> add(OTHER); other = 1
	od
}

init {
	atomic {
		first[0] = PAGE(0);
		NEXT(PAGE(0), 0) = NONE;
		live[PAGE(0)] = true;
		freed_chains[1] = true;
		freed[NEIGHBOUR] = true;
		freed[OTHER] = true;
		freed[PAGE(1)] = true;
		run reader();
		run writer()
	}
}
