/* Bytes in, an immutable table out.  A line is NAME:field:field..., a field is key=value or a bare
 * word; fields come in any order, each once.  An error never quotes a value: it could be a hash. */
#include "auth/password_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "auth/password.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/hash.h"
#include "base/nearest.h"
#include "base/text_input.h"
#include "base/utf8.h"
#include "conf/conf.h"
#include "conf/conf_file.h"

#define ROLES_MAX      64
#define ROLE_MAX_BYTES 256

struct file_entry {
	struct password_entry user;
	UT_hash_handle by_name;
	UT_hash_handle by_id;
};

struct password_file {
	_Atomic uint32_t refs;
	struct file_entry **entries;
	size_t count, cap;
	struct file_entry *names;
	struct file_entry *ids;
	/* Everybody's, those of the same iterations and length of the salt beside each other. */
	const struct scram_verifier **scrams;
	size_t scram_count;
};

/* The line at hand. */
struct file_line {
	const char *file;
	unsigned number;
	struct slice text;
	struct errors *errors;
	struct password_entry *user;
	unsigned seen; /* a bit per key */
	bool bad;
};

#define LINE_ERROR(l, at, ...)                                                                     \
	((l)->bad = true, errors_add((l)->errors, (l)->file, (l)->number,                          \
	                             (unsigned)((at) - (l)->text.data) + 1, __VA_ARGS__))

bool password_file_name_valid(struct slice name, const char **why)
{
	if (!identity_name_valid(name, why))
		return false;
	if (memchr(name.data, ':', name.len) == NULL)
		return true;
	*why = "a user name must not have ':': it separates the fields of the password file";
	return false;
}

/* The text before the first `stop`. *rest is what follows it; NULL data: nothing does. */
static struct slice cut(struct slice s, char stop, struct slice *rest)
{
	size_t len = 0;

	while (len < s.len && s.data[len] != (uint8_t)stop)
		len++;
	*rest = len == s.len ? SLICE_EMPTY : slice_skip(s, len + 1);
	return slice_of(s.data, len);
}

static void read_hash(struct file_line *l, struct slice value)
{
	l->user->hash = slice_dup(value);
	if (strlen(l->user->hash) != value.len || !password_hash_acceptable(l->user->hash))
		LINE_ERROR(
		    l, value.data,
		    "this is not a hash of an accepted method (yescrypt, gost-yescrypt, scrypt, "
		    "bcrypt $2b$, sha512crypt); make a new one with 'broker-passwd FILE set'");
}

static void read_scram(struct file_line *l, struct slice value)
{
	l->user->scram = xnew(l->user->scram);
	if (!scram_verifier_parse(value, l->user->scram))
		LINE_ERROR(
		    l, value.data,
		    "this is not a SCRAM verifier (SHA-256$ITERATIONS$SALT$KEY$KEY, at least "
		    "%d iterations); make a new one with 'broker-passwd FILE set --scram'",
		    SCRAM_ITERATIONS_MIN);
}

static void read_pins(struct file_line *l, struct slice value)
{
	const char *why = key_pins_parse(value, &l->user->pins);

	if (why != NULL)
		LINE_ERROR(l, value.data, "%s", why);
}

bool password_file_role_valid(struct slice role)
{
	if (role.len == 0 || role.len > ROLE_MAX_BYTES || !utf8_valid(role))
		return false;
	for (size_t at = 0; at < role.len;) {
		uint32_t c;

		at += utf8_decode(slice_skip(role, at), &c);
		if (c == ' ' || c == ',' || c == ':' || utf8_is_control(c))
			return false;
	}
	return true;
}

static bool has_role(const struct password_entry *user, struct slice role)
{
	for (size_t i = 0; i < user->role_count; i++) {
		if (slice_equal(slice_of_str(user->roles[i]), role))
			return true;
	}
	return false;
}

