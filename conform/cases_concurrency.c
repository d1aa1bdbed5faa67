/* SPDX-License-Identifier: MIT
 *
 * vCPUs that ring while ioeventfds come and go. Nothing here depends on who is faster.
 */
#include "trial.h"

#define RINGS 20000u
#define FEW 5000u /* where many exit */
#define FOR_EVER (1ull << 40)

static void two_on_one(struct trial *t)
{
	int fd = new_eventfd(t);

	assign(t, port(PORT, 1), fd);
	for (unsigned int i = 0; i < 2; i++)
		start_ringing(t, i, out(PORT, 1, i), RINGS, 0);
	for (unsigned int i = 0; i < 2; i++)
		finish_ringing(t, i);
	counted(t, fd, 2 * RINGS);
	exited(t, NULL, 0);
}

static void two_on_two(struct trial *t)
{
	int fds[2] = { new_eventfd(t), new_eventfd(t) };

	for (unsigned int i = 0; i < 2; i++)
		assign(t, mmio(BAR + 4 * i, 4), fds[i]);
	for (unsigned int i = 0; i < 2; i++)
		start_ringing(t, i, store(BAR + 4 * i, 4, i), RINGS * (i + 1), 0);
	for (unsigned int i = 0; i < 2; i++)
		finish_ringing(t, i);
	check(t, take(t, fds[0]) == RINGS, "the first vCPU's count is wrong");
	check(t, take(t, fds[1]) == 2 * RINGS, "the second vCPU's count is wrong");
	exited(t, NULL, 0);
}

static void two_values(struct trial *t)
{
	int fds[2] = { new_eventfd(t), new_eventfd(t) };

	for (unsigned int i = 0; i < 2; i++)
		assign(t, port_value(PORT, 2, i), fds[i]);
	for (unsigned int i = 0; i < 2; i++)
		start_ringing(t, i, out(PORT, 2, i), RINGS * (i + 1), 0);
	for (unsigned int i = 0; i < 2; i++)
		finish_ringing(t, i);
	check(t, take(t, fds[0]) == RINGS, "the first value's count is wrong");
	check(t, take(t, fds[1]) == 2 * RINGS, "the second value's count is wrong");
}

/* After deassign has returned the vCPU is seen to go on, and the eventfd stays at 0. */
static void after_deassign(struct trial *t)
{
	int fd = new_eventfd(t);

	share_one_cpu(t);
	assign(t, port(PORT, 1), fd);
	start_ringing(t, 0, out(PORT, 1, 0), FOR_EVER, 0);
	for (unsigned int i = 0; i < 80 && is_ringing(t, 0); i++) {
		wait_a_little();
		deassign(t, port(PORT, 1), fd);
		take(t, fd);
		wait_for_exits(t, subject_nr_seen(t->s) + 3);
		check(t, take(t, fd) == 0, "a ring came after deassign %u had returned", i);
		assign(t, port(PORT, 1), fd);
	}
	stop_ringing(t, 0);
}

/* Of the writes that were under way, each vCPU's last one may still exit. */
static void after_assign(struct trial *t)
{
	int fd = new_eventfd(t);

	start_ringing(t, 0, out(PORT, 1, 0), FOR_EVER, 0);
	for (unsigned int i = 0; i < 60 && is_ringing(t, 0); i++) {
		uint64_t before, rung = 0;

		wait_for_exits(t, subject_nr_seen(t->s) + 3);
		assign(t, port(PORT, 1), fd);
		before = subject_nr_seen(t->s);
		while (rung < 3 && is_ringing(t, 0))
			rung += take(t, fd);
		check(t, subject_nr_seen(t->s) <= before + 1,
		      "%llu writes exited after assign %u had returned",
		      (unsigned long long)(subject_nr_seen(t->s) - before), i);
		deassign(t, port(PORT, 1), fd);
	}
	stop_ringing(t, 0);
}

static void none_lost(struct trial *t)
{
	int fds[2] = { new_eventfd(t), new_eventfd(t) };
	uint64_t sum;
	unsigned int i;

	subject_forget(t->s);
	for (i = 0; i < 2; i++)
		start_ringing(t, i, out(PORT, 1, 0), FEW, 0);
	for (i = 0; is_ringing(t, 0) || is_ringing(t, 1); i++) {
		assign(t, port(PORT, 1), fds[i % 2]);
		wait_a_little();
		deassign(t, port(PORT, 1), fds[i % 2]);
	}
	for (i = 0; i < 2; i++)
		finish_ringing(t, i);
	sum = take(t, fds[0]) + take(t, fds[1]) + subject_nr_seen(t->s);
	check(t, sum == 2 * FEW, "%u writes, but %llu rings and exits", 2 * FEW,
	      (unsigned long long)sum);
}

