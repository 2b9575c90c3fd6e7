/* Files of the store are mapped, and where the disk cannot give what is mapped, the kernel ends the
 * process with SIGBUS: a read error, or a file system that has no space for a page that it has to
 * write elsewhere.  What is mapped for writing is allocated before (store_lmdb.c), so this is rare.
 * Thread: main, before others start. */
#ifndef STORE_STORE_SIGBUS_H
#define STORE_STORE_SIGBUS_H

/* From now on the process says what happened before it ends by that signal. `program`: a constant.
 */
void store_sigbus_explain(const char *program);

#endif
