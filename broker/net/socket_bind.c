/* Making a listening descriptor, with errors that say what to do.  Runs on main, before privileges
 * are dropped and before threads are started (it changes the umask). */
#include "net/socket_bind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "net/inherited_sockets.h"
#include "program/trust.h"

#define BACKLOG      4096
#define KEEP_IDLE_S  120
#define KEEP_EVERY_S 30
#define KEEP_COUNT   4

/* What every step needs: where errors are reported. */
struct binding {
	const struct conf_listener *conf;
	struct errors *errors;
	const char *conf_path;
};

#define REPORT(b, ...)                                                                             \
	errors_add((b)->errors, (b)->conf_path, (b)->conf->line, (b)->conf->column, __VA_ARGS__)

/* --- TCP --- */

static int resolve(const struct binding *b, uint16_t port, struct addrinfo **out)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	                         .ai_socktype = SOCK_STREAM};
	char service[8];
	int failed;

	snprintf(service, sizeof(service), "%u", port);
	failed = getaddrinfo(b->conf->host, service, &hints, out);
	if (failed == 0)
		return 0;
	REPORT(b, "%s: '%s' is not a numeric address (%s); [::]:%u listens on all addresses",
	       b->conf->bind, b->conf->host, gai_strerror(failed), port);
	return -EINVAL;
}

static int option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* On Linux what is accepted inherits these: no system call per connection. */
static int set_accepted_options(int fd)
{
	int failed = option(fd, IPPROTO_TCP, TCP_NODELAY, 1);

	if (failed == 0)
		failed = option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	(void)option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	(void)option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_EVERY_S);
	(void)option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
	return failed;
}

static int set_options(int fd, int family, bool shared)
{
	int failed = option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (failed == 0 && shared)
		failed = option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (failed == 0 && family == AF_INET6)
		failed = option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	return failed == 0 ? set_accepted_options(fd) : failed;
}

/* An address that the machine gets later, by DHCP or when its cable is plugged in, can be bound to
 * now: connections come as soon as it is there. */
static int bind_in_advance(const struct binding *b, int fd, const struct addrinfo *address)
{
	/* mutant: bind_in_advance */
	if (option(fd, IPPROTO_IP, IP_FREEBIND, 1) != 0 ||
	    bind(fd, address->ai_addr, address->ai_addrlen) != 0)
		return -EADDRNOTAVAIL;
	errors_warn(b->errors, b->conf_path, b->conf->line, b->conf->column,
	            "%s: this machine has no address %s now: clients can connect as soon as it has "
	            "it ('ip address' lists what it has); if that is not meant, [::]:%u listens on "
	            "all addresses",
	            b->conf->bind, b->conf->host, b->conf->port);
	return 0;
}

static int bound_socket(const struct binding *b, const struct addrinfo *address, bool shared)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int failed;

	if (fd < 0)
		return -errno;
	failed = set_options(fd, address->ai_family, shared);
	if (failed == 0 && bind(fd, address->ai_addr, address->ai_addrlen) != 0)
		failed = errno == EADDRNOTAVAIL ? bind_in_advance(b, fd, address) : -errno;
	if (failed == 0)
		return fd;
	close(fd);
	return failed;
}

static void report_tcp(const struct binding *b, uint16_t port, int failed)
{
	switch (-failed) {
	case EADDRINUSE:
		REPORT(b,
		       "%s: port %u is in use by another program, perhaps by a second broker; 'ss "
		       "-ltnp sport = :%u' names it",
		       b->conf->bind, port, port);
		return;
	case EACCES:
	case EPERM:
		REPORT(b,
		       "%s: port %u needs a permission (ports below 1024): "
		       "AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or 'setcap "
		       "cap_net_bind_service=+ep' on the program",
		       b->conf->bind, port);
		return;
	case EADDRNOTAVAIL:
		REPORT(b,
		       "%s: this machine has no address %s now ('ip address' lists what it has); "
		       "[::]:%u listens on all addresses",
		       b->conf->bind, b->conf->host, port);
		return;
	default:
		REPORT(b, "%s: cannot listen: %s", b->conf->bind, strerror(-failed));
	}
}

