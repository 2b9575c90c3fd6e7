/* Which socket, and whether who listens there is to be believed. */
#include "ctl/ctl_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "conf/conf.h"
#include "conf/conf_file.h"
#include "conf/conf_load.h"
#include "conf/yaml.h"
#include "ctl/ctl_config.h"
#include "program/command_line.h"
#include "program/trust.h"

#define PATIENCE_S 60

/* ---- which ---- */

/* What a configuration with errors still says; NULL: nothing that can be found. */
static char *socket_of_broken(const char *config)
{
	struct errors errors = {0}; /* they are known */
	struct conf_file file = {
	    .path = config, .what = "configuration", .max_bytes = YAML_SIZE_MAX};
	struct buf bytes = {0};
	char *named = NULL, *path = NULL;

	if (conf_read_file(&file, &bytes, &errors) == 0)
		named = ctl_config_socket(buf_slice(&bytes));
	if (named != NULL)
		path = conf_resolve_path(config, named);
	free(named);
	buf_fini(&bytes);
	errors_fini(&errors);
	return path;
}

char *ctl_socket_path(const char *config, int *status)
{
	struct errors errors = {0};
	struct conf *conf = conf_load(config, &errors);
	char *text = errors_text(&errors), *path = NULL;

	if (conf == NULL) {
		fputs(text, stderr);
		path = socket_of_broken(config);
		if (path != NULL)
			(void)report_error(0,
			                   "%s has the errors above; the running broker is asked "
			                   "all the same, at %s",
			                   config, path);
		else
			*status = report_error(EXIT_USAGE,
			                       "%s is not used: fix the errors above, or name the "
			                       "socket of the running broker with --socket PATH",
			                       config);
	} else if (conf->control_socket == NULL) {
		*status = report_error(EXIT_USAGE,
		                       "%s names no control socket: add 'control: { socket: %s }' "
		                       "and start the broker again (a broker that was started "
		                       "with one is found with --socket PATH)",
		                       config, CTL_SOCKET_DEFAULT);
	} else {
		path = xstrdup(conf->control_socket);
	}
	free(text);
	errors_fini(&errors);
	conf_free(conf);
	return path;
}

/* ---- the connection ---- */

static int no_permission(const char *path)
{
	const struct passwd *owner;
	struct stat st;

	if (stat(path, &st) != 0)
		return report_error(
		    EXIT_FAILED,
		    "no permission for %s: run this as the user that the broker runs "
		    "as, or as root",
		    path);
	owner = getpwuid(st.st_uid); /* NOLINT(concurrency-mt-unsafe): there is one thread */
	if (owner != NULL)
		return report_error(EXIT_FAILED,
		                    "%s is for the user %s and root only: run this as one of them",
		                    path, owner->pw_name);
	return report_error(EXIT_FAILED,
	                    "%s is for the user id %u and root only: run this as one of them", path,
	                    (unsigned)st.st_uid);
}

static int cannot_connect(const char *path, int error)
{
	if (error == ENOENT || error == ECONNREFUSED)
		return report_error(EXIT_FAILED,
		                    "nobody listens at %s: the broker is not running, or was "
		                    "started before control.socket was set or changed",
		                    path);
	if (error == EACCES || error == EPERM)
		return no_permission(path);
	return report_error(EXIT_FAILED, "%s: %s", path, strerror(error));
}

/* A copy of the path, up to its last slash; the caller frees. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* Nobody else could put a socket there. *owner: of the directory. */
static bool believes_directory(const char *path, uid_t *owner)
{
	char *directory = directory_of(path);
	struct trust_request request = {
	    .path = directory, .flags = O_PATH | O_DIRECTORY, .refuse_sticky = true};
	struct buf why = {0};
	struct stat st = {0};
	int fd = trust_open(&request, &why);

	if (fd >= 0 && fstat(fd, &st) == 0)
		*owner = st.st_uid;
	if (fd >= 0)
		close(fd);
	if (why.len > 0)
		(void)report_error(0, "the directory of %s: %.*s", path, (int)why.len,
		                   (const char *)why.data);
	free(directory);
	buf_fini(&why);
	return fd >= 0 || fd != -EACCES;
}

/* And whoever listens is the broker's user: root, who looks at the broker of another user, believes
 * the owner of the directory. */
static bool believes_listener(const char *path, int fd, uid_t directory_owner)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    (trust_is_owner(peer.uid) || (geteuid() == 0 && peer.uid == directory_owner)))
		return true;
	(void)report_error(
	    0,
	    "another user listens at %s (user id %u); if that is the broker, give --trust-owner %u",
	    path, (unsigned)peer.uid, (unsigned)peer.uid);
	return false;
}

int ctl_socket_connect(const char *path, int *status)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	uid_t owner = 0;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		*status =
		    report_error(EXIT_USAGE, "%s: the path is too long for a unix socket", path);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	*status = EXIT_FAILED;
	if (!believes_directory(path, &owner))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		/* mutant: trust_who_listens */
		if (believes_listener(path, fd, owner))
			return fd;
	} else {
		*status = cannot_connect(path, errno);
	}
	if (fd >= 0)
		close(fd);
	return -1;
}
