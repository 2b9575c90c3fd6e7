/* revoke, crl, list: what becomes of certificates that were issued. */
#include "pki/pki_manage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/array.h"
#include "program/command_line.h"

/* ---- revoke ---- */

/* "0A:1b" or "0x0a1b" as programs print serial numbers; as it stands in the index. */
static char *plain_serial(const char *text)
{
	char *plain = xalloc(strlen(text) + 1);
	size_t len = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	for (; *text != '\0'; text++)
		if (*text != ':')
			plain[len++] =
			    (char)(*text >= 'A' && *text <= 'F' ? *text + ('a' - 'A') : *text);
	plain[len] = '\0';
	return plain;
}

/* Programs print a zero in front of an odd number of digits, or none. */
static bool is_same_number(const char *a, const char *b)
{
	return strcmp(a + strspn(a, "0"), b + strspn(b, "0")) == 0;
}

/* All of a name, or the one of that serial number. */
static bool is_meant(const struct pki_entry *e, const char *word, const char *serial)
{
	if (e->kind != PKI_SERVER && e->kind != PKI_CLIENT)
		return false;
	return is_same_number(e->serial, serial) || (e->name != NULL && strcmp(e->name, word) == 0);
}

struct revocation {
	size_t found, imported, revoked;
	/* Their CAs have lists to write. */
	bool of_servers, of_clients;
	/* For the person, once it is true. */
	struct buf report;
};

/* Long enough to be no user's name: one of 64 random bits has 15 digits at least, nearly always. */
static bool is_serial(const char *text)
{
	size_t len = strlen(text);

	return len >= 12 && len < PKI_SERIAL_TEXT_MAX && strspn(text, "0123456789abcdef") == len;
}

/* The index lost it, but its serial number is known from elsewhere: a log of the broker. */
static void mark_unknown(struct pki *pki, const char *serial, struct revocation *r)
{
	struct pki_entry entry = {
	    .kind = PKI_CLIENT, .issued = pki->now, .until = pki->now, .revoked = pki->now};

	memcpy(entry.serial, serial, strlen(serial) + 1);
	pki_index_add(&pki->index, &entry);
	r->found = r->revoked = 1;
	r->of_clients = true;
	buf_printf(&r->report, "revoked %s, which is not in the index, as a client's certificate\n",
	           serial);
}

static void mark(struct pki *pki, const char *word, struct revocation *r)
{
	char *serial = plain_serial(word);

	for (size_t i = 0; i < pki->index.count; i++) {
		struct pki_entry *e = &pki->index.entries[i];

		if (!is_meant(e, word, serial))
			continue;
		r->found++;
		if (e->is_imported) {
			r->imported++;
			continue;
		}
		*(e->kind == PKI_SERVER ? &r->of_servers : &r->of_clients) = true;
		if (e->revoked != 0)
			continue;
		e->revoked = pki->now;
		r->revoked++;
		buf_printf(&r->report, "revoked %s, a certificate of %s '%s'\n", e->serial,
		           pki_kind_name(e->kind), e->name == NULL ? "-" : e->name);
	}
	if (r->found == 0 && is_serial(serial))
		mark_unknown(pki, serial, r);
	free(serial);
}

static int write_list(struct pki *pki, const struct pki_authority *authority, unsigned days)
{
	char file[32];
	int rc = pki_write_crl(pki, authority, days);

	if (rc == 0)
		printf("wrote %s/%s\n", pki->directory.path,
		       pki_authority_file(authority->kind, ".crl", file));
	return rc;
}

static int explain_found(const struct pki *pki, const char *word, const struct revocation *r)
{
	if (r->found == 0)
		return report_error(
		    EXIT_USAGE,
		    "no certificate in %s has the name or serial number '%s'; 'list' "
		    "shows all",
		    pki->directory.path, word);
	if (r->imported > 0)
		(void)report_error(
		    0,
		    "note: %zu of '%s' came from elsewhere: only the CA that signed them "
		    "can revoke them",
		    r->imported, word);
	return r->imported == r->found ? EXIT_FAILED : 0;
}

/* The keys first: what cannot be signed is not marked either. */
int pki_manage_revoke(const struct pki_options *o)
{
	struct pki_authority servers = {0}, clients = {0};
	struct revocation r = {0};
	struct pki pki;
	int rc = pki_options_open(o, PKI_CHANGE, &pki);

	if (rc == 0)
		mark(&pki, o->words[0], &r);
	if (rc == 0)
		rc = explain_found(&pki, o->words[0], &r);
	if (rc == 0 && r.of_servers)
		rc = pki_authority_read(&pki, PKI_SERVER, &servers);
	if (rc == 0 && r.of_clients)
		rc = pki_authority_read(&pki, PKI_CLIENT, &clients);
	if (rc != 0 && r.revoked > 0)
		(void)report_error(0, "note: nothing was revoked. To keep a user out at once: "
		                      "broker-passwd FILE lock USER");
	if (rc == 0)
		rc = pki_save_index(&pki);
	if (rc == 0)
		printf("%.*s", (int)r.report.len, (const char *)r.report.data);
	if (rc == 0 && r.of_servers)
		rc = write_list(&pki, &servers, 0);
	if (rc == 0 && r.of_clients)
		rc = write_list(&pki, &clients, 0);
	if (rc == 0 && r.revoked == 0)
		printf("'%s' was revoked before\n", o->words[0]);
	buf_fini(&r.report);
	pki_authority_fini(&servers);
	pki_authority_fini(&clients);
	pki_close(&pki);
	return rc;
}

/* ---- crl ---- */

