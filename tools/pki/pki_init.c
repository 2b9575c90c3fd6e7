/* init and move-keys: the two CAs come and their keys go. */
#include "pki/pki_init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "pki/pki_file.h"
#include "pki/pki_rebuild.h"
#include "program/command_line.h"
#include "program/trust.h"

/* ---- init ---- */

/* "Vakt client CA of garage", cut where a common name ends. */
static char *authority_name(const struct pki_options *o, enum pki_kind kind)
{
	char host[PKI_COMMON_NAME_MAX + 1] = "", *name;

	if (o->name == NULL && gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	name = xasprintf("%s CA of %s", kind == PKI_SERVER_CA ? "Server" : "Client",
	                 o->name != NULL   ? o->name
	                 : host[0] != '\0' ? host
	                                   : "this house");
	if (strlen(name) > PKI_COMMON_NAME_MAX)
		name[PKI_COMMON_NAME_MAX] = '\0';
	return name;
}

/* A key that is there without its certificate was left by an init that was killed, or the
 * certificate was lost: both are mended by a certificate for the same key. */
static int authority_key(struct pki *pki, const struct pki_options *o, struct pki_authority *a)
{
	char file[32];
	struct buf pem = {0};
	int rc = 0;

	pki_authority_file(a->kind, ".key", file);
	if (pki_directory_has(&pki->directory, file)) {
		rc = pki_directory_read(&pki->directory, file, &pem);
		if (rc == 0)
			rc = pki_key_read(buf_slice(&pem), file, &pki->passphrase, &a->key);
	} else {
		if (o->encrypt || o->passphrase_file != NULL)
			rc = pki_passphrase_get(&pki->passphrase, "the CAs' keys", true);
		if (rc != 0)
			return rc;
		a->key = pki_key_generate(PKI_KEY_EC);
		pki_key_write(a->key, buf_slice(&pki->passphrase.secret), &pem);
		rc = pki_directory_write(&pki->directory, file, buf_slice(&pem), PKI_MODE_SECRET);
	}
	buf_fini_secret(&pem);
	return rc;
}

static int make_authority(struct pki *pki, const struct pki_options *o, enum pki_kind kind)
{
	struct pki_authority a = {.kind = kind};
	struct pki_profile profile = {.kind = kind, .now = pki->now};
	struct buf pem = {0};
	char file[32], *name;
	int rc = authority_key(pki, o, &a);

	if (rc == 0) {
		name = authority_name(o, kind);
		profile.common_name = name;
		profile.until =
		    pki->now + (o->days != 0 ? o->days : PKI_DAYS_CA) * PKI_SECONDS_A_DAY;
		a.certificate = pki_certificate_make(&profile, a.key, NULL, a.key);
		pki_certificate_pem(a.certificate, &pem);
		rc = pki_directory_write(&pki->directory, pki_authority_file(kind, ".crt", file),
		                         buf_slice(&pem), PKI_MODE_PUBLIC);
		free(name);
	}
	buf_fini(&pem);
	pki_authority_fini(&a);
	return rc;
}

/* An authority that was there already goes into the index, too. */
static int enter_authority(struct pki *pki, enum pki_kind kind)
{
	struct pki_entry entry;
	X509 *certificate;
	int rc = pki_authority_read_certificate(pki, kind, &certificate);

	if (rc == 0) {
		pki_certificate_entry(certificate, kind, &entry);
		if (pki_index_by_serial(&pki->index, entry.serial) == NULL) {
			entry.name = xstrdup(pki_kind_name(kind));
			pki_index_add(&pki->index, &entry);
		}
	}
	X509_free(certificate);
	return rc;
}

/* From the first day on, so that broker.yaml can name it before anybody is revoked. */
static int first_crl(struct pki *pki, enum pki_kind kind)
{
	struct pki_authority a = {0};
	char file[32];
	int rc;

	if (pki_directory_has(&pki->directory, pki_authority_file(kind, ".crl", file)))
		return 0;
	if (!pki_directory_has_key(&pki->directory, pki_authority_file(kind, ".key", file)))
		return report_error(
		    0,
		    "note: there is no revocation list %s.crl, since the key %s is not "
		    "here; 'broker-pki crl' makes it once it is",
		    pki_kind_name(kind), file);
	rc = pki_authority_read(pki, kind, &a);
	if (rc == 0)
		rc = pki_write_crl(pki, &a, 0);
	pki_authority_fini(&a);
	return rc;
}

static void print_next(const struct pki_options *o)
{
	const char *d = o->directory;

	printf("In broker.yaml:\n  tls:\n    certificates:\n");
	printf("      - { certificate: %s/issued/server-ec.crt, key: %s/issued/server-ec.key }\n",
	       d, d);
	printf("      - { certificate: %s/issued/server-rsa.crt, key: %s/issued/server-rsa.key }\n",
	       d, d);
	printf("    client_certificates: optional\n"
	       "    client_ca: %s/client-ca.crt\n"
	       "    client_crl: %s/client-ca.crl\n"
	       "  authentication:\n"
	       "    certificate_user: cn\n"
	       "Next: broker-pki -d %s server\n",
	       d, d, d);
}

static int make_authorities(struct pki *pki, const struct pki_options *o)
{
	static const enum pki_kind kinds[] = {PKI_SERVER_CA, PKI_CLIENT_CA};
	char file[32];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < 2; i++) {
		if (pki_directory_has(&pki->directory, pki_authority_file(kinds[i], ".crt", file)))
			continue;
		rc = make_authority(pki, o, kinds[i]);
		if (rc == 0)
			printf("made %s/%s\n", o->directory,
			       pki_authority_file(kinds[i], ".crt", file));
	}
	for (size_t i = 0; rc == 0 && i < 2; i++)
		rc = enter_authority(pki, kinds[i]);
	if (rc == 0)
		rc = pki_save_index(pki);
	for (size_t i = 0; rc == 0 && i < 2; i++)
		rc = first_crl(pki, kinds[i]);
	return rc;
}

