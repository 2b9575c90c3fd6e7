/* server, client, sign, renew, import: certificates for keys made here or elsewhere. */
#include "pki/pki_leaf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/utf8.h"
#include "pki/pki_file.h"
#include "pki/pki_request.h"
#include "program/command_line.h"

/* A server has one of each, and each client takes the one that it knows. */
static const struct server_file {
	const char *name;
	enum pki_key_type type;
} server_files[] = {
    {"server-ec", PKI_KEY_EC},
    {"server-rsa", PKI_KEY_RSA},
};

static void print_issued(const struct pki *pki, const struct pki_order *order, X509 *certificate)
{
	char *stem = pki_stem(order->kind, order->name), until[CLOCK_TEXT_MAX];

	printf("%s/%s.crt is valid until %s\n", pki->directory.path, stem,
	       pki_day(pki_time_seconds(X509_get0_notAfter(certificate)), until));
	free(stem);
}

/* A key whose certificate was revoked may be in other hands. */
static bool is_revoked_key(const struct pki *pki, EVP_PKEY *key)
{
	char hash[65];

	pki_key_hash(key, hash);
	for (size_t i = 0; i < pki->index.count; i++)
		if (pki->index.entries[i].revoked != 0 &&
		    strcmp(pki->index.entries[i].key, hash) == 0)
			return true;
	return false;
}

/* The key in the files of that name, or a new one of this type. */
static int take_key(struct pki *pki, struct pki_order *order, enum pki_key_type type, bool renew)
{
	char *stem = pki_stem(order->kind, order->name);
	EVP_PKEY *key = NULL;
	int rc = renew ? 0 : pki_read_issued_key(pki, stem, &key);

	if (rc == 0 && key != NULL &&
	    (pki_key_is_rsa(key) != (type == PKI_KEY_RSA) || is_revoked_key(pki, key))) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	if (rc == 0 && key == NULL)
		order->new_key = key = pki_key_generate(type);
	order->public_key = key;
	free(stem);
	return rc;
}

/* ---- server ---- */

/* One of the two: what is there, and what shall be. */
struct server_certificate {
	const struct server_file *file;
	X509 *present; /* NULL: none */
	struct pki_names present_names, names;
	int64_t until;
	bool is_whole; /* not revoked, and its key is there */
	bool is_imported;
	bool wanted;
};

static int given_names(const struct pki_options *o, struct pki_names *names)
{
	for (size_t i = 0; i < o->word_count; i++) {
		char *why = pki_names_add_host(names, o->words[i]);

		if (why != NULL) {
			(void)report_error(EXIT_USAGE, "%s", why);
			free(why);
			return EXIT_USAGE;
		}
	}
	return 0;
}

static bool keeps_names(const struct pki_options *o)
{
	return o->if_needed && o->word_count == 0;
}

/* The names of the command; a renewal without any keeps those of the certificate, and a missing
 * certificate gets those of the other one. */
static int choose_names(const struct pki_options *o, struct server_certificate *c,
                        const struct server_certificate *other)
{
	const struct pki_names *kept =
	    c->present_names.count > 0 ? &c->present_names : &other->present_names;
	int rc = given_names(o, &c->names);

	/* mutant: renewal_keeps_names */
	for (size_t i = 0; keeps_names(o) && i < kept->count; i++)
		pki_names_add(&c->names, kept->list[i].type, kept->list[i].text);
	if (rc == 0 && c->names.count == 0)
		pki_names_add_machine(&c->names);
	return rc;
}

static int read_present(struct pki *pki, struct server_certificate *c)
{
	char *stem = pki_stem(PKI_SERVER, c->file->name), *key_file = xasprintf("%s.key", stem);
	struct pki_entry entry = {0};
	const struct pki_entry *known;
	int rc = pki_read_issued(pki, stem, &c->present);

	if (rc == 0 && c->present != NULL) {
		pki_certificate_entry(c->present, PKI_SERVER, &entry);
		known = pki_index_by_serial(&pki->index, entry.serial);
		pki_names_of(c->present, &c->present_names);
		c->until = entry.until;
		c->is_whole = (known == NULL || known->revoked == 0) &&
		              pki_directory_has(&pki->directory, key_file);
		c->is_imported = known != NULL && known->is_imported;
	}
	free(key_file);
	free(stem);
	return rc;
}

