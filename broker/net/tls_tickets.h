/* Session tickets: keys for the whole process, and what a session must pass again before it is
 * resumed.  Thread: any. */
#ifndef NET_TLS_TICKETS_H
#define NET_TLS_TICKETS_H

struct ssl_ctx_st;
struct tls_tickets;

/* Three keys, rotated at the latest every 12 hours; tickets live 6 hours. A new set drops all
 * tickets (a changed client CA or CRL). */
struct tls_tickets *tls_tickets_new(void);
void tls_tickets_free(struct tls_tickets *t);

/* For contexts: each keeps a reference, which tls_tickets_free gives back. */
struct tls_tickets *tls_tickets_ref(struct tls_tickets *t);
/* Tickets for the listener that this SSL_CTX belongs to. */
void tls_tickets_use(struct ssl_ctx_st *ssl_ctx);

#endif
