/* The door to libcrypto for what is not TLS. */
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/require.h"

bool crypto_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

void crypto_wipe(void *data, size_t len)
{
	if (data != NULL)
		OPENSSL_cleanse(data, len);
}

void crypto_hmac_sha256(struct slice key, struct slice data, uint8_t out[32])
{
	unsigned len = 32;

	REQUIRE(key.len <= INT32_MAX);
	REQUIRE(HMAC(EVP_sha256(), key.data, (int)key.len, data.data, data.len, out, &len) != NULL);
	REQUIRE(len == 32);
}

void crypto_sha256(struct slice data, uint8_t out[32])
{
	unsigned len = 32;

	REQUIRE(EVP_Digest(data.data, data.len, out, &len, EVP_sha256(), NULL) == 1);
	REQUIRE(len == 32);
}

void crypto_sha1(struct slice data, uint8_t out[CRYPTO_SHA1_BYTES])
{
	unsigned len = CRYPTO_SHA1_BYTES;

	REQUIRE(EVP_Digest(data.data, data.len, out, &len, EVP_sha1(), NULL) == 1);
	REQUIRE(len == CRYPTO_SHA1_BYTES);
}

void crypto_pbkdf2_sha256(struct slice password, struct slice salt, uint32_t iterations,
                          uint8_t out[32])
{
	REQUIRE(password.len <= INT32_MAX && salt.len <= INT32_MAX && iterations <= INT32_MAX);
	REQUIRE(PKCS5_PBKDF2_HMAC((const char *)password.data, (int)password.len, salt.data,
	                          (int)salt.len, (int)iterations, EVP_sha256(), 32, out) == 1);
}

const char *crypto_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}
