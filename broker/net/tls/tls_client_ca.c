/* From client_ca and client_crl to the store of trusted certificates. */
#include "net/tls/tls_client_ca.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "conf/conf_file.h"
#include "net/tls/tls_certificate.h"
#include "net/tls/tls_context_internal.h"
#include "net/tls/tls_date.h"
#include "net/tls/tls_lint.h"
#include "net/tls/tls_pem.h"

static bool add_client_ca(const struct tls_building *b, X509_STORE *store, STACK_OF(X509) * all)
{
	for (int i = 0; i < sk_X509_num(all); i++) {
		if (X509_check_ca(sk_X509_value(all, i)) == 0) {
			errors_add(
			    b->errors, b->conf->client_ca, 0, 0,
			    "certificate %d of this file is not a CA certificate: client_ca has "
			    "the CAs that sign the certificates of clients, not those "
			    "certificates themselves",
			    i + 1);
			return false;
		}
		if (X509_STORE_add_cert(store, sk_X509_value(all, i)) != 1) {
			tls_building_report(b, "client_ca");
			return false;
		}
	}
	return true;
}

static bool has_crl(STACK_OF(X509_CRL) * crls, const X509 *ca)
{
	for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
		if (X509_NAME_cmp(X509_CRL_get_issuer(sk_X509_CRL_value(crls, i)),
		                  X509_get_subject_name(ca)) == 0)
			return true;
	}
	return false;
}

static bool is_self_signed(const X509 *ca)
{
	return (X509_get_extension_flags((X509 *)(uintptr_t)ca) & EXFLAG_SS) != 0;
}

static bool is_above_a_ca(const X509 *ca, STACK_OF(X509) * all)
{
	if (is_self_signed(ca))
		return true;
	for (int i = 0; i < sk_X509_num(all); i++) {
		const X509 *other = sk_X509_value(all, i);

		if (other != ca &&
		    X509_NAME_cmp(X509_get_issuer_name(other), X509_get_subject_name(ca)) == 0)
			return true;
	}
	return false;
}

/* The first whose own issuer the file lacks; NULL: none. */
static X509 *find_lone(STACK_OF(X509) * all)
{
	for (int i = 0; i < sk_X509_num(all); i++) {
		X509 *ca = sk_X509_value(all, i);
		bool found = is_self_signed(ca);

		for (int k = 0; !found && k < sk_X509_num(all); k++)
			found = X509_NAME_cmp(X509_get_issuer_name(ca),
			                      X509_get_subject_name(sk_X509_value(all, k))) == 0;
		if (!found)
			return ca;
	}
	return NULL;
}

/* The client's own certificate is always looked up. Those of the CAs above it only where the file
 * has a list of each: else a site with two levels of CA could not log in at all. */
static unsigned long crl_flags(STACK_OF(X509) * cas, STACK_OF(X509_CRL) * crls)
{
	bool looks_up = false;

	for (int i = 0; i < sk_X509_num(cas); i++) {
		if (!is_above_a_ca(sk_X509_value(cas, i), cas))
			continue;
		if (!has_crl(crls, sk_X509_value(cas, i)))
			return X509_V_FLAG_CRL_CHECK;
		looks_up = true;
	}
	return looks_up ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL : X509_V_FLAG_CRL_CHECK;
}

/* A CA without the one above it is an anchor: chains end there. Not where the CAs are looked up in
 * revocation lists, too: with partial chains OpenSSL would end the chains of others before their
 * root, and the root's list would not be asked any more. */
