/* `broker-store dump`.  Thread: main. */
#ifndef STORE_TOOL_STORE_DUMP_H
#define STORE_TOOL_STORE_DUMP_H

/* Print all rows of the store `path` and, where all could be read, what says that it was all.  An
 * exit status. */
int store_dump(const char *path, const char *argument);

#endif
