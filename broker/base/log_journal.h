/* Lines of the log as entries of systemd's journal, by its native protocol (one datagram each) and
 * without its library: MESSAGE is the line without its time, PRIORITY its level, and each field of
 * the event is a field VAKT_NAME, which journalctl can select by.  Values are as in the line,
 * without its quotes; what is escaped there stays escaped.  Of a JSON line there are MESSAGE and
 * PRIORITY. Thread: that of the output, after log_journal_start. */
#ifndef BASE_LOG_JOURNAL_H
#define BASE_LOG_JOURNAL_H

#include <stdbool.h>

#include "base/bytes.h"

#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Does the service manager say that this descriptor leads into the journal (JOURNAL_STREAM)? */
bool log_journal_has(int fd);
/* Connects to the journal; lines go there from now on. 0 or -errno.  Thread: main. */
int log_journal_start(const char *socket_path);
void log_journal_stop(void);
/* Whole lines. What the journal does not take as an entry is written to `fd`, the stream to it.
 * Returns the lines that neither took. */
struct slice log_journal_write(int fd, struct slice lines);

/* The encoding alone, for tests: append the entry of one line, which may end with a line feed. */
void log_journal_encode(struct slice line, struct buf *out);

#endif
