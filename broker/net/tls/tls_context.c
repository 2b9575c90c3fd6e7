/* From the configuration to the TLS context of a listener. */
#include "net/tls/tls_context.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/require.h"
#include "net/tls/tls_building.h"
#include "net/tls/tls_certificate.h"
#include "net/tls/tls_client_ca.h"
#include "net/tls/tls_context_internal.h"
#include "net/tls/tls_lint.h"
#include "net/tls/tls_ssl_ctx.h"
#include "net/tls/tls_tickets.h"

/* --- certificates --- */

static bool group_takes(const struct tls_context *ctx, const struct tls_group *group, size_t n)
{
	const struct tls_certificate *c = &ctx->certificates[n];
	bool shares = false;

	for (size_t m = 0; m < group->count; m++) {
		const struct tls_certificate *other = &ctx->certificates[group->members[m]];

		if (EVP_PKEY_get_base_id(other->key) == EVP_PKEY_get_base_id(c->key))
			return false;
		shares = shares || tls_certificate_shares_name(c, other) ||
		         tls_certificate_shares_name(other, c);
	}
	return shares;
}

static struct tls_group *find_or_add_group(const struct tls_building *b, size_t n)
{
	struct tls_context *ctx = b->ctx;
	struct tls_group *group;

	for (size_t g = 0; g < ctx->group_count; g++) {
		if (group_takes(ctx, &ctx->groups[g], n))
			return &ctx->groups[g];
	}
	array_extend(ctx->groups, ctx->group_count);
	group = &ctx->groups[ctx->group_count];
	*group = (struct tls_group){.ssl_ctx = tls_ssl_ctx_new(b)};
	if (group->ssl_ctx == NULL)
		return NULL;
	ctx->group_count++;
	return group;
}

static void add_certificate(const struct tls_building *b, size_t n)
{
	const struct tls_certificate *c = &b->ctx->certificates[n];
	struct tls_group *group = find_or_add_group(b, n);

	if (group == NULL)
		return;
	array_extend(group->members, group->count);
	group->members[group->count++] = n;
	ERR_clear_error();
	if (SSL_CTX_use_cert_and_key(group->ssl_ctx, c->leaf, c->key, c->chain, 1) == 1)
		return;
	errors_add(b->errors, b->conf_path, b->conf->certificates[n].line,
	           b->conf->certificates[n].column,
	           "%s cannot be used: %s (the whole chain needs keys of at least RSA 2048 or "
	           "P-256, and no signature may use SHA-1)",
	           c->path, ERR_reason_error_string(ERR_peek_last_error()));
	ERR_clear_error();
}

static void load_certificates(const struct tls_building *b)
{
	struct tls_context *ctx = b->ctx;

	if (b->conf->certificate_count == 0)
		errors_add(b->errors, b->conf_path, 0, 0,
		           "tls.certificates: TLS needs a certificate");
	ctx->certificates = xcalloc(b->conf->certificate_count + 1, sizeof(*ctx->certificates));
	for (size_t i = 0; i < b->conf->certificate_count; i++) {
		struct tls_certificate *c = &ctx->certificates[i];
		bool loaded = true;

		ctx->certificate_count++;
		if (b->certificates_of != NULL)
			tls_certificate_copy(c, &b->certificates_of->certificates[i]);
		else
			loaded = tls_certificate_load(c, &b->conf->certificates[i], b->conf_path,
			                              b->errors);
		if (loaded)
			add_certificate(b, i);
		if (loaded && b->certificates_of == NULL) {
			tls_lint_certificate(c, &b->conf->certificates[i], b->conf_path, b->errors);
			tls_lint_repeated(b, i);
		}
	}
}