static bool accept_lone(const struct tls_building *b, X509_STORE *store, STACK_OF(X509) * cas)
{
	X509 *lone = find_lone(cas);
	unsigned long flags = X509_VERIFY_PARAM_get_flags(X509_STORE_get0_param(store));

	if (lone == NULL)
		return true;
	/* mutant: partial_chain_skips_lists */
	if ((flags & X509_V_FLAG_CRL_CHECK_ALL) != 0) {
		tls_lint_lone_ca(b, lone);
		return true;
	}
	/* mutant: lone_intermediate_is_an_anchor */
	return X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

/* The files one after the other: a digest over the digests. */
static void add_trust(struct tls_context *ctx, struct slice file)
{
	uint8_t both[2 * sizeof(ctx->trust)];

	memcpy(both, ctx->trust, sizeof(ctx->trust));
	crypto_sha256(file, both + sizeof(ctx->trust));
	crypto_sha256(slice_of(both, sizeof(both)), ctx->trust);
}

/* Days before the end, but not before the half of its time: a list for a day that is renewed each
 * hour is no news. */
static void note_end(const struct tls_building *b, const X509_CRL *crl)
{
	int64_t until_s = tls_date_epoch_s(X509_CRL_get0_nextUpdate(crl));
	int64_t half_s = (until_s - tls_date_epoch_s(X509_CRL_get0_lastUpdate(crl))) / 2;
	int64_t most_s = (int64_t)CRL_SOON_DAYS * 86400;

	if (until_s == 0 || (b->ctx->crl_path != NULL && b->ctx->crl_until_s <= until_s))
		return;
	free(b->ctx->crl_path);
	b->ctx->crl_path = xstrdup(b->conf->client_crl);
	b->ctx->crl_until_s = until_s;
	b->ctx->crl_warn_s = until_s - (half_s < most_s ? half_s : most_s);
}

static bool add_crls(const struct tls_building *b, X509_STORE *store, STACK_OF(X509) * cas)
{
	struct conf_file file = {
	    .path = b->conf->client_crl, .what = "revocation list", .max_bytes = TLS_PEM_BYTES_MAX};
	struct buf bytes = {0};
	STACK_OF(X509_CRL) *crls = NULL;
	bool ok = false;

	if (!tls_pem_read_file(&file, &bytes, b->errors))
		goto done;
	crls = tls_pem_crls(buf_slice(&bytes));
	if (crls == NULL) {
		errors_add(b->errors, b->conf->client_crl, 0, 0,
		           "this is not a revocation list in PEM (-----BEGIN X509 CRL-----) or "
		           "DER");
		goto done;
	}
	ok = true;
	add_trust(b->ctx, buf_slice(&bytes));
	for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
		X509_CRL *crl = sk_X509_CRL_value(crls, i);
		const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);

		ok = ok && X509_STORE_add_crl(store, crl) == 1;
		note_end(b, crl);
		if (next != NULL && X509_cmp_current_time(next) < 0)
			errors_warn_unlogged(b->errors, b->conf->client_crl, 0, 0, "%s",
			                     b->ctx->accepts_ended_lists
			                         ? "the revocation list has expired, and "
			                           "counts as it is (crl_expired: accept): "
			                           "certificates that were revoked since are "
			                           "accepted; renew it"
			                         : "the revocation list has expired: until it "
			                           "is renewed no client certificate of its CA "
			                           "is accepted");
	}
	tls_lint_revocations(b, cas, crls);
	ok = ok && X509_STORE_set_flags(store, crl_flags(cas, crls)) == 1;
	if (!ok)
		tls_building_report(b, "client_crl");
done:
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	buf_fini(&bytes);
	return ok;
}

void tls_client_ca_load(const struct tls_building *b)
{
	struct conf_file file = {
	    .path = b->conf->client_ca, .what = "client CA", .max_bytes = TLS_PEM_BYTES_MAX};
	X509_STORE *store = X509_STORE_new();
	struct buf bytes = {0};
	STACK_OF(X509) *cas = NULL;
	bool ok = false;

	if (b->conf->client_certificates == CLIENT_CERTIFICATES_NONE)
		goto done;
	if (b->conf->client_ca == NULL) {
		errors_add(b->errors, b->conf_path, 0, 0,
		           "client_certificates needs client_ca: the CA that signs them");
		goto done;
	}
	if (store == NULL || !tls_pem_read_file(&file, &bytes, b->errors))
		goto done;
	cas = tls_pem_certificates(buf_slice(&bytes));
	if (cas == NULL) {
		errors_add(b->errors, b->conf->client_ca, 0, 0,
		           "this is not a certificate in PEM (-----BEGIN CERTIFICATE-----) or DER");
		goto done;
	}
	add_trust(b->ctx, buf_slice(&bytes));
	tls_lint_cas(b, cas);
	ok = add_client_ca(b, store, cas) &&
	     (b->conf->client_crl == NULL || add_crls(b, store, cas)) && accept_lone(b, store, cas);
done:
	sk_X509_pop_free(cas, X509_free);
	buf_fini(&bytes);
	if (ok)
		b->ctx->client_store = store;
	else
		X509_STORE_free(store);
}