/* Missing, about to end, revoked, for other names, or of another CA? */
static bool is_needed(const struct pki *pki, const struct server_certificate *c, X509 *ca)
{
	return c->present == NULL || !c->is_whole ||
	       c->until < pki->now + PKI_DAYS_SOON * PKI_SECONDS_A_DAY ||
	       !pki_names_equal(&c->present_names, &c->names) ||
	       (X509_check_issued(ca, c->present) != X509_V_OK && !c->is_imported);
}

/* Clients may trust the CA that has signed it, and not ours: a timer does not put another in its
 * place. */
static int refuse_imported(struct server_certificate *c)
{
	char until[CLOCK_TEXT_MAX];

	/* mutant: timer_keeps_imported */
	c->wanted = false;
	return report_error(EXIT_FAILED,
	                    "the certificate of '%s' came from elsewhere and ends on %s: renew it "
	                    "there, and 'import' it again",
	                    c->file->name, pki_day(c->until, until));
}

/* 0, or the status after a message; the certificates that are `wanted` are issued all the same. */
static int plan_servers(const struct pki *pki, const struct pki_options *o, X509 *ca,
                        struct server_certificate list[])
{
	int status = 0;

	for (size_t i = 0; i < ARRAY_LEN(server_files); i++) {
		list[i].wanted = !o->if_needed || is_needed(pki, &list[i], ca);
		if (list[i].wanted && list[i].is_imported && keeps_names(o))
			status = refuse_imported(&list[i]);
	}
	return status;
}

static int issue_server(struct pki *pki, const struct pki_options *o,
                        const struct pki_authority *authority, const struct server_certificate *c)
{
	struct pki_order order = {.kind = PKI_SERVER,
	                          .name = c->file->name,
	                          .common_name = pki_names_common(&c->names),
	                          .names = &c->names,
	                          .days = o->days != 0 ? o->days : PKI_DAYS_SERVER};
	X509 *certificate = NULL;
	int rc = take_key(pki, &order, c->file->type, o->new_key);

	if (rc == 0)
		rc = pki_issue(pki, authority, &order, &certificate);
	if (rc == 0)
		print_issued(pki, &order, certificate);
	X509_free(certificate);
	EVP_PKEY_free(order.public_key);
	return rc;
}

static void print_names(const struct pki_names *names)
{
	struct buf text = {0};

	pki_names_print(names, &text);
	printf("for %.*s\n", (int)text.len, (const char *)text.data);
	buf_fini(&text);
}

static int issue_servers(struct pki *pki, const struct pki_options *o,
                         const struct server_certificate list[])
{
	const struct pki_names *said = NULL;
	struct pki_authority authority;
	int rc = pki_authority_read(pki, PKI_SERVER, &authority);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(server_files); i++) {
		if (!list[i].wanted)
			continue;
		if (said != NULL && !pki_names_equal(said, &list[i].names))
			print_names(said);
		rc = issue_server(pki, o, &authority, &list[i]);
		said = &list[i].names;
	}
	if (rc == 0 && said != NULL)
		print_names(said);
	pki_authority_fini(&authority);
	return rc;
}

static bool any_wanted(const struct server_certificate list[])
{
	return list[0].wanted || list[1].wanted;
}

int pki_leaf_server(const struct pki_options *o)
{
	struct server_certificate list[] = {{.file = &server_files[0]}, {.file = &server_files[1]}};
	X509 *ca = NULL;
	struct pki pki;
	int rc = pki_options_open(o, PKI_CHANGE, &pki), refused = 0;

	_Static_assert(ARRAY_LEN(list) == ARRAY_LEN(server_files), "one for each file");
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(list); i++)
		rc = read_present(&pki, &list[i]);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(list); i++)
		rc = choose_names(o, &list[i], &list[1 - i]);
	if (rc == 0)
		rc = pki_authority_read_certificate(&pki, PKI_SERVER, &ca);
	if (rc == 0)
		refused = plan_servers(&pki, o, ca, list);
	if (rc == 0 && any_wanted(list))
		rc = issue_servers(&pki, o, list);
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		X509_free(list[i].present);
		pki_names_fini(&list[i].present_names);
		pki_names_fini(&list[i].names);
	}
	X509_free(ca);
	pki_close(&pki);
	return rc != 0 ? rc : refused;
}

/* ---- client, sign ---- */

