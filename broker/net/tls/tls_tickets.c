/* Sessions are resumed with tickets (three keys, of which the newest is replaced at the latest
 * after twelve hours), or in TLS 1.2 by session id from a cache.  OpenSSL alone would resume a
 * session without a second look at the client's certificate: here its dates, chain and revocation
 * are checked again; when that fails the handshake is a full one, and logs the reason.
 */
#include "net/tls/tls_tickets.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/require.h"
#include "net/peer_address.h"
#include "net/tls/tls_certificate_check.h"
#include "net/tls/tls_context_internal.h"
#include "net/tls/tls_hello.h"
#include "net/tls/tls_io.h"
#include "net/tls/tls_session_cache.h"

#define KEYS          3
#define ROTATE_MS     ((uint64_t)12 * 3600 * 1000)
#define TICKET_LIFE_S 21600L
#define KEY_LIFE_MS   (ROTATE_MS + (uint64_t)TICKET_LIFE_S * 1000)
/* A session that is resumed again and again has a full handshake after this, too: as long as a
 * ticket may live at most (RFC 8446 4.6.1). */
#define SESSION_LIFE_MS ((uint64_t)7 * 24 * 3600 * 1000)

struct ticket_key {
	uint8_t name[16], cipher[32], mac[32];
	uint64_t made_ms;
};

struct tls_tickets {
	atomic_uint refs;
	struct mutex lock;
	struct ticket_key keys[KEYS]; /* the newest first */
	size_t count;
	struct tls_session_cache sessions;
};

static void rotate_keys(struct tls_tickets *t, uint64_t now_ms)
{
	memmove(&t->keys[1], &t->keys[0], (KEYS - 1) * sizeof(t->keys[0]));
	random_bytes(&t->keys[0], sizeof(t->keys[0]));
	t->keys[0].made_ms = now_ms;
	if (t->count < KEYS)
		t->count++;
}

struct tls_tickets *tls_tickets_new(void)
{
	struct tls_tickets *t = xnew(t);

	atomic_init(&t->refs, 1);
	mutex_init(&t->lock, LOCK_TLS_TICKETS);
	rotate_keys(t, clock_monotonic_ms());
	return t;
}

struct tls_tickets *tls_tickets_ref(struct tls_tickets *t)
{
	REQUIRE(atomic_fetch_add(&t->refs, 1) > 0);
	return t;
}

/* Contexts that are still in use keep theirs. */
void tls_tickets_free(struct tls_tickets *t)
{
	if (t == NULL || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	tls_session_cache_fini(&t->sessions);
	mutex_fini(&t->lock);
	crypto_wipe(t, sizeof(*t));
	free(t);
}

static int use_key(const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                   EVP_MAC_CTX *mac, int encrypt)
{
	char digest[] = "SHA256";
	uint8_t mac_key[sizeof(key->mac)];
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, sizeof(mac_key)),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end(),
	};
	int ok;

	memcpy(mac_key, key->mac, sizeof(mac_key));
	ok = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, encrypt) == 1 &&
	     EVP_MAC_CTX_set_params(mac, params) == 1;
	crypto_wipe(mac_key, sizeof(mac_key));
	return ok;
}

static struct tls_context *context_of(SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it: -1 error, 0 no key, or it is too old, 1
 * fine, 2 fine and the ticket should be renewed. */
static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_tickets *t = context_of(ssl)->tickets;
	uint64_t now_ms = clock_monotonic_ms();
	struct ticket_key key;
	int answer = 0;

	mutex_lock(&t->lock);
	if (encrypt && now_ms - t->keys[0].made_ms >= ROTATE_MS)
		rotate_keys(t, now_ms);
	for (size_t i = 0; i < t->count && answer == 0; i++) {
		if (!encrypt && (memcmp(t->keys[i].name, name, sizeof(key.name)) != 0 ||
		                 now_ms - t->keys[i].made_ms >= KEY_LIFE_MS))
			continue;
		key = t->keys[i];
		answer = i == 0 ? 1 : 2;
	}
	mutex_unlock(&t->lock);
	if (answer == 0)
		return 0;
	if (encrypt) {
		memcpy(name, key.name, sizeof(key.name));
		random_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
	}
	if (!use_key(&key, iv, cipher, mac, encrypt))
		answer = -1;
	crypto_wipe(&key, sizeof(key));
	return answer;
}

/* What a ticket says besides: when the session began with a full handshake, on the monotonic clock;
 * nothing in the ticket of a session that may not be resumed. */
struct ticket_mark {
	uint64_t began_ms;
};

/* A TLS 1.2 session without the extended master secret (RFC 7627) has no certificate that another
 * session could be taken for: it is resumed only where clients have none. */
static bool is_resumable(SSL *ssl)
{
	const struct tls_hello *hello = tls_io_of(ssl)->hello;

	if (SSL_version(ssl) >= TLS1_3_VERSION)
		return true;
	/* mutant: tls_resumption_extended_master_secret */
	return (hello != NULL && hello->extended_master_secret) ||
	       context_of(ssl)->client_certificates == CLIENT_CERTIFICATES_NONE;
}

