/* One mapping of profiles, each a flat mapping.  Whoever gives another host gets nothing of the
 * default profile: its password is not for others. */
#include "options/client_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/nearest.h"
#include "base/require.h"
#include "conf/errors.h"
#include "conf/yaml.h"
#include "program/trust.h"

#define NAMES_MAX 64

struct profile_file {
	char *path;
	struct yaml_node *root;
	struct errors errors;
};

enum kind {
	TEXT,
	PATH, /* relative to the file */
	NUMBER,
	VERSION,
	FLAG,
};

static const struct profile_key {
	const char *name;
	enum kind kind;
	size_t member;
} keys[] = {
    {"host", TEXT, offsetof(struct client_options, host)},
    {"port", NUMBER, offsetof(struct client_options, port)},
    {"socket", PATH, offsetof(struct client_options, socket)},
    {"user", TEXT, offsetof(struct client_options, user)},
    {"id", TEXT, offsetof(struct client_options, client_id)},
    {"ca", PATH, offsetof(struct client_options, ca_file)},
    {"certificate", PATH, offsetof(struct client_options, certificate)},
    {"key", PATH, offsetof(struct client_options, key)},
    {"key_password_file", PATH, offsetof(struct client_options, key_password_file)},
    {"pin", TEXT, offsetof(struct client_options, pin)},
    {"server_name", TEXT, offsetof(struct client_options, server_name)},
    {"password_file", PATH, offsetof(struct client_options, password_file)},
    {"password_command", TEXT, offsetof(struct client_options, password_command)},
    {"password", TEXT, 0},
    {"version", VERSION, 0},
    {"websocket", TEXT, offsetof(struct client_options, websocket_path)},
    {"scram", FLAG, offsetof(struct client_options, scram)},
};

static char *profile_path(void)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *user_directory = getenv("HOME");

	if (base != NULL && base[0] == '/')
		return xasprintf("%s/vakt/clients.yaml", base);
	return user_directory == NULL ? NULL
	                              : xasprintf("%s/.config/vakt/clients.yaml", user_directory);
}

static int report_denied(const char *path, const struct buf *why, int error)
{
	return report_error(EXIT_USAGE, "the profiles in %s cannot be used: %.*s", path,
	                    why->len > 0 ? (int)why->len : (int)strlen(strerror(error)),
	                    why->len > 0 ? (const char *)why->data : strerror(error));
}

/* Whoever can write the file has a command run: it must belong to somebody trusted, and where there
 * is a password in it, others must not read it. */
static int check_access(const char *path, bool is_secret)
{
	struct trust_request request = {.path = path, .flags = O_RDONLY, .is_secret = is_secret};
	struct buf why = {0};
	int rc = trust_check(&request, &why), status = 0;

	if (rc != 0)
		status = report_denied(path, &why, -rc);
	buf_fini(&why);
	return status;
}

static int report_errors(struct errors *e)
{
	char *text = errors_text(e);

	fputs(text, stderr);
	free(text);
	return EXIT_USAGE;
}

static bool has_password(const struct yaml_node *root)
{
	for (size_t i = 0; root->kind == YAML_MAPPING && i < root->count; i++) {
		const struct yaml_node *profile = root->entries[i].value;

		if (profile->kind == YAML_MAPPING && yaml_get(profile, "password") != NULL)
			return true;
	}
	return false;
}

static const struct profile_key *find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

static void report_unknown_key(struct profile_file *f, const struct yaml_node *key)
{
	const char *names[ARRAY_LEN(keys)], *near;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		names[i] = keys[i].name;
	near = nearest_word(key->text, names, ARRAY_LEN(keys));
	if (near == NULL)
		errors_add(&f->errors, f->path, key->line, key->column, "unknown key '%s'",
		           key->text);
	else
		errors_add(&f->errors, f->path, key->line, key->column,
		           "unknown key '%s'; did you mean '%s'?", key->text, near);
}

static char *path_of(const struct profile_file *f, const char *text)
{
	const char *slash = strrchr(f->path, '/');
	size_t folder;

	REQUIRE(slash != NULL);
	folder = (size_t)(slash - f->path);
	if (text[0] == '/')
		return xstrdup(text);
	if (text[0] == '~' && text[1] == '/' && getenv("HOME") != NULL)
		return xasprintf("%s%s", getenv("HOME"), text + 1);
	return xasprintf("%.*s/%s", (int)folder, f->path, text);
}

static void take_flag(struct profile_file *f, bool *member, const struct profile_key *key,
                      const struct yaml_node *value)
{
	if (strcmp(value->text, "yes") == 0)
		*member = true;
	else if (strcmp(value->text, "no") != 0)
		errors_add(&f->errors, f->path, value->line, value->column, "'%s' is yes or no",
		           key->name);
}