/* What the broker would take as a user's name. */
int pki_leaf_check_user(const char *user)
{
	size_t characters = 0;

	if (user == NULL || user[0] == '\0')
		return report_error(EXIT_USAGE, "which user? A certificate needs a name");
	if (!utf8_is_name(slice_of_str(user)))
		return report_error(
		    EXIT_USAGE, "the user's name is not valid UTF-8, or has control characters");
	for (const char *c = user; *c != '\0'; c++) {
		characters += ((unsigned char)*c & 0xc0) != 0x80;
		if (strchr("/+#:", *c) != NULL)
			return report_error(
			    EXIT_USAGE,
			    "'%s' cannot be a user: '%c' has a meaning in topics or in "
			    "the password file",
			    user, *c);
	}
	if (characters > PKI_COMMON_NAME_MAX)
		return report_error(
		    EXIT_USAGE, "'%s' has %zu characters; a name in a certificate has at most %d",
		    user, characters, PKI_COMMON_NAME_MAX);
	return 0;
}

static int client_names(const struct pki_options *o, struct pki_names *names)
{
	struct buf uri = {0};
	char *text;

	if (o->id == NULL)
		return 0;
	buf_put_slice(&uri, SLICE("urn:mqtt:client-id:"));
	for (const char *c = o->id; *c != '\0'; c++) /* RFC 3986, unreserved */
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~",
		           *c) != NULL)
			buf_put_u8(&uri, (uint8_t)*c);
		else
			buf_printf(&uri, "%%%02X", (uint8_t)*c);
	text = slice_dup(buf_slice(&uri));
	buf_fini(&uri);
	pki_names_add(names, PKI_NAME_URI, text);
	free(text);
	return o->id[0] == '\0' ? report_error(EXIT_USAGE, "--id: the client id is empty") : 0;
}

static int issue_client(struct pki *pki, struct pki_order *order)
{
	struct pki_authority authority;
	X509 *certificate = NULL;
	int rc = pki_authority_read(pki, PKI_CLIENT, &authority);

	if (rc == 0)
		rc = pki_issue(pki, &authority, order, &certificate);
	if (rc == 0)
		print_issued(pki, order, certificate);
	X509_free(certificate);
	pki_authority_fini(&authority);
	return rc;
}

int pki_leaf_client(const struct pki_options *o)
{
	struct pki_names names = {0};
	struct pki_order order = {.kind = PKI_CLIENT,
	                          .name = o->words[0],
	                          .common_name = o->words[0],
	                          .names = &names,
	                          .days = o->days != 0 ? o->days : PKI_DAYS_CLIENT};
	struct pki pki = {.directory = {.fd = -1, .lock_fd = -1, .keys_fd = -1}};
	int rc = pki_leaf_check_user(o->words[0]);

	if (rc == 0)
		rc = pki_options_open(o, PKI_CHANGE, &pki);
	if (rc == 0)
		rc = client_names(o, &names);
	if (rc == 0)
		rc = take_key(&pki, &order, o->rsa ? PKI_KEY_RSA : PKI_KEY_EC, o->new_key);
	if (rc == 0)
		rc = issue_client(&pki, &order);
	EVP_PKEY_free(order.public_key);
	pki_names_fini(&names);
	pki_close(&pki);
	return rc;
}

static int read_request(const struct pki_options *o, X509_REQ **request)
{
	struct buf bytes = {0};
	char *why = NULL;
	int rc = pki_read_file(o->words[0], PKI_REQUEST_MAX, &bytes);

	if (rc == 0) {
		*request = pki_request_read(buf_slice(&bytes), &why);
		if (*request == NULL)
			rc = report_error(EXIT_USAGE, "%s is refused: %s", o->words[0], why);
	}
	free(why);
	buf_fini(&bytes);
	return rc;
}

int pki_leaf_sign(const struct pki_options *o)
{
	struct pki_names names = {0};
	struct pki_order order = {.kind = PKI_CLIENT,
	                          .name = o->user,
	                          .common_name = o->user,
	                          .names = &names,
	                          .days = o->days != 0 ? o->days : PKI_DAYS_CLIENT,
	                          .key_is_elsewhere = true};
	struct pki pki = {.directory = {.fd = -1, .lock_fd = -1, .keys_fd = -1}};
	X509_REQ *request = NULL;
	char *ignored = NULL;
	int rc = o->user == NULL ? report_error(EXIT_USAGE, "sign: for whom? Say --user USER")
	                         : pki_leaf_check_user(o->user);

	if (rc == 0)
		rc = read_request(o, &request);
	if (rc == 0) {
		ignored = pki_request_ignored(request, o->user);
		if (ignored != NULL)
			(void)report_error(
			    0,
			    "note: the request asks for %s; that is not copied into the "
			    "certificate, which is for the user '%s' and for clients only",
			    ignored, o->user);
		order.public_key = X509_REQ_get0_pubkey(request);
		rc = pki_options_open(o, PKI_CHANGE, &pki);
	}
	if (rc == 0 && is_revoked_key(&pki, order.public_key))
		rc = report_error(
		    EXIT_USAGE,
		    "%s is refused: a certificate for this key was revoked; have a new key "
		    "made",
		    o->words[0]);
	if (rc == 0)
		rc = client_names(o, &names);
	if (rc == 0)
		rc = issue_client(&pki, &order);
	free(ignored);
	X509_REQ_free(request);
	pki_names_fini(&names);
	pki_close(&pki);
	return rc;
}

