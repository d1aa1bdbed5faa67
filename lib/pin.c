/* SPDX-License-Identifier: MIT
 *
 * Handlers run outside every read section and lock: what keeps their region alive is a pin, taken
 * inside the section that found it. One word holds the number of pins and what is to be done by
 * whoever takes out the last: destroy the region (FREED), and tell bw_bus_synchronize() (DEPARTING,
 * and in which of two phases). As flags and number change in one atomic step, exactly one thread
 * finds the number 0 beside a flag: the last handler, or who set the flag if there is none.
 * DEPARTING goes with the last pin; FREED stays, no pin can follow it.
 *
 * The phases are those of SRCU: a waiter turns the phase, and waits for the departures of the old
 * one; what departs meanwhile does not hold it up. Waiters go one after another, so that the phase
 * turned to has nobody left from earlier.
 */
#include "pin.h"

#include <stdlib.h>

#define FREED 0x80000000u
#define DEPARTING(phase) (0x20000000u << (phase))
#define FLAGS (FREED | DEPARTING(0) | DEPARTING(1))

static uint32_t number(uint32_t pins)
{
	return pins & ~FLAGS;
}

void region_pin(struct bw_region *region)
{
	__atomic_add_fetch(&region->pins, 1, __ATOMIC_RELAXED);
}

static void departed(struct departures *d, unsigned int phase)
{
	pthread_mutex_lock(&d->lock);
	if (!--d->nr[phase])
		pthread_cond_broadcast(&d->none_left);
	pthread_mutex_unlock(&d->lock);
}

void region_unpin(struct bw_region *region)
{
	struct departures *d = &region->bus->departures;
	uint32_t old = __atomic_load_n(&region->pins, __ATOMIC_RELAXED), left;

	/* release: what the handler did is done before the region is destroyed; acquire: by us */
	do {
		left = old - 1;
		if (!number(left))
			left &= FREED;
	} while (!__atomic_compare_exchange_n(&region->pins, &old, left, true, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	if (number(left))
		return;
	if (old & FREED)
		region_destroy(region);
	for (unsigned int phase = 0; phase < 2; phase++)
		if (old & DEPARTING(phase))
			departed(d, phase);
}

void region_depart(struct bw_region *region)
{
	struct departures *d = &region->bus->departures;
	uint32_t old = __atomic_load_n(&region->pins, __ATOMIC_RELAXED);

	pthread_mutex_lock(&d->lock);
	while (number(old) && !(old & FLAGS)) {
		if (!__atomic_compare_exchange_n(&region->pins, &old, old | DEPARTING(d->phase),
						 true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		d->nr[d->phase]++; /* departed() waits for our lock */
		break;
	}
	pthread_mutex_unlock(&d->lock);
}

bool region_release(struct bw_region *region)
{
	region_depart(region);
	return !number(__atomic_fetch_or(&region->pins, FREED, __ATOMIC_ACQ_REL));
}

void region_destroy(struct bw_region *region)
{
	if (region->unused)
		region->unused(region->opaque);
	free(region->doorbells.at);
	free(region->pages);
	free(region);
}

void departures_init(struct departures *d)
{
	pthread_mutex_init(&d->lock, NULL);
	pthread_mutex_init(&d->waiter, NULL);
	pthread_cond_init(&d->none_left, NULL);
}

void departures_fini(struct departures *d)
{
	pthread_cond_destroy(&d->none_left);
	pthread_mutex_destroy(&d->waiter);
	pthread_mutex_destroy(&d->lock);
}

void departures_wait(struct departures *d)
{
	unsigned int old;

	pthread_mutex_lock(&d->waiter);
	pthread_mutex_lock(&d->lock);
	old = d->phase;
	d->phase = !old;
	while (d->nr[old])
		pthread_cond_wait(&d->none_left, &d->lock);
	pthread_mutex_unlock(&d->lock);
	pthread_mutex_unlock(&d->waiter);
}
