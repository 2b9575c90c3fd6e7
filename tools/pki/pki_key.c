/* OpenSSL's failures on our own keys are ours (REQUIRE); those on what comes from files are not. */
#include "pki/pki_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/require.h"
#include "base/text_input.h"
#include "program/command_line.h"
#include "program/trust.h"
#include "secret.h"

/* The cost that OpenSSL's own tool takes; all versions of the library can read it. */
#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 1

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
/* Smaller exponents have been broken too often; larger ones cost the one who verifies. */
#define RSA_EXPONENT_BITS_MIN 17
#define RSA_EXPONENT_BITS_MAX 64

EVP_PKEY *pki_key_generate(enum pki_key_type type)
{
	EVP_PKEY *key = type == PKI_KEY_RSA ? EVP_RSA_gen(RSA_BITS_MIN) : EVP_EC_gen("P-256");

	REQUIRE(key != NULL);
	return key;
}

bool pki_key_is_rsa(const EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
}

/* ---- PEM ---- */

static void write_encrypted(EVP_PKEY *key, struct slice passphrase, BIO *bio)
{
	PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
	X509_ALGOR *scheme =
	    PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
	X509_SIG *sealed;

	REQUIRE(plain != NULL && scheme != NULL);
	sealed = PKCS8_set0_pbe((const char *)passphrase.data, (int)passphrase.len, plain, scheme);
	REQUIRE(sealed != NULL && PEM_write_bio_PKCS8(bio, sealed) == 1);
	X509_SIG_free(sealed);
	PKCS8_PRIV_KEY_INFO_free(plain);
}

void pki_key_write(EVP_PKEY *key, struct slice passphrase, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *data;
	long len;

	if (bio == NULL)
		bio = BIO_new(BIO_s_mem());
	REQUIRE(bio != NULL);
	if (passphrase.len > 0)
		write_encrypted(key, passphrase, bio);
	else
		REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	len = BIO_get_mem_data(bio, &data);
	REQUIRE(len > 0);
	buf_put_secret(out, slice_of(data, (size_t)len));
	BIO_free(bio);
}

/* Called where the key turns out to be encrypted. */
struct asked {
	struct pki_passphrase *passphrase;
	const char *what;
	bool was_asked, failed;
};

static int on_passphrase(char *out, int size, int is_writing, void *arg)
{
	struct asked *a = arg;

	(void)is_writing;
	a->was_asked = true;
	a->failed = pki_passphrase_get(a->passphrase, a->what, false) != 0;
	if (a->failed || a->passphrase->secret.len > (size_t)size)
		return -1;
	memcpy(out, a->passphrase->secret.data, a->passphrase->secret.len);
	return (int)a->passphrase->secret.len;
}

int pki_key_read(struct slice pem, const char *what, struct pki_passphrase *passphrase,
                 EVP_PKEY **key)
{
	struct asked asked = {.passphrase = passphrase, .what = what};
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);

	REQUIRE(bio != NULL);
	*key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &asked);
	BIO_free(bio);
	ERR_clear_error();
	if (*key != NULL)
		return 0;
	if (asked.failed)
		return EXIT_USAGE; /* it was said */
	if (asked.was_asked)
		return report_error(EXIT_USAGE, "the passphrase of %s is wrong", what);
	return report_error(EXIT_USAGE, "%s has no private key in PEM", what);
}

/* ---- passphrases ---- */

/* Others may not read it, as with the key itself. */
static int read_passphrase_file(struct pki_passphrase *p)
{
	struct trust_request request = {.path = p->file, .flags = O_RDONLY, .is_secret = true};
	struct buf why = {0};
	uint8_t bytes[1024];
	int fd = trust_open(&request, &why), rc = 0;
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

	if (fd < 0 && why.len > 0)
		rc = report_error(EXIT_USAGE, "%s: %.*s", p->file, (int)why.len,
		                  (const char *)why.data);
	else if (n < 0)
		rc = report_error(EXIT_USAGE, "cannot read the passphrase from %s: %s", p->file,
		                  strerror(fd < 0 ? -fd : errno));
	else if ((size_t)n == sizeof(bytes))
		rc = report_error(EXIT_USAGE, "%s: a passphrase has at most %zu bytes", p->file,
		                  sizeof(bytes) - 2);
	if (rc == 0) {
		struct slice text = text_input_start(slice_of(bytes, (size_t)n));
		const char *refused = text_input_encoding(text);
		const uint8_t *newline = text.len == 0 ? NULL : memchr(text.data, '\n', text.len);

		if (newline != NULL)
			text.len = (size_t)(newline - text.data);
		text = text_input_line(text);
		if (refused == NULL && text.len == 0)
			refused = "its first line, the passphrase, is empty";
		else if (refused == NULL && memchr(text.data, '\0', text.len) != NULL)
			refused = "its first line, the passphrase, has a NUL byte in it";
		if (refused != NULL)
			rc = report_error(EXIT_USAGE, "%s: %s", p->file, refused);
		else
			buf_put_secret(&p->secret, text);
	}
	if (fd >= 0)
		close(fd);
	crypto_wipe(bytes, sizeof(bytes));
	buf_fini(&why);
	return rc;
}

