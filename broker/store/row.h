/* What is in the rows of the tables (store_tables.def): keys, messages, the rest.  Each thing has
 * one encoding: what is read and written again is the same bytes.  Decoders are pure; slices borrow
 * from the row.  Numbers are big endian; lengths are MQTT's variable byte integers. */
#ifndef STORE_ROW_H
#define STORE_ROW_H

#include "base/bytes.h"
#include "tree/msg.h"

/* --- keys --- */

#define ROW_KEY_BYTES 16

struct row_key {
	uint8_t bytes[ROW_KEY_BYTES];
};

struct slice row_key_id(struct row_key *k, uint64_t id);
struct slice row_key_pair(struct row_key *k, uint64_t id, uint64_t number);
struct slice row_key_topic(struct row_key *k, struct slice topic);
bool row_key_read_id(struct slice key, uint64_t *id);
bool row_key_read_pair(struct slice key, uint64_t *id, uint64_t *number);

/* --- messages: the last thing in a row --- */

struct row_msg {
	uint8_t qos;
	bool retain;
	uint64_t number;
	uint64_t expires_ms; /* store time (of a will: the interval); MSG_NEVER */
	bool has_origin, anonymous;
	uint64_t origin_session;
	struct slice user_key, user_name, client_id;
	struct slice topic, forwarded, payload;
};

struct row_msg row_msg_of(const struct msg *m, uint64_t expires_ms);
void row_put_msg(struct buf *out, const struct row_msg *m);
bool row_read_msg(struct slice message, struct row_msg *out);
/* expires_ms: monotonic.  *origin: the last one, which is used again where it is the same; NULL at
 * first.  The caller releases it. */
struct msg *row_msg_new(const struct row_msg *m, uint64_t expires_ms, struct origin **origin);

/* --- rows --- */

struct row_queue {
	bool has_body;
	uint64_t body_id; /* has_body: where the message is; else it is in the row */
	uint32_t bytes;   /* of the message, as the queue counts them */
	struct slice value;
	struct slice message; /* row_read_msg */
};
void row_put_queue(struct buf *out, const struct row_queue *q);
bool row_read_queue(struct slice row, struct row_queue *out); /* the message is not decoded */

struct row_retained {
	uint64_t number;
	bool has_msg; /* else: deleted, with a value */
	struct slice value;
	struct slice topic; /* the message's, too */
	struct row_msg msg;
};
void row_put_retained(struct buf *out, const struct row_retained *r);
bool row_read_retained(struct slice row, struct row_retained *out);

struct row_will {
	struct slice value;
	struct row_msg msg;
};
void row_put_will(struct buf *out, const struct row_will *w);
bool row_read_will(struct slice row, struct row_will *out);

void row_put_refs(struct buf *out, uint32_t refs);
bool row_read_refs(struct slice row, uint32_t *refs); /* never 0 */

#endif
