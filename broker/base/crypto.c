/* The door to libcrypto for what is not TLS. */
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

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
