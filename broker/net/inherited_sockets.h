/* Listening sockets that a service manager has made before it started the broker, by the protocol
 * of sd_listen_fds(3) and without its library. They belong to the manager: they stay open, and the
 * file of a Unix socket stays there, whatever becomes of the listener.
 * Thread: main's to take; then any thread reads. */
#ifndef NET_INHERITED_SOCKETS_H
#define NET_INHERITED_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* More are not taken over. */
#define INHERITED_SOCKETS_MAX 64
#define INHERITED_TEXT_MAX    192

/* Where LISTEN_PID is this process: those of LISTEN_FDS, with their LISTEN_FDNAMES. Once, before
 * other descriptors are opened. The variables are removed. */
void inherited_sockets_take(void);

/* One that this process has bound itself, before it became another user; it belongs to the table
 * from now on. False: there are too many. */
bool inherited_sockets_add(int fd);
/* It came from a service manager. */
bool inherited_sockets_is_passed(int index);

/* The one that listens at this address, by its place among all; -1: there is none. */
int inherited_sockets_find(const struct sockaddr *address, socklen_t len);
int inherited_sockets_find_path(const char *path); /* of a Unix socket */
/* A duplicate: nonblocking, close-on-exec, the caller's; or -errno. */
int inherited_sockets_open(int index);

/* What it is, for people: "[::]:8883 (vakt.socket)". `listens`: for streams; it is of no use
 * otherwise. False: so many were not passed. */
bool inherited_sockets_describe(size_t index, char text[INHERITED_TEXT_MAX], bool *listens);

#endif
