/* How far long work on files is, for a tool that shows it; the broker shows nothing.  Thread: the
 * one that works. */
#ifndef STORE_STORE_PROGRESS_H
#define STORE_STORE_PROGRESS_H

#include <stdint.h>

struct store_progress {
	/* `total` bytes or rows, 0: not known.  `fd` >= 0: what is done is the size of that file,
	 * and `advance` is not called. */
	void (*begin)(const char *what, uint64_t total, int fd);
	void (*advance)(uint64_t more);
	void (*end)(void);
};

/* Once, before anything else; NULL: nobody watches. */
void store_progress_watch(const struct store_progress *watcher);

void store_progress_begin(const char *what, uint64_t total, int fd);
void store_progress_advance(uint64_t more);
void store_progress_end(void);

#endif
