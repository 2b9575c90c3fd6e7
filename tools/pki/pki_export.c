/* export: what a client is given, in the words of that client. One function for each of them writes
 * text from the same facts. */
#include "pki/pki_export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/sha.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/base64.h"
#include "base/crypto.h"
#include "base/require.h"
#include "pki/pki_file.h"
#include "pki/pki_leaf.h"
#include "program/command_line.h"

struct export
{
	const char *user, *host;
	unsigned port;
	/* Absolute, of the directory. */
	char *directory;
	char *stem;
	X509 *ca, *certificate, *server_rsa;
	EVP_PKEY *key;
	struct buf ca_pem, certificate_pem, key_pem;
	/* The file of --password-file: for PKCS#12. */
	struct buf password;
};

typedef int export_fn(const struct export *e, struct buf *out);

/* ---- programs that read files ---- */

/* A string of JSON, which is one of YAML, JavaScript, Python and C, too. */
static void put_quoted(struct buf *out, const char *before, const char *text, const char *after)
{
	buf_printf(out, "%s\"", before);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_put_u8(out, '\\');
		buf_put_u8(out, (uint8_t)*text);
	}
	buf_printf(out, "\"%s", after);
}

static void put_path(const struct export *e, struct buf *out, const char *before, const char *file,
                     const char *after)
{
	char *path = xasprintf("%s/%s", e->directory, file);

	put_quoted(out, before, path, after);
	free(path);
}

/* The files of the client, if it has a certificate. */
static void put_paths(const struct export *e, struct buf *out, const char *certificate,
                      const char *key, const char *after)
{
	char *file;

	if (e->certificate == NULL)
		return;
	file = xasprintf("%s.crt", e->stem);
	put_path(e, out, certificate, file, "");
	free(file);
	file = xasprintf("%s.key", e->stem);
	put_path(e, out, key, file, after);
	free(file);
}

static int for_mosquitto(const struct export *e, struct buf *out)
{
	buf_printf(out,
	           "# Lines for ~/.config/mosquitto_pub, mosquitto_sub and mosquitto_rr\n"
	           "-h %s\n-p %u\n--cafile %s/server-ca.crt\n",
	           e->host, e->port, e->directory);
	if (e->certificate == NULL) {
		buf_printf(out, "-u %s\n-P PASSWORD\n", e->user);
	} else {
		buf_printf(out, "--cert %s/%s.crt\n", e->directory, e->stem);
		buf_printf(out, "--key %s/%s.key\n", e->directory, e->stem);
	}
	return 0;
}

static int for_paho(const struct export *e, struct buf *out)
{
	put_path(e, out, "client.tls_set(ca_certs=", "server-ca.crt", "");
	put_paths(e, out, ",\n               certfile=", ",\n               keyfile=", "");
	buf_put_slice(out, SLICE(")\n"));
	if (e->certificate == NULL)
		put_quoted(out, "client.username_pw_set(", e->user, ", \"PASSWORD\")\n");
	put_quoted(out, "client.connect(", e->host, "");
	buf_printf(out, ", %u)\n", e->port);
	return 0;
}

static int for_mqttjs(const struct export *e, struct buf *out)
{
	buf_printf(out,
	           "import { readFileSync } from 'node:fs'\nimport mqtt from 'mqtt'\n\n"
	           "const client = mqtt.connect('mqtts://%s:%u', {\n",
	           e->host, e->port);
	put_path(e, out, "  ca: readFileSync(", "server-ca.crt", "),\n");
	put_paths(e, out, "  cert: readFileSync(", "),\n  key: readFileSync(", "),\n");
	if (e->certificate == NULL)
		put_quoted(out, "  username: ", e->user, ",\n  password: 'PASSWORD',\n");
	buf_put_slice(out, SLICE("})\n"));
	return 0;
}

