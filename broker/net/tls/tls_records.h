/* Records of a TLS stream, both ways, and its end.  Thread: the stream's. */
#ifndef NET_TLS_RECORDS_H
#define NET_TLS_RECORDS_H

#include "net/tls/tls_log.h"
#include "net/tls/tls_stream_internal.h"

/* --- output --- */

/* Encrypt and send all of it, once the handshake is done. */
void tls_records_write(struct tls_stream *t, struct slice bytes);
/* What OpenSSL made goes to the stream below. */
void tls_records_send(struct tls_stream *t);

/* --- input --- */

/* Event of the stream below, with the stream as `arg`; also called where bytes are at hand already.
 * Decrypt them and give them to the owner, as far as the share of this turn goes. Before the
 * handshake is done: its next step is queued. */
void tls_records_on_readable(void *arg);
/* Decrypts and delivers what a turn has time for. The handshake is done, nothing is paused or
 * queued.
 */
void tls_records_run(struct tls_stream *t);
/* Ciphertext at hand: what was kept, else what is there to read. False: the stream has ended. */
bool tls_records_take(struct tls_stream *t);
/* Ciphertext that is not used up waits for the next turn, or for another loop. */
void tls_records_save_rest(struct tls_stream *t);
/* Does decrypted data wait, or the end, which was found while paused? */
bool tls_records_decrypted_waits(const struct tls_stream *t);
/* What is here already has its turn before more is read. */
void tls_records_go_on(struct tls_stream *t);
/* The stream below reads while ciphertext would be used up at once. */
void tls_records_update_inner(struct tls_stream *t);

/* --- ending --- */

/* From this side: nothing is read any more, and nothing is left to do. */
void tls_records_end(struct tls_stream *t, enum stream_end end);
/* With close_notify, where the handshake is done; flushed for at most flush_ms. */
void tls_records_close(struct tls_stream *t, enum stream_end end, uint64_t flush_ms);
void tls_records_abort(struct tls_stream *t, enum stream_end end);
/* OpenSSL failed: its reason is logged, its alert is sent. */
void tls_records_fail(struct tls_stream *t);
/* The peer made work without sending data. */
void tls_records_fail_for_excess(struct tls_stream *t, const struct tls_excess *excess);
/* What the log says about this stream. */
struct tls_report tls_records_report(struct tls_stream *t);

#endif