/* A kernel without IPv6 still has the addresses that [::] stands for. */
static int resolve_anyway(const struct binding *b, uint16_t port, struct addrinfo **out)
{
	struct binding four = *b;
	struct conf_listener conf;
	int fd, failed = resolve(b, port, out);

	if (failed != 0 || (*out)->ai_family != AF_INET6 || strcmp(b->conf->host, "::") != 0)
		return failed;
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno != EAFNOSUPPORT)
		return 0;
	freeaddrinfo(*out);
	conf = *b->conf;
	conf.host = (char *)(uintptr_t) "0.0.0.0";
	four.conf = &conf;
	errors_warn(b->errors, b->conf_path, b->conf->line, b->conf->column,
	            "%s: IPv6 is switched off on this machine: listening on IPv4 only",
	            b->conf->bind);
	return resolve(&four, port, out);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return 0;
	if (address.ss_family == AF_INET6) {
		memcpy(&six, &address, sizeof(six));
		return ntohs(six.sin6_port);
	}
	memcpy(&four, &address, sizeof(four));
	return ntohs(four.sin_port);
}

static int own_tcp(const struct binding *b, const struct addrinfo *address, uint16_t wanted,
                   bool probe)
{
	int fd = 0;

	if (probe && wanted != 0) {
		/* SO_REUSEPORT would let a second broker of the same user share the port. */
		fd = bound_socket(b, address, false);
		if (fd >= 0)
			close(fd);
	}
	if (fd >= 0)
		fd = bound_socket(b, address, true);
	if (fd >= 0 && listen(fd, BACKLOG) != 0) {
		int failed = -errno;

		close(fd);
		fd = failed;
	}
	return fd;
}

/* Of the service manager, or bound early; all workers share it. */
static int inherited_tcp(const struct binding *b, const struct addrinfo *address, bool is_first)
{
	int index = inherited_sockets_find(address->ai_addr, address->ai_addrlen);
	int fd = index < 0 ? -ENOENT : inherited_sockets_open(index);

	if (fd >= 0) {
		(void)set_accepted_options(fd);
		if (is_first && inherited_sockets_is_passed(index))
			LOG(SOCKET_INHERITED, .bind = b->conf->bind);
	}
	return fd;
}

static int bind_tcp(const struct binding *b, uint16_t *port, bool probe)
{
	uint16_t wanted = *port != 0 ? *port : b->conf->port;
	struct addrinfo *address = NULL;
	int fd = resolve_anyway(b, wanted, &address);

	if (fd != 0)
		return fd;
	fd = wanted == 0 ? -ENOENT : inherited_tcp(b, address, probe);
	if (fd == -ENOENT)
		fd = own_tcp(b, address, wanted, probe);
	freeaddrinfo(address);
	if (fd < 0)
		report_tcp(b, wanted, fd);
	else
		*port = port_of(fd);
	return fd;
}

/* --- what only root can do --- */

#define PRIVILEGED_END 1024
/* Ports that somebody has, as was found while this process could bind to them. */
static bool early_in_use[PRIVILEGED_END];

int socket_bind_early(const struct conf_listener *conf, struct errors *errors,
                      const char *conf_path)
{
	struct binding b = {.conf = conf, .errors = errors, .conf_path = conf_path};
	struct addrinfo *address = NULL;
	int fd;

	if (conf->is_unix || conf->port == 0 || conf->port >= PRIVILEGED_END)
		return 0;
	fd = resolve_anyway(&b, conf->port, &address);
	if (fd != 0)
		return fd;
	if (inherited_sockets_find(address->ai_addr, address->ai_addrlen) < 0)
		fd = own_tcp(&b, address, conf->port, true);
	freeaddrinfo(address);
	early_in_use[conf->port] = fd == -EADDRINUSE;
	if (fd < 0)
		report_tcp(&b, conf->port, fd);
	else if (fd > 0 && !inherited_sockets_add(fd))
		close(fd);
	return fd < 0 ? fd : 0;
}

/* --- Unix --- */

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static void report_make(const struct binding *b, int failed)
{
	struct buf why = {0};

	if (failed == -EACCES)
		trust_describe_denial(b->conf->path, W_OK | X_OK, &why);
	REPORT(b, "%s: cannot make the socket: %.*s", b->conf->bind,
	       why.len > 0 ? (int)why.len : INT_MAX,
	       why.len > 0 ? (const char *)why.data : strerror(-failed));
	buf_fini(&why);
}