static int for_zigbee2mqtt(const struct export *e, struct buf *out)
{
	buf_printf(out,
	           "# configuration.yaml; the files must be readable for the user of zigbee2mqtt\n"
	           "mqtt:\n  server: 'mqtts://%s:%u'\n  reject_unauthorized: true\n",
	           e->host, e->port);
	put_path(e, out, "  ca: ", "server-ca.crt", "\n");
	put_paths(e, out, "  cert: ", "\n  key: ", "\n");
	if (e->certificate == NULL)
		put_quoted(out, "  user: ", e->user, "\n  password: 'PASSWORD'\n");
	return 0;
}

static int for_homeassistant(const struct export *e, struct buf *out)
{
	buf_printf(out,
	           "Settings, Devices & services, Add integration, MQTT:\n"
	           "  Broker                         %s\n"
	           "  Port                           %u\n",
	           e->host, e->port);
	if (e->certificate == NULL)
		buf_printf(out, "  Username, Password             %s, and the password\n", e->user);
	buf_printf(out,
	           "  Advanced options               on, then Next\n"
	           "  Broker certificate validation  Custom, and upload %s/server-ca.crt\n",
	           e->directory);
	if (e->certificate != NULL) {
		buf_printf(out,
		           "  Use a client certificate       on, and upload\n"
		           "    client certificate           %s/%s.crt\n",
		           e->directory, e->stem);
		buf_printf(out, "    private key                  %s/%s.key\n", e->directory,
		           e->stem);
	}
	return 0;
}

/* ---- programs that are given the bytes ---- */

static void put_indented(struct buf *out, const char *key, struct slice pem)
{
	buf_printf(out, "  %s: |\n", key);
	while (pem.len > 0) {
		const uint8_t *newline = memchr(pem.data, '\n', pem.len);
		size_t len = newline == NULL ? pem.len : (size_t)(newline - pem.data);

		buf_printf(out, "    %.*s\n", (int)len, (const char *)pem.data);
		pem = slice_skip(pem, newline == NULL ? len : len + 1);
	}
}

static int for_esphome(const struct export *e, struct buf *out)
{
	buf_printf(out,
	           "# The ESP-IDF framework is needed for certificates.\n"
	           "mqtt:\n  broker: '%s'\n  port: %u\n",
	           e->host, e->port);
	if (e->certificate == NULL)
		put_quoted(out, "  username: ", e->user, "\n  password: !secret mqtt_password\n");
	put_indented(out, "certificate_authority", buf_slice(&e->ca_pem));
	if (e->certificate != NULL) {
		put_indented(out, "client_certificate", buf_slice(&e->certificate_pem));
		put_indented(out, "client_certificate_key", buf_slice(&e->key_pem));
	}
	return 0;
}

static void put_progmem(struct buf *out, const char *name, struct slice pem)
{
	buf_printf(out, "static const char %s[] PROGMEM = R\"PEM(\n%.*s)PEM\";\n\n", name,
	           (int)pem.len, (const char *)pem.data);
}

static int for_arduino(const struct export *e, struct buf *out)
{
	buf_printf(
	    out,
	    "// ESP32:   client.setCACert(mqtt_ca); client.setCertificate(mqtt_certificate);\n"
	    "//          client.setPrivateKey(mqtt_key);\n"
	    "// ESP8266: BearSSL::X509List ca(mqtt_ca); client.setTrustAnchors(&ca);\n"
	    "//          client.setClientECCert(new BearSSL::X509List(mqtt_certificate),\n"
	    "//              new BearSSL::PrivateKey(mqtt_key), BR_KEYTYPE_SIGN, BR_KEYTYPE_EC);\n"
	    "//          Set the clock first (configTime): certificates have dates.\n"
	    "#pragma once\n\n"
	    "#define MQTT_HOST \"%s\"\n#define MQTT_PORT %u\n",
	    e->host, e->port);
	put_quoted(out, "#define MQTT_USER ", e->user, "\n\n");
	put_progmem(out, "mqtt_ca", buf_slice(&e->ca_pem));
	if (e->certificate != NULL) {
		put_progmem(out, "mqtt_certificate", buf_slice(&e->certificate_pem));
		put_progmem(out, "mqtt_key", buf_slice(&e->key_pem));
	}
	return 0;
}

/* ---- Tasmota ---- */

