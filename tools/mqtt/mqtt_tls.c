/* The SSL_CTX of clients, the pin, and tickets. */
#include "mqtt/mqtt_tls.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/key_pin.h"
#include "base/require.h"
#include "mqtt/mqtt_tls_words.h"

struct mqtt_tls {
	SSL_CTX *ctx;
	char *server_name; /* NULL: the host */
	char *trusted;     /* "in ca.crt" */
	uint8_t pin[KEY_PIN_BYTES];
	bool has_pin, verifies, has_certificate, has_tickets;
};

static int problem_index = -1;

/* ---- the pin ---- */

bool mqtt_tls_accept(struct mqtt_tls *tls, SSL *ssl, struct mqtt_tls_problem *problem)
{
	uint8_t digest[KEY_PIN_BYTES] = {0};
	struct buf text = {0};

	SSL_set_ex_data(ssl, problem_index, NULL);
	if (!tls->has_pin)
		return true;
	/* mutant: client_pin */
	if (key_pin_of(SSL_get0_peer_certificate(ssl), digest) &&
	    crypto_equal(slice_of(digest, KEY_PIN_BYTES), slice_of(tls->pin, KEY_PIN_BYTES)))
		return true;
	key_pin_put(digest, &text);
	problem->untrusted = true;
	buf_printf(
	    &problem->words,
	    "the server's key is not the pinned one: it is "
	    "%.*s; if the key was changed on purpose, pin that one, otherwise somebody is in "
	    "the way",
	    (int)text.len, (const char *)text.data);
	buf_fini(&text);
	return false;
}

/* ---- the context ---- */

static void put_openssl_error(struct buf *why)
{
	unsigned long first = ERR_peek_error(); /* of a file that cannot be opened, why */
	const char *reason = ERR_SYSTEM_ERROR(first)
	                         ? strerror(ERR_GET_REASON(first))
	                         : ERR_reason_error_string(ERR_peek_last_error());

	buf_printf(why, "%s", reason == NULL ? "it cannot be used" : reason);
	ERR_clear_error();
}

static bool refuse(struct buf *why, const char *what, const char *path)
{
	buf_printf(why, "%s '%s': ", what, path);
	put_openssl_error(why);
	return false;
}

static bool load_trust(struct mqtt_tls *tls, const struct mqtt_tls_options *o, struct buf *why)
{
	if (o->ca_file != NULL && SSL_CTX_load_verify_file(tls->ctx, o->ca_file) != 1)
		return refuse(why, "cannot read CA certificates from the file", o->ca_file);
	if (o->ca_directory != NULL && SSL_CTX_load_verify_dir(tls->ctx, o->ca_directory) != 1)
		return refuse(why, "cannot read CA certificates from the directory",
		              o->ca_directory);
	if (o->ca_file == NULL && o->ca_directory == NULL)
		(void)SSL_CTX_set_default_verify_paths(tls->ctx);
	tls->trusted = o->ca_file != NULL        ? xasprintf("in %s", o->ca_file)
	               : o->ca_directory != NULL ? xasprintf("in %s", o->ca_directory)
	                                         : xstrdup("of this system");
	return true;
}

static int give_password(char *out, int size, int writes, void *arg)
{
	const struct slice *password = arg;

	(void)writes;
	if (password->len == 0 || password->len > (size_t)size)
		return -1;
	memcpy(out, password->data, password->len);
	return (int)password->len;
}

static bool load_certificate(struct mqtt_tls *tls, const struct mqtt_tls_options *o,
                             struct buf *why)
{
	const char *key = o->key == NULL ? o->certificate : o->key;
	struct slice password = o->key_password;
	bool ok = true;

	if (o->certificate == NULL)
		return true;
	SSL_CTX_set_default_passwd_cb(tls->ctx, give_password);
	SSL_CTX_set_default_passwd_cb_userdata(tls->ctx, &password);
	if (SSL_CTX_use_certificate_chain_file(tls->ctx, o->certificate) != 1)
		ok = refuse(why, "cannot read the client certificate", o->certificate);
	else if (SSL_CTX_use_PrivateKey_file(tls->ctx, key, SSL_FILETYPE_PEM) != 1)
		ok = refuse(why, "cannot read the private key", key);
	SSL_CTX_set_default_passwd_cb_userdata(tls->ctx, NULL);
	tls->has_certificate = ok;
	return ok;
}

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION **ticket = SSL_get_app_data(ssl);

	if (ticket == NULL)
		return 0;
	SSL_SESSION_free(*ticket);
	*ticket = session;
	return 1;
}

