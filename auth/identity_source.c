/* The table of sources, and what can be said of users whatever source they come from. */
#include "auth/identity_source.h"

#include <stdlib.h>
#include <string.h>

#include "auth/identity_backend.h"
#include "auth/password_backend.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"

static const struct identity_setting {
	const char *key;
	/* In struct conf: a path. */
	size_t offset;
	const struct identity_backend *backend;
} settings[] = {
#define IDENTITY_SOURCE(key, backend, help) {#key, offsetof(struct conf, key), &(backend)},
#include "conf/identity_sources.def"
#undef IDENTITY_SOURCE
};

static const char *key_of(const struct identity_backend *backend)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		if (settings[i].backend == backend)
			return settings[i].key;
	}
	UNREACHABLE();
}

struct identity_source *identity_source_new(const struct identity_backend *backend, void *data,
                                            const char *path)
{
	struct identity_source *source = xnew(source);

	REQUIRE((backend == NULL) == (data == NULL));
	source->refs = 1;
	source->backend = backend;
	source->data = data;
	source->path = path == NULL ? NULL : xstrdup(path);
	return source;
}

struct identity_source *identity_source_load(const struct conf *conf, struct errors *errors)
{
	const struct identity_setting *found = NULL;
	const char *path = NULL;
	void *data;

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		char *value; /* a pointer in *conf */

		memcpy(&value, (const char *)conf + settings[i].offset, sizeof(value));
		if (value == NULL)
			continue;
		if (found != NULL) {
			errors_add(errors, conf->path, 0, 0,
			           "authentication: %s and %s are both set; keep one", found->key,
			           settings[i].key);
			return NULL;
		}
		found = &settings[i];
		path = value;
	}
	if (found == NULL)
		return identity_source_new(NULL, NULL, NULL);
	data = found->backend->load(path, errors);
	return data == NULL ? NULL : identity_source_new(found->backend, data, path);
}

struct identity_source *identity_source_ref(struct identity_source *source)
{
	REQUIRE(source->refs > 0);
	source->refs++;
	return source;
}

void identity_source_unref(struct identity_source **source)
{
	struct identity_source *s = *source;

	*source = NULL;
	REQUIRE(s == NULL || s->refs > 0);
	if (s == NULL || --s->refs > 0)
		return;
	if (s->backend != NULL)
		s->backend->free(s->data);
	free(s->path);
	free(s);
}

bool identity_source_exists(const struct identity_source *source)
{
	return source->backend != NULL;
}

const char *identity_source_keys(void)
{
	static const char keys[] = ""
#define IDENTITY_SOURCE(key, backend, help) " or " #key
#include "conf/identity_sources.def"
#undef IDENTITY_SOURCE
	    ;

	return keys + strlen(" or ");
}

const char *identity_source_path(const struct identity_source *source)
{
	return source->path;
}

const char *identity_source_means(const struct identity_source *source)
{
	return identity_source_exists(source) ? source->backend->means : NULL;
}

void identity_source_check_conf(const struct identity_source *source, const struct conf *conf,
                                struct errors *errors)
{
	if (!identity_source_exists(source) || source->backend->uri_name_refused == NULL)
		return;
	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (l->authentication.certificate_user == CERTIFICATE_USER_SAN_URI)
			errors_add(errors, conf->path, l->line, l->column,
			           "certificate_user: san_uri does not go with a %s: %s",
			           key_of(source->backend), source->backend->uri_name_refused);
	}
}

void identity_source_login_cost(const struct identity_source *source, struct login_cost *out)
{
	*out = (struct login_cost){0};
	if (identity_source_exists(source) && source->backend->login_cost != NULL)
		source->backend->login_cost(source->data, out);
}

void identity_source_use(const struct identity_source *source, struct authenticator *a)
{
	if (!identity_source_exists(source))
		authenticator_use(a, NULL);
	else if (source->backend->use != NULL)
		source->backend->use(source->data, a);
}

/* --- users --- */

size_t identity_source_count(const struct identity_source *source)
{
	return identity_source_exists(source) ? source->backend->count(source->data) : 0;
}

void identity_source_at(const struct identity_source *source, size_t index,
                        struct identity_entry *out)
{
	REQUIRE(index < identity_source_count(source));
	source->backend->at(source->data, index, out);
}

bool identity_source_find(const struct identity_source *source, struct slice name,
                          struct identity_entry *out)
{
	return identity_source_exists(source) && source->backend->find(source->data, name, out);
}

