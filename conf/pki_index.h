/* What a PKI has issued: the file `index`, one line for each certificate.
 *
 *     SERIAL KIND NAME ISSUED UNTIL STATE KEY
 *     8f0c3a5d11e2b497 client anna 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid 1f3a...
 *
 * SERIAL in hexadecimal; KIND is server-ca, client-ca, server or client; NAME with %XX for what is
 * not plain; STATE is valid, imported, or revoked=TIME; KEY is the SHA-256 of the public key's
 * SubjectPublicKeyInfo. Lines that begin with # are comments.  Thread: any. */
#ifndef CONF_PKI_INDEX_H
#define CONF_PKI_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum pki_kind {
	PKI_SERVER_CA,
	PKI_CLIENT_CA,
	PKI_SERVER,
	PKI_CLIENT,
};

#define PKI_SERIAL_TEXT_MAX 41 /* 20 bytes, and a NUL */

struct pki_entry {
	char serial[PKI_SERIAL_TEXT_MAX];
	enum pki_kind kind;
	/* A user, or the name of a server's files. NULL: not known (revoked, and the rest is lost).
	 */
	char *name;
	/* Wall clock, seconds. */
	int64_t issued, until;
	/* 0: it is not. */
	int64_t revoked;
	/* Signed elsewhere: our revocation lists cannot name it. */
	bool is_imported;
	char key[65];
};

struct pki_index {
	struct pki_entry *entries;
	size_t count;
};

const char *pki_kind_name(enum pki_kind kind);

/* Append the entries of `text`. The number of the first line that is none, counted from 1, or 0:
 * all are. Lines that are none are left out; one without the head of the file is broken in line 1.
 */
size_t pki_index_parse(struct pki_index *index, struct slice text);
void pki_index_format(const struct pki_index *index, struct buf *out);
/* Takes entry->name. */
void pki_index_add(struct pki_index *index, struct pki_entry *entry);
void pki_index_fini(struct pki_index *index);

/* Serials and names compare as text; `name` NULL: any. */
struct pki_entry *pki_index_by_serial(const struct pki_index *index, const char *serial);
/* The one issued last of that kind and name which is not revoked; NULL: none. */
struct pki_entry *pki_index_newest(const struct pki_index *index, enum pki_kind kind,
                                   const char *name);
/* When the newest entry was issued; 0: there is none. */
int64_t pki_index_last_issued(const struct pki_index *index);

#endif
