/* Which files a program may trust. Whoever can change a file, or put another one under its name,
 * controls the program. So a file is trusted only when it and each directory on its path belong to
 * somebody who is trusted, and nobody else may write there:
 *   - trusted are root, the user that runs the program, and those added with trust_owner();
 *   - nobody else may write: not others, and not a group, except root's, one added with
 *     trust_group(), and a group of which all members are trusted users (the private group that
 *     many systems give to each user);
 *   - a directory with the sticky bit may be writable, then a symbolic link in it, too, has to
 *     belong to somebody trusted.
 * What is checked is what was opened: each directory is opened beneath the one before, symbolic
 * links are followed here and not by the kernel.  Thread: main, of all functions. */
#ifndef PROGRAM_TRUST_H
#define PROGRAM_TRUST_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"

/* --trust-owner and --trust-group: a name, or a number. False: there is none of that name. */
bool trust_owner(const char *text);
bool trust_group(const char *text);
/* A tool that root runs works on the files of others, too: it trusts the owner that a file and its
 * directory share. */
void trust_as_tool(void);
bool trust_is_owner(uid_t uid);

struct trust_request {
	const char *path;
	int flags;          /* of open(2): O_RDONLY, O_PATH, O_DIRECTORY; nothing is created */
	bool is_secret;     /* others may not read it */
	bool refuse_link;   /* as O_NOFOLLOW */
	bool refuse_sticky; /* a directory where others may not make files of their own */
	/* Out, NULL: not wanted: the directory where it lies, also when it does not exist; -1: it
	 * was not reached or is not trusted. The caller closes it. */
	int *directory;
};

/* The descriptor of a file or directory (nonblocking), or -errno: -EINVAL where it is something
 * else. -EACCES: it is not trusted, or the system does not let this process use it; *why says which
 * file or directory is wrong, its mode and owner, and a remedy. */
int trust_open(const struct trust_request *request, struct buf *why);
/* The same without the descriptor: 0 or -errno. */
int trust_check(const struct trust_request *request, struct buf *why);
/* Something at `path` could not be used as `wanted` says (R_OK, W_OK, X_OK): append which file or
 * directory on the way to it denies that, and a remedy. Nothing where none does. */
void trust_describe_denial(const char *path, int wanted, struct buf *out);

#endif