static void read_roles(struct file_line *l, struct slice value)
{
	struct password_entry *user = l->user;
	struct slice role, rest = value;

	do {
		role = cut(rest, ',', &rest);
		if (!password_file_role_valid(role)) {
			LINE_ERROR(l, value.data, "roles= takes names separated by ','");
			return;
		}
		if (has_role(user, role)) {
			LINE_ERROR(l, role.data, "the role is given twice");
			return;
		}
		if (user->role_count == ROLES_MAX) {
			LINE_ERROR(l, role.data, "a user has at most %d roles", ROLES_MAX);
			return;
		}
		array_extend(user->roles, user->role_count);
		user->roles[user->role_count++] = slice_dup(role);
	} while (rest.data != NULL);
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static void read_id(struct file_line *l, struct slice value)
{
	uint64_t id = 0;
	bool bad = value.len != 16;

	for (size_t i = 0; !bad && i < value.len; i++) {
		int digit = hex_digit(value.data[i]);

		bad = digit < 0;
		id = id << 4 | (uint64_t)(digit & 15);
	}
	if (bad || id == 0)
		LINE_ERROR(l, value.data, "id= takes 16 digits out of 0-9 and a-f, not all 0");
	l->user->entry_id = id;
}

static void read_locked(struct file_line *l, struct slice value)
{
	(void)value;
	l->user->locked = true;
}

static void read_assumed(struct file_line *l, struct slice value)
{
	(void)value;
	l->user->assumed = true;
}

static const struct entry_field {
	const char *name;
	bool has_value;
	void (*read)(struct file_line *l, struct slice value);
} entry_fields[] = {
    {"hash", true, read_hash},        {"scram", true, read_scram}, {"pins", true, read_pins},
    {"roles", true, read_roles},      {"id", true, read_id},       {"locked", false, read_locked},
    {"assumed", false, read_assumed},
};
#define FIELD_COUNT ARRAY_LEN(entry_fields)

/* Only what looks like a key is quoted: a misplaced field could be half a hash. */
static void report_unknown(struct file_line *l, struct slice key)
{
	const char *names[FIELD_COUNT];
	const char *near;
	char *word;

	if (key.len > 0 && key.data[0] == '$') {
		LINE_ERROR(
		    l, key.data,
		    "a hash without 'hash=': is this line from another broker? Make the user "
		    "with 'broker-passwd FILE add'");
		return;
	}
	word = slice_dup(key);
	if (key.len == 0 || key.len > 12 ||
	    strspn(word, "abcdefghijklmnopqrstuvwxyz_-") != key.len) {
		LINE_ERROR(
		    l, l->text.data,
		    "a field is neither hash=, scram=, pins=, roles=, id=, locked nor assumed");
		free(word);
		return;
	}
	for (size_t i = 0; i < FIELD_COUNT; i++)
		names[i] = entry_fields[i].name;
	near = nearest_word(word, names, FIELD_COUNT);
	LINE_ERROR(l, key.data, "unknown key '%s'%s%s%s", word,
	           near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
	           near == NULL ? "" : "'?");
	free(word);
}

static void read_field(struct file_line *l, struct slice field)
{
	struct slice value;
	struct slice name = cut(field, '=', &value);

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (!slice_equal(name, slice_of_str(entry_fields[i].name)))
			continue;
		if ((l->seen & 1U << i) != 0)
			LINE_ERROR(l, field.data, "'%s' is given twice", entry_fields[i].name);
		else if (entry_fields[i].has_value != (value.data != NULL) ||
		         (entry_fields[i].has_value && value.len == 0))
			LINE_ERROR(l, field.data, "'%s' %s", entry_fields[i].name,
			           entry_fields[i].has_value ? "needs a value" : "takes no value");
		else
			entry_fields[i].read(l, value);
		l->seen |= 1U << i;
		return;
	}
	report_unknown(l, name);
}

static void read_line(struct file_line *l)
{
	const char *why;
	struct slice rest;
	struct slice name = cut(l->text, ':', &rest);

	if (!identity_name_valid(name, &why)) {
		LINE_ERROR(l, l->text.data, "%s", why);
		return;
	}
	l->user->name = slice_dup(name);
	while (rest.data != NULL)
		read_field(l, cut(rest, ':', &rest));
	if (!l->bad && l->user->entry_id == 0)
		LINE_ERROR(l, l->text.data,
		           "the line has no id=; make users with 'broker-passwd FILE add'");
	/* mutant: assumed_with_a_password */
	if (!l->bad && l->user->assumed &&
	    (l->user->hash != NULL || l->user->scram != NULL || l->user->pins.is_pinned))
		LINE_ERROR(l, l->text.data,
		           "a user that is 'assumed' never logs in: remove hash=, scram= and "
		           "pins=, or 'assumed'");
}

static void entry_free(struct file_entry *e)
{
	free(e->user.name);
	free(e->user.hash);
	if (e->user.scram != NULL)
		crypto_wipe(e->user.scram, sizeof(*e->user.scram));
	free(e->user.scram);
	key_pins_fini(&e->user.pins);
	for (size_t i = 0; i < e->user.role_count; i++)
		free(e->user.roles[i]);
	free(e->user.roles);
	free(e);
}