static int check_chain(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct mqtt_tls_problem *problem = SSL_get_ex_data(ssl, problem_index);
	const struct mqtt_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *host = X509_VERIFY_PARAM_get0_host(X509_STORE_CTX_get0_param(store), 0);
	char *address = NULL;

	if (ok || !tls->verifies || problem == NULL || problem->untrusted)
		return ok; /* of SSL_VERIFY_NONE it counts for nothing */
	problem->untrusted = true;
	if (host == NULL)
		address = X509_VERIFY_PARAM_get1_ip_asc(X509_STORE_CTX_get0_param(store));
	mqtt_tls_words_of_chain(store,
	                        host != NULL      ? host
	                        : address != NULL ? address
	                                          : "the server",
	                        tls->trusted, &problem->words);
	OPENSSL_free(address);
	return 0;
}

static bool set_up(struct mqtt_tls *tls, const struct mqtt_tls_options *o, struct buf *why)
{
	SSL_CTX *ctx = tls->ctx;

	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	if (o->tls_1_2)
		(void)SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                          SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_app_data(ctx, tls);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	if (o->has_tickets)
		SSL_CTX_sess_set_new_cb(ctx, keep_ticket);
	tls->has_tickets = o->has_tickets;
	tls->has_pin = o->pin != NULL;
	tls->verifies =
	    !o->insecure && (o->pin == NULL || o->ca_file != NULL || o->ca_directory != NULL);
	SSL_CTX_set_verify(ctx, tls->verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, check_chain);
	if (o->pin != NULL && !key_pin_parse(slice_of_str(o->pin), tls->pin)) {
		buf_printf(why,
		           "the pin '%s' is neither sha256/ with 44 characters of Base64 nor 64 "
		           "hexadecimal digits",
		           o->pin);
		return false;
	}
	if ((o->groups != NULL &&
	     SSL_CTX_ctrl(ctx, SSL_CTRL_SET_GROUPS_LIST, 0, (void *)(uintptr_t)o->groups) != 1) ||
	    (o->ciphers != NULL && SSL_CTX_set_cipher_list(ctx, o->ciphers) != 1 &&
	     SSL_CTX_set_ciphersuites(ctx, o->ciphers) != 1)) {
		buf_printf(why, "OpenSSL does not know these ciphers or groups");
		return false;
	}
	return (!tls->verifies || load_trust(tls, o, why)) && load_certificate(tls, o, why);
}

struct mqtt_tls *mqtt_tls_new(const struct mqtt_tls_options *options, struct buf *why)
{
	struct mqtt_tls *tls = xnew(tls);

	REQUIRE(options->key == NULL || options->certificate != NULL);
	if (problem_index < 0)
		problem_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	ERR_clear_error();
	if (options->server_name != NULL)
		tls->server_name = xstrdup(options->server_name);
	tls->ctx = SSL_CTX_new(TLS_client_method());
	if (tls->ctx == NULL)
		put_openssl_error(why);
	if (tls->ctx != NULL && set_up(tls, options, why))
		return tls;
	mqtt_tls_free(tls);
	return NULL;
}

void mqtt_tls_free(struct mqtt_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls->server_name);
	free(tls->trusted);
	free(tls);
}

/* ---- a connection ---- */

static bool is_address(const char *host)
{
	uint8_t bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* The dot at the end of a name that is complete ("lamp.example.") is for the resolver: neither
 * certificates nor the name of the handshake have it (RFC 6066, section 3). */
static size_t length_of_name(const char *host)
{
	size_t length = strlen(host);

	/* mutant: trailing_dot */
	return length > 1 && host[length - 1] == '.' ? length - 1 : length;
}

/* The macros for names and groups take away const. */
static bool set_name(const struct mqtt_tls *tls, SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char *name;
	bool ok;

	if (is_address(host))
		return !tls->verifies || X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	name = xstrndup(host, length_of_name(host));
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	ok = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1 &&
	     (!tls->verifies || X509_VERIFY_PARAM_set1_host(param, name, 0) == 1);
	free(name);
	return ok;
}

SSL *mqtt_tls_connect(struct mqtt_tls *tls, const char *host, int fd,
                      struct mqtt_tls_problem *problem, SSL_SESSION **ticket)
{
	SSL *ssl = SSL_new(tls->ctx);

	REQUIRE(host != NULL && fd >= 0 && problem != NULL);
	if (ssl == NULL)
		return NULL;
	SSL_set_app_data(ssl, ticket);
	if (SSL_set_ex_data(ssl, problem_index, problem) != 1 || SSL_set_fd(ssl, fd) != 1 ||
	    !set_name(tls, ssl, tls->server_name == NULL ? host : tls->server_name)) {
		SSL_free(ssl);
		return NULL;
	}
	if (ticket != NULL && *ticket != NULL)
		(void)SSL_set_session(ssl, *ticket);
	SSL_set_connect_state(ssl);
	return ssl;
}

void mqtt_tls_explain(const struct mqtt_tls *tls, int error, struct buf *out)
{
	unsigned long code = error == SSL_ERROR_SSL ? ERR_peek_error() : 0;

	mqtt_tls_words_of_error(code, tls->has_certificate, out);
	ERR_clear_error();
}
