/* Only a digest is kept. */
#include "server/metrics_tokens.h"

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/text_input.h"
#include "conf/conf_file.h"

/* What can be guessed is no token: 16 bytes in hexadecimal have 32 characters. */
#define TOKEN_MIN 16
#define TOKEN_MAX 512

/* RFC 6750 2.1 */
static bool is_token_text(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] <= ' ' || s.data[i] > '~' || s.data[i] == '"' || s.data[i] == '\\')
			return false;
	return true;
}

static const char *wrong(struct slice *text)
{
	const char *why = text_input_only_line(text, TOKEN_MAX);

	if (why != NULL)
		return why;
	if (text->len < TOKEN_MIN)
		return "a token of less than 16 characters can be guessed: make one with 'openssl "
		       "rand -hex 24'";
	return is_token_text(*text) ? NULL
	                            : "a token has no blanks, quotes, control characters, or "
	                              "letters outside ASCII: make one with 'openssl rand -hex 24'";
}

static void load(const char *path, struct config_token *token, struct errors *errors)
{
	const struct conf_file file = {.path = path,
	                               .what = "metrics token",
	                               .max_bytes = TOKEN_MAX + 8,
	                               .is_secret = true,
	                               .made_by = "(umask 077; openssl rand -hex 24 > %s)"};
	struct buf bytes = {0};
	struct slice text;
	const char *why;

	if (conf_read_file(&file, &bytes, errors) == 0) {
		text = buf_slice(&bytes);
		why = wrong(&text);
		if (why != NULL)
			errors_add(errors, path, 0, 0, "metrics token: %s", why);
		else
			crypto_sha256(text, token->digest);
		token->is_set = why == NULL;
	}
	buf_fini_secret(&bytes);
}

struct config_token *metrics_tokens_load(const struct conf *conf, struct errors *errors)
{
	struct config_token *tokens = xcalloc(conf->listener_count, sizeof(*tokens));

	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if ((l->serve & CONF_SERVICE_METRICS) != 0 && l->metrics.token_file != NULL)
			load(l->metrics.token_file, &tokens[i], errors);
	}
	return tokens;
}