static int ask(struct pki_passphrase *p, const char *what, bool twice)
{
	struct secret first = {.len = 0}, again = {.len = 0};
	char *prompt = xasprintf("Passphrase of %s: ", what);
	int rc = secret_ask(&first, prompt);

	if (rc == 0)
		rc = secret_check(&first);
	if (rc == 0 && twice)
		rc = secret_ask(&again, "Repeat the passphrase: ");
	if (rc == 0 && twice && !slice_equal(secret_slice(&first), secret_slice(&again)))
		rc = report_error(EXIT_USAGE, "the passphrases differ; nothing was changed");
	if (rc == 0)
		buf_put_secret(&p->secret, secret_slice(&first));
	secret_wipe(&first);
	secret_wipe(&again);
	free(prompt);
	return rc;
}

int pki_passphrase_get(struct pki_passphrase *passphrase, const char *what, bool twice)
{
	if (passphrase->secret.len > 0)
		return 0;
	if (passphrase->file != NULL)
		return read_passphrase_file(passphrase);
	if (passphrase->is_unattended)
		return report_error(EXIT_USAGE,
		                    "%s is encrypted, and --if-needed asks nobody for its "
		                    "passphrase: run the command without it, or with "
		                    "--passphrase-file",
		                    what);
	if (!isatty(STDIN_FILENO))
		return report_error(EXIT_USAGE,
		                    "%s is encrypted, and there is no terminal to ask for its "
		                    "passphrase: use --passphrase-file",
		                    what);
	return ask(passphrase, what, twice);
}

void pki_passphrase_fini(struct pki_passphrase *passphrase)
{
	buf_fini_secret(&passphrase->secret);
}

/* ---- what a public key may be ---- */

static char *rsa_refused(EVP_PKEY *key)
{
	BIGNUM *exponent = NULL;
	int bits = EVP_PKEY_get_bits(key), exponent_bits;
	bool is_odd;

	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
		return xasprintf("the key is RSA with %d bits; %d to %d are accepted", bits,
		                 RSA_BITS_MIN, RSA_BITS_MAX);
	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1)
		return xstrdup("the RSA key has no public exponent");
	exponent_bits = BN_num_bits(exponent);
	is_odd = BN_is_odd(exponent) == 1;
	BN_free(exponent);
	if (!is_odd || exponent_bits < RSA_EXPONENT_BITS_MIN ||
	    exponent_bits > RSA_EXPONENT_BITS_MAX)
		return xstrdup(
		    "the RSA key has an unusual public exponent; 65537 is the usual one");
	return NULL;
}

static char *ec_refused(EVP_PKEY *key)
{
	char encoding[32] = "", group[64] = "";

	(void)EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding,
	                                     sizeof(encoding), NULL);
	if (strcmp(encoding, "named_curve") != 0)
		return xstrdup("the key spells out its own elliptic curve; a named one (P-256) is "
		               "needed");
	if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
		return xstrdup("the elliptic curve of the key is not known");
	if (strcmp(group, "prime256v1") != 0 && strcmp(group, "secp384r1") != 0)
		return xasprintf(
		    "the key is on the elliptic curve %s; P-256 and P-384 are accepted", group);
	return NULL;
}

char *pki_key_refused(EVP_PKEY *public_key)
{
	char *refused = NULL;
	EVP_PKEY_CTX *ctx;

	switch (EVP_PKEY_get_base_id(public_key)) {
	case EVP_PKEY_RSA:
		refused = rsa_refused(public_key);
		break;
	case EVP_PKEY_EC:
		refused = ec_refused(public_key);
		break;
	case EVP_PKEY_ED25519:
		return NULL;
	default:
		return xasprintf("a key of the type %s is not accepted: RSA (2048 to 4096 bits), "
		                 "P-256, P-384 and Ed25519 are",
		                 EVP_PKEY_get0_type_name(public_key) == NULL
		                     ? "that it has"
		                     : EVP_PKEY_get0_type_name(public_key));
	}
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, public_key, NULL);
	if (refused == NULL && (ctx == NULL || EVP_PKEY_public_check_quick(ctx) != 1))
		refused = xstrdup("the public key is not a valid one");
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return refused;
}

const char *pki_key_describe(const EVP_PKEY *key, char *out, size_t size)
{
	const char *type = EVP_PKEY_get0_type_name(key);
	struct buf text = {0};
	char group[64] = "";

	REQUIRE(size > 0);
	if (pki_key_is_rsa(key))
		buf_printf(&text, "RSA, %d bits", EVP_PKEY_get_bits(key));
	else if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1)
		buf_printf(&text, "%s",
		           strcmp(group, "prime256v1") == 0  ? "P-256"
		           : strcmp(group, "secp384r1") == 0 ? "P-384"
		                                             : group);
	else
		buf_printf(&text, "%s", type == NULL ? "unknown" : type);
	text.len = text.len < size ? text.len : size - 1;
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	buf_fini(&text);
	return out;
}

void pki_key_hash(EVP_PKEY *public_key, char out[65])
{
	uint8_t *der = NULL, digest[32];
	int len = i2d_PUBKEY(public_key, &der);

	REQUIRE(len > 0);
	crypto_sha256(slice_of(der, (size_t)len), digest);
	OPENSSL_free(der);
	for (size_t i = 0; i < sizeof(digest); i++) {
		out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	out[64] = '\0';
}
