/* SPDX-License-Identifier: MIT
 *
 * What nearly every test of the library needs: a bus, notifiers, one access, and what the process
 * holds open. Failures end the test that asked.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include <bellwire.h>

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline struct bw_bus *make_bus(void)
{
	struct bw_bus *bus;

	assert_int_equal(bw_bus_new(&bus, NULL), 0);
	return bus;
}

static inline struct bw_notifier *make_notifier(const char *name)
{
	struct bw_notifier *n;

	assert_int_equal(bw_notifier_new(&n, name), 0);
	return n;
}

static inline struct bw_match any_len(void)
{
	return (struct bw_match){ .len = BW_ANY_LEN };
}

static inline struct bw_match of_len(uint32_t len)
{
	return (struct bw_match){ .len = len };
}

static inline struct bw_match of_value(uint32_t len, uint64_t value)
{
	return (struct bw_match){ .len = len, .has_value = true, .value = value };
}

static inline struct bw_ioeventfd *must_assign(struct bw_bus *bus, enum bw_space space,
					       uint64_t addr, struct bw_match match,
					       struct bw_notifier *n)
{
	struct bw_ioeventfd *ie;

	assert_int_equal(bw_ioeventfd_assign(bus, &ie, space, addr, match, n), 0);
	return ie;
}

/* The guest writes the low len bytes of value: the tests run on little-endian hosts. */
static inline int write_to(struct bw_bus *bus, enum bw_space space, uint64_t addr, uint32_t len,
			   uint64_t value)
{
	struct bw_access access = {
		.space = space, .is_write = true, .len = len, .addr = addr, .data = &value
	};

	return bw_bus_access(bus, &access);
}

static inline int read_from(struct bw_bus *bus, enum bw_space space, uint64_t addr, uint32_t len,
			    uint64_t *value)
{
	struct bw_access access = { .space = space, .len = len, .addr = addr, .data = value };

	*value = 0;
	return bw_bus_access(bus, &access);
}

static inline unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	assert_non_null(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* What an eventfd of the test's own holds, which becomes 0. */
static inline uint64_t drain(int eventfd)
{
	struct pollfd ready = { .fd = eventfd, .events = POLLIN };
	uint64_t count;

	if (poll(&ready, 1, 0) != 1)
		return 0;
	assert_int_equal(read(eventfd, &count, sizeof(count)), sizeof(count));
	return count;
}

/* Where scripts/coverage links it: without it _exit() forgets what the child has reached. */
__attribute__((weak)) void __gcov_dump(void);

static inline void end_child(int result)
{
	if (__gcov_dump)
		__gcov_dump();
	_exit(result);
}

/* Runs fn in a forked child; what it returns, 0 to 255, or -1 if it died of a signal. */
static inline int in_child(int (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		end_child(fn(arg));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* xorshift64*: the same numbers on every machine, for programs of random steps. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((next_random(state) >> 32) % limit);
}

#endif
