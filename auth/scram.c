/* The server's side. */
#include "auth/scram.h"

#include <inttypes.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/require.h"
#include "base/utf8.h"

#define HASH_NAME SLICE("SHA-256")

/* --- the verifier --- */

bool scram_verifier_parse(struct slice text, struct scram_verifier *out)
{
	struct slice rest;

	*out = (struct scram_verifier){0};
	if (!slice_equal(scram_text_cut(text, '$', &rest), HASH_NAME))
		return false;
	out->iterations = scram_text_iterations(scram_text_cut(rest, '$', &rest));
	out->salt_len = (uint8_t)scram_text_base64(scram_text_cut(rest, '$', &rest), SCRAM_SALT_MIN,
	                                           SCRAM_SALT_MAX, out->salt);
	return out->iterations > 0 && out->salt_len > 0 &&
	       scram_text_base64(scram_text_cut(rest, '$', &rest), 32, 32, out->stored_key) > 0 &&
	       scram_text_base64(rest, 32, 32, out->server_key) > 0;
}

static void put_key(struct buf *out, const uint8_t key[32])
{
	buf_put_u8(out, '$');
	base64_encode(out, slice_of(key, 32));
}

void scram_verifier_format(const struct scram_verifier *v, struct buf *out)
{
	REQUIRE(v->iterations > 0 && v->salt_len <= SCRAM_SALT_MAX);
	buf_put_slice(out, HASH_NAME);
	buf_printf(out, "$%" PRIu32 "$", v->iterations);
	base64_encode(out, slice_of(v->salt, v->salt_len));
	put_key(out, v->stored_key);
	put_key(out, v->server_key);
}

const char *scram_password_refused(struct slice password)
{
	if (!utf8_valid(password))
		return "SCRAM needs a password in valid UTF-8";
	if (scram_text_has_controls(password))
		return "SCRAM needs a password without control characters";
	return NULL;
}

void scram_keys_derive(struct scram_verifier *v, struct slice password, uint8_t client_key[32])
{
	uint8_t salted[32];

	REQUIRE(v->iterations > 0 && v->salt_len > 0 && v->salt_len <= SCRAM_SALT_MAX);
	crypto_pbkdf2_sha256(password, slice_of(v->salt, v->salt_len), v->iterations, salted);
	crypto_hmac_sha256(slice_of(salted, 32), SLICE("Client Key"), client_key);
	crypto_sha256(slice_of(client_key, 32), v->stored_key);
	crypto_hmac_sha256(slice_of(salted, 32), SLICE("Server Key"), v->server_key);
	crypto_wipe(salted, sizeof(salted));
}

void scram_verifier_derive(struct scram_verifier *v, struct slice password)
{
	uint8_t client_key[32];

	scram_keys_derive(v, password, client_key);
	crypto_wipe(client_key, sizeof(client_key));
}

void scram_verifier_decoy(const struct scram_verifier *like, struct slice key, struct slice user,
                          struct scram_verifier *out)
{
	REQUIRE(like->salt_len <= SCRAM_SALT_MAX);
	*out = (struct scram_verifier){.iterations = like->iterations, .salt_len = like->salt_len};
	_Static_assert(SCRAM_SALT_MAX == 32, "one HMAC fills it");
	crypto_hmac_sha256(key, user, out->salt);
	random_bytes(out->stored_key, sizeof(out->stored_key));
	random_bytes(out->server_key, sizeof(out->server_key));
}

/* --- the messages --- */

void scram_fini(struct scram *s)
{
	buf_fini(&s->user);
	buf_fini(&s->binding);
	buf_fini(&s->nonce);
	buf_fini(&s->text);
	crypto_wipe(&s->verifier, sizeof(s->verifier));
}

/* saslname: '=' and ',' are written =3D and =2C, and nothing else begins with '='. */
static bool decode_name(struct slice text, struct buf *out)
{
	while (text.len > 0) {
		size_t taken = 1;
		uint8_t c = text.data[0];

		if (slice_starts_with(text, SLICE("=2C")))
			c = ',';
		if (c == '=' && !slice_starts_with(text, SLICE("=3D")))
			return false;
		if (text.data[0] == '=')
			taken = 3;
		buf_put_u8(out, c);
		text = slice_skip(text, taken);
	}
	return out->len > 0 && out->len <= SCRAM_NAME_MAX &&
	       !scram_text_has_controls(buf_slice(out));
}

/* The name that the client wants to act as: none, or its own. */
static bool may_act_as(const struct scram *s, struct slice attribute)
{
	struct buf name = {0};
	struct slice value = scram_text_value(attribute, 'a');
	bool same;

	if (attribute.len == 0)
		return true;
	same = value.data != NULL && decode_name(value, &name) &&
	       slice_equal(buf_slice(&name), buf_slice(&s->user));
	buf_fini(&name);
	return same;
}

/* client-first-message-bare: n=, r=, and extensions, which are ignored. */
static const char *read_bare(struct scram *s, struct slice bare)
{
	struct slice rest, name, nonce;

	buf_put_slice(&s->text, bare);
	name = scram_text_cut(bare, ',', &rest);
	if (scram_text_value(name, 'm').data != NULL)
		return "SCRAM: a mandatory extension is not supported";
	name = scram_text_value(name, 'n');
	if (name.data == NULL || !decode_name(name, &s->user))
		return "SCRAM: the user name is not valid";
	nonce = scram_text_value(scram_text_cut(rest, ',', &rest), 'r');
	if (!scram_text_is_nonce(nonce))
		return "SCRAM: the nonce is not valid";
	buf_put_slice(&s->nonce, nonce);
	while (rest.data != NULL) {
		if (!scram_text_is_attribute(scram_text_cut(rest, ',', &rest)))
			return "SCRAM: the first message is malformed";
	}
	return NULL;
}

