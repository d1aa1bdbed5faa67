/* SPDX-License-Identifier: MIT
 *
 * An emulator with its own CPU loop, and no KVM:
 *
 *   cc emulator.c $(pkg-config --cflags --libs bellwire) && ./a.out
 *
 * Its CPU knows five instructions. What is no RAM goes to the bus: a store to the doorbell rings,
 * another address has a handler, the rest is nobody's. As the notifier's fd is never asked for, a
 * ring is an atomic add while the consumer is awake, and a system call only if it sleeps.
 */
#include <bellwire.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RINGS 100000u
#define RAM_WORDS 16u
#define DOORBELL 0x10000000u
#define IDENTITY 0x20000000u
#define NOBODY 0x30000000u

enum op { LOAD, STORE, ADD, LOOP, HALT };

/* LOAD and STORE move register r from and to address x; ADD adds x to r; LOOP goes back x
 * instructions until r is 0, and counts it down. */
struct instruction {
	enum op op;
	unsigned int r;
	uint32_t x;
};

struct cpu {
	struct bw_bus *bus;
	uint32_t reg[4];
	uint32_t ram[RAM_WORDS];
};

static const struct instruction program[] = {
	{ ADD, 0, RINGS },   { STORE, 0, DOORBELL }, /* the loop */
	{ STORE, 0, 8 },     { LOOP, 0, 2 },         { LOAD, 1, IDENTITY },
	{ LOAD, 2, NOBODY }, { HALT, 0, 0 },
};

static void must(const char *what, int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, bw_last_error());
	exit(1);
}

static void access_memory(struct cpu *cpu, uint32_t addr, uint32_t *word, bool is_write)
{
	struct bw_access access = {
		.space = BW_MMIO,
		.is_write = is_write,
		.len = sizeof(*word),
		.addr = addr,
		.data = word,
		.vcpu = cpu,
	};

	if (addr / 4 >= RAM_WORDS)
		must("access", bw_bus_access(cpu->bus, &access));
	else if (is_write)
		cpu->ram[addr / 4] = *word;
	else
		*word = cpu->ram[addr / 4];
}

static void run(struct cpu *cpu)
{
	for (const struct instruction *i = program;; i++) {
		uint32_t *r = &cpu->reg[i->r];

		switch (i->op) {
		case LOAD:
			access_memory(cpu, i->x, r, false);
			break;
		case STORE:
			access_memory(cpu, i->x, r, true);
			break;
		case ADD:
			*r += i->x;
			break;
		case LOOP:
			if (--*r > 0)
				i -= i->x + 1;
			break;
		case HALT:
			return;
		}
	}
}

static void identify(void *opaque, struct bw_access *access)
{
	if (!access->is_write)
		memcpy(access->data, opaque, access->len);
}

static void hear(void *opaque, struct bw_notifier *n, uint64_t count)
{
	(void)n;
	*(uint64_t *)opaque += count;
}

static void *consume(void *poller)
{
	must("poller", bw_poller_run(poller));
	return NULL;
}

static void make_device(struct bw_bus *bus, struct bw_notifier *kick)
{
	static uint32_t identity = 0x6c6c6562;
	struct bw_region_opts opts = {
		.size = sizeof(opts),
		.name = "identity",
		.space = BW_MMIO,
		.len = sizeof(identity),
		.handler = identify,
		.opaque = &identity,
	};
	struct bw_ioeventfd *doorbell;
	struct bw_region *region;

	must("doorbell", bw_ioeventfd_assign(bus, &doorbell, BW_MMIO, DOORBELL,
					     (struct bw_match){ .len = 4 }, kick));
	must("region", bw_region_new(bus, &region, &opts));
	must("region", bw_region_map(region, IDENTITY));
}

int main(void)
{
	struct cpu cpu = { 0 };
	struct bw_notifier *kick;
	struct bw_poller *poller;
	uint64_t heard = 0;
	pthread_t consumer;

	must("bus", bw_bus_new(&cpu.bus, NULL));
	must("notifier", bw_notifier_new(&kick, "kick"));
	make_device(cpu.bus, kick);
	must("poller", bw_poller_new(&poller));
	must("poller", bw_poller_add(poller, kick, hear, &heard));
	if (pthread_create(&consumer, NULL, consume, poller) != 0)
		return 1;
	run(&cpu);
	bw_poller_stop(poller);
	pthread_join(consumer, NULL);
	bw_poller_poll(poller, 0); /* what came after the consumer had looked last */
	printf("%u rings, %ju heard; the device is 0x%x, nobody is 0x%x\n", RINGS, (uintmax_t)heard,
	       cpu.reg[1], cpu.reg[2]);
	bw_poller_free(poller);
	bw_bus_free(cpu.bus);
	bw_notifier_free(kick);
	return heard == RINGS && cpu.reg[1] == 0x6c6c6562 && cpu.reg[2] == UINT32_MAX ? 0 : 1;
}