static void neighbours_come_and_go(struct trial *t)
{
	int fd = new_eventfd(t), other = new_eventfd(t);

	assign(t, mmio(BAR + 0x100, 4), fd);
	start_ringing(t, 0, store(BAR + 0x100, 4, 0), RINGS, 0);
	for (uint64_t i = 0; is_ringing(t, 0); i = (i + 4) % 0x200) {
		uint64_t addr = BAR + (i == 0x100 ? 0x200 : i);

		assign(t, mmio(addr, 4), other);
		deassign(t, mmio(addr, 4), other);
	}
	finish_ringing(t, 0);
	counted(t, fd, RINGS);
	exited(t, NULL, 0);
}

static void a_reader_meanwhile(struct trial *t)
{
	int fd = new_eventfd(t);
	uint64_t sum = 0;

	assign(t, port(PORT, 4), fd);
	for (unsigned int i = 0; i < 2; i++)
		start_ringing(t, i, out(PORT, 4, i), RINGS, 0);
	while (is_ringing(t, 0) || is_ringing(t, 1))
		sum += take(t, fd);
	for (unsigned int i = 0; i < 2; i++)
		finish_ringing(t, i);
	sum += take(t, fd);
	check(t, sum == 2 * RINGS, "%llu rings were read of %u", (unsigned long long)sum,
	      2 * RINGS);
}

static void stopped(struct trial *t)
{
	unsigned int stops = 0;
	int fd = new_eventfd(t);

	assign(t, port(PORT, 1), fd);
	start_ringing(t, 0, out(PORT, 1, 0), RINGS, 0);
	while (is_ringing(t, 0) && stops < 20) {
		wait_a_little();
		if (!stop_ringing(t, 0))
			break;
		stops++;
		go_on_ringing(t, 0);
	}
	check(t, stops > 0, "the vCPU was never stopped");
	if (stops == 20)
		finish_ringing(t, 0);
	counted(t, fd, RINGS);
	exited(t, NULL, 0);
}

struct racer {
	struct trial *t;
	pthread_barrier_t *start;
	int fd, err;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct kvm_ioeventfd io = port(PORT, 2);

	io.fd = r->fd;
	pthread_barrier_wait(r->start);
	r->err = subject_ioeventfd(r->t->s, &io);
	return NULL;
}

/* The kernel's plan is not for two threads, but here only the errors are of interest. */
static void race_once(struct trial *t, const int *fds)
{
	pthread_barrier_t start;
	struct racer racers[2];
	pthread_t thread;

	pthread_barrier_init(&start, NULL, 2);
	for (unsigned int i = 0; i < 2; i++)
		racers[i] = (struct racer){ t, &start, fds[i], 0 };
	if (pthread_create(&thread, NULL, race, &racers[0])) {
		fails(t, "no thread");
	} else {
		race(&racers[1]);
		pthread_join(thread, NULL);
		check(t, racers[0].err + racers[1].err == -EEXIST, "two assigns gave %d and %d",
		      racers[0].err, racers[1].err);
		deassign(t, port(PORT, 2), fds[racers[0].err ? 1 : 0]);
	}
	pthread_barrier_destroy(&start);
}

static void races(struct trial *t)
{
	int fds[2] = { new_eventfd(t), new_eventfd(t) };

	for (unsigned int i = 0; i < 50 && !is_over(t); i++)
		race_once(t, fds);
}

static const struct conform_case cases[] = {
	{ .name = "two_vcpus_on_one_doorbell_count_together",
	  .says = "20,000 rings each.",
	  .run = two_on_one,
	  .nr_vcpus = 2 },
	{ .name = "two_vcpus_on_two_doorbells_count_apart",
	  .says = "20,000 and 40,000 rings.",
	  .run = two_on_two,
	  .nr_vcpus = 2 },
	{ .name = "two_vcpus_on_two_values_count_apart",
	  .says = "At one port.",
	  .run = two_values,
	  .nr_vcpus = 2 },
	{ .name = "no_ring_comes_after_deassign_has_returned",
	  .says = "A vCPU rings on: its writes exit, and the eventfd stays at 0.",
	  .run = after_deassign },
	{ .name = "every_write_rings_after_assign_has_returned",
	  .says = "But for one that was under way, none exits.",
	  .run = after_assign },
	{ .name = "assign_and_deassign_lose_no_ring",
	  .says = "Two vCPUs ring while it is moved from one eventfd to another: every write rings "
		  "once or "
		  "exits once.",
	  .run = none_lost,
	  .nr_vcpus = 2 },
	{ .name = "neighbours_come_and_go_unnoticed",
	  .says = "While a vCPU rings, others are assigned and deassigned around it.",
	  .run = neighbours_come_and_go },
	{ .name = "a_reader_meanwhile_sees_every_ring",
	  .says = "Two vCPUs ring while the count is taken.",
	  .run = a_reader_meanwhile,
	  .nr_vcpus = 2 },
	{ .name = "a_stopped_vcpu_rings_on_where_it_was",
	  .says = "Nothing is lost, and nothing comes twice.",
	  .run = stopped },
	{ .name = "of_two_assigns_at_once_one_wins",
	  .says = "The other is told EEXIST: 50 races.",
	  .run = races },
};

const struct conform_group group_concurrency = CONFORM_GROUP("concurrency", cases);