/* What the server names in its request for a certificate, so that the client can choose. */
static void announce_client_cas(struct tls_context *ctx)
{
	STACK_OF(X509_OBJECT) * all;

	if (ctx->client_store == NULL)
		return;
	all = X509_STORE_get0_objects(ctx->client_store);
	for (size_t g = 0; g < ctx->group_count; g++) {
		for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
			X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

			if (ca != NULL)
				(void)SSL_CTX_add_client_CA(ctx->groups[g].ssl_ctx, ca);
		}
	}
}

/* --- the whole --- */

static struct tls_context *build_context(struct tls_building *b, struct tls_tickets *tickets)
{
	struct tls_context *ctx = xnew(ctx);
	size_t errors_before = b->errors->error_count;
	struct buf text = {0};

	b->ctx = ctx;
	atomic_init(&ctx->refs, 1);
	mutex_init(&ctx->lock, LOCK_TLS_CONTEXT);
	ctx->client_certificates = b->conf->client_certificates;
	ctx->accepts_ended_lists = b->conf->crl_expired == CRL_EXPIRED_ACCEPT;
	ctx->min_version = b->conf->min_version;
	ctx->protocol = b->protocol;
	ctx->tickets = tls_tickets_ref(tickets);
	tls_client_ca_load(b);
	load_certificates(b);
	announce_client_cas(ctx);
	if (b->errors->error_count > errors_before) {
		tls_context_unref(&ctx);
		return NULL;
	}
	for (size_t i = 0; i < ctx->certificate_count; i++) {
		if (i > 0)
			buf_printf(&text, i + 1 < ctx->certificate_count ? ", " : " and ");
		tls_certificate_kind(&ctx->certificates[i], &text);
	}
	ctx->description = slice_dup(buf_slice(&text));
	buf_fini(&text);
	return ctx;
}

struct tls_context *tls_context_new(const struct conf_tls *conf, const char *conf_path,
                                    unsigned listener_id, enum conf_protocol protocol,
                                    struct tls_tickets *tickets, struct errors *errors)
{
	struct tls_building b = {.conf = conf,
	                         .conf_path = conf_path,
	                         .listener_id = listener_id,
	                         .protocol = protocol,
	                         .errors = errors};

	return build_context(&b, tickets);
}

struct tls_context *tls_context_renew_clients(const struct tls_context *now,
                                              const struct conf_tls *conf, const char *conf_path,
                                              unsigned listener_id, struct errors *errors)
{
	struct tls_building b = {.conf = conf,
	                         .conf_path = conf_path,
	                         .listener_id = listener_id,
	                         .protocol = now->protocol,
	                         .certificates_of = now,
	                         .errors = errors};

	REQUIRE(conf->certificate_count == now->certificate_count);
	return build_context(&b, now->tickets);
}

struct tls_context *tls_context_ref(struct tls_context *ctx)
{
	REQUIRE(atomic_fetch_add(&ctx->refs, 1) > 0);
	return ctx;
}

void tls_context_unref(struct tls_context **where)
{
	struct tls_context *ctx = *where;

	*where = NULL;
	if (ctx == NULL || atomic_fetch_sub(&ctx->refs, 1) != 1)
		return;
	for (size_t g = 0; g < ctx->group_count; g++) {
		SSL_CTX_free(ctx->groups[g].ssl_ctx);
		free(ctx->groups[g].members);
	}
	for (size_t i = 0; i < ctx->certificate_count; i++)
		tls_certificate_fini(&ctx->certificates[i]);
	X509_STORE_free(ctx->client_store);
	tls_tickets_free(ctx->tickets);
	mutex_fini(&ctx->lock);
	free(ctx->groups);
	free(ctx->certificates);
	free(ctx->crl_path);
	free(ctx->description);
	free(ctx->bind);
	free(ctx);
}

void tls_context_name(struct tls_context *ctx, const char *bind)
{
	mutex_lock(&ctx->lock);
	if (ctx->bind == NULL)
		ctx->bind = xstrdup(bind);
	mutex_unlock(&ctx->lock);
}

const char *tls_context_certificates(const struct tls_context *ctx)
{
	return ctx->description;
}

