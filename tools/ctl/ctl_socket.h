/* The control socket, as broker-ctl finds it and connects to it.  Errors are printed to standard
 * error.  Thread: main. */
#ifndef CTL_CTL_SOCKET_H
#define CTL_CTL_SOCKET_H

/* Where it is if nothing else is said. */
#define CTL_SOCKET_DEFAULT "/run/broker/control.sock"

/* The socket that this configuration names, also where it has errors: a running broker can be asked
 * what it does while its files are broken. The caller frees. NULL: there is none, *status says how
 * to end. */
char *ctl_socket_path(const char *config, int *status);

/* A connection to whoever listens there, who must be trusted. -1: *status says how to end. */
int ctl_socket_connect(const char *path, int *status);

#endif