static void hash_part(EVP_MD_CTX *ctx, const uint8_t *data, size_t len)
{
	const uint8_t length[] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
	                          (uint8_t)len};

	REQUIRE(EVP_DigestUpdate(ctx, length, sizeof(length)) == 1 &&
	        EVP_DigestUpdate(ctx, data, len) == 1);
}

static void hash_number(EVP_MD_CTX *ctx, const EVP_PKEY *key, const char *name)
{
	uint8_t bytes[1024];
	BIGNUM *number = NULL;
	int len;

	REQUIRE(EVP_PKEY_get_bn_param(key, name, &number) == 1);
	REQUIRE(BN_num_bytes(number) <= (int)sizeof(bytes));
	len = BN_bn2bin(number, bytes);
	hash_part(ctx, bytes, (size_t)len);
	BN_free(number);
}

/* Its own: SHA-1 over "ssh-rsa", exponent and modulus, each behind its length. */
static void put_fingerprint(struct buf *out, X509 *server)
{
	const EVP_PKEY *key = X509_get0_pubkey(server);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t digest[SHA_DIGEST_LENGTH];

	REQUIRE(ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1);
	hash_part(ctx, (const uint8_t *)"ssh-rsa", 7);
	hash_number(ctx, key, OSSL_PKEY_PARAM_RSA_E);
	hash_number(ctx, key, OSSL_PKEY_PARAM_RSA_N);
	REQUIRE(EVP_DigestFinal_ex(ctx, digest, NULL) == 1);
	EVP_MD_CTX_free(ctx);
	for (size_t i = 0; i < sizeof(digest); i++)
		buf_printf(out, " %02X", digest[i]);
}

static void put_base64(struct buf *out, const char *command, struct slice bytes)
{
	buf_printf(out, "%s ", command);
	base64_encode(out, bytes);
	buf_put_u8(out, '\n');
}