/* Of a revocation list that has ended. */
static const char *consequence(const struct tls_context *ctx)
{
	return ctx->accepts_ended_lists
	           ? "crl_expired: accept: certificates that are revoked later are accepted"
	           : "no certificate of its CA logs in";
}

/* The one that is in force for connections; a reload takes the next. */
static void log_crl_expiry(const struct tls_context *ctx)
{
	int64_t now_s = clock_wall_ms() / 1000, left = ctx->crl_until_s - now_s;
	char date[CLOCK_TEXT_MAX], words[CLOCK_TEXT_MAX];

	if (ctx->crl_path == NULL || now_s < ctx->crl_warn_s)
		return;
	(void)clock_text(ctx->crl_until_s * 1000, date);
	if (left < 0)
		LOG(REVOCATION_LIST_EXPIRED, .file = ctx->crl_path, .next_update = date,
		    .since = clock_duration(left, words), .consequence = consequence(ctx));
	else
		LOG(REVOCATION_LIST_EXPIRES, .file = ctx->crl_path, .next_update = date,
		    .left = clock_duration(left, words), .consequence = consequence(ctx));
}

void tls_context_each_expiry(const struct tls_context *ctx, tls_context_expiry_fn *visit, void *arg)
{
	for (size_t i = 0; i < ctx->certificate_count; i++)
		visit(arg, TLS_CONTEXT_CERTIFICATE, ctx->certificates[i].path,
		      tls_certificate_until(&ctx->certificates[i]));
	if (ctx->crl_path != NULL)
		visit(arg, TLS_CONTEXT_CLIENT_CRL, ctx->crl_path, ctx->crl_until_s);
}

static void log_dates(const struct tls_certificate *c)
{
	int64_t left = tls_certificate_seconds_left(c);
	char now[CLOCK_TEXT_MAX], words[CLOCK_TEXT_MAX];
	struct buf date = {0};

	if (tls_certificate_not_yet_valid(c)) {
		tls_certificate_put_begin(c, &date);
		LOG(CERTIFICATE_NOT_YET_VALID, .certificate = c->path,
		    .not_before = buf_slice(&date), .clock = clock_text(clock_wall_ms(), now));
	} else if (left < 0) {
		tls_certificate_put_end(c, &date);
		LOG(CERTIFICATE_EXPIRED, .certificate = c->path, .not_after = buf_slice(&date),
		    .since = clock_duration(left, words));
	} else if (left < EXPIRY_WARNING_S) {
		tls_certificate_put_end(c, &date);
		LOG(CERTIFICATE_EXPIRES, .certificate = c->path, .not_after = buf_slice(&date),
		    .left = clock_duration(left, words));
	}
	buf_fini(&date);
}

/* Those that could not be read have a warning. */
static void log_staple(const struct tls_certificate *c)
{
	char until[CLOCK_TEXT_MAX];

	if (c->staple.response.len == 0 || tls_staple_is_fresh(&c->staple))
		return;
	LOG(OCSP_RESPONSE_EXPIRED, .file = c->staple_path, .certificate = c->path,
	    .until = clock_text(c->staple.until_s * 1000, until));
}

static bool has_leaf(const struct tls_context *ctx, size_t count, const X509 *leaf)
{
	for (size_t i = 0; i < count; i++) {
		if (X509_cmp(ctx->certificates[i].leaf, leaf) == 0)
			return true;
	}
	return false;
}

static bool is_in_use(struct tls_context *const *contexts, size_t count, const X509 *leaf)
{
	for (size_t i = 0; i < count; i++) {
		if (contexts[i] != NULL &&
		    has_leaf(contexts[i], contexts[i]->certificate_count, leaf))
			return true;
	}
	return false;
}

