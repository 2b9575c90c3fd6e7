/* The lowest free number is the next one, so it tells how many are taken: nothing is counted, and
 * whoever opens a file has no part in it. */
#include "base/descriptors.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/require.h"

/* For a reload, the audit file, broker-ctl and what the store opens: a few at a time. */
#define RESERVE 64
/* The next ones may be higher by as many as all threads accept, and files that are opened, at once.
 */
#define MARGIN 64

static atomic_int clients_end; /* 0: no bound */
static _Atomic uint64_t sockets;
static atomic_int highest; /* of a client, so far */

void descriptors_set_reserve(unsigned long limit)
{
	unsigned long reserve = limit / 4 < RESERVE ? limit / 4 : RESERVE;
	unsigned long end = limit - reserve;

	atomic_store(&clients_end, end < INT_MAX ? (int)end : 0);
}

void descriptors_reserve_table(unsigned long expected, unsigned long limit)
{
	unsigned long count = expected + RESERVE < limit ? expected + RESERVE : limit;
	/* mutant: descriptors_have_no_room */
	int fd = count > 0 ? fcntl(0, F_DUPFD_CLOEXEC, (int)count - 1) : -1;

	if (fd >= 0)
		close(fd);
}

bool descriptors_free_for_client(int fd)
{
	int end = atomic_load_explicit(&clients_end, memory_order_relaxed), next;

	REQUIRE(fd >= 0);
	if (end == 0 || atomic_load_explicit(&highest, memory_order_relaxed) + MARGIN < end)
		return true;
	next = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* the lowest that is free */
	if (next < 0)
		return false;
	close(next);
	/* mutant: clients_take_the_reserve */
	return next < end;
}

void descriptors_taken_by_client(int fd)
{
	int before = atomic_load_explicit(&highest, memory_order_relaxed);

	REQUIRE(fd >= 0);
	while (before < fd &&
	       !atomic_compare_exchange_weak_explicit(&highest, &before, fd, memory_order_relaxed,
	                                              memory_order_relaxed)) {
		/* another thread has noted one */
	}
}

void descriptors_count_socket(bool is_open)
{
	uint64_t before = atomic_fetch_add_explicit(&sockets, is_open ? UINT64_C(1) : UINT64_MAX,
	                                            memory_order_relaxed);

	REQUIRE(is_open || before > 0);
}

uint64_t descriptors_sockets(void)
{
	return atomic_load_explicit(&sockets, memory_order_relaxed);
}
