/* The order of writing: what is signed is in the index before it is anywhere else, so that no
 * certificate exists that could not be revoked. */
#include "pki/pki.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/require.h"
#include "pki/pki_rebuild.h"
#include "program/command_line.h"

#define INDEX "index"

/* ---- the index ---- */

static int load_index(struct pki *pki, bool *is_whole)
{
	struct buf text = {0};
	int rc = pki_directory_read(&pki->directory, INDEX, &text);

	*is_whole = false;
	if (rc == 0) {
		size_t bad = pki_index_parse(&pki->index, buf_slice(&text));

		*is_whole = bad == 0;
		if (bad != 0)
			(void)report_error(0, "note: %s/" INDEX " is broken in line %zu",
			                   pki->directory.path, bad);
	}
	buf_fini(&text);
	return rc == -ENOENT ? 0 : rc;
}

int pki_open(struct pki *pki, const char *path, const char *keys, enum pki_access access)
{
	bool is_whole;
	int rc;

	*pki = (struct pki){.now = clock_wall_ms() / 1000};
	rc = pki_directory_open(&pki->directory, path, keys, access);
	if (rc == 0)
		rc = load_index(pki, &is_whole);
	if (rc != 0)
		return rc;
	if (!pki_directory_has(&pki->directory, "server-ca.crt") &&
	    !pki_directory_has(&pki->directory, "client-ca.crt"))
		return access == PKI_CREATE ? 0
		                            : report_error(EXIT_USAGE,
		                                           "there is no PKI in %s; 'broker-pki -d "
		                                           "%s init' makes one",
		                                           path, path);
	if (is_whole)
		return 0;
	rc = pki_rebuild_index(pki);
	return rc == 0 && access != PKI_READ ? pki_save_index(pki) : rc;
}

void pki_close(struct pki *pki)
{
	pki_directory_close(&pki->directory);
	pki_index_fini(&pki->index);
	pki_passphrase_fini(&pki->passphrase);
}

int pki_save_index(struct pki *pki)
{
	struct buf text = {0};
	int rc;

	pki_index_format(&pki->index, &text);
	rc = pki_directory_write(&pki->directory, INDEX, buf_slice(&text), PKI_MODE_SECRET);
	buf_fini(&text);
	return rc;
}

/* ---- authorities ---- */

static enum pki_kind authority_of(enum pki_kind leaf)
{
	return leaf == PKI_SERVER || leaf == PKI_SERVER_CA ? PKI_SERVER_CA : PKI_CLIENT_CA;
}

const char *pki_authority_file(enum pki_kind ca, const char *suffix, char out[32])
{
	(void)snprintf(out, 32, "%s%s", pki_kind_name(ca), suffix);
	return out;
}

int pki_authority_read_certificate(struct pki *pki, enum pki_kind leaf, X509 **out)
{
	struct buf pem = {0};
	char file[32];
	int rc;

	*out = NULL;
	pki_authority_file(authority_of(leaf), ".crt", file);
	rc = pki_directory_read(&pki->directory, file, &pem);
	if (rc == -ENOENT)
		rc = report_error(EXIT_USAGE, "%s/%s is missing: put it back from a copy",
		                  pki->directory.path, file);
	if (rc == 0) {
		*out = pki_certificate_read(buf_slice(&pem));
		if (*out == NULL)
			rc = report_error(EXIT_USAGE, "%s/%s has no certificate in PEM",
			                  pki->directory.path, file);
	}
	buf_fini(&pem);
	return rc;
}

static int read_authority_key(struct pki *pki, struct pki_authority *a)
{
	struct buf pem = {0};
	char file[32], *what;
	int rc;

	pki_authority_file(a->kind, ".key", file);
	what = xasprintf(
	    "%s/%s", pki->directory.keys == NULL ? pki->directory.path : pki->directory.keys, file);
	rc = pki_directory_read_key(&pki->directory, file, &pem);
	if (rc == -ENOENT)
		rc = report_error(EXIT_USAGE,
		                  "the CA's key is not there (%s): mount the disk where it is, and "
		                  "say --keys DIRECTORY",
		                  what);
	if (rc == 0)
		rc = pki_key_read(buf_slice(&pem), what, &pki->passphrase, &a->key);
	if (rc == 0 && X509_check_private_key(a->certificate, a->key) != 1)
		rc = report_error(EXIT_USAGE, "%s is not the key of the certificate %s/%s.crt",
		                  what, pki->directory.path, pki_kind_name(a->kind));
	buf_fini_secret(&pem);
	free(what);
	return rc;
}