/* A clock that is not set yet says nothing about a new certificate. */
void tls_context_check_new(struct tls_context *const *before, size_t before_count,
                           const struct tls_context *next, struct errors *errors)
{
	for (size_t i = 0; i < next->certificate_count; i++) {
		const struct tls_certificate *c = &next->certificates[i];
		bool young = tls_certificate_not_yet_valid(c);
		struct buf date = {0};

		if (is_in_use(before, before_count, c->leaf) || !clock_is_set(clock_wall_ms()) ||
		    (!young && tls_certificate_seconds_left(c) >= 0))
			continue;
		if (young)
			tls_certificate_put_begin(c, &date);
		else
			tls_certificate_put_end(c, &date);
		errors_add(errors, c->path, 0, 0,
		           "this certificate %s %.*s: clients would refuse it%s",
		           young ? "is not valid before" : "expired on", (int)date.len,
		           (const char *)date.data,
		           before_count > 0 ? ", so the one that is in use stays; install one "
		                              "that is valid now"
		                            : "; install one that is valid now");
		buf_fini(&date);
	}
}

int64_t tls_context_first_end(struct tls_context *const *contexts, size_t count)
{
	int64_t first_s = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; contexts[i] != NULL && k < contexts[i]->certificate_count; k++) {
			int64_t end_s = tls_certificate_until(&contexts[i]->certificates[k]);

			first_s = first_s == 0 || end_s < first_s ? end_s : first_s;
		}
	}
	return first_s;
}

/* Listeners may have the same certificates. */
static bool is_logged(struct tls_context *const *contexts, size_t at, size_t certificate)
{
	const X509 *leaf = contexts[at]->certificates[certificate].leaf;
	bool logged = has_leaf(contexts[at], certificate, leaf);

	for (size_t i = 0; !logged && i < at; i++) {
		/* mutant: expiry_said_once */
		if (contexts[i] != NULL)
			logged = has_leaf(contexts[i], contexts[i]->certificate_count, leaf);
	}
	return logged;
}

/* Listeners may have the same list. */
static bool has_crl(struct tls_context *const *contexts, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		if (contexts[i] != NULL && contexts[i]->crl_path != NULL &&
		    strcmp(contexts[i]->crl_path, path) == 0)
			return true;
	}
	return false;
}

void tls_context_log_expiry(struct tls_context *const *contexts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (contexts[i] != NULL && contexts[i]->crl_path != NULL &&
		    !has_crl(contexts, i, contexts[i]->crl_path))
			log_crl_expiry(contexts[i]);
		for (size_t k = 0; contexts[i] != NULL && k < contexts[i]->certificate_count; k++) {
			if (is_logged(contexts, i, k))
				continue;
			log_dates(&contexts[i]->certificates[k]);
			log_staple(&contexts[i]->certificates[k]);
		}
	}
}

static bool same_chain(STACK_OF(X509) * a, STACK_OF(X509) * b)
{
	if (sk_X509_num(a) != sk_X509_num(b))
		return false;
	for (int i = 0; i < sk_X509_num(a); i++) {
		if (X509_cmp(sk_X509_value(a, i), sk_X509_value(b, i)) != 0)
			return false;
	}
	return true;
}

bool tls_context_same_certificates(const struct tls_context *a, const struct tls_context *b)
{
	if (a->certificate_count != b->certificate_count)
		return false;
	for (size_t i = 0; i < a->certificate_count; i++) {
		if (X509_cmp(a->certificates[i].leaf, b->certificates[i].leaf) != 0 ||
		    !same_chain(a->certificates[i].chain, b->certificates[i].chain))
			return false;
	}
	return true;
}

bool tls_context_same_clients(const struct tls_context *a, const struct tls_context *b)
{
	return memcmp(a->trust, b->trust, sizeof(a->trust)) == 0;
}

void tls_context_describe_certificates(const struct tls_context *ctx, struct buf *out)
{
	for (size_t i = 0; i < ctx->certificate_count; i++) {
		if (i > 0)
			buf_put_slice(out, SLICE("; "));
		tls_certificate_describe(&ctx->certificates[i], out);
	}
}
