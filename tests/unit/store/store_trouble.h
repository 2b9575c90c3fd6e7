/* Trouble of the disk, at the n-th call that writes to it or flushes it: these calls of the whole
 * process, libraries included, go through here. */
#ifndef TESTS_STORE_DISK_TROUBLE_H
#define TESTS_STORE_DISK_TROUBLE_H

#include <stdbool.h>

enum trouble {
	TROUBLE_NONE,
	TROUBLE_KILL_BEFORE, /* SIGKILL, and the call did nothing */
	TROUBLE_KILL_AFTER,  /* SIGKILL, and the call did its work */
	TROUBLE_FULL,        /* ENOSPC */
	TROUBLE_FAILS,       /* EIO */
	TROUBLES,
};

/* From now on: the `call`-th from here, counted from 0. */
void store_trouble_arm(enum trouble trouble, unsigned call);
/* There were so many calls. */
bool store_trouble_came(void);

#endif
