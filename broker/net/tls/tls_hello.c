/* Reading extensions inside OpenSSL's callback. */
#include "net/tls/tls_hello.h"

#include "base/array.h"

#define SUITES_SHOWN 12

/* RFC 8701: numbers that stand for nothing. */
static bool is_grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && (v >> 8) == (v & 0xff);
}

static bool find_extension(SSL *ssl, unsigned type, struct reader *out)
{
	const unsigned char *bytes;
	size_t len;

	if (SSL_client_hello_get0_ext(ssl, type, &bytes, &len) != 1)
		return false;
	*out = reader_of(slice_of(bytes, len));
	return true;
}

bool tls_hello_is_bounded(SSL *ssl)
{
	struct reader r;

	return !find_extension(ssl, TLSEXT_TYPE_supported_groups, &r) ||
	       reader_left(&r) <= 2 + 2 * HELLO_GROUPS_MAX;
}

static void read_versions(struct tls_hello *hello, SSL *ssl)
{
	struct reader r;

	if (!find_extension(ssl, TLSEXT_TYPE_supported_versions, &r)) {
		hello->versions[0] = (uint16_t)SSL_client_hello_get0_legacy_version(ssl);
		hello->version_count = 1;
		return;
	}
	(void)read_u8(&r);
	while (reader_left(&r) >= 2 && hello->version_count < HELLO_VERSIONS) {
		uint16_t version = read_u16(&r);

		if (!is_grease(version))
			hello->versions[hello->version_count++] = version;
	}
}

static void read_suites(struct tls_hello *hello, SSL *ssl)
{
	const unsigned char *bytes = NULL;
	size_t len = SSL_client_hello_get0_ciphers(ssl, &bytes);
	struct reader r = reader_of(slice_of(bytes, len));

	while (reader_left(&r) >= 2) {
		uint16_t suite = read_u16(&r);

		if (is_grease(suite) || suite == 0x00ff || suite == 0x5600)
			continue; /* no suites: renegotiation and fallback signals */
		if (hello->suite_count < HELLO_SUITES)
			hello->suites[hello->suite_count++] = suite;
		else
			hello->suites_left_out++;
	}
}

/* RFC 8422 5.1.1, RFC 8446 4.2.7: a list of numbers. */
static void read_groups(struct tls_hello *hello, SSL *ssl)
{
	struct reader r;

	if (!find_extension(ssl, TLSEXT_TYPE_supported_groups, &r))
		return;
	(void)read_u16(&r);
	while (reader_left(&r) >= 2) {
		uint16_t group = read_u16(&r);

		if (is_grease(group))
			continue;
		if (hello->group_count < HELLO_GROUPS)
			hello->groups[hello->group_count++] = group;
		else
			hello->groups_left_out++;
	}
}

static void copy_text(char *out, size_t cap, struct slice s)
{
	size_t n = s.len < cap - 1 ? s.len : cap - 1;

	if (n > 0)
		memcpy(out, s.data, n);
	out[n] = '\0';
}

/* RFC 6066 3: a list of (type, name); type 0 is a host name. */
static void read_server_name(struct tls_hello *hello, SSL *ssl)
{
	struct reader r;

	if (!find_extension(ssl, TLSEXT_TYPE_server_name, &r))
		return;
	(void)read_u16(&r);
	if (read_u8(&r) == 0)
		copy_text(hello->server_name, sizeof(hello->server_name), read_string(&r));
}

/* RFC 7301 3.1: a list of names with a length byte each. */
static void read_protocols(struct tls_hello *hello, SSL *ssl)
{
	struct buf names = {0};
	struct reader r;

	if (!find_extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &r))
		return;
	(void)read_u16(&r);
	while (reader_left(&r) > 0 && names.len < sizeof(hello->protocols)) {
		struct slice name = read_bytes(&r, read_u8(&r));

		if (names.len > 0)
			buf_put_u8(&names, ' ');
		buf_put_slice(&names, name);
	}
	copy_text(hello->protocols, sizeof(hello->protocols), buf_slice(&names));
	buf_fini(&names);
}

void tls_hello_read(struct tls_hello *hello, SSL *ssl)
{
	struct reader r;

	*hello = (struct tls_hello){.seen = true};
	read_versions(hello, ssl);
	read_suites(hello, ssl);
	read_groups(hello, ssl);
	read_server_name(hello, ssl);
	read_protocols(hello, ssl);
	hello->extended_master_secret = find_extension(ssl, TLSEXT_TYPE_extended_master_secret, &r);
}

void tls_hello_versions(const struct tls_hello *hello, struct buf *out)
{
	static const char *const names[] = {"SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};

	for (size_t i = 0; i < hello->version_count; i++) {
		uint16_t version = hello->versions[i];

		if (out->len > 0)
			buf_put_u8(out, ' ');
		if (version >= SSL3_VERSION && version <= TLS1_3_VERSION)
			buf_printf(out, "%s", names[version - SSL3_VERSION]);
		else
			buf_printf(out, "0x%04x", version);
	}
}

void tls_hello_groups(const struct tls_hello *hello, struct buf *out)
{
	static const struct {
		uint16_t number;
		const char *name;
	} known[] = {
	    {23, "P-256"},           {24, "P-384"},
	    {25, "P-521"},           {26, "brainpoolP256r1"},
	    {27, "brainpoolP384r1"}, {28, "brainpoolP512r1"},
	    {29, "X25519"},          {30, "X448"},
	    {31, "brainpoolP256r1"}, {32, "brainpoolP384r1"},
	    {33, "brainpoolP512r1"}, {256, "ffdhe2048"},
	    {257, "ffdhe3072"},      {0x11ec, "X25519MLKEM768"},
	};

	for (size_t i = 0; i < hello->group_count; i++) {
		size_t row = 0;

		while (row < ARRAY_LEN(known) && known[row].number != hello->groups[i])
			row++;
		if (out->len > 0)
			buf_put_u8(out, ' ');
		if (row < ARRAY_LEN(known))
			buf_printf(out, "%s", known[row].name);
		else
			buf_printf(out, "0x%04x", hello->groups[i]);
	}
	if (hello->groups_left_out > 0)
		buf_printf(out, " +%u", hello->groups_left_out);
}

void tls_hello_suites(const struct tls_hello *hello, SSL *ssl, struct buf *out)
{
	size_t shown = hello->suite_count < SUITES_SHOWN ? hello->suite_count : SUITES_SHOWN;
	unsigned more = (unsigned)(hello->suite_count - shown) + hello->suites_left_out;

	for (size_t i = 0; i < shown; i++) {
		uint16_t suite = hello->suites[i];
		unsigned char bytes[2] = {(unsigned char)(suite >> 8), (unsigned char)suite};
		const SSL_CIPHER *known = SSL_CIPHER_find(ssl, bytes);

		if (out->len > 0)
			buf_put_u8(out, ' ');
		if (known != NULL)
			buf_printf(out, "%s", SSL_CIPHER_get_name(known));
		else
			buf_printf(out, "0x%04x", suite);
	}
	if (more > 0)
		buf_printf(out, " +%u", more);
}
