/* The directory of a private PKI: opened once it can be trusted, locked while a command works in
 * it, and changed one whole file at a time.  Errors are printed to stderr; functions return the
 * exit status, 0 for success.  Thread: main. */
#ifndef PKI_DIRECTORY_H
#define PKI_DIRECTORY_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/bytes.h"

/* What a file of the directory may have: chains, keys, the index. */
#define PKI_FILE_MAX ((size_t)16 * 1024 * 1024)

#define PKI_MODE_PUBLIC 0644
#define PKI_MODE_SECRET 0600

struct pki_directory {
	const char *path;
	/* Where the keys of the CAs lie; NULL: in the directory. */
	const char *keys;
	/* -1: not open. */
	int fd, lock_fd, keys_fd;
	/* Its owner; files that root makes belong to it, too. */
	struct stat st;
};

enum pki_access {
	PKI_READ,   /* without the lock: only whole files are ever seen */
	PKI_CHANGE, /* the directory is there */
	PKI_CREATE, /* it is made where it is missing */
};

/* Open and lock. What a command left behind that was killed is finished or removed first. Close in
 * any case. `path` and `keys` must live as long. */
int pki_directory_open(struct pki_directory *d, const char *path, const char *keys,
                       enum pki_access access);
void pki_directory_close(struct pki_directory *d);

/* `name` is relative to the directory: "issued/server-ec.crt". */
bool pki_directory_has(const struct pki_directory *d, const char *name);
/* Append the file to *out. -ENOENT without a message: there is none. */
int pki_directory_read(const struct pki_directory *d, const char *name, struct buf *out);
/* Whole or not at all, and on disk before success is returned. */
int pki_directory_write(const struct pki_directory *d, const char *name, struct slice bytes,
                        mode_t mode);
/* A certificate with its key: both are on disk before either takes its name; a kill in between is
 * mended by the next command. `key` empty: the key stays. The names end in .crt and .key. */
int pki_directory_write_pair(const struct pki_directory *d, const char *stem,
                             struct slice certificate, struct slice key);
/* It gets the name NAME.old, in the place of what had it; says so. */
int pki_directory_set_aside(const struct pki_directory *d, const char *name);
int pki_directory_remove(const struct pki_directory *d, const char *name);
/* Calls `visit` for each file of issued/ whose name ends in `suffix`, with its stem. Stops at the
 * first status that is not 0, and returns it. */
int pki_directory_each(const struct pki_directory *d, const char *suffix,
                       int (*visit)(void *arg, const char *stem), void *arg);

/* The key of a CA lies in the directory or where --keys says. */
bool pki_directory_has_key(const struct pki_directory *d, const char *name);
int pki_directory_read_key(const struct pki_directory *d, const char *name, struct buf *out);

#endif