/* ---- renew ---- */

static const struct server_file *server_file(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(server_files); i++)
		if (strcmp(server_files[i].name, name) == 0)
			return &server_files[i];
	return NULL;
}

static int check_renewable(const struct pki *pki, const struct pki_order *order, X509 *old)
{
	struct pki_entry entry;
	const struct pki_entry *known;

	if (old == NULL)
		return report_error(EXIT_USAGE,
		                    "there is no certificate of '%s' in %s; 'list' shows all",
		                    order->name, pki->directory.path);
	pki_certificate_entry(old, order->kind, &entry);
	known = pki_index_by_serial(&pki->index, entry.serial);
	if (known != NULL && known->revoked != 0)
		return report_error(
		    EXIT_USAGE, "the certificate of '%s' was revoked; a new one is made with '%s'",
		    order->name, order->kind == PKI_SERVER ? "server" : "client");
	if (known != NULL && known->is_imported)
		return report_error(
		    EXIT_USAGE,
		    "the certificate of '%s' came from elsewhere; renew it there, and "
		    "'import' it again",
		    order->name);
	return 0;
}

/* The key stays: whoever has pinned it goes on. One that is not here, since only a request came,
 * is taken from the certificate. */
static int renewed_key(struct pki *pki, const struct pki_options *o, struct pki_order *order,
                       X509 *old, const char *stem)
{
	EVP_PKEY *stored = NULL;
	enum pki_key_type type = pki_key_is_rsa(X509_get0_pubkey(old)) ? PKI_KEY_RSA : PKI_KEY_EC;
	int rc = pki_read_issued_key(pki, stem, &stored);

	if (rc == 0 && stored == NULL && o->new_key)
		rc = report_error(
		    EXIT_USAGE,
		    "the key of '%s' is not here (its owner sent a request): have a new "
		    "request made, and 'sign' it",
		    order->name);
	if (rc == 0 && o->new_key)
		order->new_key = order->public_key = pki_key_generate(type);
	else if (rc == 0)
		order->public_key = X509_get_pubkey(old);
	EVP_PKEY_free(stored);
	return rc;
}

static int renew_one(struct pki *pki, const struct pki_options *o, struct pki_order *order)
{
	char *stem = pki_stem(order->kind, order->name), *common = NULL;
	struct pki_names names = {0};
	struct pki_authority authority = {0};
	X509 *old = NULL, *certificate = NULL;
	int rc = pki_read_issued(pki, stem, &old);

	if (rc == 0)
		rc = check_renewable(pki, order, old);
	if (rc == 0)
		rc = renewed_key(pki, o, order, old, stem);
	if (rc == 0) {
		pki_names_of(old, &names);
		common = pki_certificate_common_name(old);
		order->names = &names;
		order->common_name = common;
		rc = pki_authority_read(pki, order->kind, &authority);
	}
	if (rc == 0)
		rc = pki_issue(pki, &authority, order, &certificate);
	if (rc == 0)
		print_issued(pki, order, certificate);
	EVP_PKEY_free(order->public_key);
	pki_authority_fini(&authority);
	order->names = NULL;
	order->common_name = NULL;
	pki_names_fini(&names);
	X509_free(certificate);
	X509_free(old);
	free(common);
	free(stem);
	return rc;
}

int pki_leaf_renew(const struct pki_options *o)
{
	const struct server_file *server = server_file(o->words[0]);
	struct pki_order order = {.kind = server != NULL ? PKI_SERVER : PKI_CLIENT,
	                          .name = o->words[0],
	                          .days = o->days != 0     ? o->days
	                                  : server != NULL ? PKI_DAYS_SERVER
	                                                   : PKI_DAYS_CLIENT};
	struct pki pki;
	int rc = pki_options_open(o, PKI_CHANGE, &pki);

	if (rc == 0)
		rc = renew_one(&pki, o, &order);
	pki_close(&pki);
	return rc;
}