static size_t count_unlisted(const struct pki *pki, X509_CRL *crl, enum pki_kind leaf)
{
	size_t missing = 0;

	for (size_t i = 0; i < pki->index.count; i++) {
		const struct pki_entry *e = &pki->index.entries[i];

		if (e->kind == leaf && e->revoked != 0 && !pki_crl_lists(crl, e->serial))
			missing++;
	}
	return missing;
}

/* Missing, without somebody who was revoked, or made for less time than its CA lives and in the
 * last two thirds of that: a machine that was off for a while finds time enough. */
static int is_list_needed(struct pki *pki, enum pki_kind ca, bool *needed)
{
	X509_CRL *crl = NULL;
	X509 *certificate = NULL;
	int64_t left;
	int rc = pki_read_crl(pki, ca, &crl);

	if (rc == 0)
		rc = pki_authority_read_certificate(pki, ca, &certificate);
	*needed = crl == NULL ||
	          count_unlisted(pki, crl, ca == PKI_SERVER_CA ? PKI_SERVER : PKI_CLIENT) > 0;
	if (rc == 0 && !*needed) {
		left = pki_time_seconds(X509_CRL_get0_nextUpdate(crl)) - pki->now;
		*needed = pki_time_seconds(X509_CRL_get0_nextUpdate(crl)) <
		              pki_time_seconds(X509_get0_notAfter(certificate)) &&
		          left < pki_crl_period(crl) / 3 * 2;
	}
	X509_CRL_free(crl);
	X509_free(certificate);
	return rc;
}

int pki_manage_crl(const struct pki_options *o)
{
	static const enum pki_kind kinds[] = {PKI_SERVER_CA, PKI_CLIENT_CA};
	struct pki pki;
	int rc = pki_options_open(o, PKI_CHANGE, &pki);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(kinds); i++) {
		struct pki_authority authority = {0};
		bool needed = true;

		if (o->if_needed)
			rc = is_list_needed(&pki, kinds[i], &needed);
		if (rc == 0 && needed)
			rc = pki_authority_read(&pki, kinds[i], &authority);
		if (rc == 0 && needed)
			rc = write_list(&pki, &authority, o->days);
		pki_authority_fini(&authority);
	}
	pki_close(&pki);
	return rc;
}

/* ---- list ---- */

static const char *state_of(const struct pki *pki, const struct pki_entry *e, char *out,
                            size_t size)
{
	char day[CLOCK_TEXT_MAX];
	int64_t left = (e->until - pki->now) / PKI_SECONDS_A_DAY;

	if (e->revoked != 0)
		(void)snprintf(out, size, "revoked %s", pki_day(e->revoked, day));
	else if (e->until <= pki->now)
		(void)snprintf(out, size, "ended");
	else if (left < PKI_DAYS_SOON)
		(void)snprintf(out, size, "ends in %lld day%s", (long long)left,
		               left == 1 ? "" : "s");
	else
		(void)snprintf(out, size, "%s", e->is_imported ? "imported" : "valid");
	return out;
}

/* A revoked certificate that the list lacks still gets in. */
static int check_listed(struct pki *pki, enum pki_kind ca, enum pki_kind leaf)
{
	char file[32], day[CLOCK_TEXT_MAX];
	X509_CRL *crl;
	int rc = pki_read_crl(pki, ca, &crl);
	size_t missing = rc == 0 ? count_unlisted(pki, crl, leaf) : 0;

	(void)pki_authority_file(ca, ".crl", file);
	if (missing > 0)
		(void)report_error(0, "warning: %s/%s lacks %zu revoked: run 'broker-pki crl'",
		                   pki->directory.path, file, missing);
	if (crl != NULL &&
	    pki_time_seconds(X509_CRL_get0_nextUpdate(crl)) - pki->now < 7 * PKI_SECONDS_A_DAY)
		(void)report_error(
		    0,
		    "warning: %s/%s ends on %s, and then nobody with a certificate gets "
		    "in: run 'broker-pki crl'",
		    pki->directory.path, file,
		    pki_day(pki_time_seconds(X509_CRL_get0_nextUpdate(crl)), day));
	X509_CRL_free(crl);
	return rc;
}

/* How wide a name stands on the terminal, near enough: its code points. */
static int width(const char *s)
{
	int n = 0;

	for (; s != NULL && *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static int name_column(const struct pki_index *index)
{
	int column = width("NAME");

	for (size_t i = 0; i < index->count; i++)
		if (width(index->entries[i].name) > column)
			column = width(index->entries[i].name);
	return column;
}

static void print_entry(const struct pki *pki, const struct pki_entry *e, int column)
{
	const char *name = e->name == NULL ? "-" : e->name;
	char day[CLOCK_TEXT_MAX], state[64];

	printf("%s%*s  %-9s  %-16s  %-10s  %s\n", name, column - width(name), "",
	       pki_kind_name(e->kind), e->serial, pki_day(e->until, day),
	       state_of(pki, e, state, sizeof(state)));
}

int pki_manage_list(const struct pki_options *o)
{
	struct pki pki;
	int rc = pki_options_open(o, PKI_READ, &pki);

	if (rc == 0) {
		int column = name_column(&pki.index);

		printf("%-*s  %-9s  %-16s  %-10s  %s\n", column, "NAME", "KIND", "SERIAL", "UNTIL",
		       "STATE");
		for (size_t i = 0; i < pki.index.count; i++)
			print_entry(&pki, &pki.index.entries[i], column);
		rc = check_listed(&pki, PKI_SERVER_CA, PKI_SERVER);
	}
	if (rc == 0)
		rc = check_listed(&pki, PKI_CLIENT_CA, PKI_CLIENT);
	pki_close(&pki);
	return rc;
}