bool identity_source_roles(const struct identity_source *source, struct slice name,
                           char *const **roles, size_t *role_count)
{
	struct identity_entry entry;

	*roles = NULL;
	*role_count = 0;
	if (!identity_source_exists(source))
		return true;
	if (!identity_source_find(source, name, &entry) || entry.locked)
		return false;
	*roles = entry.roles;
	*role_count = entry.role_count;
	return true;
}

bool identity_source_is_assumed(const struct identity_source *source, struct slice name)
{
	struct identity_entry entry;

	return identity_source_find(source, name, &entry) && entry.assumed;
}

size_t identity_source_admitted(const struct identity_source *source, bool by_certificate,
                                size_t most)
{
	size_t users = identity_source_count(source), count = 0;
	struct identity_entry entry;

	if (!identity_source_exists(source))
		return by_certificate ? most : 0;
	for (size_t i = 0; i < users && count < most; i++) {
		identity_source_at(source, i, &entry);
		count += !entry.locked;
	}
	return count;
}

static char *why_refused(const struct identity_source *source, const char *name,
                         const struct identity_entry *entry)
{
	struct buf text = {0};

	if (entry == NULL)
		buf_printf(&text, "there is no user '%s' in %s", name, source->path);
	else
		buf_printf(&text, "user '%s' is locked in %s, line %u", name, source->path,
		           entry->line);
	if (source->backend->put_advice != NULL) {
		buf_printf(&text, "; to %s: ", entry == NULL ? "add it" : "unlock it");
		source->backend->put_advice(source->path, name, entry != NULL, &text);
	}
	buf_put_u8(&text, '\0');
	return (char *)text.data;
}

char *identity_source_why_refused(const struct identity_source *source, const char *name)
{
	struct identity_entry entry;

	if (!identity_source_exists(source))
		return NULL;
	if (!identity_source_find(source, slice_of_str(name), &entry))
		return why_refused(source, name, NULL);
	return entry.locked ? why_refused(source, name, &entry) : NULL;
}

/* --- who was removed --- */

/* The key of a user of a source. */
static struct identity *identity_of(struct slice name, uint64_t id)
{
	return identity_new(IDENTITY_PASSWORD, name, id, 0);
}

bool identity_source_has_removed(const struct identity_source *source, const struct identity *id)
{
	struct identity_entry entry;

	if (id->kind == IDENTITY_ANONYMOUS || id->kind == IDENTITY_CERTIFICATE || id->entry_id == 0)
		return false;
	return !identity_source_find(source, id->name, &entry) || entry.id != id->entry_id;
}

/* The entry of this user: one of the same name that was made later is another. */
static bool find_key(const struct identity_source *source, struct slice name, struct slice key,
                     struct identity_entry *entry)
{
	struct identity *now;
	bool same;

	if (!identity_source_find(source, name, entry))
		return false;
	now = identity_of(name, entry->id);
	same = slice_equal(now->key, key);
	identity_unref(&now);
	return same;
}

bool identity_source_owner_exists(const struct identity_source *source, struct slice key)
{
	struct slice name = identity_key_name(key);
	struct identity_entry entry;

	return name.len == 0 || !identity_source_exists(source) ||
	       find_key(source, name, key, &entry);
}

bool identity_source_may_write(const struct identity_source *source, struct slice name,
                               struct slice key)
{
	struct identity_entry entry;

	return !identity_source_exists(source) ||
	       (find_key(source, name, key, &entry) && !entry.locked);
}

void identity_source_each_removed(const struct identity_source *before,
                                  const struct identity_source *after, identity_removed_fn *fn,
                                  void *arg)
{
	size_t users = identity_source_count(before);
	struct identity_entry old, now;

	for (size_t i = 0; i < users; i++) {
		struct identity *id;

		identity_source_at(before, i, &old);
		if (identity_source_find(after, slice_of_str(old.name), &now) && now.id == old.id)
			continue;
		id = identity_of(slice_of_str(old.name), old.id);
		fn(arg, id->key);
		identity_unref(&id);
	}
}

static bool is_unchanged(const struct identity_entry *a, const struct identity_entry *b)
{
	return a->id == b->id && a->locked == b->locked && a->assumed == b->assumed &&
	       a->credential == b->credential && key_pins_equal(&a->pins, &b->pins) &&
	       identity_roles_equal(a->roles, a->role_count, b->roles, b->role_count);
}

