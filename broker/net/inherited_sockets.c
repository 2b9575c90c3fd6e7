/* The table of what was passed; it is filled once. */
#include "net/inherited_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/require.h"

#define FIRST_FD   3 /* SD_LISTEN_FDS_START */
#define NAME_SPACE 64

struct inherited_socket {
	int fd;
	bool listens, is_own;
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
		struct sockaddr_un local;
		struct sockaddr_storage storage;
	} address;
	socklen_t len;
	char name[NAME_SPACE]; /* of the manager's unit; empty: unknown */
};

static struct inherited_socket sockets[INHERITED_SOCKETS_MAX];
static size_t count;

/* --- taking --- */

/* NOLINTBEGIN(concurrency-mt-unsafe): there is one thread yet */
static long number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long n;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	n = strtol(text, &end, 10);
	return errno == 0 && *end == '\0' ? n : -1;
}

static void forget_variables(void)
{
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
}
/* NOLINTEND(concurrency-mt-unsafe) */

static int option_of(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

static void take_one(struct inherited_socket *s, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	s->fd = fd;
	s->len = sizeof(s->address);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	s->listens = flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
	             option_of(fd, SO_ACCEPTCONN) == 1 && option_of(fd, SO_TYPE) == SOCK_STREAM &&
	             getsockname(fd, &s->address.any, &s->len) == 0;
}

/* "vakt.socket:local": each up to a colon. */
static void take_names(const char *names)
{
	for (size_t i = 0; names != NULL && i < count; i++) {
		size_t len = strcspn(names, ":");

		(void)snprintf(sockets[i].name, NAME_SPACE, "%.*s",
		               len < NAME_SPACE ? (int)len : NAME_SPACE - 1, names);
		names = names[len] == ':' ? names + len + 1 : NULL;
	}
}

void inherited_sockets_take(void)
{
	long passed = number_of("LISTEN_FDS");

	/* mutant: inherited_by_another_process */
	if (number_of("LISTEN_PID") != (long)getpid())
		return;
	for (long i = 0; i < passed && i < INHERITED_SOCKETS_MAX; i++)
		take_one(&sockets[count++], FIRST_FD + (int)i);
	take_names(getenv("LISTEN_FDNAMES")); /* NOLINT(concurrency-mt-unsafe): one thread */
	forget_variables();
}

bool inherited_sockets_add(int fd)
{
	if (count == INHERITED_SOCKETS_MAX)
		return false;
	sockets[count].is_own = true;
	take_one(&sockets[count++], fd);
	return true;
}

bool inherited_sockets_is_passed(int index)
{
	REQUIRE(index >= 0 && (size_t)index < count);
	return !sockets[index].is_own;
}

/* --- finding --- */

static bool same_path(const struct sockaddr_un *a, const struct sockaddr_un *b)
{
	return a->sun_path[0] != '\0' &&
	       strncmp(a->sun_path, b->sun_path, sizeof(a->sun_path)) == 0;
}

static bool is_at(const struct inherited_socket *s, const struct sockaddr *address, socklen_t len)
{
	struct inherited_socket other = {0};

	if (!s->listens || len > sizeof(other.address) ||
	    address->sa_family != s->address.any.sa_family)
		return false;
	memcpy(&other.address, address, len);
	switch (address->sa_family) {
	case AF_INET:
		return s->address.four.sin_port == other.address.four.sin_port &&
		       s->address.four.sin_addr.s_addr == other.address.four.sin_addr.s_addr;
	case AF_INET6:
		return s->address.six.sin6_port == other.address.six.sin6_port &&
		       s->address.six.sin6_scope_id == other.address.six.sin6_scope_id &&
		       memcmp(&s->address.six.sin6_addr, &other.address.six.sin6_addr,
		              sizeof(struct in6_addr)) == 0;
	case AF_UNIX:
		return same_path(&s->address.local, &other.address.local);
	default:
		return false;
	}
}

int inherited_sockets_find(const struct sockaddr *address, socklen_t len)
{
	for (size_t i = 0; i < count; i++)
		if (is_at(&sockets[i], address, len))
			return (int)i;
	return -1;
}

int inherited_sockets_find_path(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	if (len >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, len + 1);
	return inherited_sockets_find((const struct sockaddr *)&address, sizeof(address));
}

int inherited_sockets_open(int index)
{
	int fd;

	REQUIRE(index >= 0 && (size_t)index < count);
	fd = fcntl(sockets[index].fd, F_DUPFD_CLOEXEC, FIRST_FD);
	return fd < 0 ? -errno : fd;
}

/* --- telling --- */

static void describe_address(const struct inherited_socket *s, char out[INHERITED_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";

	if (!s->listens) {
		(void)snprintf(out, INHERITED_TEXT_MAX, "descriptor %d", s->fd);
		return;
	}
	if (s->address.any.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &s->address.four.sin_addr, host, sizeof(host));
		(void)snprintf(out, INHERITED_TEXT_MAX, "%s:%u", host,
		               ntohs(s->address.four.sin_port));
	} else if (s->address.any.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &s->address.six.sin6_addr, host, sizeof(host));
		(void)snprintf(out, INHERITED_TEXT_MAX, "[%s]:%u", host,
		               ntohs(s->address.six.sin6_port));
	} else {
		(void)snprintf(
		    out, INHERITED_TEXT_MAX, "unix:%.*s", (int)sizeof(s->address.local.sun_path),
		    s->address.any.sa_family == AF_UNIX ? s->address.local.sun_path : "");
	}
}

bool inherited_sockets_describe(size_t index, char text[INHERITED_TEXT_MAX], bool *listens)
{
	size_t used;

	if (index >= count)
		return false;
	REQUIRE(!sockets[index].is_own || sockets[index].listens);
	*listens = sockets[index].listens;
	describe_address(&sockets[index], text);
	used = strlen(text);
	if (sockets[index].name[0] != '\0')
		(void)snprintf(text + used, INHERITED_TEXT_MAX - used, " (%s)",
		               sockets[index].name);
	return true;
}
