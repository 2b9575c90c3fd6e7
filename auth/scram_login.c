/* Whatever the server sends is checked before anything is computed of it. */
#include "auth/scram_login.h"

#include "base/base64.h"
#include "base/crypto.h"
#include "base/require.h"
#include "base/utf8.h"

#define HEADER         "n,,"  /* the server offers no channel binding */
#define HEADER_ENCODED "biws" /* the same in base64 */

void scram_login_fini(struct scram_login *s)
{
	buf_fini(&s->nonce);
	buf_fini(&s->text);
	crypto_wipe(s, sizeof(*s));
}

const char *scram_login_user_refused(struct slice user)
{
	if (user.len == 0)
		return "SCRAM needs a user name";
	if (user.len > SCRAM_NAME_MAX || !utf8_valid(user) || scram_text_has_controls(user))
		return "SCRAM needs a user name of up to 256 bytes of UTF-8 without control "
		       "characters";
	return NULL;
}

/* saslname */
static void put_name(struct buf *out, struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == ',')
			buf_put_slice(out, SLICE("=2C"));
		else if (name.data[i] == '=')
			buf_put_slice(out, SLICE("=3D"));
		else
			buf_put_u8(out, name.data[i]);
	}
}

void scram_login_first(struct scram_login *s, struct slice user, struct slice nonce,
                       struct buf *out)
{
	REQUIRE(s->step == SCRAM_LOGIN_NEW && scram_login_user_refused(user) == NULL);
	REQUIRE(nonce.len == SCRAM_NONCE);
	buf_put_slice(&s->nonce, nonce);
	buf_put_slice(&s->text, SLICE("n="));
	put_name(&s->text, user);
	buf_put_slice(&s->text, SLICE(",r="));
	buf_put_slice(&s->text, nonce);
	buf_put_slice(out, SLICE(HEADER));
	buf_put_slice(out, buf_slice(&s->text));
	s->step = SCRAM_LOGIN_ASKED;
}

/* r=, s=, i=, and extensions, which are ignored. */
static const char *read_challenge(const struct scram_login *s, struct slice message,
                                  struct slice *nonce, struct scram_verifier *v)
{
	struct slice rest, first;

	if (message.len == 0 || message.len > SCRAM_MESSAGE_MAX || !utf8_valid(message))
		return "its challenge is malformed";
	first = scram_text_cut(message, ',', &rest);
	if (scram_text_value(first, 'm').data != NULL)
		return "it asks for an extension that is not supported";
	*nonce = scram_text_value(first, 'r');
	/* mutant: scram_nonce_of_the_client */
	if (!scram_text_is_nonce(*nonce) || !slice_starts_with(*nonce, buf_slice(&s->nonce)) ||
	    nonce->len == s->nonce.len)
		return "its challenge is not an answer to this login: the nonce is another";
	v->salt_len = (uint8_t)scram_text_base64(
	    scram_text_value(scram_text_cut(rest, ',', &rest), 's'), 1, SCRAM_SALT_MAX, v->salt);
	if (v->salt_len == 0)
		return "its challenge has no valid salt";
	v->iterations =
	    scram_text_iterations(scram_text_value(scram_text_cut(rest, ',', &rest), 'i'));
	if (v->iterations == 0)
		return "the number of iterations that it asks for is not between 4096 and "
		       "10000000: fewer would make the password easy to guess";
	while (rest.data != NULL) {
		if (!scram_text_is_attribute(scram_text_cut(rest, ',', &rest)))
			return "its challenge is malformed";
	}
	return NULL;
}

/* ClientProof, and what the server must show. */
static void prove(struct scram_login *s, struct scram_verifier *v, struct slice password,
                  uint8_t proof[32])
{
	uint8_t client_key[32], signature[32];

	scram_keys_derive(v, password, client_key);
	crypto_hmac_sha256(slice_of(v->stored_key, 32), buf_slice(&s->text), signature);
	for (size_t i = 0; i < sizeof(client_key); i++)
		proof[i] = client_key[i] ^ signature[i];
	crypto_hmac_sha256(slice_of(v->server_key, 32), buf_slice(&s->text), s->signature);
	crypto_wipe(client_key, sizeof(client_key));
	crypto_wipe(v, sizeof(*v));
}

const char *scram_login_final(struct scram_login *s, struct slice password,
                              struct slice server_first, struct buf *out)
{
	struct scram_verifier v = {.iterations = 0};
	struct slice nonce = SLICE_EMPTY;
	const char *wrong;
	uint8_t proof[32];
	size_t start = out->len;

	REQUIRE(scram_password_refused(password) == NULL);
	if (s->step != SCRAM_LOGIN_ASKED)
		return "it sends a challenge that is not expected";
	if ((wrong = read_challenge(s, server_first, &nonce, &v)) != NULL)
		return wrong;
	buf_put_slice(out, SLICE("c=" HEADER_ENCODED ",r="));
	buf_put_slice(out, nonce);
	buf_put_u8(&s->text, ',');
	buf_put_slice(&s->text, server_first);
	buf_put_u8(&s->text, ',');
	buf_put_slice(&s->text, slice_skip(buf_slice(out), start));
	prove(s, &v, password, proof);
	buf_put_slice(out, SLICE(",p="));
	base64_encode(out, slice_of(proof, 32));
	s->step = SCRAM_LOGIN_PROVED;
	return NULL;
}

const char *scram_login_check(struct scram_login *s, struct slice server_final)
{
	struct slice rest, proof;
	uint8_t signature[32];

	if (s->step != SCRAM_LOGIN_PROVED)
		return "it accepts a login that is not over";
	if (server_final.len == 0)
		return "it does not show that it knows the password";
	proof = scram_text_value(scram_text_cut(server_final, ',', &rest), 'v');
	/* mutant: scram_signature_of_the_server */
	if (scram_text_base64(proof, 32, 32, signature) == 0 ||
	    !crypto_equal(slice_of(signature, 32), slice_of(s->signature, 32)))
		return "its signature is wrong: it does not know the password";
	s->step = SCRAM_LOGIN_DONE;
	return NULL;
}
