/* Names go into GENERAL_NAMES one by one and never through OpenSSL's configuration syntax, in which
 * a comma or a colon would mean something. */
#include "pki/pki_names.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"

/* RFC 5280, ub-common-name. */
#define COMMON_NAME_MAX  64
#define HOST_NAME_MAX_   253
#define LABEL_MAX        63
#define LABEL_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

void pki_names_add(struct pki_names *names, enum pki_name_type type, const char *text)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->list[i].type == type && strcasecmp(names->list[i].text, text) == 0)
			return;
	array_extend(names->list, names->count);
	names->list[names->count++] = (struct pki_name){type, xstrdup(text)};
}

/* Canonical text of an address; NULL: it is none. */
static const char *read_address(const char *text, char out[INET6_ADDRSTRLEN])
{
	uint8_t bytes[16];
	int family = strchr(text, ':') == NULL ? AF_INET : AF_INET6;

	if (inet_pton(family, text, bytes) != 1)
		return NULL;
	return inet_ntop(family, bytes, out, INET6_ADDRSTRLEN);
}

/* NULL: it is a host name. */
static const char *host_refused(const char *text)
{
	size_t label = 0;

	if (text[0] == '\0')
		return "it is empty";
	if (strlen(text) > HOST_NAME_MAX_)
		return "it is longer than 253 characters";
	if (strchr(text, '*') != NULL)
		return "clients and the standards for devices do not agree on wildcards; give each "
		       "name";
	for (const char *c = text;; c++) {
		if (*c == '.' || *c == '\0') {
			if (label == 0)
				return "there is nothing between two dots, or a dot at an end";
			if (c[-1] == '-' || c[-(ptrdiff_t)label] == '-')
				return "a part of it begins or ends with '-'";
			label = 0;
		} else if (strchr(LABEL_CHARACTERS, *c) == NULL) {
			return "only letters, digits, '-', '_' and dots can be in a host name "
			       "(write "
			       "others in their xn-- form)";
		} else if (++label > LABEL_MAX) {
			return "a part of it is longer than 63 characters";
		}
		if (*c == '\0')
			return NULL;
	}
}

/* Four numbers that are no address would go in as a name that no client compares. */
static bool looks_like_address(const char *text)
{
	return (text[0] != '\0' && text[strspn(text, "0123456789.")] == '\0') ||
	       strchr(text, ':') != NULL || strchr(text, '/') != NULL;
}

char *pki_names_add_host(struct pki_names *names, const char *text)
{
	char address[INET6_ADDRSTRLEN];
	const char *rest = text, *why;
	bool dns_only = strncasecmp(text, "DNS:", 4) == 0,
	     ip_only = strncasecmp(text, "IP:", 3) == 0;

	if (dns_only)
		rest = text + 4;
	else if (ip_only)
		rest = text + 3;
	if (!dns_only && read_address(rest, address) != NULL) {
		pki_names_add(names, PKI_NAME_IP, address);
		return NULL;
	}
	if (ip_only || looks_like_address(rest))
		return xasprintf("'%s' is not an address (192.168.1.2 or fd00::2, without port and "
		                 "network length)",
		                 text);
	why = host_refused(rest);
	if (why != NULL)
		return xasprintf("'%s' cannot be a host name: %s", text, why);
	pki_names_add(names, PKI_NAME_DNS, rest);
	return NULL;
}

void pki_names_add_machine(struct pki_names *names)
{
	char host[HOST_NAME_MAX_ + 1] = "";
	char *local;

	if (gethostname(host, sizeof(host) - 1) == 0 && host_refused(host) == NULL &&
	    strcmp(host, "localhost") != 0 && !looks_like_address(host)) {
		pki_names_add(names, PKI_NAME_DNS, host);
		local = xasprintf("%.*s.local", (int)strcspn(host, "."), host);
		pki_names_add(names, PKI_NAME_DNS, local);
		free(local);
	}
	pki_names_add(names, PKI_NAME_DNS, "localhost");
}

void pki_names_fini(struct pki_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i].text);
	free(names->list);
	*names = (struct pki_names){0};
}

const char *pki_names_common(const struct pki_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->list[i].type == PKI_NAME_DNS &&
		    strlen(names->list[i].text) <= COMMON_NAME_MAX)
			return names->list[i].text;
	return NULL;
}

/* ---- the extension ---- */

GENERAL_NAMES *pki_names_extension(const struct pki_names *names)
{
	static const int types[] = {
	    [PKI_NAME_DNS] = GEN_DNS, [PKI_NAME_IP] = GEN_IPADD, [PKI_NAME_URI] = GEN_URI};
	GENERAL_NAMES *out = GENERAL_NAMES_new();

	REQUIRE(out != NULL);
	for (size_t i = 0; i < names->count; i++) {
		const struct pki_name *name = &names->list[i];
		GENERAL_NAME *one = GENERAL_NAME_new();
		ASN1_STRING *value;

		if (name->type == PKI_NAME_IP) {
			value = a2i_IPADDRESS(name->text);
			REQUIRE(value != NULL);
		} else {
			value = ASN1_IA5STRING_new();
			REQUIRE(value != NULL && ASN1_STRING_set(value, name->text, -1) == 1);
		}
		REQUIRE(one != NULL);
		GENERAL_NAME_set0_value(one, types[name->type], value);
		REQUIRE(sk_GENERAL_NAME_push(out, one) > 0);
	}
	return out;
}

static void add_address(struct pki_names *names, const ASN1_OCTET_STRING *bytes)
{
	char text[INET6_ADDRSTRLEN];
	int len = ASN1_STRING_length(bytes);

	if ((len == 4 || len == 16) &&
	    inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), text,
	              sizeof(text)) != NULL)
		pki_names_add(names, PKI_NAME_IP, text);
}

static void add_text(struct pki_names *names, enum pki_name_type type, const ASN1_STRING *bytes)
{
	char *text =
	    slice_dup(slice_of(ASN1_STRING_get0_data(bytes), (size_t)ASN1_STRING_length(bytes)));

	if (strlen(text) == (size_t)ASN1_STRING_length(bytes) && text[0] != '\0')
		pki_names_add(names, type, text);
	free(text);
}

void pki_names_of(const X509 *certificate, struct pki_names *names)
{
	GENERAL_NAMES *found = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(found); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(found, i);

		if (one->type == GEN_DNS)
			add_text(names, PKI_NAME_DNS, one->d.dNSName);
		else if (one->type == GEN_URI)
			add_text(names, PKI_NAME_URI, one->d.uniformResourceIdentifier);
		else if (one->type == GEN_IPADD)
			add_address(names, one->d.iPAddress);
	}
	GENERAL_NAMES_free(found);
}

bool pki_names_equal(const struct pki_names *a, const struct pki_names *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		size_t j = 0;

		while (j < b->count && (a->list[i].type != b->list[j].type ||
		                        strcasecmp(a->list[i].text, b->list[j].text) != 0))
			j++;
		if (j == b->count)
			return false;
	}
	return true;
}

void pki_names_print(const struct pki_names *names, struct buf *out)
{
	for (size_t i = 0; i < names->count; i++)
		buf_printf(out, "%s%s", i == 0 ? "" : ", ", names->list[i].text);
}
