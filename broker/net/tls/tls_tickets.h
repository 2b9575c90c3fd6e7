/* Resumption of sessions, for the whole process: keys of tickets, sessions by id for clients of
 * TLS 1.2 without tickets, and what a session must pass again before it is resumed.  Thread: any.
 */
#ifndef NET_TLS_TICKETS_H
#define NET_TLS_TICKETS_H

struct ssl_ctx_st;
struct ssl_st;
struct tls_tickets;

/* Three keys, rotated at the latest every 12 hours; tickets and sessions live 6 hours, and a
 * session that is resumed again and again 7 days. A new set drops all of them (a changed client CA
 * or CRL).
 */
struct tls_tickets *tls_tickets_new(void);
void tls_tickets_free(struct tls_tickets *t);

/* For contexts: each keeps a reference, which tls_tickets_free gives back. */
struct tls_tickets *tls_tickets_ref(struct tls_tickets *t);
/* Resumption for the listener that this SSL_CTX belongs to. */
void tls_tickets_use(struct ssl_ctx_st *ssl_ctx);
/* A connection that failed in TLS: its session id is worth nothing any more (RFC 5246 7.2.2). */
void tls_tickets_forget(struct ssl_st *ssl);

#endif