/* Another user who may create files there could put a socket of their own under this name: the
 * sticky bit does not help. */
static int check_directory(const struct binding *b)
{
	char *dir = directory_of(b->conf->path);
	struct trust_request request = {
	    .path = dir, .flags = O_PATH | O_DIRECTORY, .refuse_sticky = true};
	struct buf why = {0};
	/* mutant: trust_socket_directories */
	int failed = trust_check(&request, &why);

	if (why.len > 0)
		REPORT(b, "%s: the directory of the socket: %.*s", b->conf->bind, (int)why.len,
		       (const char *)why.data);
	else if (failed == -ENOTDIR)
		REPORT(b, "%s: %s is not a directory", b->conf->bind, dir);
	else if (failed != 0)
		REPORT(b, "%s: cannot use the directory %s: %s; make it: 'install -d -m 0750 %s'",
		       b->conf->bind, dir, strerror(-failed), dir);
	buf_fini(&why);
	free(dir);
	return failed;
}

/* `is_there`: a socket, perhaps one that the service manager passes at a start. */
static int check_writable(const struct binding *b, bool is_there)
{
	char *dir = directory_of(b->conf->path);
	int failed = faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;

	if (failed != 0 && is_there) {
		failed = 0;
		errors_warn(b->errors, b->conf_path, b->conf->line, b->conf->column,
		            "%s: this user may not make sockets in %s: a broker of this user "
		            "starts only where the service manager passes the one that is there",
		            b->conf->bind, dir);
	} else if (failed != 0) {
		report_make(b, failed);
	}
	free(dir);
	return failed;
}

static int unix_address(const struct binding *b, struct sockaddr_un *out)
{
	size_t len = strlen(b->conf->path);

	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len >= sizeof(out->sun_path)) {
		REPORT(b, "%s: the path has %zu bytes, a Unix socket's may have %zu", b->conf->bind,
		       len, sizeof(out->sun_path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(out->sun_path, b->conf->path, len + 1);
	return 0;
}

/* 0: no program listens there any more; -EADDRINUSE: one does. */
static int connects_to(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int answer;

	if (fd < 0)
		return -errno;
	answer = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? EADDRINUSE
	                                                                              : errno;
	close(fd);
	if (answer == ECONNREFUSED || answer == ENOENT)
		return 0;
	return answer == EAGAIN ? -EADDRINUSE : -answer; /* EAGAIN: its backlog is full */
}

/* 1: a socket has that name; 0: nothing has. */
static int find_stale(const struct binding *b, const struct sockaddr_un *address)
{
	struct stat st;
	int failed;

	if (lstat(address->sun_path, &st) != 0) {
		if (errno == ENOENT)
			return 0;
		failed = -errno;
		REPORT(b, "%s: %s", b->conf->bind, strerror(errno));
		return failed;
	}
	if (S_ISSOCK(st.st_mode))
		return 1;
	REPORT(b, "%s: a file of that name exists and is not a socket; move it away",
	       b->conf->bind);
	return -EEXIST;
}

static int remove_stale(const struct binding *b, const struct sockaddr_un *address)
{
	int failed = find_stale(b, address);

	if (failed <= 0)
		return failed;
	failed = connects_to(address);
	if (failed == -EADDRINUSE)
		REPORT(b, "%s: another program listens there already, perhaps a second broker",
		       b->conf->bind);
	else if (failed != 0)
		REPORT(b, "%s: cannot find out whether the old socket is still in use: %s",
		       b->conf->bind, strerror(-failed));
	else if (unlink(address->sun_path) != 0) {
		failed = -errno;
		REPORT(b, "%s: cannot remove the old socket: %s", b->conf->bind, strerror(errno));
	}
	return failed;
}

static bool parse_id(const char *text, unsigned *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n > UINT32_MAX - 1)
		return false;
	*out = (unsigned)n;
	return true;
}

static int find_owner(const struct binding *b, uid_t *uid)
{
	struct passwd entry, *found = NULL;
	char space[4096];

	*uid = (uid_t)-1;
	if (b->conf->owner == NULL || parse_id(b->conf->owner, uid))
		return 0;
	(void)getpwnam_r(b->conf->owner, &entry, space, sizeof(space), &found);
	if (found == NULL) {
		REPORT(b, "%s: owner: there is no user '%s' on this machine", b->conf->bind,
		       b->conf->owner);
		return -ENOENT;
	}
	*uid = entry.pw_uid;
	return 0;
}

static int find_group(const struct binding *b, gid_t *gid)
{
	struct group entry, *found = NULL;
	char space[4096];

	*gid = (gid_t)-1;
	if (b->conf->group == NULL || parse_id(b->conf->group, gid))
		return 0;
	(void)getgrnam_r(b->conf->group, &entry, space, sizeof(space), &found);
	if (found == NULL) {
		REPORT(b,
		       "%s: group: there is no group '%s' on this machine; 'groupadd --system %s'",
		       b->conf->bind, b->conf->group, b->conf->group);
		return -ENOENT;
	}
	*gid = entry.gr_gid;
	return 0;
}

/* Nobody can connect before listen(): by then owner and mode are right. No other user can
 * change the directory, so the name still means what bind() made. */
static int set_permissions(const struct binding *b, uid_t uid, gid_t gid)
{
	const char *path = b->conf->path;
	int failed;

	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && lchown(path, uid, gid) != 0) {
		failed = -errno;
		REPORT(b, "%s: cannot change owner and group of the socket: %s (only root can)",
		       b->conf->bind, strerror(errno));
		return failed;
	}
	if (chmod(path, (mode_t)b->conf->mode) != 0) {
		failed = -errno;
		REPORT(b, "%s: cannot set mode %04o: %s", b->conf->bind, b->conf->mode,
		       strerror(errno));
		return failed;
	}
	return 0;
}

