/* Names are compared by the file that they lead to: "./a", a symbolic link and a hard link of one
 * file are one. */
#include "server/check_paths.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/array.h"

enum path_use {
	PATH_READ,      /* a file of its own */
	PATH_PEM,       /* several keys may name one file */
	PATH_WRITTEN,   /* a file or a socket that the broker makes */
	PATH_DIRECTORY, /* of the store */
};

struct named_path {
	const char *key, *path;
	enum path_use use;
	unsigned line, column;
	/* Where it is: the file itself, or its name in its directory where it is not there yet. */
	bool exists;
	struct stat file, directory;
};

struct path_list {
	struct named_path *items;
	size_t count;
};

static const char *name_in(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool find_directory(const char *path, struct stat *out)
{
	size_t len = (size_t)(name_in(path) - path);
	char *directory = len == 0 ? xstrdup(".") : xstrndup(path, len);
	bool found = stat(directory, out) == 0;

	free(directory);
	return found;
}

static void add(struct path_list *list, const char *key, const char *path, enum path_use use,
                const unsigned place[2])
{
	struct named_path p = {.key = key, .path = path, .use = use};

	if (path == NULL)
		return;
	if (place != NULL) {
		p.line = place[0];
		p.column = place[1];
	}
	p.exists = stat(p.path, &p.file) == 0;
	if (!find_directory(p.path, &p.directory) && !p.exists)
		return; /* what uses it says so */
	array_extend(list->items, list->count);
	list->items[list->count++] = p;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_one(const struct named_path *a, const struct named_path *b)
{
	if (a->exists != b->exists)
		return false;
	if (a->exists)
		return is_same(&a->file, &b->file);
	return is_same(&a->directory, &b->directory) &&
	       strcmp(name_in(a->path), name_in(b->path)) == 0;
}

static void add_tls(struct path_list *list, const struct conf_tls *tls)
{
	add(list, "tls.client_ca", tls->client_ca, PATH_PEM, NULL);
	add(list, "tls.client_crl", tls->client_crl, PATH_PEM, NULL);
	for (size_t i = 0; i < tls->certificate_count; i++) {
		const struct conf_certificate *c = &tls->certificates[i];
		const unsigned place[] = {c->line, c->column};

		add(list, "certificate in tls.certificates", c->certificate, PATH_PEM, place);
		add(list, "key in tls.certificates", c->key, PATH_PEM, place);
		add(list, "ocsp_response in tls.certificates", c->ocsp_response, PATH_PEM, place);
	}
}

/* In the order in which they are to blame: the later of a pair. */
static void add_all(struct path_list *list, const struct conf *conf)
{
	add(list, "this configuration", conf->path, PATH_READ, NULL);
#define IDENTITY_SOURCE(member, backend, help)                                                     \
	add(list, "authentication." #member, conf->member, PATH_READ, NULL);
#include "conf/identity_sources.def"
#undef IDENTITY_SOURCE
	add(list, "authorization.acl_file", conf->acl_file, PATH_READ, NULL);
	add_tls(list, &conf->tls);
	for (size_t i = 0; i < conf->listener_count; i++)
		add_tls(list, &conf->listeners[i].tls);
	add(list, "persistence.directory", conf->persistence_directory, PATH_DIRECTORY, NULL);
	add(list, "control.socket", conf->control_socket, PATH_WRITTEN, NULL);
	add(list, "log.audit", conf->log_audit, PATH_WRITTEN, NULL);
	add(list, "audit.file", conf->audit_file, PATH_WRITTEN, NULL);
	add(list, "audit.key", conf->audit_key, PATH_WRITTEN, NULL);
	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];
		const unsigned place[] = {l->line, l->column};

		if (l->is_unix)
			add(list, "bind", l->path, PATH_WRITTEN, place);
	}
}

static void check_pair(const struct conf *conf, const struct named_path *a,
                       const struct named_path *b, struct errors *errors)
{
	/* mutant: one_path_for_two */
	if ((a->use == PATH_PEM && b->use == PATH_PEM) || !is_one(a, b))
		return;
	errors_add(errors, conf->path, b->line, b->column,
	           "%s and %s are one file (%s): name another one for one of them", b->key, a->key,
	           b->path);
}

/* Whoever copies, moves or deletes the store must not meet other files, and its directory is
 * emptied by hand after trouble. */
static void check_inside(const struct conf *conf, const struct named_path *store,
                         const struct named_path *p, struct errors *errors)
{
	if (p != store && store->exists && is_same(&store->file, &p->directory))
		errors_warn(errors, conf->path, p->line, p->column,
		            "%s (%s) is in persistence.directory: that directory is the store's "
		            "alone, and what is in it goes when the store is moved or deleted; "
		            "name a place outside of it",
		            p->key, p->path);
}

void check_paths(const struct conf *conf, struct errors *errors)
{
	struct path_list list = {0};

	add_all(&list, conf);
	for (size_t i = 0; i < list.count; i++) {
		for (size_t j = 0; j < i; j++)
			check_pair(conf, &list.items[j], &list.items[i], errors);
		for (size_t j = 0; j < list.count && list.items[i].use == PATH_DIRECTORY; j++)
			check_inside(conf, &list.items[i], &list.items[j], errors);
	}
	free(list.items);
}
