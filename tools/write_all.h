/* All of the bytes, in as many pieces as the kernel takes.  Thread: any. */
#ifndef TOOLS_WRITE_ALL_H
#define TOOLS_WRITE_ALL_H

#include "base/bytes.h"

/* 0, or -errno: then a part of them may be written. */
int write_all(int fd, struct slice bytes);

#endif
