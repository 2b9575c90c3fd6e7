#include "pki.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/require.h"

#define PATHS_MAX 512

static char *directory;
static char *paths[PATHS_MAX];
static int path_count;
static long serial = 1;

static EVP_PKEY *make_key(const struct pki_options *options)
{
	EVP_PKEY *key = options->rsa_bits > 0
	                    ? EVP_RSA_gen((unsigned)options->rsa_bits)
	                    : EVP_EC_gen(options->curve == NULL ? "P-256" : options->curve);

	REQUIRE(key != NULL);
	return key;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	if (value == NULL)
		return;
	X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	REQUIRE(extension != NULL);
	REQUIRE(X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

struct pki_identity pki_make(const struct pki_options *options)
{
	struct pki_identity id = {.certificate = X509_new(), .key = make_key(options)};
	X509 *issuer = options->issuer == NULL ? id.certificate : options->issuer->certificate;
	EVP_PKEY *signer = options->issuer == NULL ? id.key : options->issuer->key;
	X509_NAME *name = X509_get_subject_name(id.certificate);
	bool plain = options->days_from == 0 && options->days_to == 0;

	REQUIRE(X509_set_version(id.certificate, X509_VERSION_3) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(id.certificate), serial++);
	X509_time_adj_ex(X509_getm_notBefore(id.certificate), plain ? -1 : options->days_from, 0,
	                 NULL);
	X509_time_adj_ex(X509_getm_notAfter(id.certificate), plain ? 365 : options->days_to, 0,
	                 NULL);
	REQUIRE(X509_set_pubkey(id.certificate, id.key) == 1);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	                           (const unsigned char *)options->common_name, -1, -1, 0);
	REQUIRE(X509_set_issuer_name(id.certificate, X509_get_subject_name(issuer)) == 1);
	add_extension(id.certificate, issuer, NID_basic_constraints,
	              options->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(id.certificate, issuer, NID_subject_key_identifier, "hash");
	add_extension(id.certificate, issuer, NID_ext_key_usage, options->usage);
	add_extension(id.certificate, issuer, NID_subject_alt_name, options->alternatives);
	REQUIRE(X509_sign(id.certificate, signer, EVP_sha256()) > 0);
	return id;
}

void pki_drop(struct pki_identity *id)
{
	X509_free(id->certificate);
	EVP_PKEY_free(id->key);
	*id = (struct pki_identity){0};
}

X509_CRL *pki_crl(const struct pki_identity *ca, const struct pki_identity *revoked, int days)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *time = X509_time_adj_ex(NULL, -2, 0, NULL);

	REQUIRE(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->certificate));
	X509_CRL_set1_lastUpdate(crl, time);
	if (revoked != NULL) {
		X509_REVOKED *entry = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->certificate));
		X509_REVOKED_set_revocationDate(entry, time);
		REQUIRE(X509_CRL_add0_revoked(crl, entry) == 1);
	}
	X509_time_adj_ex(time, days, 0, NULL);
	X509_CRL_set1_nextUpdate(crl, time);
	ASN1_TIME_free(time);
	REQUIRE(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
	return crl;
}

void pki_cleanup(void)
{
	DIR *all;
	struct dirent *entry;

	if (directory == NULL)
		return;
	all = opendir(directory);
	while (all != NULL && (entry = readdir(all)) != NULL) {
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(all), entry->d_name, 0);
	}
	closedir(all);
	rmdir(directory);
	free(directory);
	directory = NULL;
	while (path_count > 0)
		free(paths[--path_count]);
}

const char *pki_path(const char *name)
{
	if (directory == NULL) {
		directory = xstrdup("/tmp/vakt-net-XXXXXX");
		REQUIRE(mkdtemp(directory) != NULL);
	}
	REQUIRE(path_count < PATHS_MAX);
	paths[path_count] = xasprintf("%s/%s", directory, name);
	return paths[path_count++];
}

static FILE *create(const char *path)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	FILE *file = fdopen(fd, "w");

	REQUIRE(file != NULL);
	return file;
}

const char *pki_write_chain(const char *name, X509 *const *certificates, int count)
{
	const char *path = pki_path(name);
	FILE *file = create(path);

	for (int i = 0; i < count; i++)
		REQUIRE(PEM_write_X509(file, certificates[i]) == 1);
	fclose(file);
	return path;
}

const char *pki_write(const char *name, const X509 *certificate)
{
	const char *path = pki_path(name);
	FILE *file = create(path);

	REQUIRE(PEM_write_X509(file, certificate) == 1);
	fclose(file);
	return path;
}

const char *pki_write_key(const char *name, EVP_PKEY *key)
{
	const char *path = pki_path(name);
	FILE *file = create(path);

	REQUIRE(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(file);
	return path;
}

const char *pki_write_crl(const char *name, X509_CRL *const *crls, int count)
{
	const char *path = pki_path(name);
	FILE *file = create(path);

	for (int i = 0; i < count; i++)
		REQUIRE(PEM_write_X509_CRL(file, crls[i]) == 1);
	fclose(file);
	return path;
}

const char *pki_write_text(const char *name, const char *text)
{
	const char *path = pki_path(name);
	FILE *file = create(path);

	fputs(text, file);
	fclose(file);
	return path;
}