/* Values live as long as the process. */
static void take_value(struct profile_file *f, struct client_options *o,
                       const struct profile_key *key, const struct yaml_node *value)
{
	uint8_t *member = (uint8_t *)o + key->member;
	uint64_t number;

	REQUIRE(key->member < sizeof(*o));
	if (value->kind != YAML_SCALAR || value->text[0] == '\0') {
		errors_add(&f->errors, f->path, value->line, value->column, "'%s' wants a text",
		           key->name);
	} else if (strcmp(key->name, "password") == 0) {
		if (o->password_file != NULL || o->password_command != NULL || o->ask_password)
			return;
		buf_put_secret(&o->password, slice_of_str(value->text));
		o->has_password = true;
	} else if (key->kind == VERSION) {
		if (o->version == 0)
			o->version = strcmp(value->text, "3.1.1") == 0 ? MQTT_3_1_1 : MQTT_5_0;
		if (strcmp(value->text, "3.1.1") != 0 && value->text[0] != '5')
			errors_add(&f->errors, f->path, value->line, value->column,
			           "'version' is 5 or 3.1.1");
	} else if (key->kind == FLAG) {
		take_flag(f, (bool *)member, key, value);
	} else if (key->kind == NUMBER) {
		if (!client_parse_number(value->text, UINT16_MAX, &number) || number == 0)
			errors_add(&f->errors, f->path, value->line, value->column,
			           "'%s' wants a number from 1 to 65535", key->name);
		else if (o->port == 0)
			o->port = (uint16_t)number;
	} else if (*(const char **)(void *)member == NULL) {
		*(const char **)(void *)member =
		    key->kind == PATH ? path_of(f, value->text) : xstrdup(value->text);
	}
}

/* What the command line says of the login counts alone: no user with the password of another. */
static bool is_login(const char *name)
{
	return strncmp(name, "password", 8) == 0;
}

static bool is_place(const struct profile_key *key)
{
	return key->member == offsetof(struct client_options, host) ||
	       key->member == offsetof(struct client_options, socket);
}

static int take_profile(struct profile_file *f, struct client_options *o,
                        const struct yaml_node *profile)
{
	const struct yaml_node *user =
	    profile->kind == YAML_MAPPING ? yaml_get(profile, "user") : NULL;
	bool is_user = o->user == NULL || (user != NULL && user->kind == YAML_SCALAR &&
	                                   strcmp(user->text, o->user) == 0);
	bool own_login =
	    !is_user || o->password_file != NULL || o->password_command != NULL || o->ask_password;
	bool own_place = o->host != NULL || o->socket != NULL;

	if (profile->kind != YAML_MAPPING) {
		errors_add(&f->errors, f->path, profile->line, profile->column,
		           "a profile is a mapping: host, user and so on");
		return report_errors(&f->errors);
	}
	for (size_t i = 0; i < profile->count; i++) {
		const struct yaml_entry *e = &profile->entries[i];
		const struct profile_key *key = find_key(e->key->text);

		if (key == NULL)
			report_unknown_key(f, e->key);
		else if (!(own_login && is_login(key->name)) && !(own_place && is_place(key)))
			take_value(f, o, key, e->value);
	}
	return f->errors.error_count == 0 ? 0 : report_errors(&f->errors);
}

static int report_missing(const struct profile_file *f, const char *wanted)
{
	const char *names[NAMES_MAX], *near;
	size_t count = 0;

	for (size_t i = 0; f->root != NULL && i < f->root->count && count < NAMES_MAX; i++) {
		if (f->root->entries[i].key != NULL)
			names[count++] = f->root->entries[i].key->text;
	}
	near = nearest_word(wanted, names, count);
	return near == NULL
	           ? report_error(EXIT_USAGE, "there is no profile '%s' in %s", wanted, f->path)
	           : report_error(EXIT_USAGE, "there is no profile '%s' in %s; did you mean '%s'?",
	                          wanted, f->path, near);
}

static int apply_file(struct profile_file *f, struct client_options *o)
{
	const char *wanted = o->profile == NULL ? "default" : o->profile;
	struct yaml_node *profile;
	int rc = check_access(f->path, false);

	if (rc != 0)
		return rc;
	f->root = yaml_load_file(f->path, "file of profiles", &f->errors);
	if (f->errors.error_count > 0)
		return report_errors(&f->errors);
	if (f->root != NULL && f->root->kind != YAML_MAPPING) {
		errors_add(&f->errors, f->path, 1, 1,
		           "the file is a mapping from names to profiles");
		return report_errors(&f->errors);
	}
	/* mutant: profile_with_a_readable_password */
	if (f->root != NULL && has_password(f->root) && (rc = check_access(f->path, true)) != 0)
		return rc;
	profile = f->root == NULL ? NULL : yaml_get(f->root, wanted);
	if (profile != NULL)
		return take_profile(f, o, profile);
	return o->profile == NULL ? 0 : report_missing(f, wanted);
}

int client_profile_apply(struct client_options *o)
{
	struct profile_file f = {.path = profile_path()};
	int rc = 0;

	if (o->profile == NULL && (o->host != NULL || o->socket != NULL)) {
		free(f.path);
		return 0;
	}
	if (f.path != NULL && (o->profile != NULL || access(f.path, F_OK) == 0))
		rc = access(f.path, F_OK) == 0
		         ? apply_file(&f, o)
		         : report_error(EXIT_USAGE, "there is no profile '%s': %s does not exist",
		                        o->profile, f.path);
	yaml_free(f.root);
	errors_fini(&f.errors);
	free(f.path);
	return rc;
}