static void put_scram(const struct password_entry *user, struct buf *out)
{
	if (user->scram == NULL)
		return;
	buf_put_slice(out, SLICE(":scram="));
	scram_verifier_format(user->scram, out);
}

static uint64_t make_credential(const struct password_entry *user)
{
	uint8_t digest[32];
	struct buf text = {0};
	uint64_t out = 0;

	if (user->hash == NULL && user->scram == NULL)
		return 0;
	buf_put_slice(&text, slice_of_str(user->hash));
	put_scram(user, &text);
	crypto_hmac_sha256(SLICE("vakt credential"), buf_slice(&text), digest);
	crypto_wipe(text.data, text.len);
	buf_fini(&text);
	for (int i = 0; i < 8; i++)
		out = out << 8 | digest[i];
	return out;
}

/* NOLINTBEGIN(readability-function-size): it counts the nesting inside uthash's macros */
static struct file_entry *find_name(const struct password_file *users, struct slice name)
{
	struct file_entry *e;

	HASH_FIND(by_name, users->names, name.data, name.len, e);
	return e;
}

static bool is_duplicate(const struct password_file *users, struct file_line *l)
{
	const struct file_entry *e = find_name(users, slice_of_str(l->user->name));

	if (e != NULL) {
		LINE_ERROR(l, l->text.data, "the same user is on line %u", e->user.line);
		return true;
	}
	HASH_FIND(by_id, users->ids, &l->user->entry_id, sizeof(l->user->entry_id), e);
	if (e != NULL)
		LINE_ERROR(l, l->text.data,
		           "the same id is on line %u; remove this user and add it again",
		           e->user.line);
	return e != NULL;
}

static void take_line(struct password_file *users, struct file_line *l)
{
	struct file_entry *e = xnew(e);

	l->user = &e->user;
	l->user->line = l->number;
	read_line(l);
	if (l->bad || is_duplicate(users, l)) {
		entry_free(e);
		return;
	}
	e->user.credential = make_credential(&e->user);
	array_reserve(users->entries, users->cap, users->count + 1);
	users->entries[users->count++] = e;
	HASH_ADD_KEYPTR(by_name, users->names, e->user.name, strlen(e->user.name), e);
	HASH_ADD(by_id, users->ids, user.entry_id, sizeof(e->user.entry_id), e);
}
/* NOLINTEND(readability-function-size) */

static int compare_forms(const void *a, const void *b)
{
	const struct scram_verifier *const *va = a, *const *vb = b;

	if ((*va)->iterations != (*vb)->iterations)
		return (*va)->iterations < (*vb)->iterations ? -1 : 1;
	return (int)(*va)->salt_len - (int)(*vb)->salt_len;
}

struct password_file *password_file_parse(const char *name, struct slice bytes,
                                          struct errors *errors)
{
	size_t before = errors->error_count;
	struct password_file *users = xnew(users);
	const char *encoding = text_input_encoding(bytes);
	struct slice rest = text_input_start(bytes);

	users->refs = 1;
	if (encoding != NULL) {
		errors_add(errors, name, 0, 0, "the password file: %s", encoding);
		rest = SLICE_EMPTY;
	}
	if (bytes.len > PASSWORD_FILE_MAX) {
		errors_add(errors, name, 0, 0, "the password file is larger than 16 MiB");
		rest = SLICE_EMPTY;
	}
	for (unsigned number = 1; rest.len > 0; number++) {
		struct file_line l = {.file = name, .number = number, .errors = errors};

		l.text = cut(rest, '\n', &rest);
		if (rest.data == NULL)
			errors_add(errors, name, number, 0,
			           "the last line does not end with a newline: the file was cut "
			           "short, or end it with one");
		l.text = text_input_line(l.text);
		if (rest.data != NULL && l.text.len > 0 && l.text.data[0] != '#')
			take_line(users, &l);
	}
	users->scrams = xcalloc(users->count + 1, sizeof(*users->scrams));
	for (size_t i = 0; i < users->count; i++) {
		if (users->entries[i]->user.scram != NULL)
			users->scrams[users->scram_count++] = users->entries[i]->user.scram;
	}
	qsort(users->scrams, users->scram_count, sizeof(*users->scrams), compare_forms);
	if (errors->error_count != before)
		password_file_unref(&users);
	return users;
}

