/* A certificate that was issued again is not missed when its predecessor ends, and one that ended
 * long ago belongs to nobody who would miss it. */
#include "server/issued_certificates.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf_file.h"
#include "conf/pki_index.h"

#define DAY_S       ((int64_t)86400)
#define SOON_S      (30 * DAY_S) /* before the end, and as long after it */
#define INDEX_BYTES ((size_t)4 * 1024 * 1024)
#define NAMED_MAX   10 /* the rest is counted */

struct ending_certificate {
	const struct pki_entry *entry;
	/* The directory of the PKI, and its index. */
	const char *pki, *index;
	int64_t left_s;
};

struct visitor {
	void (*one)(void *arg, const struct ending_certificate *e);
	/* More than NAMED_MAX. */
	void (*rest)(void *arg, const struct ending_certificate *last, size_t count);
	void *arg;
};

/* ---- which of them ---- */

static bool is_ending(const struct pki_index *index, const struct pki_entry *e, int64_t now_s)
{
	if (e->until - now_s >= SOON_S || now_s - e->until >= SOON_S || e->revoked != 0)
		return false;
	if (e->kind == PKI_SERVER_CA)
		return e->until >= now_s;
	/* Our own certificates and client_ca are looked at where they are loaded. */
	/* mutant: renewed_certificate_is_missed */
	return e->kind == PKI_CLIENT && e->name != NULL &&
	       pki_index_newest(index, PKI_CLIENT, e->name) == e;
}

static void visit_endings(const struct pki_index *index, const char *pki, const char *path,
                          const struct visitor *v)
{
	int64_t now_s = clock_wall_ms() / 1000;
	struct ending_certificate e = {.pki = pki, .index = path};
	size_t count = 0;

	for (size_t i = 0; i < index->count; i++) {
		if (!is_ending(index, &index->entries[i], now_s))
			continue;
		e.entry = &index->entries[i];
		e.left_s = e.entry->until - now_s;
		if (++count <= NAMED_MAX)
			v->one(v->arg, &e);
	}
	if (count > NAMED_MAX)
		v->rest(v->arg, &e, count - NAMED_MAX);
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path));
}

static void visit_index(const char *client_ca, const struct visitor *v)
{
	char *path = conf_resolve_path(client_ca, "index"), *pki = directory_of(client_ca);
	const struct conf_file file = {
	    .path = path, .what = "index of certificates", .max_bytes = INDEX_BYTES};
	struct errors unheard = {0};
	struct pki_index index = {0};
	struct buf text = {0};

	if (conf_read_file(&file, &text, &unheard) == 0 &&
	    pki_index_parse(&index, buf_slice(&text)) == 0)
		visit_endings(&index, pki, path, v);
	pki_index_fini(&index);
	buf_fini(&text);
	errors_fini(&unheard);
	free(path);
	free(pki);
}

static bool is_first(const struct conf *conf, size_t listener)
{
	const char *ca = conf->listeners[listener].tls.client_ca;

	for (size_t i = 0; i < listener; i++)
		if (conf->listeners[i].tls.client_ca != NULL &&
		    strcmp(conf->listeners[i].tls.client_ca, ca) == 0)
			return false;
	return true;
}

static void visit_all(const struct conf *conf, const struct visitor *v)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_tls *tls = &conf->listeners[i].tls;

		if (tls->client_certificates != CLIENT_CERTIFICATES_NONE &&
		    tls->client_ca != NULL && is_first(conf, i))
			visit_index(tls->client_ca, v);
	}
}

/* What to do, in words. The caller frees. */
static char *remedy(const struct ending_certificate *e)
{
	return e->entry->is_imported
	           ? xasprintf("renew it where it came from, and run: broker-pki -d %s import",
	                       e->pki)
	           : xasprintf("run: broker-pki -d %s renew '%s'", e->pki, e->entry->name);
}

/* ---- warnings of a check ---- */

static void warn_one(void *arg, const struct ending_certificate *e)
{
	struct errors *errors = arg;
	char day[CLOCK_TEXT_MAX], words[CLOCK_TEXT_MAX], *what;

	(void)clock_text(e->entry->until * 1000, day);
	(void)clock_duration(e->left_s, words);
	day[strcspn(day, "T")] = '\0';
	if (e->entry->kind == PKI_SERVER_CA) {
		errors_warn_unlogged(
		    errors, e->index, 0, 0,
		    "the CA by which clients verify the broker ends in %s, on %s, and from "
		    "then on they refuse it: make a new PKI, and give its CA to each client",
		    words, day);
		return;
	}
	what = remedy(e);
	errors_warn_unlogged(
	    errors, e->index, 0, 0,
	    "the certificate of the client '%s' (serial number %s) %s %s%s, on %s: %s, and "
	    "give it to the client",
	    e->entry->name, e->entry->serial, e->left_s < 0 ? "ended" : "ends in", words,
	    e->left_s < 0 ? " ago" : "", day, what);
	free(what);
}

static void warn_rest(void *arg, const struct ending_certificate *last, size_t count)
{
	errors_warn_unlogged(
	    arg, last->index, 0, 0,
	    "%zu more certificates of clients end soon, or have ended: run: broker-pki -d %s "
	    "list",
	    count, last->pki);
}

void issued_certificates_check(const struct conf *conf, struct errors *errors)
{
	const struct visitor v = {.one = warn_one, .rest = warn_rest, .arg = errors};

	visit_all(conf, &v);
}

/* ---- the log ---- */

static void log_one(void *arg, const struct ending_certificate *e)
{
	char date[CLOCK_TEXT_MAX], words[CLOCK_TEXT_MAX], *what;

	(void)arg;
	(void)clock_text(e->entry->until * 1000, date);
	(void)clock_duration(e->left_s, words);
	if (e->entry->kind == PKI_SERVER_CA) {
		LOG(SERVER_CA_EXPIRES, .not_after = date, .left = words);
		return;
	}
	what = remedy(e);
	if (e->left_s < 0)
		LOG(CLIENT_CERTIFICATE_EXPIRED, .user = slice_of_str(e->entry->name),
		    .serial = e->entry->serial, .not_after = date, .since = words, .remedy = what);
	else
		LOG(CLIENT_CERTIFICATE_EXPIRES, .user = slice_of_str(e->entry->name),
		    .serial = e->entry->serial, .not_after = date, .left = words, .remedy = what);
	free(what);
}

static void log_rest(void *arg, const struct ending_certificate *last, size_t count)
{
	char *what = xasprintf("run: broker-pki -d %s list", last->pki);

	(void)arg;
	LOG(CLIENT_CERTIFICATES_EXPIRE, .number = count, .remedy = what);
	free(what);
}

void issued_certificates_log(const struct conf *conf)
{
	const struct visitor v = {.one = log_one, .rest = log_rest};

	visit_all(conf, &v);
}