static int make_unix(const struct binding *b, const struct sockaddr_un *address, uid_t uid,
                     gid_t gid)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t before;
	int failed;

	if (fd < 0) {
		failed = -errno;
		REPORT(b, "%s: %s", b->conf->bind, strerror(errno));
		return failed;
	}
	before = umask(0177);
	failed = bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : -errno;
	umask(before);
	if (failed != 0) {
		report_make(b, failed);
		close(fd);
		return failed;
	}
	failed = set_permissions(b, uid, gid);
	if (failed == 0 && listen(fd, BACKLOG) != 0) {
		failed = -errno;
		REPORT(b, "%s: cannot listen: %s", b->conf->bind, strerror(errno));
	}
	if (failed == 0)
		return fd;
	unlink(address->sun_path);
	close(fd);
	return failed;
}

/* What can be said of it before anything is made. */
static int check_unix(const struct binding *b, struct sockaddr_un *address, uid_t *uid, gid_t *gid)
{
	int failed = check_directory(b);

	if (failed == 0)
		failed = unix_address(b, address);
	if (failed == 0)
		failed = find_owner(b, uid);
	return failed == 0 ? find_group(b, gid) : failed;
}

/* Of the service manager, which has also made its directory. */
static int inherited_unix(const struct binding *b)
{
	int index = inherited_sockets_find_path(b->conf->path);
	int fd = index < 0 ? -ENOENT : inherited_sockets_open(index);

	if (fd >= 0)
		LOG(SOCKET_INHERITED, .bind = b->conf->bind);
	else if (fd != -ENOENT)
		REPORT(b, "%s: cannot listen: %s", b->conf->bind, strerror(-fd));
	return fd;
}

static int bind_unix(const struct binding *b)
{
	struct sockaddr_un address;
	uid_t uid;
	gid_t gid;
	int failed = inherited_unix(b);

	if (failed != -ENOENT)
		return failed;
	failed = check_unix(b, &address, &uid, &gid);

	if (failed == 0)
		failed = remove_stale(b, &address);
	return failed == 0 ? make_unix(b, &address, uid, gid) : failed;
}

int socket_bind(const struct conf_listener *conf, uint16_t *port, bool probe, struct errors *errors,
                const char *conf_path)
{
	struct binding b = {.conf = conf, .errors = errors, .conf_path = conf_path};
	int fd = conf->is_unix ? bind_unix(&b) : bind_tcp(&b, port, probe);

	if (fd < 0)
		errors_note_cause(errors, -fd);
	return fd;
}

