/* TLS contexts: what RFC 9325 demands ("TLS" in SECURITY.md), and nothing configurable below it.
 * One context per listener, shared by all workers; immutable, reference counted: a reload makes new
 * ones, and a connection keeps the one by which its handshake began.  Thread: any. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "conf/conf.h"
#include "conf/errors.h"

struct tls_context;
struct tls_tickets;

/* Build the context of a listener: certificates (several types and names: RSA and ECDSA side by
 * side, SNI), keys checked for their mode, match and strength, dates (warnings), client CA and CRL.
 * NULL when there are errors (each with file, cause, remedy). `listener_id` goes into the session
 * id context, `protocol` says what clients may ask for by ALPN. */
struct tls_context *tls_context_new(const struct conf_tls *conf, const char *conf_path,
                                    unsigned listener_id, enum conf_protocol protocol,
                                    struct tls_tickets *tickets, struct errors *errors);
/* The same with client_ca and client_crl read again and our own certificates as they are in memory:
 * a revocation never waits for anything else. NULL when there are errors. */
struct tls_context *tls_context_renew_clients(const struct tls_context *now,
                                              const struct conf_tls *conf, const char *conf_path,
                                              unsigned listener_id, struct errors *errors);
struct tls_context *tls_context_ref(struct tls_context *ctx);
void tls_context_unref(struct tls_context **ctx);
/* What the listener is called in the log; the first name given stays. */
void tls_context_name(struct tls_context *ctx, const char *bind);
/* "RSA 2048 and ECDSA P-256" for people: the exposure report and handshake errors. */
const char *tls_context_certificates(const struct tls_context *ctx);
/* Errors for each certificate of `next` that no context of `before` has, and that has expired or is
 * not valid yet: the one in use is better. Elements of `before` may be NULL. */
void tls_context_check_new(struct tls_context *const *before, size_t before_count,
                           const struct tls_context *next, struct errors *errors);
/* The end of our certificate that ends first, of all these contexts; 0: there is none. */
int64_t tls_context_first_end(struct tls_context *const *contexts, size_t count);
/* Log a warning for each of our certificates that ends within 30 days or is not valid now, and for
 * a revocation list in its last days, each once. NULL in the list: no TLS. */
void tls_context_log_expiry(struct tls_context *const *contexts, size_t count);
/* What ends: our certificates, and the revocation list that ends first. Wall clock, seconds. */
enum tls_context_expiry {
	TLS_CONTEXT_CERTIFICATE,
	TLS_CONTEXT_CLIENT_CRL,
};
typedef void tls_context_expiry_fn(void *arg, enum tls_context_expiry kind, const char *path,
                                   int64_t until_s);
void tls_context_each_expiry(const struct tls_context *ctx, tls_context_expiry_fn *visit,
                             void *arg);
/* Our own certificates: are they the same? And for each "server-ec.crt SHA-256 AB:CD:..., until Nov
 * 21 12:00:00 2027 GMT", appended. */
bool tls_context_same_certificates(const struct tls_context *a, const struct tls_context *b);
/* Are clients verified by the same: CAs and revocation lists? */
bool tls_context_same_clients(const struct tls_context *a, const struct tls_context *b);
void tls_context_describe_certificates(const struct tls_context *ctx, struct buf *out);

#endif