/* A new ticket of a resumed session has the mark of the one before. */
static int on_ticket_made(SSL *ssl, void *arg)
{
	struct ticket_mark mark = {.began_ms = clock_monotonic_ms()};

	(void)arg;
	if (SSL_session_reused(ssl) == 1 || !is_resumable(ssl))
		return 1;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &mark, sizeof(mark));
}

/* Would it get in with a full handshake? A session has the leaf only: a client with intermediate
 * certificates that are not in client_ca has a full handshake each time. */
static bool may_resume(const struct tls_context *ctx, SSL_SESSION *session)
{
	X509 *certificate = SSL_SESSION_get0_peer(session);
	const char *why;

	if (certificate == NULL)
		return ctx->client_certificates != CLIENT_CERTIFICATES_REQUIRED;
	return tls_certificate_check_again(ctx, certificate, NULL, false, &why);
}

static bool has_valid_mark(SSL_SESSION *session)
{
	struct ticket_mark mark;
	void *data;
	size_t len;

	if (SSL_SESSION_get0_ticket_appdata(session, &data, &len) != 1 || len != sizeof(mark))
		return false;
	memcpy(&mark, data, sizeof(mark));
	return clock_monotonic_ms() - mark.began_ms < SESSION_LIFE_MS;
}

/* In TLS 1.3 a client uses a ticket once (RFC 8446 C.4): each resumed connection gets a new one. */
static SSL_TICKET_RETURN on_ticket_back(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                        size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
	bool renew = status == SSL_TICKET_SUCCESS_RENEW || SSL_version(ssl) >= TLS1_3_VERSION;

	(void)name;
	(void)name_len;
	(void)arg;
	if (status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE;
	if (!has_valid_mark(session) || !may_resume(context_of(ssl), session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	/* mutant: tls_ticket_for_each_connection */
	return renew ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

/* --- sessions by id --- */

/* After a full handshake. OpenSSL gives no id where the client takes tickets. 0: no reference of
 * the session is taken. */
static int on_session_made(SSL *ssl, SSL_SESSION *session)
{
	struct tls_tickets *t = context_of(ssl)->tickets;
	const struct peer_address *peer = tls_io_of(ssl)->peer;
	unsigned id_len;
	const uint8_t *id = SSL_SESSION_get_id(session, &id_len);
	struct buf bytes = {0};
	uint8_t *at;
	int len;

	if (SSL_version(ssl) >= TLS1_3_VERSION || id_len == 0 || !is_resumable(ssl))
		return 0;
	len = i2d_SSL_SESSION(session, NULL);
	if (len <= 0)
		return 0;
	buf_reserve(&bytes, (size_t)len);
	at = bytes.data;
	bytes.len = (size_t)i2d_SSL_SESSION(session, &at);
	mutex_lock(&t->lock);
	tls_session_cache_put(&t->sessions, slice_of(id, id_len), peer_address_key(peer),
	                      buf_slice(&bytes));
	mutex_unlock(&t->lock);
	buf_fini_secret(&bytes);
	return 0;
}

/* NULL: there is none that may be resumed. OpenSSL looks at its age and at its session id context,
 * that is, at the listener and its demands. */
static SSL_SESSION *on_session_wanted(SSL *ssl, const unsigned char *id, int id_len, int *copy)
{
	struct tls_context *ctx = context_of(ssl);
	SSL_SESSION *session = NULL;
	struct buf bytes = {0};
	const uint8_t *at;
	bool found;

	*copy = 0; /* the reference is OpenSSL's */
	mutex_lock(&ctx->tickets->lock);
	found =
	    tls_session_cache_find(&ctx->tickets->sessions, slice_of(id, (size_t)id_len), &bytes);
	mutex_unlock(&ctx->tickets->lock);
	at = bytes.data;
	if (found)
		session = d2i_SSL_SESSION(NULL, &at, (long)bytes.len);
	buf_fini_secret(&bytes);
	/* mutant: tls_session_checked_again */
	if (session == NULL || may_resume(ctx, session))
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

void tls_tickets_forget(SSL *ssl)
{
	struct tls_tickets *t = context_of(ssl)->tickets;
	const SSL_SESSION *session = SSL_get_session(ssl);
	unsigned id_len = 0;
	const uint8_t *id = session == NULL ? NULL : SSL_SESSION_get_id(session, &id_len);

	if (id_len == 0 || SSL_version(ssl) >= TLS1_3_VERSION)
		return;
	mutex_lock(&t->lock);
	tls_session_cache_remove(&t->sessions, slice_of(id, id_len));
	mutex_unlock(&t->lock);
}

void tls_tickets_use(SSL_CTX *ssl_ctx)
{
	/* OpenSSL's own cache is one of each SSL_CTX, and ends with a reload. */
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL |
	                                            SSL_SESS_CACHE_NO_AUTO_CLEAR);
	SSL_CTX_sess_set_new_cb(ssl_ctx, on_session_made);
	SSL_CTX_sess_set_get_cb(ssl_ctx, on_session_wanted);
	SSL_CTX_set_timeout(ssl_ctx, TICKET_LIFE_S);
	REQUIRE(SSL_CTX_set_num_tickets(ssl_ctx, 1) == 1);
	REQUIRE(SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_ctx, on_ticket_key) == 1);
	REQUIRE(SSL_CTX_set_session_ticket_cb(ssl_ctx, on_ticket_made, on_ticket_back, NULL) == 1);
}
