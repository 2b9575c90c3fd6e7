/* import: a certificate that another CA has signed, checked before it is used. */
#include "pki/pki_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "pki/pki_file.h"
#include "program/command_line.h"

struct import {
	enum pki_kind kind;
	char *name;
	/* As they are stored: the certificate with its chain. */
	struct buf certificate_pem, key_pem;
	X509 *certificate;
	EVP_PKEY *key;
};

/* From its extended key usage; a certificate for both serves as a server's. */
static int find_kind(struct import *m, const char *path)
{
	uint32_t usage = X509_get_extended_key_usage(m->certificate);

	if ((usage & XKU_SSL_SERVER) != 0) { /* none at all: all bits */
		m->kind = PKI_SERVER;
		m->name = xstrdup(pki_key_is_rsa(X509_get0_pubkey(m->certificate)) ? "server-rsa"
		                                                                   : "server-ec");
		return 0;
	}
	if ((usage & XKU_SSL_CLIENT) == 0)
		return report_error(EXIT_USAGE,
		                    "%s is for neither servers nor clients (its extended key usage "
		                    "says neither serverAuth nor clientAuth)",
		                    path);
	m->kind = PKI_CLIENT;
	m->name = pki_certificate_common_name(m->certificate);
	return m->name != NULL
	           ? 0
	           : report_error(EXIT_USAGE,
	                          "%s names no user: its subject has not exactly one common name",
	                          path);
}

static int check_certificate(const struct pki *pki, const struct import *m, const char *path)
{
	int64_t until = pki_time_seconds(X509_get0_notAfter(m->certificate));
	struct pki_names names = {0};
	char text[CLOCK_TEXT_MAX], *refused = pki_key_refused(X509_get0_pubkey(m->certificate));
	int rc = 0;

	pki_names_of(m->certificate, &names);
	if (refused != NULL)
		rc = report_error(EXIT_USAGE, "%s: %s", path, refused);
	else if (until <= pki->now)
		rc = report_error(EXIT_USAGE, "%s ended on %s", path, pki_day(until, text));
	else if (X509_check_ca(m->certificate) != 0)
		rc = report_error(EXIT_USAGE,
		                  "%s is the certificate of a CA, not that of a server or client",
		                  path);
	else if (m->kind == PKI_SERVER && names.count == 0)
		rc = report_error(
		    EXIT_USAGE,
		    "%s has no alternative names (subjectAltName): current clients refuse "
		    "such a server",
		    path);
	free(refused);
	pki_names_fini(&names);
	return rc;
}

static int read_pair(const struct pki_options *o, struct import *m)
{
	struct pki_passphrase passphrase = {.file = o->passphrase_file};
	struct buf bytes = {0};
	int rc = pki_read_file(o->words[0], PKI_FILE_MAX, &m->certificate_pem);

	if (rc == 0)
		m->certificate = pki_certificate_read(buf_slice(&m->certificate_pem));
	if (rc == 0 && m->certificate == NULL)
		rc = report_error(EXIT_USAGE, "%s has no certificate in PEM", o->words[0]);
	if (rc == 0 && o->word_count > 1) {
		rc = pki_read_file(o->words[1], PKI_FILE_MAX, &bytes);
		if (rc == 0)
			rc = pki_key_read(buf_slice(&bytes), o->words[1], &passphrase, &m->key);
		if (rc == 0 && X509_check_private_key(m->certificate, m->key) != 1)
			rc = report_error(EXIT_USAGE, "%s is not the key of %s", o->words[1],
			                  o->words[0]);
		ERR_clear_error();
		if (rc == 0)
			pki_key_write(m->key, SLICE_EMPTY, &m->key_pem);
	}
	pki_passphrase_fini(&passphrase);
	buf_fini_secret(&bytes);
	return rc;
}

static int store(struct pki *pki, const struct import *m)
{
	struct pki_entry entry;
	char *stem = pki_stem(m->kind, m->name);
	int rc = 0;

	pki_certificate_entry(m->certificate, m->kind, &entry);
	if (pki_index_by_serial(&pki->index, entry.serial) == NULL) {
		entry.is_imported = true;
		entry.name = xstrdup(m->name);
		pki_index_add(&pki->index, &entry);
		rc = pki_save_index(pki);
	}
	if (rc == 0)
		rc = pki_directory_write_pair(&pki->directory, stem, buf_slice(&m->certificate_pem),
		                              buf_slice(&m->key_pem));
	if (rc == 0)
		printf("%s/%s.crt is in place%s\n", pki->directory.path, stem,
		       m->kind == PKI_CLIENT
		           ? "; the broker accepts it where client_ca has the CA that signed it"
		           : "");
	free(stem);
	return rc;
}

/* Without a key it must be the certificate of the key that is there. */
static int check_key(struct pki *pki, const struct import *m, const char *path)
{
	char *stem = pki_stem(m->kind, m->name);
	EVP_PKEY *stored = NULL;
	int rc = 0;

	if (m->key == NULL && m->kind == PKI_SERVER) {
		rc = pki_read_issued_key(pki, stem, &stored);
		if (rc == 0 &&
		    (stored == NULL || X509_check_private_key(m->certificate, stored) != 1))
			rc = report_error(
			    EXIT_USAGE,
			    "%s is not for the key %s/%s.key; give its key, too: import "
			    "CERTIFICATE KEY",
			    path, pki->directory.path, stem);
		ERR_clear_error();
		EVP_PKEY_free(stored);
	}
	free(stem);
	return rc;
}

int pki_import_run(const struct pki_options *o)
{
	struct import m = {0};
	struct pki pki = {.directory = {.fd = -1, .lock_fd = -1, .keys_fd = -1}};
	int rc = read_pair(o, &m);

	if (rc == 0)
		rc = pki_options_open(o, PKI_CHANGE, &pki);
	if (rc == 0)
		rc = find_kind(&m, o->words[0]);
	if (rc == 0)
		rc = check_certificate(&pki, &m, o->words[0]);
	if (rc == 0)
		rc = check_key(&pki, &m, o->words[0]);
	if (rc == 0)
		rc = store(&pki, &m);
	pki_close(&pki);
	buf_fini(&m.certificate_pem);
	buf_fini_secret(&m.key_pem);
	X509_free(m.certificate);
	EVP_PKEY_free(m.key);
	free(m.name);
	return rc;
}
