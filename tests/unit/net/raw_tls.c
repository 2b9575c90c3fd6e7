/* See raw_tls.h.  RFC 8446 5.2, 7.1, 7.2; RFC 5246 6.3; RFC 5288 3. */
#include "raw_tls.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/require.h"

/* The last one: tests open one after the other. */
static uint8_t last_secret[32];

static unsigned hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void on_key(const SSL *ssl, const char *line)
{
	const char *at = strrchr(line, ' ');

	(void)ssl;
	if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) != 0 || at == NULL || strlen(at) != 65)
		return;
	for (size_t i = 0; i < 32; i++)
		last_secret[i] =
		    (uint8_t)(hex_digit(at[1 + 2 * i]) << 4 | hex_digit(at[2 + 2 * i]));
}

void raw_tls_watch(SSL_CTX *ctx)
{
	SSL_CTX_set_keylog_callback(ctx, on_key);
}

static void derive(const char *kdf_name, OSSL_PARAM *params, uint8_t *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

	REQUIRE(EVP_KDF_derive(ctx, out, len, params) == 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

/* HKDF-Expand-Label with an empty context. */
static void expand(const uint8_t secret[32], const char *label, uint8_t *out, size_t len)
{
	struct buf info = {0};
	uint8_t key[32];
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	char digest[] = "SHA256";
	OSSL_PARAM params[5];

	memcpy(key, secret, sizeof(key));
	buf_put_u16(&info, (uint16_t)len);
	buf_put_u8(&info, (uint8_t)(6 + strlen(label)));
	buf_printf(&info, "tls13 %s", label);
	buf_put_u8(&info, 0);
	params[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, sizeof(key));
	params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data, info.len);
	params[4] = OSSL_PARAM_construct_end();
	derive("HKDF", params, out, len);
	buf_fini(&info);
}

static void use_secret(struct raw_tls *r)
{
	expand(r->secret, "key", r->key, sizeof(r->key));
	expand(r->secret, "iv", r->iv, sizeof(r->iv));
	r->sequence = 0;
}

static void use_master(struct raw_tls *r, SSL *ssl)
{
	uint8_t master[48], seed[13 + 64], block[40];
	char digest[] = "SHA256";
	OSSL_PARAM params[4];

	REQUIRE(SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master)) == 48);
	memcpy(seed, "key expansion", 13);
	REQUIRE(SSL_get_server_random(ssl, seed + 13, 32) == 32);
	REQUIRE(SSL_get_client_random(ssl, seed + 45, 32) == 32);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[1] =
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, sizeof(master));
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed));
	params[3] = OSSL_PARAM_construct_end();
	derive("TLS1-PRF", params, block, sizeof(block));
	memcpy(r->key, block, 16);
	memcpy(r->iv, block + 32, 4);
	r->sequence = 1; /* Finished was the first */
}

bool raw_tls_init(struct raw_tls *r, SSL *ssl)
{
	const char *suite = SSL_get_cipher_name(ssl);

	*r = (struct raw_tls){.is_13 = SSL_version(ssl) == TLS1_3_VERSION};
	if (strcmp(suite, r->is_13 ? RAW_SUITE_13 : RAW_SUITE_12) != 0)
		return false;
	memcpy(r->secret, last_secret, sizeof(r->secret));
	if (r->is_13)
		use_secret(r);
	else
		use_master(r, ssl);
	return true;
}

/* Appends ciphertext and tag. */
static void seal(const struct raw_tls *r, const uint8_t nonce[12], struct slice aad,
                 struct slice plain, struct buf *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t tag[16], rest[16];
	int n;

	REQUIRE(EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, r->key, nonce) == 1);
	REQUIRE(EVP_EncryptUpdate(ctx, NULL, &n, aad.data, (int)aad.len) == 1);
	buf_reserve(out, plain.len + 1);
	if (plain.len > 0) {
		REQUIRE(EVP_EncryptUpdate(ctx, out->data + out->len, &n, plain.data,
		                          (int)plain.len) == 1);
		out->len += plain.len;
	}
	REQUIRE(EVP_EncryptFinal_ex(ctx, rest, &n) == 1);
	REQUIRE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag) == 1);
	buf_put(out, tag, sizeof(tag));
	EVP_CIPHER_CTX_free(ctx);
}

static void put_13(struct raw_tls *r, struct buf *out, enum raw_type type, struct slice content,
                   size_t padding)
{
	struct buf inner = {0};
	uint8_t nonce[12], header[5] = {RAW_DATA, 3, 3};
	size_t len = content.len + 1 + padding + 16;

	header[3] = (uint8_t)(len >> 8);
	header[4] = (uint8_t)len;
	memcpy(nonce, r->iv, sizeof(nonce));
	for (size_t i = 0; i < 8; i++)
		nonce[4 + i] ^= (uint8_t)(r->sequence >> (56 - 8 * i));
	buf_put_slice(&inner, content);
	buf_put_u8(&inner, (uint8_t)type);
	while (padding-- > 0)
		buf_put_u8(&inner, 0);
	buf_put(out, header, sizeof(header));
	seal(r, nonce, slice_of(header, sizeof(header)), buf_slice(&inner), out);
	buf_fini(&inner);
}

static void put_12(struct raw_tls *r, struct buf *out, enum raw_type type, struct slice content)
{
	struct buf aad = {0};
	uint8_t nonce[12], header[3] = {(uint8_t)type, 3, 3};

	buf_put_u64(&aad, r->sequence);
	buf_put(&aad, header, sizeof(header));
	buf_put_u16(&aad, (uint16_t)content.len);
	memcpy(nonce, r->iv, 4);
	memcpy(nonce + 4, aad.data, 8);
	buf_put(out, header, sizeof(header));
	buf_put_u16(out, (uint16_t)(8 + content.len + 16));
	buf_put(out, nonce + 4, 8);
	seal(r, nonce, buf_slice(&aad), content, out);
	buf_fini(&aad);
}

void raw_tls_put(struct raw_tls *r, struct buf *out, enum raw_type type, struct slice content,
                 size_t padding)
{
	if (r->is_13)
		put_13(r, out, type, content, padding);
	else
		put_12(r, out, type, content);
	r->sequence++;
}

void raw_tls_put_key_update(struct raw_tls *r, struct buf *out, bool requested, unsigned pieces)
{
	uint8_t message[5] = {24, 0, 0, 1, requested ? 1 : 0};
	size_t step = sizeof(message) / pieces;

	for (size_t i = 0; i < sizeof(message); i += step)
		raw_tls_put(r, out, RAW_HANDSHAKE, slice_of(message + i, step), 0);
	expand(r->secret, "traffic upd", r->secret, sizeof(r->secret));
	use_secret(r);
}
