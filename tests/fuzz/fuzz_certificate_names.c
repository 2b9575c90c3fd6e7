/* Certificates of strangers, before anybody vouches for them: a name that is taken is plain UTF-8
 * without U+0000, and without a name nothing is written. */
#include "base/require.h"
#include "base/utf8.h"
#include "net/tls/tls_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_names(X509 *certificate, enum conf_certificate_user kind)
{
	struct buf out = {0};
	struct slice name;
	size_t count;

	buf_put_u8(&out, '<');
	count = tls_names_of(certificate, kind, &out);
	REQUIRE(out.len >= 1 && out.data[0] == '<');
	name = slice_of(out.data + 1, out.len - 1);
	REQUIRE((count == 0) == (name.len == 0));
	REQUIRE(utf8_valid(name));
	REQUIRE(name.len == 0 || memchr(name.data, 0, name.len) == NULL);
	REQUIRE(kind != CERTIFICATE_USER_NONE || count == 0);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum conf_certificate_user kinds[] = {
	    CERTIFICATE_USER_NONE, CERTIFICATE_USER_CN, CERTIFICATE_USER_SAN_DNS,
	    CERTIFICATE_USER_SAN_URI, CERTIFICATE_USER_SAN_EMAIL};
	const uint8_t *at = data;
	X509 *certificate = d2i_X509(NULL, &at, (long)size);

	for (size_t i = 0; certificate != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		take_names(certificate, kinds[i]);
	X509_free(certificate);
	return 0;
}
