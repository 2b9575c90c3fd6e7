/* What is written to a connection: gathered during a turn, sent at its end, and charged until the
 * client has read it.  Thread: the connection's worker. */
#ifndef SESSION_LINK_OUTPUT_H
#define SESSION_LINK_OUTPUT_H

#include "session/client_link.h"

/* So much is never refused: what a client that reads has not read for a moment. */
#define LINK_OUTPUT_FREE ((size_t)16384)
/* And at one time to a client that has read everything: the kernel will take it. */
#define LINK_OUTPUT_READER ((size_t)65536)
/* Above this nothing is written to it, and it is not read. */
#define LINK_OUTPUT_MAX ((size_t)1 << 20)

void link_output_init(struct worker *w);
void link_output_fini(struct worker *w);

/* What it costs to write to one more connection at the end of a turn (worker.h: work). */
#define LINK_OUTPUT_STEPS 16

/* A longer turn does not wait for its end. */
#define LINK_OUTPUT_FLUSH ((size_t)262144)

/* The first of the turn, or more than may wait for its end. */
struct buf *link_output_buf_slow(struct client_link *link);
/* Append to what leaves at the end of the turn. */
static inline struct buf *link_output_buf(struct client_link *link)
{
	if (link->dirty && link->out.len < LINK_OUTPUT_FLUSH)
		return &link->out;
	return link_output_buf_slow(link);
}
/* Acknowledgements that wait, in steps of 64: their memory is counted again where this changes. */
static inline uint32_t link_output_acks(const struct client_link *link)
{
	return (link->limit.publishes + link->limit.others) / 64;
}
/* The turn ends. */
void link_output_flush(struct client_link *link);
/* Do not wait for the end of the turn. */
void link_output_write_now(struct client_link *link);
/* The connection closes: what is left is written, and the buffer is given back. */
void link_output_close(struct client_link *link);
/* The buffer is given back as it is. */
void link_output_drop(struct client_link *link);
/* Bytes that wait to be taken by the peer. */
size_t link_output_pending(struct client_link *link);

/* Count what the connection takes of memory beyond its fixed part: output that is not read, topic
 * aliases, acknowledgements that wait, a SUBSCRIBE under way, and what client/ counts of its input.
 * Cheap; called whenever that may have changed. */
void link_output_count(struct client_link *link);
/* topic_alias_admit_fn, arg: the link */
bool link_output_admits_alias(void *arg, size_t bytes);
/* May `bytes` more be written to it? NULL: they may; else why not. `drains`: see quota_rule.h. */
const char *link_output_check(struct client_link *link, size_t bytes, bool drains);

/* The same. What the peer has not taken is at most what was counted last, so nobody has to be asked
 * while it is little. */
static inline const char *link_output_exceeds(struct client_link *link, size_t bytes, bool drains)
{
	if (link->output_counted + link->out.len + bytes <= LINK_OUTPUT_FREE)
		return NULL;
	return link_output_check(link, bytes, drains);
}

#endif