bool identity_source_equal(const struct identity_source *a, const struct identity_source *b)
{
	size_t users = identity_source_count(a);
	struct identity_entry old, now;

	if (a->backend != b->backend || users != identity_source_count(b))
		return false;
	for (size_t i = 0; i < users; i++) {
		identity_source_at(a, i, &old);
		if (!identity_source_find(b, slice_of_str(old.name), &now) ||
		    !is_unchanged(&old, &now))
			return false;
	}
	return true;
}

static char *roles_text(const struct identity_entry *user)
{
	struct buf text = {0};
	char *out;

	for (size_t i = 0; i < user->role_count; i++)
		buf_printf(&text, "%s%s", i == 0 ? "" : ", ", user->roles[i]);
	if (user->role_count == 0)
		buf_printf(&text, "none");
	out = slice_dup(buf_slice(&text));
	buf_fini(&text);
	return out;
}

/* Each key that came or went; a pin is no secret. */
static void diff_pins(const struct identity_entry *old, const struct identity_entry *now,
                      identity_diff_fn *fn, void *arg)
{
	struct buf text = {0};

	for (size_t i = 0; i < old->pins.count; i++) {
		if (key_pins_have(&now->pins, old->pins.items[i]))
			continue;
		buf_printf(&text, "%sunpinned from ", text.len > 0 ? ", " : "");
		key_pin_put(old->pins.items[i], &text);
	}
	for (size_t i = 0; i < now->pins.count; i++) {
		if (key_pins_have(&old->pins, now->pins.items[i]))
			continue;
		buf_printf(&text, "%spinned to ", text.len > 0 ? ", " : "");
		key_pin_put(now->pins.items[i], &text);
	}
	if (old->pins.is_pinned && !now->pins.is_pinned)
		buf_printf(&text, "%sany key is accepted", text.len > 0 ? ", " : "");
	else if (now->pins.is_pinned && now->pins.count == 0)
		buf_printf(&text, "%sno key is accepted", text.len > 0 ? ", " : "");
	buf_put_u8(&text, '\0');
	fn(arg, "user changed", old->name, (const char *)text.data);
	buf_fini(&text);
}

/* Everything that is different, never the password. */
static void diff_user(const struct identity_entry *old, const struct identity_entry *now,
                      identity_diff_fn *fn, void *arg)
{
	if (old->id != now->id)
		fn(arg, "user changed", old->name, "somebody else of this name");
	if (old->locked != now->locked)
		fn(arg, "user changed", old->name, now->locked ? "locked" : "unlocked");
	if (old->assumed != now->assumed)
		fn(arg, "user changed", old->name,
		   now->assumed ? "only for assume_user" : "not for assume_user");
	if (old->credential != now->credential)
		fn(arg, "user changed", old->name, "password");
	if (!key_pins_equal(&old->pins, &now->pins))
		diff_pins(old, now, fn, arg);
	if (!identity_roles_equal(old->roles, old->role_count, now->roles, now->role_count)) {
		char *before = roles_text(old), *after = roles_text(now);
		char *text = xasprintf("roles: %s -> %s", before, after);

		fn(arg, "user changed", old->name, text);
		free(before);
		free(after);
		free(text);
	}
}

void identity_source_diff(const struct identity_source *before, const struct identity_source *after,
                          identity_diff_fn *fn, void *arg)
{
	struct identity_entry old, now;

	for (size_t i = 0; i < identity_source_count(before); i++) {
		identity_source_at(before, i, &old);
		if (!identity_source_find(after, slice_of_str(old.name), &now))
			fn(arg, "user removed", old.name, "");
		else
			diff_user(&old, &now, fn, arg);
	}
	for (size_t i = 0; i < identity_source_count(after); i++) {
		identity_source_at(after, i, &now);
		if (!identity_source_find(before, slice_of_str(now.name), &old))
			fn(arg, "user added", now.name, "");
	}
}

/* --- proofs --- */

bool identity_source_check(const struct identity_source *source, struct authenticator *a,
                           struct identity_check *check)
{
	if (!identity_source_exists(source))
		return password_backend_check(NULL, a, check);
	return source->backend->check(source->data, a, check);
}

void identity_source_cancel(const struct identity_source *source, struct authenticator *a,
                            struct identity_check *check)
{
	if (!identity_source_exists(source))
		password_backend_cancel(a, check);
	else
		source->backend->cancel(a, check);
}

bool identity_source_has_scram(const struct identity_source *source)
{
	return identity_source_exists(source) && source->backend->has_scram != NULL &&
	       source->backend->has_scram(source->data);
}

bool identity_source_scram(const struct identity_source *source, struct slice name,
                           struct scram_verifier *out)
{
	return identity_source_has_scram(source) && source->backend->scram(source->data, name, out);
}
