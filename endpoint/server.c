/* SPDX-License-Identifier: MIT
 *
 * Counts for a client in another process. What it counts, and who it is that goes on when this
 * process is killed, is record.c's; here is the way there.
 */
#define _GNU_SOURCE
#include "endpoint/server.h"
#include "endpoint/message.h"
#include "endpoint/record.h"
#include "endpoint/socket.h"

#include <bellwire.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 5000u   /* for a client's one message */
#define LOOKS_PER_POLL 1024 /* of one who spins or is never idle, at the connection */
#define PAGE 4096u

struct service {
	int conn;
	struct endpoint_attach attach;
	struct socket_fds fds;
	int eventfd, call; /* call -1: nobody is called */
	struct endpoint_record *record;
	uint8_t *page;  /* of the guest's memory, or NULL */
	uint64_t *word; /* in it */
};

static int check_eventfd(int fd)
{
	struct bw_notifier *n;
	int flags = fcntl(fd, F_GETFL), err = bw_notifier_import(&n, fd, NULL);

	if (err)
		return err;
	bw_notifier_free(n);
	return flags >= 0 && flags & O_NONBLOCK ? 0 : -EINVAL;
}

/* Only the page that holds the word: nothing else of the guest is this process's business. */
static int map_word(struct service *s, int memfd)
{
	uint64_t answer = s->attach.answer;
	struct stat st;
	void *page;

	if (fstat(memfd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(*s->word) ||
	    answer > (uint64_t)st.st_size - sizeof(*s->word))
		return -ERANGE;
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
		    (off_t)(answer & ~(uint64_t)(PAGE - 1)));
	if (page == MAP_FAILED)
		return -errno;
	s->page = page;
	s->word = (uint64_t *)(s->page + answer % PAGE);
	return 0;
}

static int pin(uint32_t cpu)
{
	cpu_set_t cpus;

	if (cpu == ENDPOINT_ANY_CPU)
		return 0;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus) ? -errno : 0;
}

/* Takes up what the message named. What an error leaves behind is released by endpoint_serve(). */
static int set_up(struct service *s)
{
	const int *fd = s->fds.fd;
	int err = endpoint_attach_check(&s->attach, s->fds.nr);

	if (err)
		return err;
	s->eventfd = *fd++;
	err = check_eventfd(s->eventfd);
	if (!err)
		err = record_open(&s->record, *fd++);
	if (!err && s->attach.flags & ENDPOINT_CALL) {
		s->call = *fd++;
		err = check_eventfd(s->call);
	}
	if (!err && s->attach.flags & ENDPOINT_MEMORY)
		err = map_word(s, *fd);
	return err ? err : pin(s->attach.cpu);
}

static int reply(const struct service *s, int err)
{
	struct endpoint_reply message = {
		.magic = ENDPOINT_MAGIC,
		.version = ENDPOINT_VERSION,
		.error = -err,
		.pid = (int32_t)getpid(),
	};

	return socket_send(s->conn, &message, sizeof(message), NULL, 0,
			   socket_deadline(PATIENCE_MS));
}

static void answer(struct service *s)
{
	uint64_t number;

	if (!s->word && s->call < 0)
		return;
	number = answer_note(&s->record->answers, record_rings(s->record));
	if (number && s->word)
		answer_word(s->word, number);
	if (number && s->call >= 0)
		answer_call(s->call);
}

/* True: the connection has ended, or the client says what it has no right to. */
static bool wait_for_rings(const struct service *s, int timeout)
{
	struct pollfd pfd[] = { { .fd = s->eventfd, .events = POLLIN },
				{ .fd = s->conn, .events = POLLIN | POLLRDHUP } };

	return poll(pfd, 2, timeout) > 0 && pfd[1].revents;
}

/* What the one before has counted it may have left without an answer. */
static void count_rings(struct service *s)
{
	bool spin = s->attach.flags & ENDPOINT_SPIN, ended = false;

	answer(s);
	for (unsigned int looks = 1; !ended; looks++) {
		bool idle = record_take(s->record, s->eventfd) != 0;

		if (!idle)
			answer(s);
		if (idle && !spin)
			ended = wait_for_rings(s, -1);
		else if (looks % LOOKS_PER_POLL == 0)
			ended = wait_for_rings(s, 0);
	}
}

static int serve(struct service *s)
{
	int err = socket_recv(s->conn, &s->attach, sizeof(s->attach), &s->fds,
			      socket_deadline(PATIENCE_MS));
	int sent;

	if (err)
		return err;
	err = set_up(s);
	sent = reply(s, err);
	if (err || sent)
		return err ? err : sent;
	count_rings(s);
	return 0;
}

int endpoint_serve(int conn)
{
	struct service s = { .conn = conn, .fds.max = ENDPOINT_MAX_FDS, .call = -1 };
	int err = serve(&s);

	if (s.page)
		munmap(s.page, PAGE);
	if (s.record)
		record_unmap(s.record);
	socket_close_fds(&s.fds); /* the lock on the record too */
	return err;
}
