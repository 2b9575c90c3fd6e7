/* Everything here may run again after it was interrupted. */
#include "pki/pki_rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "program/command_line.h"

/* ---- the index from what is there ---- */

static void add_certificate(struct pki *pki, X509 *certificate, enum pki_kind kind,
                            const char *name, bool is_imported)
{
	struct pki_entry entry;

	pki_certificate_entry(certificate, kind, &entry);
	if (pki_index_by_serial(&pki->index, entry.serial) != NULL)
		return;
	entry.is_imported = is_imported;
	entry.name = xstrdup(name);
	pki_index_add(&pki->index, &entry);
}

static int add_authority(struct pki *pki, enum pki_kind kind)
{
	X509 *certificate = NULL;
	char file[32];
	int rc;

	if (!pki_directory_has(&pki->directory, pki_authority_file(kind, ".crt", file)))
		return 0;
	rc = pki_authority_read_certificate(pki, kind, &certificate);
	if (rc == 0)
		add_certificate(pki, certificate, kind, pki_kind_name(kind), false);
	X509_free(certificate);
	return rc;
}

/* The file's name says server or client, the certificate's common name which user. */
static int add_issued(void *arg, const char *file)
{
	struct pki *pki = arg;
	bool is_client = strncmp(file, "client-", strlen("client-")) == 0;
	enum pki_kind kind = is_client ? PKI_CLIENT : PKI_SERVER;
	X509 *certificate = NULL, *ca = NULL;
	char *stem = xasprintf("issued/%s", file), *common;
	int rc = pki_read_issued(pki, stem, &certificate);

	if (rc == 0)
		rc = pki_authority_read_certificate(pki, kind, &ca);
	if (rc == 0 && certificate != NULL) {
		common = is_client ? pki_certificate_common_name(certificate) : xstrdup(file);
		add_certificate(pki, certificate, kind, common == NULL ? file : common,
		                X509_check_issued(ca, certificate) != X509_V_OK);
		free(common);
	}
	X509_free(ca);
	X509_free(certificate);
	free(stem);
	return rc;
}

static void add_revoked(struct pki *pki, enum pki_kind kind, const X509_REVOKED *one)
{
	char serial[PKI_SERIAL_TEXT_MAX];
	int64_t when = pki_time_seconds(X509_REVOKED_get0_revocationDate(one));
	struct pki_entry *known, fresh = {.kind = kind, .issued = when, .until = when};

	pki_serial_text(X509_REVOKED_get0_serialNumber(one), serial);
	known = pki_index_by_serial(&pki->index, serial);
	if (known == NULL) {
		memcpy(fresh.serial, serial, sizeof(serial));
		fresh.revoked = when;
		pki_index_add(&pki->index, &fresh);
	} else if (known->revoked == 0) {
		known->revoked = when;
	}
}

static int add_crl(struct pki *pki, enum pki_kind ca, enum pki_kind leaf)
{
	X509_CRL *crl;
	int rc = pki_read_crl(pki, ca, &crl);
	STACK_OF(X509_REVOKED) *list = crl == NULL ? NULL : X509_CRL_get_REVOKED(crl);

	for (int i = 0; i < sk_X509_REVOKED_num(list); i++)
		add_revoked(pki, leaf, sk_X509_REVOKED_value(list, i));
	X509_CRL_free(crl);
	return rc;
}

int pki_rebuild_silently(struct pki *pki)
{
	int rc = add_authority(pki, PKI_SERVER_CA);

	if (rc == 0)
		rc = add_authority(pki, PKI_CLIENT_CA);
	if (rc == 0)
		rc = pki_directory_each(&pki->directory, ".crt", add_issued, pki);
	if (rc == 0)
		rc = add_crl(pki, PKI_SERVER_CA, PKI_SERVER);
	if (rc == 0)
		rc = add_crl(pki, PKI_CLIENT_CA, PKI_CLIENT);
	return rc;
}

int pki_rebuild_index(struct pki *pki)
{
	size_t before = pki->index.count;
	int rc = pki_rebuild_silently(pki);

	if (rc == 0)
		(void)report_error(
		    0,
		    "note: the index of %s was missing or broken; it was completed from the "
		    "certificates and revocation lists that are there (%zu entries, %zu of them "
		    "new). "
		    "Who was revoked stays revoked; certificates whose files were replaced are not "
		    "in "
		    "it, and can be revoked by their serial number only.",
		    pki->directory.path, pki->index.count, pki->index.count - before);
	return rc;
}

/* ---- the directory of the script ---- */

struct legacy_file {
	const char *old_name;
	const char *new_name;
	mode_t mode;
};

/* Keys before what is verified by them. */
static const struct legacy_file legacy_files[] = {
    {"ca.key", "server-ca.key", PKI_MODE_SECRET},
    {"ca.crt", "server-ca.crt", PKI_MODE_PUBLIC},
    {"server-ec.key", "issued/server-ec.key", PKI_MODE_SECRET},
    {"server-ec.crt", "issued/server-ec.crt", PKI_MODE_PUBLIC},
    {"server-rsa.key", "issued/server-rsa.key", PKI_MODE_SECRET},
    {"server-rsa.crt", "issued/server-rsa.crt", PKI_MODE_PUBLIC},
};

static bool is_regular(const struct pki *pki, const char *name)
{
	struct stat st;

	return fstatat(pki->directory.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

/* The old name becomes a link in one step, so that the broker finds the file at any time. */
static int link_old_name(struct pki *pki, const struct legacy_file *f)
{
	char *new_link = xasprintf("%s.link", f->old_name);
	int fd = pki->directory.fd, rc = 0;

	(void)unlinkat(fd, new_link, 0);
	if (symlinkat(f->new_name, fd, new_link) != 0 ||
	    renameat(fd, new_link, fd, f->old_name) != 0)
		rc = report_error(EXIT_FAILED, "cannot make the link %s/%s: %s",
		                  pki->directory.path, f->old_name, strerror(errno));
	free(new_link);
	return rc;
}

static int take_over_file(struct pki *pki, const struct legacy_file *f)
{
	struct buf bytes = {0};
	int rc;

	if (!is_regular(pki, f->old_name))
		return 0;
	if (pki_directory_has(&pki->directory, f->new_name))
		return report_error(EXIT_USAGE,
		                    "%s has both %s and %s: move the one that is not in use out of "
		                    "the directory",
		                    pki->directory.path, f->old_name, f->new_name);
	rc = pki_directory_read(&pki->directory, f->old_name, &bytes);
	if (rc == 0)
		rc = pki_directory_write(&pki->directory, f->new_name, buf_slice(&bytes), f->mode);
	buf_fini_secret(&bytes);
	return rc == 0 ? link_old_name(pki, f) : rc;
}

int pki_take_over(struct pki *pki)
{
	if (!is_regular(pki, "ca.crt") && !is_regular(pki, "server-ec.crt") &&
	    !is_regular(pki, "server-rsa.crt"))
		return 0;
	(void)report_error(
	    0,
	    "note: taking over %s, which tools/pki made: its CA becomes the CA of "
	    "servers, all keys stay, and the old names become links to the new files",
	    pki->directory.path);
	for (size_t i = 0; i < ARRAY_LEN(legacy_files); i++) {
		int rc = take_over_file(pki, &legacy_files[i]);

		if (rc != 0)
			return rc;
	}
	return 0;
}
