/* What the broker gives up before it serves anybody: it gets no new privileges, and the kernel does
 * for it only what syscalls.def lists. So somebody who makes it run code of his own can start no
 * program, look into no other process, open no raw socket, mount nothing and load nothing into the
 * kernel (SECURITY.md, S9).  A call that is not listed fails with ENOSYS, as on a kernel that has
 * it not, for which the C library has other ways; nothing is killed, for what was acknowledged is
 * worth more. The kernel's log names the call (audit, type 1326).  Thread: main's; for all. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>

/* Can this kernel do it? False: *why says in plain words why not; nothing is changed. */
bool sandbox_is_possible(const char **why);
/* From now on, for all threads, and for those that they start. There is no way back. False: *why
 * says why, and it is not in force. */
bool sandbox_enter(const char **why);

#endif
