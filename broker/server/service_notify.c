/* One datagram to the socket that the service manager named. */
#include "server/service_notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 2

/* `flags`: of send(2). */
static void notify(const char *state, int flags)
{
	const char *path = getenv("NOTIFY_SOCKET");
	/* A manager that is busy for a moment shall hear it; one that reads nothing is no reason to
	 * wait for ever. */
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len == 0 || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0'; /* the abstract name space */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | flags,
	              (const struct sockaddr *)(const void *)&to,
	              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

void service_notify_ready(void)
{
	notify("READY=1", 0);
}

void service_notify_stopping(void)
{
	notify("STOPPING=1", 0);
}

/* The next one follows soon: it waits for nobody. */
void service_notify_alive(void)
{
	notify("WATCHDOG=1", MSG_DONTWAIT);
}
