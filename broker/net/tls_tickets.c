/* Three keys, of which the newest is replaced at the latest after twelve hours.  OpenSSL alone
 * would resume a session without a second look at the client's certificate: here its dates, chain
 * and revocation are checked again; when that fails the handshake is a full one, and logs the
 * reason.
 */
#include "net/tls_tickets.h"

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
#include "net/tls_certificate_check.h"
#include "net/tls_context_internal.h"
#include "net/tls_hello.h"
#include "net/tls_io.h"

#define KEYS           3
#define ROTATE_MS      ((uint64_t)12 * 3600 * 1000)
#define TICKET_LIFE_S  21600L
#define KEY_LIFE_MS    (ROTATE_MS + (uint64_t)TICKET_LIFE_S * 1000)
#define RESUMABLE_MARK "r" /* in tickets of sessions that may be resumed */

struct ticket_key {
	uint8_t name[16], cipher[32], mac[32];
	uint64_t made_ms;
};

struct tls_tickets {
	atomic_uint refs;
	struct mutex lock;
	struct ticket_key keys[KEYS]; /* the newest first */
	size_t count;
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
	atomic_fetch_add(&t->refs, 1);
	return t;
}

/* Contexts that are still in use keep theirs. */
void tls_tickets_free(struct tls_tickets *t)
{
	if (t == NULL || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	mutex_fini(&t->lock);
	crypto_wipe(t, sizeof(*t));
	free(t);
}

static void newest_key(struct tls_tickets *t, struct ticket_key *out)
{
	uint64_t now_ms = clock_monotonic_ms();

	mutex_lock(&t->lock);
	if (now_ms - t->keys[0].made_ms >= ROTATE_MS)
		rotate_keys(t, now_ms);
	*out = t->keys[0];
	mutex_unlock(&t->lock);
}

/* 0: unknown or too old, 1: the newest, 2: an older one, the ticket should be renewed. */
static int find_key(struct tls_tickets *t, const unsigned char *name, struct ticket_key *out)
{
	uint64_t now_ms = clock_monotonic_ms();
	int found = 0;

	mutex_lock(&t->lock);
	for (size_t i = 0; i < t->count && found == 0; i++) {
		if (memcmp(t->keys[i].name, name, sizeof(t->keys[i].name)) != 0 ||
		    now_ms - t->keys[i].made_ms >= KEY_LIFE_MS)
			continue;
		*out = t->keys[i];
		found = i == 0 ? 1 : 2;
	}
	mutex_unlock(&t->lock);
	return found;
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

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it: -1 error, 0 no key, 1 fine, 2 renew. */
static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_tickets *t = context_of(ssl)->tickets;
	struct ticket_key key;
	int answer = 1;

	if (encrypt) {
		newest_key(t, &key);
		memcpy(name, key.name, sizeof(key.name));
		random_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
	} else {
		answer = find_key(t, name, &key);
		if (answer == 0)
			return 0;
	}
	if (!use_key(&key, iv, cipher, mac, encrypt))
		answer = -1;
	crypto_wipe(&key, sizeof(key));
	return answer;
}

/* A TLS 1.2 session without the extended master secret (RFC 7627) is never resumed. */
static int on_ticket_made(SSL *ssl, void *arg)
{
	const struct tls_hello *hello = tls_io_of(ssl)->hello;
	SSL_SESSION *session = SSL_get_session(ssl);

	(void)arg;
	if (SSL_version(ssl) < TLS1_3_VERSION && (hello == NULL || !hello->extended_master_secret))
		return 1;
	return SSL_SESSION_set1_ticket_appdata(session, RESUMABLE_MARK, 1);
}

/* The ticket has the leaf only: a client with intermediate certificates that are not in client_ca
 * has a full handshake each time. */
static bool may_resume(const struct tls_context *ctx, SSL_SESSION *session)
{
	X509 *certificate = SSL_SESSION_get0_peer(session);
	const char *why;
	void *mark;
	size_t len;

	if (SSL_SESSION_get0_ticket_appdata(session, &mark, &len) != 1 ||
	    !slice_equal(slice_of(mark, len), SLICE(RESUMABLE_MARK)))
		return false;
	if (certificate == NULL)
		return ctx->client_certificates != CLIENT_CERTIFICATES_REQUIRED;
	return tls_certificate_check_again(ctx, certificate, NULL, false, &why);
}

static SSL_TICKET_RETURN on_ticket_back(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                        size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
	(void)name;
	(void)name_len;
	(void)arg;
	if (status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE;
	if (!may_resume(context_of(ssl), session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void tls_tickets_use(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF); /* the client keeps it */
	SSL_CTX_set_timeout(ssl_ctx, TICKET_LIFE_S);
	REQUIRE(SSL_CTX_set_num_tickets(ssl_ctx, 1) == 1);
	REQUIRE(SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_ctx, on_ticket_key) == 1);
	REQUIRE(SSL_CTX_set_session_ticket_cb(ssl_ctx, on_ticket_made, on_ticket_back, NULL) == 1);
}
