/* The only user of libcrypt: makes and checks crypt(5) strings.  Where a hash or a password is not
 * valid, a dummy is hashed, so that the time reveals nothing. */
#include "auth/password.h"

#include <pthread.h>
#include <stdlib.h>

#include <crypt.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/require.h"

#define SALT_BYTES 32

/* The accepted methods. `digest` is the length of what follows the last '$'. */
static const struct method {
	const char *name;
	const char *prefix;
	size_t digest;
	unsigned long cost; /* of new hashes; 0: the library's own */
	size_t password_max;
	bool makes; /* new ones too */
} methods[] = {
    {"yescrypt", "$y$", 43, 0, PASSWORD_MAX, true},
    {"gost-yescrypt", "$gy$", 43, 0, PASSWORD_MAX, false},
    {"scrypt", "$7$", 43, 0, PASSWORD_MAX, false},
    {"bcrypt", "$2b$", 53, 10, 72, true}, /* bcrypt ignores what follows 72 bytes */
    {"sha512crypt", "$6$", 86, 100000, PASSWORD_MAX, true},
};

static const struct method *method_of_hash(const char *hash)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strncmp(hash, methods[i].prefix, strlen(methods[i].prefix)) == 0)
			return &methods[i];
	}
	return NULL;
}

const char *password_method(const char *hash)
{
	const struct method *m = method_of_hash(hash);

	return m == NULL ? NULL : m->name;
}

size_t password_kind_len(const char *hash)
{
	size_t start = strcspn(hash + 1, "$") + 2; /* after "$y$" */

	if (strncmp(hash, "$7$", 3) == 0)
		return 14; /* N, and r and p of five characters each; the salt follows at once */
	if (strncmp(hash, "$6$", 3) == 0 && strncmp(hash + start, "rounds=", 7) != 0)
		return start;
	return start + strcspn(hash + start, "$") + 1;
}

/* bcrypt's cost is two digits, 04 to 31; libcrypt looks at it only when it hashes. */
static bool bcrypt_cost_valid(const char *hash)
{
	unsigned cost = 0;

	for (int i = 4; i < 6; i++) {
		if (hash[i] < '0' || hash[i] > '9')
			return false;
		cost = cost * 10 + (unsigned)(hash[i] - '0');
	}
	return hash[6] == '$' && cost >= 4 && cost <= 31;
}

/* crypt_checksalt() checks the setting alone. That a digest of the right length follows is checked
 * here, or a truncated line would pass. */
static const struct method *accepted_method(const char *hash)
{
	static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz";
	const struct method *m = method_of_hash(hash);
	const char *digest;

	if (m == NULL || strlen(hash) >= CRYPT_OUTPUT_SIZE)
		return NULL;
	digest = strrchr(hash, '$') + 1;
	if (strlen(digest) != m->digest || strspn(digest, alphabet) != m->digest)
		return NULL;
	if (strspn(hash, "$=,./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") !=
	    strlen(hash))
		return NULL;
	if (strcmp(m->prefix, "$2b$") == 0 && !bcrypt_cost_valid(hash))
		return NULL;
	return crypt_checksalt(hash) == CRYPT_SALT_OK ? m : NULL;
}

bool password_hash_acceptable(const char *hash)
{
	return accepted_method(hash) != NULL;
}

/* crypt() stops at a NUL, so "secret\0anything" would be "secret": refused. */
static bool password_fits(struct slice password, size_t max)
{
	return password.len > 0 && password.len <= max &&
	       memchr(password.data, '\0', password.len) == NULL;
}

/* Hash `phrase` under `setting`. The caller wipes and frees `*data`; NULL where libcrypt fails
 * (crypt_rn never gives a failure token). */
static const char *hash_with(const char *phrase, const char *setting, struct crypt_data **data)
{
	*data = xnew(*data);
	return crypt_rn(phrase, setting, *data, (int)sizeof(**data));
}

static void data_free(struct crypt_data *data)
{
	crypto_wipe(data, sizeof(*data));
	free(data);
}

static char *setting_new(const struct method *m)
{
	char salt[SALT_BYTES];

	random_bytes(salt, sizeof(salt));
	return crypt_gensalt_ra(m->prefix, m->cost, salt, sizeof(salt));
}

static char *dummy_setting;

static void dummy_make(void)
{
	dummy_setting = setting_new(&methods[0]);
	REQUIRE(dummy_setting != NULL);
}

/* As much work as a check of this hash, or of the default method, for nothing. */
static void hash_dummy(const char *dummy)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct crypt_data *data;

	REQUIRE(pthread_once(&once, dummy_make) == 0);
	(void)hash_with("nobody", dummy == NULL ? dummy_setting : dummy, &data);
	data_free(data);
}

char *password_hash(const char *method, struct slice password)
{
	const struct method *m = NULL;
	struct crypt_data *data;
	char *setting, *phrase, *out = NULL;
	const char *hash;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (methods[i].makes && strcmp(method, methods[i].name) == 0)
			m = &methods[i];
	}
	if (m == NULL || !password_fits(password, m->password_max))
		return NULL;
	setting = setting_new(m);
	if (setting == NULL)
		return NULL;
	phrase = slice_dup(password);
	hash = hash_with(phrase, setting, &data);
	if (hash != NULL && password_hash_acceptable(hash))
		out = xstrdup(hash);
	data_free(data);
	crypto_wipe(phrase, password.len);
	free(phrase);
	free(setting);
	return out;
}

bool password_verify(const char *hash, struct slice password)
{
	return password_check(hash, password, NULL);
}

bool password_check(const char *hash, struct slice password, const char *dummy)
{
	const struct method *m = hash == NULL ? NULL : accepted_method(hash);
	struct crypt_data *data;
	const char *result;
	char *phrase;
	bool right;

	if (m == NULL || !password_fits(password, m->password_max)) {
		hash_dummy(dummy);
		return false;
	}
	phrase = slice_dup(password);
	result = hash_with(phrase, hash, &data);
	right = result != NULL && crypto_equal(slice_of_str(result), slice_of_str(hash));
	data_free(data);
	crypto_wipe(phrase, password.len);
	free(phrase);
	return right;
}