const char *scram_client_first(struct scram *s, struct slice message)
{
	struct slice rest, flag, authzid;
	const char *wrong;

	REQUIRE(s->text.len == 0 && s->user.len == 0); /* one exchange, one first message */
	if (message.len == 0 || message.len > SCRAM_MESSAGE_MAX || !utf8_valid(message))
		return "SCRAM: the first message is malformed";
	flag = scram_text_cut(message, ',', &rest);
	if (slice_starts_with(flag, SLICE("p=")))
		return "SCRAM: channel binding is not offered";
	authzid = scram_text_cut(rest, ',', &rest);
	if ((!slice_equal(flag, SLICE("n")) && !slice_equal(flag, SLICE("y"))) || rest.data == NULL)
		return "SCRAM: the first message is malformed";
	base64_encode(&s->binding, slice_of(message.data, (size_t)(rest.data - message.data)));
	wrong = read_bare(s, rest);
	if (wrong == NULL && !may_act_as(s, authzid))
		return "SCRAM: an authorization identity is not supported";
	return wrong;
}

void scram_nonce(char out[SCRAM_NONCE])
{
	uint8_t bytes[SCRAM_NONCE / 4 * 3];
	struct buf text = {0};

	random_bytes(bytes, sizeof(bytes));
	base64_encode(&text, slice_of(bytes, sizeof(bytes)));
	memcpy(out, text.data, SCRAM_NONCE);
	buf_fini(&text);
}

void scram_server_first(struct scram *s, const struct scram_verifier *verifier, struct slice nonce,
                        struct buf *out)
{
	size_t start = out->len;

	REQUIRE(s->user.len > 0 && s->nonce.len > 0); /* the first message is read */
	REQUIRE(verifier->salt_len >= SCRAM_SALT_MIN && verifier->salt_len <= SCRAM_SALT_MAX);
	s->verifier = *verifier;
	buf_put_slice(&s->nonce, nonce);
	buf_put_slice(out, SLICE("r="));
	buf_put_slice(out, buf_slice(&s->nonce));
	buf_put_slice(out, SLICE(",s="));
	base64_encode(out, slice_of(verifier->salt, verifier->salt_len));
	buf_printf(out, ",i=%" PRIu32, verifier->iterations);
	buf_put_u8(&s->text, ',');
	buf_put_slice(&s->text, slice_skip(buf_slice(out), start));
}

/* Is the hash of the key in the proof the stored key? */
static bool proof_is_right(const struct scram *s, const uint8_t proof[32])
{
	uint8_t signature[32], client_key[32], hash[32];
	bool right;

	crypto_hmac_sha256(slice_of(s->verifier.stored_key, 32), buf_slice(&s->text), signature);
	for (size_t i = 0; i < sizeof(client_key); i++)
		client_key[i] = proof[i] ^ signature[i];
	crypto_sha256(slice_of(client_key, 32), hash);
	right = crypto_equal(slice_of(hash, 32), slice_of(s->verifier.stored_key, 32));
	crypto_wipe(signature, sizeof(signature));
	crypto_wipe(client_key, sizeof(client_key));
	return right;
}

/* Also computed for a wrong proof, and discarded: the time must not reveal to somebody who knows
 * the password of a locked user that it is right. */
static void put_server_final(const struct scram *s, bool right, struct buf *out)
{
	size_t before = out->len;
	uint8_t signature[32];

	crypto_hmac_sha256(slice_of(s->verifier.server_key, 32), buf_slice(&s->text), signature);
	buf_put_slice(out, SLICE("v="));
	base64_encode(out, slice_of(signature, 32));
	if (!right)
		out->len = before;
}

/* The value of p=, the last attribute. *before is the client's part of the signed text. */
static struct slice read_proof(struct slice message, struct slice rest, struct slice *before)
{
	while (rest.data != NULL) {
		struct slice attribute = scram_text_cut(rest, ',', &rest);
		struct slice proof = scram_text_value(attribute, 'p');

		if (!scram_text_is_attribute(attribute) ||
		    (proof.data != NULL && rest.data != NULL))
			return SLICE_EMPTY;
		*before = slice_of(message.data, (size_t)(attribute.data - message.data) - 1);
		if (proof.data != NULL)
			return proof;
	}
	return SLICE_EMPTY;
}

const char *scram_client_final(struct scram *s, struct slice message, bool *right, struct buf *out)
{
	struct slice rest, binding, nonce, proof, before = SLICE_EMPTY;
	uint8_t bytes[32];

	REQUIRE(s->verifier.salt_len > 0); /* the challenge is sent */
	*right = false;
	if (message.len == 0 || message.len > SCRAM_MESSAGE_MAX || !utf8_valid(message))
		return "SCRAM: the final message is malformed";
	binding = scram_text_value(scram_text_cut(message, ',', &rest), 'c');
	if (!crypto_equal(binding, buf_slice(&s->binding)))
		return "SCRAM: the channel binding is not that of the first message";
	nonce = scram_text_value(scram_text_cut(rest, ',', &rest), 'r');
	if (!crypto_equal(nonce, buf_slice(&s->nonce)))
		return "SCRAM: the nonce is not the one of this exchange";
	proof = read_proof(message, rest, &before);
	if (proof.data == NULL || scram_text_base64(proof, 32, 32, bytes) == 0)
		return "SCRAM: the final message is malformed";
	buf_put_u8(&s->text, ',');
	buf_put_slice(&s->text, before);
	*right = proof_is_right(s, bytes);
	crypto_wipe(bytes, sizeof(bytes));
	put_server_final(s, *right, out);
	return NULL;
}
