/* Alternative names of certificates: DNS names, addresses, a URI.  Pure.  Thread: any. */
#ifndef PKI_NAMES_H
#define PKI_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509v3.h>

#include "base/bytes.h"

enum pki_name_type {
	PKI_NAME_DNS,
	PKI_NAME_IP,
	PKI_NAME_URI,
};

struct pki_name {
	enum pki_name_type type;
	char *text;
};

struct pki_names {
	struct pki_name *list;
	size_t count;
};

/* A host name or an address as people write it, with or without "DNS:" or "IP:". Said twice, it is
 * there once. NULL, or why it cannot be in a certificate; the caller frees. */
char *pki_names_add_host(struct pki_names *names, const char *text);
void pki_names_add(struct pki_names *names, enum pki_name_type type, const char *text);
/* This machine as others may call it: its host name, the same with .local, localhost. */
void pki_names_add_machine(struct pki_names *names);
void pki_names_fini(struct pki_names *names);

/* The first DNS name that fits a common name; NULL: there is none. */
const char *pki_names_common(const struct pki_names *names);
/* The extension's value. Never NULL; the caller frees it with GENERAL_NAMES_free. */
GENERAL_NAMES *pki_names_extension(const struct pki_names *names);
/* Those of a certificate, as far as they are of these three types. */
void pki_names_of(const X509 *certificate, struct pki_names *names);
/* The same names, in any order? */
bool pki_names_equal(const struct pki_names *a, const struct pki_names *b);
/* "lamp.local, 192.168.1.2" */
void pki_names_print(const struct pki_names *names, struct buf *out);

#endif