/* The 32 bytes of the key alone, and the certificate in DER. */
static void put_tls_keys(const struct export *e, struct buf *out)
{
	uint8_t bytes[32], *der = NULL;
	BIGNUM *number = NULL;
	int len = i2d_X509(e->certificate, &der);

	REQUIRE(len > 0 && EVP_PKEY_get_bn_param(e->key, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1);
	REQUIRE(BN_bn2binpad(number, bytes, sizeof(bytes)) == (int)sizeof(bytes));
	buf_put_slice(out, SLICE("# Certificate of the client (builds with USE_MQTT_AWS_IOT):\n"));
	put_base64(out, "TLSKey1", slice_of(bytes, sizeof(bytes)));
	put_base64(out, "TLSKey2", slice_of(der, (size_t)len));
	crypto_wipe(bytes, sizeof(bytes));
	OPENSSL_free(der);
	BN_clear_free(number);
}

static int for_tasmota(const struct export *e, struct buf *out)
{
	char group[32] = "";

	if (strpbrk(e->user, " ;") != NULL)
		return report_error(
		    EXIT_USAGE,
		    "a blank or ';' in '%s' cannot be typed into Tasmota's console; use "
		    "another name for the device",
		    e->user);
	if (e->server_rsa == NULL)
		return report_error(EXIT_USAGE,
		                    "Tasmota compares the RSA key of the server, and there is no "
		                    "issued/server-rsa.crt: run 'broker-pki server'");
	if (e->key != NULL)
		(void)EVP_PKEY_get_group_name(e->key, group, sizeof(group), NULL);
	if (e->key != NULL && strcmp(group, "prime256v1") != 0)
		return report_error(EXIT_USAGE,
		                    "Tasmota wants a P-256 key: run 'broker-pki client %s' without "
		                    "--rsa",
		                    e->user);
	buf_printf(
	    out,
	    "# In the console of a build with TLS. The fingerprint is that of the server's RSA "
	    "key, which stays when its certificate is renewed.\n"
	    "Backlog SetOption103 1; SetOption132 1; MqttHost %s; MqttPort %u; MqttUser %s\n"
	    "MqttFingerprint1",
	    e->host, e->port, e->user);
	put_fingerprint(out, e->server_rsa);
	buf_put_u8(out, '\n');
	if (e->certificate != NULL)
		put_tls_keys(e, out);
	else
		buf_put_slice(out, SLICE("MqttPassword PASSWORD\n"));
	return 0;
}

/* ---- PKCS#12 ---- */

static int for_pkcs12(const struct export *e, struct buf *out)
{
	STACK_OF(X509) * others;
	PKCS12 *bag;
	uint8_t *der = NULL;
	int len;

	if (e->password.len == 0)
		return report_error(
		    EXIT_USAGE, "pkcs12 wants a password: --password-file FILE (its first line)");
	if (e->certificate == NULL)
		return report_error(EXIT_USAGE, "'%s' has no certificate with a key here", e->user);
	others = sk_X509_new_null();
	REQUIRE(others != NULL && sk_X509_push(others, e->ca) > 0);
	bag = PKCS12_create((const char *)e->password.data, e->user, e->key, e->certificate, others,
	                    NID_aes_256_cbc, NID_aes_256_cbc, 0, 0, 0);
	REQUIRE(bag != NULL);
	len = i2d_PKCS12(bag, &der);
	REQUIRE(len > 0);
	buf_put_secret(out, slice_of(der, (size_t)len));
	OPENSSL_clear_free(der, (size_t)len);
	PKCS12_free(bag);
	sk_X509_free(others);
	return 0;
}

/* ---- the command ---- */

static const struct program {
	const char *name;
	export_fn *put;
	/* The text has the key in it, not the path to it. */
	bool has_key, is_binary;
} programs[] = {
    {"mosquitto", for_mosquitto, false, false},
    {"esphome", for_esphome, true, false},
    {"tasmota", for_tasmota, true, false},
    {"arduino", for_arduino, true, false},
    {"mqttjs", for_mqttjs, false, false},
    {"paho", for_paho, false, false},
    {"home-assistant", for_homeassistant, false, false},
    {"zigbee2mqtt", for_zigbee2mqtt, false, false},
    {"pkcs12", for_pkcs12, true, true},
};

static const struct program *find_program(const char *name)
{
	struct buf known = {0};

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		if (name != NULL && strcmp(programs[i].name, name) == 0) {
			buf_fini(&known);
			return &programs[i];
		}
		buf_printf(&known, "%s%s", i == 0 ? "" : ", ", programs[i].name);
	}
	if (name == NULL)
		(void)report_error(EXIT_USAGE,
		                   "export: for which program? Say --for and one of %.*s",
		                   (int)known.len, (const char *)known.data);
	else
		(void)report_error(EXIT_USAGE, "--for %s: not one of %.*s", name, (int)known.len,
		                   (const char *)known.data);
	buf_fini(&known);
	return NULL;
}

/* The certificate, if the user has one here with its key. */
static int read_client(struct pki *pki, struct export *e)
{
	int rc = pki_read_issued(pki, e->stem, &e->certificate);

	if (rc == 0 && e->certificate != NULL)
		rc = pki_read_issued_key(pki, e->stem, &e->key);
	if (rc != 0)
		return rc;
	if (e->certificate != NULL && e->key != NULL) {
		pki_certificate_pem(e->certificate, &e->certificate_pem);
		pki_key_write(e->key, SLICE_EMPTY, &e->key_pem);
		return 0;
	}
	(void)report_error(
	    0,
	    e->certificate == NULL
		? "note: '%s' has no certificate here ('client' makes one); this is "
		  "for a login with a password"
		: "note: the key of '%s' is not here, since its owner sent a request; "
		  "this is for a login with a password",
	    e->user);
	X509_free(e->certificate);
	e->certificate = NULL;
	return 0;
}

/* What the clients dial: a name that is in the server's certificate. */
static int find_host(struct pki *pki, const struct pki_options *o, struct pki_names *names,
                     struct export *e)
{
	X509 *server = NULL;
	int rc = pki_read_issued(pki, "issued/server-ec", &server);