/* A board that has lost its clock would sign what is not valid for anybody yet, or no more. */
static int check_clock(const struct pki *pki, const struct pki_authority *a)
{
	int64_t from = pki_time_seconds(X509_get0_notBefore(a->certificate));
	int64_t until = pki_time_seconds(X509_get0_notAfter(a->certificate));
	int64_t last = pki_index_last_issued(&pki->index);
	char now_text[CLOCK_TEXT_MAX], then[CLOCK_TEXT_MAX];

	(void)clock_text(pki->now * 1000, now_text);
	if (pki->now < from)
		return report_error(
		    EXIT_USAGE,
		    "this machine's clock says %s, but the CA was made at %s: set the "
		    "clock first",
		    now_text, clock_text(from * 1000, then));
	if (pki->now < last)
		return report_error(
		    EXIT_USAGE,
		    "this machine's clock says %s, but the last certificate was issued "
		    "at %s: set the clock first",
		    now_text, clock_text(last * 1000, then));
	if (pki->now >= until)
		return report_error(EXIT_USAGE,
		                    "the CA %s/%s.crt ended at %s, if this machine's clock (%s) is "
		                    "right: make a new PKI in another directory",
		                    pki->directory.path, pki_kind_name(a->kind),
		                    clock_text(until * 1000, then), now_text);
	return 0;
}

int pki_authority_read(struct pki *pki, enum pki_kind leaf, struct pki_authority *out)
{
	int rc;

	*out = (struct pki_authority){.kind = authority_of(leaf)};
	rc = pki_authority_read_certificate(pki, leaf, &out->certificate);
	if (rc == 0)
		rc = check_clock(pki, out);
	return rc == 0 ? read_authority_key(pki, out) : rc;
}

void pki_authority_fini(struct pki_authority *authority)
{
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
	*authority = (struct pki_authority){0};
}

/* ---- what was issued ---- */

/* With the longest suffix it fits a directory entry. */
#define STEM_MAX 200

char *pki_stem(enum pki_kind kind, const char *name)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-@.";
	struct buf out = {0};
	uint8_t digest[32];
	char *stem;

	buf_put_slice(&out, kind == PKI_CLIENT ? SLICE("issued/client-") : SLICE("issued/"));
	for (const char *c = name; *c != '\0'; c++)
		if ((*c & 0x80) != 0 || strchr(plain, *c) != NULL)
			buf_put_u8(&out, (uint8_t)*c);
		else
			buf_printf(&out, "%%%02x", (uint8_t)*c);
	if (out.len > STEM_MAX) {
		crypto_sha256(slice_of_str(name), digest);
		buf_clear(&out);
		buf_put_slice(&out, SLICE("issued/client-%"));
		for (size_t i = 0; i < 16; i++)
			buf_printf(&out, "%02x", digest[i]);
	}
	stem = slice_dup(buf_slice(&out));
	buf_fini(&out);
	return stem;
}

int pki_read_issued(struct pki *pki, const char *stem, X509 **out)
{
	struct buf pem = {0};
	char *file = xasprintf("%s.crt", stem);
	int rc = pki_directory_read(&pki->directory, file, &pem);

	*out = NULL;
	if (rc == 0) {
		*out = pki_certificate_read(buf_slice(&pem));
		if (*out == NULL)
			rc = report_error(EXIT_USAGE, "%s/%s has no certificate in PEM",
			                  pki->directory.path, file);
	}
	buf_fini(&pem);
	free(file);
	return rc == -ENOENT ? 0 : rc;
}

int pki_read_issued_key(struct pki *pki, const char *stem, EVP_PKEY **out)
{
	struct pki_passphrase none = {0};
	struct buf pem = {0};
	char *file = xasprintf("%s.key", stem);
	int rc = pki_directory_read(&pki->directory, file, &pem);

	*out = NULL;
	if (rc == 0)
		rc = pki_key_read(buf_slice(&pem), file, &none, out);
	pki_passphrase_fini(&none);
	buf_fini_secret(&pem);
	free(file);
	return rc == -ENOENT ? 0 : rc;
}