/* Only where something will be signed: a board that has lost its clock. */
static int check_clock(const struct pki *pki)
{
	char text[CLOCK_TEXT_MAX];

	return clock_is_set(pki->now * 1000)
	           ? 0
	           : report_error(EXIT_USAGE, "this machine's clock says %s: set the clock first",
	                          clock_text(pki->now * 1000, text));
}

int pki_init_run(const struct pki_options *o)
{
	struct pki pki;
	bool was_there;
	int rc = pki_options_open(o, PKI_CREATE, &pki);

	if (rc == 0)
		rc = check_clock(&pki);
	if (rc == 0)
		rc = pki_take_over(&pki);
	was_there = rc == 0 && pki_directory_has(&pki.directory, "server-ca.crt") &&
	            pki_directory_has(&pki.directory, "client-ca.crt");
	if (rc == 0)
		rc = make_authorities(&pki, o);
	/* Certificates that were there before. */
	if (rc == 0 && pki_rebuild_silently(&pki) == 0)
		rc = pki_save_index(&pki);
	if (rc == 0 && was_there)
		printf("%s has its two CAs already; nothing was changed\n", o->directory);
	else if (rc == 0)
		print_next(o);
	pki_close(&pki);
	return rc;
}

/* ---- move-keys ---- */

static int copy_key(struct pki *pki, const char *file, const char *to)
{
	struct buf pem = {0};
	char *path = xasprintf("%s/%s", to, file);
	int rc = 0;

	if (access(path, F_OK) == 0)
		rc = report_error(EXIT_USAGE, "%s is there already; give another directory", path);
	if (rc == 0)
		rc = pki_directory_read(&pki->directory, file, &pem);
	if (rc == 0)
		rc = pki_write_file(path, buf_slice(&pem), true);
	buf_fini_secret(&pem);
	free(path);
	return rc;
}

static int move_key(struct pki *pki, enum pki_kind kind, const char *to)
{
	struct pki_authority a;
	char file[32];
	int rc;

	pki_authority_file(kind, ".key", file);
	if (!pki_directory_has(&pki->directory, file))
		return 0;
	/* While the key is still here: a list that lasts as long as the CA. */
	rc = pki_authority_read(pki, kind, &a);
	if (rc == 0)
		rc = pki_write_crl(pki, &a, PKI_DAYS_CA * 10);
	pki_authority_fini(&a);
	if (rc == 0)
		rc = copy_key(pki, file, to);
	return rc == 0 ? pki_directory_remove(&pki->directory, file) : rc;
}

int pki_init_move_keys(const struct pki_options *o)
{
	struct trust_request request = {
	    .path = o->words[0], .flags = O_RDONLY | O_DIRECTORY, .refuse_sticky = true};
	struct buf why = {0};
	struct pki pki;
	int rc = pki_options_open(o, PKI_CHANGE, &pki);
	int trusted = rc == 0 ? trust_check(&request, &why) : 0;

	if (rc == 0 && trusted != 0)
		rc = report_error(EXIT_USAGE, "%s: %s", o->words[0],
		                  why.len > 0 ? (const char *)why.data : strerror(-trusted));
	if (rc == 0)
		rc = move_key(&pki, PKI_SERVER_CA, o->words[0]);
	if (rc == 0)
		rc = move_key(&pki, PKI_CLIENT_CA, o->words[0]);
	if (rc == 0)
		printf("The CAs' keys are in %s now. To issue or revoke: broker-pki -d %s --keys "
		       "%s ...\n",
		       o->words[0], o->directory, o->words[0]);
	buf_fini(&why);
	pki_close(&pki);
	return rc;
}