struct password_file *password_file_load(const char *path, struct errors *errors)
{
	size_t before = errors->error_count;
	struct conf_file file = {.path = path,
	                         .what = "password file",
	                         .max_bytes = PASSWORD_FILE_MAX,
	                         .is_secret = true,
	                         .made_by = "broker-passwd -c %s add USER --role ROLE"};
	struct buf bytes = {0};
	struct password_file *users = NULL;

	if (conf_read_file(&file, &bytes, errors) == 0)
		users = password_file_parse(path, buf_slice(&bytes), errors);
	if (errors->error_count != before)
		password_file_unref(&users);
	crypto_wipe(bytes.data, bytes.len);
	buf_fini(&bytes);
	return users;
}

struct password_file *password_file_ref(struct password_file *users)
{
	REQUIRE(users->refs > 0);
	users->refs++;
	return users;
}

void password_file_unref(struct password_file **users)
{
	struct password_file *u = *users;

	*users = NULL;
	if (u == NULL || --u->refs > 0)
		return;
	HASH_CLEAR(by_name, u->names);
	HASH_CLEAR(by_id, u->ids);
	for (size_t i = 0; i < u->count; i++)
		entry_free(u->entries[i]);
	free(u->scrams);
	free(u->entries);
	free(u);
}

size_t password_file_count(const struct password_file *users)
{
	return users->count;
}

const struct password_entry *password_file_find(const struct password_file *users,
                                                struct slice name)
{
	const struct file_entry *e = name.len == 0 ? NULL : find_name(users, name);

	return e == NULL ? NULL : &e->user;
}

const struct password_entry *password_file_at(const struct password_file *users, size_t index)
{
	REQUIRE(index < users->count);
	return &users->entries[index]->user;
}

/* Looked up, in a loaded table: a login must not take longer where there is one. */
uint64_t password_file_credential(const struct password_entry *user)
{
	return user->credential != 0 ? user->credential : make_credential(user);
}

bool password_file_has_scram(const struct password_file *users)
{
	return users->scram_count > 0;
}

/* A key of the file's: who may not read it cannot know it. */
static void decoy_key(const struct password_file *users, struct slice purpose, uint8_t key[32])
{
	const uint64_t *id = &users->entries[0]->user.entry_id;

	crypto_hmac_sha256(purpose, slice_of(id, sizeof(*id)), key);
}

/* Whose iterations and length of the salt somebody of that name shows: as many names show each form
 * as users have it, so that a form that is rare, or the usual one, tells nothing. */
static const struct scram_verifier *decoy_form(const struct password_file *users, struct slice name)
{
	uint8_t key[32], digest[32];
	uint64_t at = 0;

	REQUIRE(users->scram_count > 0);
	decoy_key(users, SLICE("vakt scram decoy form"), key);
	crypto_hmac_sha256(slice_of(key, sizeof(key)), name, digest);
	crypto_wipe(key, sizeof(key));
	for (int i = 0; i < 4; i++)
		at = at << 8 | digest[i];
	/* mutant: scram_decoy_of_any_form */
	return users->scrams[at * users->scram_count >> 32];
}

bool password_file_scram(const struct password_file *users, struct slice name,
                         struct scram_verifier *out)
{
	const struct password_entry *user = password_file_find(users, name);
	uint8_t key[32];

	if (!password_file_has_scram(users))
		return false;
	/* Made in any case: it takes the same time whether there is such a user. */
	decoy_key(users, SLICE("vakt scram decoy"), key);
	scram_verifier_decoy(decoy_form(users, name), slice_of(key, sizeof(key)), name, out);
	crypto_wipe(key, sizeof(key));
	if (user != NULL && user->scram != NULL)
		*out = *user->scram;
	return true;
}

void password_file_format(const struct password_entry *user, struct buf *out)
{
	buf_printf(out, "%s:id=%016" PRIx64, user->name, user->entry_id);
	if (user->hash != NULL)
		buf_printf(out, ":hash=%s", user->hash);
	put_scram(user, out);
	if (user->pins.is_pinned) {
		buf_put_slice(out, SLICE(":pins="));
		key_pins_put(&user->pins, ",", out);
	}
	for (size_t i = 0; i < user->role_count; i++)
		buf_printf(out, "%s%s", i == 0 ? ":roles=" : ",", user->roles[i]);
	buf_printf(out, "%s%s\n", user->assumed ? ":assumed" : "", user->locked ? ":locked" : "");
}