static int store(struct pki *pki, const struct pki_order *order, X509 *certificate)
{
	char *stem = pki_stem(order->kind, order->name), *key_file = xasprintf("%s.key", stem);
	struct buf pem = {0}, key = {0};
	int rc = 0;

	pki_certificate_pem(certificate, &pem);
	if (order->new_key != NULL)
		pki_key_write(order->new_key, SLICE_EMPTY, &key);
	if (order->key_is_elsewhere && pki_directory_has(&pki->directory, key_file))
		rc = pki_directory_set_aside(&pki->directory, key_file);
	if (rc == 0)
		rc = pki_directory_write_pair(&pki->directory, stem, buf_slice(&pem),
		                              buf_slice(&key));
	buf_fini_secret(&key);
	buf_fini(&pem);
	free(key_file);
	free(stem);
	return rc;
}

int pki_issue(struct pki *pki, const struct pki_authority *authority, const struct pki_order *order,
              X509 **out)
{
	const struct pki_profile profile = {.kind = order->kind,
	                                    .common_name = order->common_name,
	                                    .names = order->names,
	                                    .now = pki->now,
	                                    .until = pki->now + order->days * PKI_SECONDS_A_DAY};
	/* 64 random bits that are in the index already: once in the life of a universe. */
	X509 *certificate = pki_certificate_make(&profile, order->public_key,
	                                         authority->certificate, authority->key);
	struct pki_entry entry;
	int rc;

	pki_certificate_entry(certificate, order->kind, &entry);
	entry.issued = pki->now;
	entry.name = xstrdup(order->name);
	pki_index_add(&pki->index, &entry);
	rc = pki_save_index(pki);
	if (rc == 0)
		rc = store(pki, order, certificate);
	if (rc == 0 && out != NULL)
		*out = certificate;
	else
		X509_free(certificate);
	return rc;
}

/* ---- revocation lists ---- */

int pki_read_crl(struct pki *pki, enum pki_kind ca, X509_CRL **out)
{
	struct buf pem = {0};
	char file[32];
	int rc = pki_directory_read(&pki->directory, pki_authority_file(ca, ".crl", file), &pem);

	*out = NULL;
	if (rc == 0) {
		*out = pki_crl_read(buf_slice(&pem));
		/* A list made without it could take somebody in again. */
		if (*out == NULL)
			rc = report_error(
			    EXIT_USAGE,
			    "%s/%s has no revocation list in PEM: put it back from a copy, "
			    "or remove it if nobody was revoked but those in the index",
			    pki->directory.path, file);
	}
	buf_fini(&pem);
	return rc == -ENOENT ? 0 : rc;
}

static int64_t crl_until(const struct pki *pki, const struct pki_authority *authority,
                         const X509_CRL *before, unsigned days)
{
	int64_t ca_until = pki_time_seconds(X509_get0_notAfter(authority->certificate));
	int64_t until = ca_until;

	if (days > 0)
		until = pki->now + days * PKI_SECONDS_A_DAY;
	else if (before != NULL && pki_time_seconds(X509_CRL_get0_nextUpdate(before)) < ca_until)
		until = pki->now + pki_crl_period(before);
	return until < ca_until ? until : ca_until;
}

int pki_write_crl(struct pki *pki, const struct pki_authority *authority, unsigned days)
{
	struct pki_profile profile = {.kind = authority->kind, .now = pki->now};
	X509_CRL *before, *crl;
	struct buf pem = {0};
	char file[32];
	int rc = pki_read_crl(pki, authority->kind, &before);

	if (rc != 0)
		return rc;
	profile.until = crl_until(pki, authority, before, days);
	crl = pki_crl_make(&profile, &pki->index, before, authority->certificate, authority->key);
	pki_crl_pem(crl, &pem);
	rc = pki_directory_write(&pki->directory, pki_authority_file(authority->kind, ".crl", file),
	                         buf_slice(&pem), PKI_MODE_PUBLIC);
	buf_fini(&pem);
	X509_CRL_free(crl);
	X509_CRL_free(before);
	return rc;
}

const char *pki_day(int64_t seconds, char out[CLOCK_TEXT_MAX])
{
	(void)clock_text(seconds * 1000, out);
	out[strcspn(out, "T")] = '\0';
	return out;
}