int socket_bind_permit(const struct conf_listener *conf, struct errors *errors,
                       const char *conf_path)
{
	struct binding b = {.conf = conf, .errors = errors, .conf_path = conf_path};
	struct stat st;
	uid_t uid;
	gid_t gid;
	int failed;

	if (inherited_sockets_find_path(conf->path) >= 0)
		return 0;
	failed = find_owner(&b, &uid);
	if (failed == 0)
		failed = find_group(&b, &gid);
	if (failed != 0)
		return failed;
	if (lstat(conf->path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		REPORT(&b, "%s: the socket was removed; restart the broker", conf->bind);
		return -ENOENT;
	}
	return set_permissions(&b, uid, gid);
}

/* Whoever checks may be somebody else than who starts the broker. */
static void warn_forbidden(const struct binding *b)
{
	errors_warn(b->errors, b->conf_path, b->conf->line, b->conf->column,
	            "%s: this user may not listen on port %u (ports below 1024), and a broker of "
	            "this user would not start: use a port above, 8883 is the usual one, or set "
	            "AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit",
	            b->conf->bind, b->conf->port);
}

/* Its mode decides who may connect, and broker.yaml's is not used. */
static void warn_mode(const struct binding *b)
{
	struct stat st;

	/* mutant: inherited_mode_is_compared */
	if (stat(b->conf->path, &st) == 0 && ((unsigned)st.st_mode & 0777 & ~b->conf->mode) != 0)
		errors_warn(b->errors, b->conf_path, b->conf->line, b->conf->column,
		            "%s: the socket is the service manager's and has mode %04o, which lets "
		            "more users connect than mode %04o of the configuration: set "
		            "SocketMode=%04o in the socket unit",
		            b->conf->bind, (unsigned)st.st_mode & 0777, b->conf->mode,
		            b->conf->mode);
}

/* Bound for a moment, without SO_REUSEPORT, as the first of a start is. */
static int probe_tcp(const struct binding *b)
{
	struct addrinfo *address = NULL;
	int fd = resolve_anyway(b, b->conf->port, &address);

	if (fd != 0)
		return fd;
	if (inherited_sockets_find(address->ai_addr, address->ai_addrlen) < 0)
		fd = bound_socket(b, address, false);
	freeaddrinfo(address);
	if (fd > 0)
		close(fd);
	else if (fd == -EACCES && b->conf->port < PRIVILEGED_END && early_in_use[b->conf->port])
		fd = -EADDRINUSE;
	else if (fd == -EACCES || fd == -EPERM)
		warn_forbidden(b);
	else if (fd < 0 && fd != -EADDRINUSE)
		report_tcp(b, b->conf->port, fd);
	return fd < 0 ? fd : 0;
}

int socket_bind_check(const struct conf_listener *conf, bool starts, struct errors *errors,
                      const char *conf_path)
{
	struct binding b = {.conf = conf, .errors = errors, .conf_path = conf_path};
	struct sockaddr_un address;
	uid_t uid;
	gid_t gid;
	int failed;

	if (!conf->is_unix)
		return starts ? probe_tcp(&b) : 0;
	if (inherited_sockets_find_path(conf->path) >= 0) {
		warn_mode(&b);
		return 0;
	}
	failed = check_unix(&b, &address, &uid, &gid);
	if (failed != 0)
		errors_note_cause(errors, -failed);
	if (failed != 0 || !starts)
		return failed;
	failed = find_stale(&b, &address);
	return failed < 0 ? failed : check_writable(&b, failed == 1);
}

int socket_bind_inherited(const struct conf_listener *conf)
{
	struct errors ignored = {0};
	struct binding b = {.conf = conf, .errors = &ignored, .conf_path = ""};
	struct addrinfo *address = NULL;
	int index = -1;

	if (conf->is_unix)
		return inherited_sockets_find_path(conf->path);
	if (conf->port != 0 && resolve_anyway(&b, conf->port, &address) == 0)
		index = inherited_sockets_find(address->ai_addr, address->ai_addrlen);
	if (address != NULL)
		freeaddrinfo(address);
	errors_fini(&ignored);
	return index;
}

bool socket_bind_is_served(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, strlen(path) + 1);
	return connects_to(&address) == -EADDRINUSE;
}