	e->host = o->host;
	if (rc == 0 && server != NULL)
		pki_names_of(server, names);
	for (size_t i = 0; i < names->count; i++)
		if (e->host == NULL && strcmp(names->list[i].text, "localhost") != 0)
			e->host = names->list[i].text;
	for (size_t i = 0; o->host != NULL && server != NULL && i <= names->count; i++) {
		if (i == names->count)
			(void)report_error(
			    0,
			    "warning: the server's certificate is not for '%s': clients "
			    "will refuse it; 'broker-pki server' issues one for other names",
			    o->host);
		else if (strcasecmp(names->list[i].text, o->host) == 0)
			break;
	}
	X509_free(server);
	if (rc == 0 && e->host == NULL)
		rc = report_error(
		    EXIT_USAGE,
		    "what do clients dial? Run 'broker-pki server' first, or say --host");
	return rc;
}

static int read_password(const struct pki_options *o, struct export *e)
{
	struct pki_passphrase p = {.file = o->password_file};
	int rc = o->password_file == NULL ? 0 : pki_passphrase_get(&p, "the PKCS#12 file", false);

	if (p.secret.len > 0) {
		buf_put_secret(&e->password, buf_slice(&p.secret));
		buf_put_secret(&e->password, slice_of("", 1)); /* OpenSSL wants text */
	}
	pki_passphrase_fini(&p);
	return rc;
}

static int write_out(const struct pki_options *o, const struct program *program, bool is_secret,
                     const struct buf *out)
{
	int rc;

	if (o->output != NULL) {
		rc = pki_write_file(o->output, buf_slice(out), is_secret);
		if (rc == 0)
			printf("wrote %s%s\n", o->output,
			       is_secret ? " (it has the private key in it; mode 0600)" : "");
		return rc;
	}
	if (program->is_binary)
		return report_error(EXIT_USAGE, "%s is not text: say -o FILE", program->name);
	if (is_secret && !o->print && isatty(STDOUT_FILENO))
		return report_error(
		    EXIT_USAGE, "this has the private key in it: say -o FILE, or --print to see it "
				"on the terminal");
	(void)fwrite(out->data, 1, out->len, stdout);
	return 0;
}

static void export_fini(struct export *e)
{
	X509_free(e->ca);
	X509_free(e->certificate);
	X509_free(e->server_rsa);
	EVP_PKEY_free(e->key);
	buf_fini(&e->ca_pem);
	buf_fini(&e->certificate_pem);
	buf_fini_secret(&e->key_pem);
	buf_fini_secret(&e->password);
	free(e->directory);
	free(e->stem);
}

int pki_export_run(const struct pki_options *o)
{
	const struct program *program = find_program(o->program);
	struct export e = {.user = o->words[0], .port = o->port};
	struct pki_names names = {0};
	struct buf out = {0};
	struct pki pki;
	int rc;

	if (program == NULL || pki_leaf_check_user(e.user) != 0)
		return EXIT_USAGE;
	if (o->host != NULL) {
		char *why = pki_names_add_host(&names, o->host);

		pki_names_fini(&names);
		if (why != NULL) {
			(void)report_error(EXIT_USAGE, "--host: %s", why);
			free(why);
			return EXIT_USAGE;
		}
	}
	e.stem = pki_stem(PKI_CLIENT, e.user);
	e.directory = realpath(o->directory, NULL);
	rc = pki_options_open(o, PKI_READ, &pki);
	if (rc == 0)
		rc = find_host(&pki, o, &names, &e);
	if (rc == 0)
		rc = read_client(&pki, &e);
	if (rc == 0)
		rc = pki_authority_read_certificate(&pki, PKI_SERVER, &e.ca);
	if (rc == 0)
		rc = pki_read_issued(&pki, "issued/server-rsa", &e.server_rsa);
	if (rc == 0)
		rc = read_password(o, &e);
	if (rc == 0) {
		pki_certificate_pem(e.ca, &e.ca_pem);
		rc = program->put(&e, &out);
	}
	if (rc == 0)
		rc = write_out(o, program, program->has_key && e.certificate != NULL, &out);
	buf_fini_secret(&out);
	export_fini(&e);
	pki_names_fini(&names);
	pki_close(&pki);
	return rc;
}
