/* What is removed in small steps, with other commits.  Thread: the writer's. */
#ifndef JOURNAL_WRITER_EXPIRE_H
#define JOURNAL_WRITER_EXPIRE_H

#include "journal/writer.h"

/* A row to be dropped, or a session to be marked as ending: found by the restore. */
struct drop {
	enum store_table table;
	bool mark;
	uint8_t key_len;
	struct row_key key;
};

/* Some rows of sessions that have ended; some retained values that have expired; what the restore
 * dropped. */
bool writer_expire_is_over(const struct writer *w, const struct row_retained *r, uint64_t time_ms);
void writer_expire_sessions(struct writer *w);
void writer_expire_retained(struct writer *w);
void writer_expire_drops(struct writer *w);
void writer_expire_add_drop(struct writer *w, enum store_table table, struct slice key, bool mark);

#endif
