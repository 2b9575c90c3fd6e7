/* See scram_peer.h. */
#include "scram_peer.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/crypto.h"

#define ITERATIONS    4096
#define SALTED_MAX    256
#define HEADER        "n,,"
#define HEADER_BASE64 "biws"

struct scram_peer {
	char *password; /* NULL: not known */
	struct buf bare;
	struct buf text; /* AuthMessage */
	uint8_t salted[32];
};

/* --- the slow part, once for each --- */

static struct salted {
	char *password;
	struct buf salt;
	uint8_t key[32];
} salted[SALTED_MAX];

static const uint8_t *salt_password(const char *password, struct slice salt)
{
	struct salted *s = salted;

	while (s < salted + SALTED_MAX - 1 && s->password != NULL &&
	       (strcmp(s->password, password) != 0 || !slice_equal(buf_slice(&s->salt), salt)))
		s++;
	if (s->password != NULL && strcmp(s->password, password) == 0 &&
	    slice_equal(buf_slice(&s->salt), salt))
		return s->key;
	free(s->password); /* all actors share the last place */
	buf_clear(&s->salt);
	s->password = xstrdup(password);
	buf_put_slice(&s->salt, salt);
	crypto_pbkdf2_sha256(slice_of_str(password), salt, ITERATIONS, s->key);
	return s->key;
}

static void key_of(const uint8_t key[32], const char *name, uint8_t out[32])
{
	crypto_hmac_sha256(slice_of(key, 32), slice_of_str(name), out);
}

/* --- the file --- */

static void put_key(struct buf *out, const uint8_t key[32])
{
	buf_put_u8(out, '$');
	base64_encode(out, slice_of(key, 32));
}

void scram_peer_verifier(const char *user, const char *password, struct buf *out)
{
	uint8_t salt[16] = "salt of ", client[32], stored[32], server[32];
	const uint8_t *key;

	for (size_t i = 0; user[i] != '\0' && i < 8; i++)
		salt[8 + i] = (uint8_t)user[i];
	key = salt_password(password, slice_of(salt, sizeof(salt)));
	key_of(key, "Client Key", client);
	crypto_sha256(slice_of(client, 32), stored);
	key_of(key, "Server Key", server);
	buf_printf(out, "SHA-256$%d$", ITERATIONS);
	base64_encode(out, slice_of(salt, sizeof(salt)));
	put_key(out, stored);
	put_key(out, server);
}

/* --- the exchange --- */

struct scram_peer *scram_peer_new(const char *user, const char *password, uint64_t nonce)
{
	struct scram_peer *s = xnew(s);

	s->password = password == NULL ? NULL : xstrdup(password);
	buf_printf(&s->bare, "n=%s,r=%016llx", user, (unsigned long long)nonce);
	return s;
}

void scram_peer_free(struct scram_peer *s)
{
	if (s == NULL)
		return;
	free(s->password);
	buf_fini(&s->bare);
	buf_fini(&s->text);
	free(s);
}

void scram_peer_first(const struct scram_peer *s, struct buf *out)
{
	buf_put_slice(out, SLICE(HEADER));
	buf_put_slice(out, buf_slice(&s->bare));
}

/* The value of a field, up to the next comma; *rest moves past it. */
static bool take_field(struct slice *rest, char name, struct slice *value)
{
	size_t end = 0;

	if (rest->len < 2 || rest->data[0] != (uint8_t)name || rest->data[1] != '=')
		return false;
	while (end < rest->len && rest->data[end] != ',')
		end++;
	*value = slice_of(rest->data + 2, end - 2);
	*rest = slice_skip(*rest, end < rest->len ? end + 1 : end);
	return true;
}

/* The broker's nonce begins with ours. RFC 5802, section 5.1 */
static bool extends_nonce(const struct scram_peer *s, struct slice nonce)
{
	struct slice ours = slice_of(s->bare.data + s->bare.len - 16, 16);

	return nonce.len > ours.len && slice_equal(slice_of(nonce.data, ours.len), ours);
}

static void put_proof(const struct scram_peer *s, struct buf *out)
{
	uint8_t client[32], stored[32], proof[32];

	key_of(s->salted, "Client Key", client);
	crypto_sha256(slice_of(client, 32), stored);
	crypto_hmac_sha256(slice_of(stored, 32), buf_slice(&s->text), proof);
	for (size_t i = 0; i < 32; i++)
		proof[i] ^= client[i];
	buf_put_slice(out, SLICE(",p="));
	base64_encode(out, slice_of(proof, 32));
}

bool scram_peer_final(struct scram_peer *s, struct slice challenge, struct buf *out)
{
	struct slice rest = challenge, nonce, salt64, count;
	struct buf salt = {0};
	size_t start = out->len;

	if (!take_field(&rest, 'r', &nonce) || !extends_nonce(s, nonce) ||
	    !take_field(&rest, 's', &salt64) || !take_field(&rest, 'i', &count) || rest.len > 0 ||
	    !slice_equal(count, SLICE("4096")) || !base64_decode(&salt, salt64))
		return false;
	if (s->password != NULL)
		memcpy(s->salted, salt_password(s->password, buf_slice(&salt)), 32);
	buf_fini(&salt);
	buf_put_slice(out, SLICE("c=" HEADER_BASE64 ",r="));
	buf_put_slice(out, nonce);
	buf_clear(&s->text);
	buf_put_slice(&s->text, buf_slice(&s->bare));
	buf_put_u8(&s->text, ',');
	buf_put_slice(&s->text, challenge);
	buf_put_u8(&s->text, ',');
	buf_put(&s->text, out->data + start, out->len - start);
	put_proof(s, out);
	return true;
}

bool scram_peer_is_proven(const struct scram_peer *s, struct slice server_final)
{
	uint8_t key[32], signature[32];
	struct buf want = {0};
	bool right;

	key_of(s->salted, "Server Key", key);
	crypto_hmac_sha256(slice_of(key, 32), buf_slice(&s->text), signature);
	buf_put_slice(&want, SLICE("v="));
	base64_encode(&want, slice_of(signature, 32));
	right = slice_equal(buf_slice(&want), server_final);
	buf_fini(&want);
	return right;
}
